// The panel beside the conversation, a sheet on a phone: the passage that a number stands for.
export function follow(body) {
  const panel = body.querySelector(".cw-panel");
  let opener = null;

  function open(button) {
    const source = document.getElementById(button.dataset.source);
    if (!source) return;
    mark(button.dataset.source);
    opener = button;
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
    mark(null);
    if (refocus && opener?.isConnected) opener.focus({ preventScroll: true });
    opener = null;
  }

  function mark(source) {
    for (const n of document.querySelectorAll(".cw-n"))
      n.setAttribute("aria-expanded", String(n.dataset.source === source));
  }

  document.addEventListener("click", (event) => {
    const number = event.target.closest?.(".cw-n");
    if (number) number === opener ? close() : open(number);
    else if (event.target.closest?.(".cw-close")) close();
  });
  return { close, isOpen: () => document.body.classList.contains("cw-open") };
}
