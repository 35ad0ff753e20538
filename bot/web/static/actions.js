// What can be done with an answer: say whether it helped, copy, print or e-mail it with its sources.
const MAIL_LENGTH = 1900; // characters of a mailto: address that every mail program takes
const SUBJECT = 80;

export function follow(log, status, keepRated) {
  log.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const shown = button?.closest(".cw-answer");
    if (!shown) return;
    if (button.dataset.rate === "yes") rate(shown, true, "", keepRated);
    if (button.dataset.rate === "no") askWhy(shown, button);
    if (button.dataset.reason) rate(shown, false, button.dataset.reason, keepRated);
    if ("copy" in button.dataset) copy(shown, status);
    if ("print" in button.dataset) print(shown);
  });
}

// Give an answer what it needs to be sent: its question, its links in full, its e-mail.
export function dress(shown, question) {
  shown.dataset.question = question;
  for (const link of shown.querySelectorAll(".cw-cited a")) {
    link.href = new URL(link.getAttribute("href"), document.baseURI);
    link.textContent = link.href;
  }
  const mail = shown.querySelector("[data-mail]");
  if (mail) mail.href = mailed(shown);
}

// With its quotes if they fit, else without, else the links alone: those are short.
function mailed(shown) {
  const subject = [...shown.dataset.question].slice(0, SUBJECT).join("");
  const bodies = [asText(shown), asText(shown, false), links(shown)];
  const hrefs = bodies.map((body) => {
    const lines = body.replaceAll("\n", "\r\n");
    return `mailto:?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(lines)}`;
  });
  return hrefs.find((href) => href.length <= MAIL_LENGTH) ?? hrefs.at(-1);
}

function links(shown) {
  return [...new Set([...shown.querySelectorAll(".cw-cited a")].map((a) => a.href))].join("\n");
}

export function asText(shown, quotes = true) {
  const said = [...shown.querySelectorAll(".cw-lead, .cw-said, .cw-part, .cw-personal, .cw-flag")];
  const cited = [...shown.querySelectorAll(".cw-cited li")].map((li, at) => {
    const title = li.firstChild.textContent.trim();
    const quote = quotes ? ` “${li.querySelector("q").textContent}”` : "";
    return `[${at + 1}] ${title}${quote}\n${li.querySelector("a").href}`;
  });
  const notes = [...shown.querySelectorAll(".cw-note:not([role])")].map(words);
  return [shown.dataset.question, ...said.map(words), ...cited, ...notes].join("\n\n");
}

function words(element) {
  const copy = element.cloneNode(true);
  for (const means of copy.querySelectorAll(".cw-means")) means.remove();
  for (const n of copy.querySelectorAll(".cw-n")) n.replaceWith(` [${n.textContent}]`);
  return copy.textContent.replace(/\s+/g, " ").trim();
}

function askWhy(shown, button) {
  const reasons = shown.querySelector(".cw-reasons");
  reasons.hidden = !reasons.hidden;
  button.setAttribute("aria-expanded", String(!reasons.hidden));
  if (!reasons.hidden) reasons.querySelector("button").focus();
}

async function rate(shown, helpful, reason, keepRated) {
  if (shown.dataset.rated) return; // a second press on the way
  shown.dataset.rated = "1";
  const { question, kind, pages } = shown.dataset;
  const rating = { question, kind, pages: JSON.parse(pages), helpful, reason };
  const done = shown.querySelector(".cw-done");
  let taken = false;
  try {
    const answer = await fetch(new URL("api/v1/feedback", document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(rating),
    });
    taken = answer.ok;
  } catch {
    // Not reachable: said below.
  }
  done.textContent = taken
    ? "Thank you. The staff see this without your name."
    : "That did not get through. Please try again later.";
  done.focus({ preventScroll: true }); // what was pressed goes away
  if (!taken) return delete shown.dataset.rated;
  rated(shown);
  keepRated(question);
}

export function rated(shown) {
  shown.dataset.rated = "1";
  for (const group of shown.querySelectorAll("[data-rate], .cw-reasons")) group.hidden = true;
}

async function copy(shown, status) {
  const done = shown.querySelector(".cw-done") ?? status;
  try {
    await navigator.clipboard.writeText(asText(shown));
    done.textContent = "Copied, with its sources.";
  } catch {
    done.textContent = "This browser does not allow copying here. Please select the text.";
  }
}

function print(shown) {
  const exchange = shown.closest(".cw-exchange");
  const root = document.documentElement;
  root.classList.add("cw-printing");
  exchange.classList.add("cw-print");
  const after = () => { // print() does not wait everywhere
    root.classList.remove("cw-printing");
    exchange.classList.remove("cw-print");
  };
  window.addEventListener("afterprint", after, { once: true });
  window.print();
}
