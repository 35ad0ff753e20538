// What was asked and answered, in this browser and nowhere else, for a day after the last message.
const KEY = "citewell.history";
const DRAFT = "citewell.draft";
const VERSION = 1; // of what is stored; another version is forgotten
const MOST = 20;
const FORGET_AFTER = 24 * 60 * 60 * 1000; // ms

let kept = { version: VERSION, at: 0, exchanges: [], chips: "" };

export function load() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    if (found?.version === VERSION && Date.now() - found.at < FORGET_AFTER) kept = found;
    else clear();
  } catch {
    // No storage here, or not ours: the conversation lasts as long as the page.
  }
  return kept.exchanges;
}

export function remember(exchange) {
  const exchanges = [...kept.exchanges, exchange].slice(-MOST);
  keep({ version: VERSION, at: Date.now(), exchanges, chips: "" });
}

export function offer(chips) {
  keep({ ...kept, chips });
}

export function rated(question) {
  const exchanges = kept.exchanges.map((e) => (e.question === question ? { ...e, rated: true } : e));
  keep({ ...kept, exchanges });
}

// Calls back when another tab has cleared the conversation: what is cleared stays cleared.
export function onCleared(forget) {
  window.addEventListener("storage", (event) => {
    if (event.key === KEY && event.newValue === null) forget();
  });
}

export function clear() {
  kept = { version: VERSION, at: 0, exchanges: [], chips: "" };
  try {
    localStorage.removeItem(KEY);
    sessionStorage.removeItem(DRAFT);
  } catch {
    // Nothing was kept.
  }
}

// What is typed and not answered yet, in this tab: the page loads anew when the server was renewed.
export function draft(text) {
  try {
    sessionStorage.setItem(DRAFT, text);
  } catch {
    // As above.
  }
}

export function drafted() {
  try {
    return sessionStorage.getItem(DRAFT) ?? "";
  } catch {
    return "";
  }
}

export function turns() {
  return kept.exchanges.map(({ question, turn }) => ({ question, ...turn }));
}

export function chips() {
  return kept.chips;
}

function keep(now) {
  kept = now;
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Full or forbidden: as above.
  }
}
