// The panel beside the conversation, a sheet on a phone: the passage that a number stands for.
export function follow(body) {
  const panel = body.querySelector(".cw-panel");
  let opened = null; // the name of the source, for its button is drawn anew as an answer grows

  function open(button) {
    const source = document.getElementById(button.dataset.source);
    if (!source) return;
    opened = button.dataset.source;
    mark();
    panel.querySelector(".cw-source").replaceChildren(source.content.cloneNode(true));
    document.body.classList.add("cw-open");
    panel.scrollTop = 0;
    const words = panel.querySelector("mark");
    const passage = panel.querySelector(".cw-passage");
    if (words && words.offsetTop + words.offsetHeight > panel.clientHeight)
      panel.scrollTop = Math.min(passage.offsetTop - 12, words.offsetTop - 40);
    if (words && words.offsetTop - panel.scrollTop > panel.clientHeight - 80)
      panel.scrollTop = words.offsetTop - 40;
    panel.querySelector(".cw-close").focus({ preventScroll: true });
  }

  function close(refocus = true) {
    document.body.classList.remove("cw-open");
    if (refocus && opened) numberOf(opened)?.focus({ preventScroll: true });
    opened = null;
    mark();
  }

  // An answer was drawn anew: its numbers are other buttons now. `focused` had the focus before.
  function redraw(focused) {
    mark();
    if (focused) numberOf(focused)?.focus({ preventScroll: true });
  }

  function mark() {
    for (const n of document.querySelectorAll(".cw-n"))
      n.setAttribute("aria-expanded", String(n.dataset.source === opened));
  }

  function numberOf(source) {
    return document.querySelector(`.cw-n[data-source="${CSS.escape(source)}"]`);
  }

  document.addEventListener("click", (event) => {
    const number = event.target.closest?.(".cw-n");
    if (number) number.dataset.source === opened ? close() : open(number);
    else if (event.target.closest?.(".cw-close")) close();
  });
  return { close, redraw, isOpen: () => document.body.classList.contains("cw-open") };
}
