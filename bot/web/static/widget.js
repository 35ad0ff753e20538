// The chat in a corner of a clinic's own page. One line in that page brings it:
//   <script src="https://chat.example.org/widget.js" async></script>
// It asks for nothing and keeps nothing; the chat page is fetched when a visitor opens it. Styles are
// set through the CSSOM alone and nothing is parsed as HTML, so that a strict policy of the host
// page holds, and a closed-off tree (shadow DOM) keeps its style sheets out.
(() => {
  "use strict";
  const settings = null; // the server writes what the clinic's settings say: bot/web/widget.py

  const PATIENCE = 10_000; // ms until we stop saying "Opening the chat…"
  const MARK = Symbol.for("citewell"); // on the document: this page has the chat already
  const script = document.currentScript ?? document.querySelector('script[src*="/widget.js"]');
  if (!settings || !script || document[MARK]) return;
  document[MARK] = true;
  const base = new URL(".", script.src);
  if (location.origin !== base.origin && !settings.origins.includes(location.origin)) {
    console.warn(
      `Citewell: the chat is not shown here, because ${location.origin} is not one of the sites ` +
        `that may show it. Add "${location.origin}" to origins under [widget] in clinic.toml at ` +
        `${base.host}, and start citewell again.`,
    );
    return;
  }

  const root = document.documentElement;
  const narrow = matchMedia("(max-width: 640px), (max-height: 480px)");
  const side = /^(left|right)$/.test(script.dataset.side) ? script.dataset.side : settings.side;
  let state = "new"; // new, loading, ready, failed
  let open = false;
  let opener = null; // what the focus goes back to
  let timer = 0;
  let lent = null; // how the host page was before the chat covered it

  const button = make(
    "button",
    { type: "button", "aria-expanded": "false", "aria-haspopup": "dialog", class: "launch" },
    drawn("M4 4h16v12H9l-5 4z"),
    make("span", {}, settings.label),
  );
  const close = make(
    "button",
    { type: "button", "aria-label": "Close the chat" },
    drawn("M6 6l12 12M18 6L6 18"),
  );
  const word = make("div", { class: "word", role: "status" });
  const frame = make("iframe", {
    title: `${settings.clinic}: ${settings.ai}`,
    referrerpolicy: "no-referrer",
    allow: "clipboard-write",
    // No `sandbox`: another origin is closed off already, and with it some browsers do not dial
    // the emergency number.
  });
  const room = make("div", { class: "room" }, word);
  const name = `${settings.clinic}: AI assistant`;
  const panel = make(
    "div",
    { role: "dialog", "aria-label": name, tabindex: "-1", class: "panel" },
    make("div", { class: "bar" }, make("b", {}, settings.clinic), close),
    room,
  );
  const host = make("citewell-chat", {});
  const shadow = host.attachShadow({ mode: "open" });
  shadow.append(make("div", { role: "region", "aria-label": "Chat", class: side }, panel, button));
  dress();

  button.addEventListener("click", () => (open ? shut() : show(button)));
  close.addEventListener("click", shut);
  shadow.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open) shut();
  });
  document.addEventListener("click", (event) => {
    const asked = event.target.closest?.("[data-citewell-open]");
    if (!asked) return;
    event.preventDefault(); // it may be a link, for where this script does not run
    show(asked);
  });
  window.addEventListener("message", (event) => {
    if (event.origin !== base.origin || !event.source) return;
    if (event.source !== frame.contentWindow) return;
    if (event.data?.citewell === "ready") ready();
    if (event.data?.citewell === "close" && open) shut();
  });
  narrow.addEventListener("change", cover);
  if (document.body) begin();
  else document.addEventListener("DOMContentLoaded", begin);

  function begin() {
    root.append(host); // beside the body: what that does to its own cannot reach it
    if ("open" in script.dataset) show(button, narrow.matches);
  }

  function show(from, focus = true) {
    opener = from;
    open = true;
    panel.classList.add("open");
    button.setAttribute("aria-expanded", "true");
    cover();
    if (state === "new" || state === "failed") load();
    if (focus) (state === "ready" ? frame : panel).focus();
  }

  function shut() {
    open = false;
    panel.classList.remove("open");
    button.setAttribute("aria-expanded", "false");
    cover();
    (opener.isConnected ? opener : button).focus();
  }

  function cover() {
    const whole = open && narrow.matches;
    if (whole) panel.setAttribute("aria-modal", "true");
    else panel.removeAttribute("aria-modal");
    if (whole && !lent) {
      lent = { body: document.body, inert: document.body.inert, overflow: root.style.overflow };
      lent.body.inert = true;
      root.style.overflow = "hidden";
    } else if (!whole && lent) {
      lent.body.inert = lent.inert;
      root.style.overflow = lent.overflow;
      lent = null;
    }
  }

  function load() {
    state = "loading";
    room.classList.remove("ready");
    const ai = make("p", { class: "soft" }, settings.ai);
    word.replaceChildren(make("p", {}, "Opening the chat…"), ai);
    frame.src = new URL("?widget=1", base).href;
    room.append(frame);
    timer = setTimeout(fail, PATIENCE);
  }

  function ready() {
    clearTimeout(timer);
    const waiting = shadow.activeElement === panel;
    state = "ready";
    room.classList.add("ready");
    word.replaceChildren();
    if (waiting) frame.focus();
  }

  function fail() {
    state = "failed";
    const away = { href: base.href, target: "_blank", rel: "noopener", class: "way" };
    word.replaceChildren(
      make("p", {}, "The chat does not open here."),
      make("p", {}, make("a", away, "Open it in a new tab")),
      make("p", {}, `${settings.contact}: ${settings.hours}`),
      ...settings.ways.map(([label, href]) => {
        const target = href.startsWith("http") ? "_blank" : "_self"; // tel: and mailto: stay
        return make("p", {}, make("a", { ...away, href, target }, label));
      }),
    );
  }

  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function drawn(path) {
    const [svg, line] = ["svg", "path"].map((name) =>
      document.createElementNS("http://www.w3.org/2000/svg", name),
    );
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    line.setAttribute("d", path);
    svg.append(line);
    return svg;
  }

  function dress() {
    const css = `
:host {
  all: initial !important; direction: ltr !important; color-scheme: light dark !important;
  position: fixed !important; z-index: 2147483647 !important; display: block !important;
}
div {
  --paper: #faf8f4; --card: #fff; --ink: #1d2b2a; --soft: #55645f; --line: #e3ded3;
  --brand: #0e5a54; --on-brand: #fff; --bar: #0e5a54; --on-bar: #fff;
  box-sizing: border-box; color: var(--ink);
  font: 16px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
p { margin: 0 0 8px; }
button { font: inherit; cursor: pointer; margin: 0; -webkit-tap-highlight-color: transparent; }
svg { width: 22px; height: 22px; flex: none; fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.launch {
  position: fixed; bottom: max(20px, env(safe-area-inset-bottom)); box-sizing: border-box;
  display: flex; align-items: center; gap: 10px; min-height: 52px; max-width: calc(100vw - 32px);
  padding: 10px 20px 10px 16px; border: 1px solid var(--on-brand); border-radius: 26px; text-align: left;
  background: var(--brand); color: var(--on-brand); font-weight: 600; line-height: 1.25;
  box-shadow: 0 2px 6px rgb(0 0 0 / .16), 0 8px 24px rgb(0 0 0 / .16);
}
.panel {
  position: fixed; bottom: calc(max(20px, env(safe-area-inset-bottom)) + 64px);
  width: min(400px, calc(100vw - 32px)); height: min(640px, calc(100vh - 104px));
  display: flex; flex-direction: column; overflow: hidden; visibility: hidden;
  background: var(--card); border: 1px solid var(--line); border-radius: 16px;
  box-shadow: 0 4px 12px rgb(0 0 0 / .12), 0 16px 48px rgb(0 0 0 / .2);
}
.panel.open { visibility: visible; }
.right .launch, .right .panel { right: max(16px, env(safe-area-inset-right)); }
.left .launch, .left .panel { left: max(16px, env(safe-area-inset-left)); }
.bar { display: flex; align-items: center; gap: 12px; flex: none; padding: 4px 4px 4px 16px; background: var(--bar); color: var(--on-bar); }
.bar b { flex: 1; min-width: 0; overflow-wrap: anywhere; line-height: 1.3; }
.bar button { display: grid; place-items: center; width: 44px; height: 44px; border: 0; border-radius: 10px; background: none; color: inherit; }
.room { position: relative; flex: 1; min-height: 0; background: var(--paper); overflow: auto; overscroll-behavior: contain; }
.word { padding: 32px 24px; font-size: 17px; }
.soft { color: var(--soft); font-size: 14px; }
.way { display: inline-block; padding: 4px 0; color: var(--brand); overflow-wrap: anywhere; }
.ready .word { display: none; }
iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; visibility: hidden; color-scheme: light dark; }
.open .ready iframe { visibility: visible; }
:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px; }
.launch:focus-visible { box-shadow: 0 0 0 3px var(--on-brand), 0 0 0 6px var(--brand); outline-offset: 4px; }
.bar button:focus-visible { outline-color: currentColor; outline-offset: -5px; }
.panel:focus, iframe:focus { outline: none; }
@media (max-width: 640px), (max-height: 480px) {
  .right .panel, .left .panel { inset: 0; width: 100%; height: auto; border: 0; border-radius: 0; padding: env(safe-area-inset-top) env(safe-area-inset-right) env(safe-area-inset-bottom) env(safe-area-inset-left); }
  .panel.open ~ .launch { visibility: hidden; }
}
@media (prefers-color-scheme: dark) {
  div { --paper: #111817; --card: #182221; --ink: #e8efec; --soft: #a3b4b0; --line: #2f3f3c; --brand: #7fd1c4; --on-brand: #0b1f1c; --bar: #1d302d; --on-bar: #e8efec; }
}
@media (prefers-reduced-motion: no-preference) {
  .panel { transition: translate .16s ease-out; translate: 0 10px; }
  .panel.open { translate: 0 0; }
}
@media print { :host { display: none !important; } }`;
    if (shadow.adoptedStyleSheets) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      shadow.adoptedStyleSheets = [sheet];
    } else shadow.append(make("style", {}, css)); // Safari before 16.4
  }
})();
