// Runs once when the box loads; `element` is its root, `trigger` sends an event to Python.
// The conversation is rendered by the server; this file only opens sources, sends questions and
// keeps the last words in view. Nothing is stored.
const form = element.querySelector("form");
const box = form.elements.question;
const send = form.querySelector("[type=submit]");
const startOver = form.querySelector("[data-start-over]");
const panel = () => document.querySelector(".cw-panel");
let opener = null;

function ask(question) {
  if (send.disabled) return;
  send.disabled = true;
  box.value = "";
  fit();
  close(false);
  trigger("submit", { question });
}

function fit() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

function open(button) {
  const source = document.getElementById(button.dataset.source);
  if (!source) return;
  mark(button.dataset.source);
  opener = button;
  panel().querySelector(".cw-source").replaceChildren(source.content.cloneNode(true));
  document.body.classList.add("cw-open");
  panel().scrollTop = 0;
  const words = panel().querySelector("mark");
  const passage = panel().querySelector(".cw-passage");
  if (words && words.offsetTop > panel().clientHeight) panel().scrollTop = passage.offsetTop - 12;
  panel().querySelector(".cw-close").focus({ preventScroll: true });
}

function close(refocus = true) {
  document.body.classList.remove("cw-open");
  mark(null);
  if (refocus && opener?.isConnected) opener.focus({ preventScroll: true });
  opener = null;
}

function mark(source) {
  for (const n of document.querySelectorAll(".cw-n"))
    n.setAttribute("aria-expanded", String(n.dataset.source === source));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(box.value);
});
box.addEventListener("input", fit);
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
startOver.addEventListener("click", () => {
  close(false);
  trigger("clear", {});
});

document.addEventListener("click", (event) => {
  const number = event.target.closest?.(".cw-n");
  const chip = event.target.closest?.("[data-ask]");
  if (number) number === opener ? close() : open(number);
  else if (chip) ask(chip.dataset.ask);
  else if (event.target.closest?.(".cw-close")) close();
  for (const ways of document.querySelectorAll(".cw-contact[open]"))
    if (!ways.contains(event.target)) ways.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("cw-open")) close();
});

// What the server has rendered decides the state of the box.
new MutationObserver(() => {
  const talk = document.querySelector("#cw-talk .cw-talk");
  if (!talk) return;
  const done = talk.dataset.state === "done";
  const asked = talk.querySelectorAll(".cw-you");
  send.disabled = !done;
  startOver.hidden = !(done && asked.length);
  const last = asked[asked.length - 1];
  if (last && last.dataset.seen !== "1") {
    last.dataset.seen = "1";
    last.scrollIntoView({ block: "start", behavior: "smooth" });
  }
}).observe(document.querySelector("#cw-talk"), { childList: true, subtree: true });
