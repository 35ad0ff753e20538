// The conversation. The server renders each answer; this file sends questions, shows what comes
// back, says it once to a screen reader, and hands the rest to the other files here.
import { follow as followSources } from "./source.js";
import { dress, follow as followActions, rated } from "./actions.js";
import * as history from "./history.js";

const PATIENCE = 45_000; // ms without a word from the server before we say so
const DOUBT = 5_000; // ms after which we look whether the server is there at all
const framed = window.parent !== window;

export function start(element, trigger) {
  const talk = element.querySelector(".cw-talk");
  const log = element.querySelector(".cw-log");
  const chips = element.querySelector(".cw-chips");
  const status = element.querySelector("[role=status]");
  const form = element.querySelector("form");
  const box = form.elements.question;
  const send = form.querySelector("[type=submit]");
  const startOver = form.querySelector("[data-start-over]");
  const firstChips = chips.innerHTML;
  const source = followSources(document.getElementById("cw-body"));
  let number = 0;
  let waitingFor = null;
  let timers = [];

  function card(name) {
    return element.querySelector(`[data-card=${name}]`).content.firstElementChild.cloneNode(true);
  }

  function add(question, shown) {
    const exchange = document.createElement("div");
    const asked = document.createElement("p");
    exchange.className = "cw-exchange";
    asked.className = "cw-you";
    asked.textContent = question;
    exchange.append(asked, shown);
    log.append(exchange);
    return exchange;
  }

  function settle(state) {
    talk.dataset.state = state;
    send.disabled = state !== "done";
    startOver.hidden = !log.children.length;
    element.querySelector(".cw-welcome").hidden = log.children.length > 0;
  }

  function ask(typed, again = null) {
    if (send.disabled) return;
    const question = typed.toWellFormed?.() ?? typed; // half an emoji cannot be sent
    source.close(false);
    box.value = "";
    fit();
    history.draft(question);
    number += 1;
    again?.remove();
    const left = document.activeElement; // what was pressed goes away, and the focus with it
    const exchange = add(question, card("working"));
    waitingFor = { number, question, exchange };
    chips.replaceChildren();
    status.textContent = "";
    settle("working");
    if (left !== box) {
      exchange.firstElementChild.tabIndex = -1;
      exchange.firstElementChild.focus({ preventScroll: true });
    }
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    exchange.firstElementChild.scrollIntoView({ behavior: calm ? "auto" : "smooth" });
    trigger("submit", { question, number, history: history.turns() });
    timers = [setTimeout(lost, PATIENCE), setTimeout(look, DOUBT)];
  }

  async function look() {
    const mine = waitingFor;
    try {
      if ((await fetch(new URL("healthz", document.baseURI))).ok) return;
    } catch {
      // Not reachable: the same as not well.
    }
    if (waitingFor === mine) lost();
  }

  function rest() {
    timers.forEach(clearTimeout);
    timers = [];
  }

  function lost() {
    if (!waitingFor) return;
    rest();
    waitingFor.exchange.lastElementChild.replaceWith(card("lost"));
    waitingFor.exchange.dataset.question = waitingFor.question;
    waitingFor = null;
    settle("done");
  }

  function show(reply) {
    if (reply?.state === "chips" && reply.number === number && !waitingFor && log.children.length) {
      chips.innerHTML = reply.chips;
      history.offer(reply.chips);
    }
    if (!reply?.card || reply.number !== waitingFor?.number) return; // started over meanwhile
    rest();
    const { question, exchange } = waitingFor;
    const shown = made(reply.card);
    const focused = exchange.contains(document.activeElement) && document.activeElement.dataset;
    exchange.lastElementChild.replaceWith(shown);
    source.redraw(focused?.source);
    if (reply.state === "partial") {
      timers = [setTimeout(lost, PATIENCE)];
      return;
    }
    waitingFor = null;
    settle("done");
    history.remember({ number, question, card: reply.card, turn: reply.turn });
    history.draft(box.value);
    dress(shown, question);
    status.textContent = reply.say; // once, when all of it is there; an alert speaks for itself
  }

  function restore() {
    box.value ||= history.drafted(); // somebody may type already
    fit();
    try {
      for (const past of history.load()) draw(past);
      if (log.children.length) {
        chips.innerHTML = history.chips();
        log.lastElementChild.scrollIntoView();
      }
    } catch (error) {
      console.warn(error); // what was kept cannot be shown: better a new start than none
      forget();
    }
    settle("done");
  }

  function draw(past) {
    const shown = made(past.card);
    shown.removeAttribute("role"); // said once, when it came
    add(past.question, shown);
    dress(shown, past.question);
    if (past.rated) rated(shown);
    number = Math.max(number, past.number);
  }

  function forget() {
    source.close(false);
    history.clear();
    waitingFor = null;
    rest();
    log.replaceChildren();
    chips.innerHTML = firstChips;
    status.textContent = "";
    settle("done");
  }

  function fit() {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(box.value);
  });
  box.addEventListener("input", () => {
    fit();
    history.draft(box.value);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  startOver.addEventListener("click", () => {
    forget();
    box.focus();
  });
  history.onCleared(forget); // in another tab
  document.addEventListener("click", (event) => {
    const chip = event.target.closest?.("[data-ask]");
    const again = event.target.closest?.("[data-again]")?.closest(".cw-exchange");
    if (chip) ask(chip.dataset.ask);
    if (again) ask(again.dataset.question, again);
    for (const ways of document.querySelectorAll(".cw-contact[open]"))
      if (!ways.contains(event.target)) ways.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const ways = document.querySelector(".cw-contact[open]");
    if (source.isOpen()) source.close();
    else if (ways) {
      ways.open = false;
      ways.querySelector("summary").focus();
    } else if (framed) window.parent.postMessage({ citewell: "close" }, "*");
  });
  document.addEventListener("citewell:reply", (event) => show(event.detail));
  followActions(log, status, history.rated);
  restore();
  document.documentElement.dataset.cwStarted = "";
  if (framed) {
    document.documentElement.classList.add("cw-framed");
    if (matchMedia("(pointer: fine)").matches) // on a phone the keyboard would cover the page
      window.addEventListener("focus", () => document.activeElement === document.body && box.focus());
    window.parent.postMessage({ citewell: "ready" }, "*");
  }
}

function made(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}
