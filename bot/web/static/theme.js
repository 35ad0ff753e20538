// Light or dark, as the visitor last chose; the system's choice until then. Runs before anything
// is painted, so that the page does not flash.
(() => {
  const KEY = "citewell.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem(KEY);
  } catch {
    // No storage here: the system decides.
  }
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const tell = () => {
    for (const button of document.querySelectorAll("[data-theme-switch]"))
      if (button.ariaPressed !== String(isDark())) button.ariaPressed = String(isDark());
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-switch]")) return;
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // It lasts as long as the page.
    }
    tell();
  });
  new MutationObserver(tell).observe(root, { childList: true, subtree: true }); // drawn, or anew
  system.addEventListener("change", tell);
  tell(); // where the page was drawn before this ran
})();
