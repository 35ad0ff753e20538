// Follows indexing without a reload. Everything else works without a script.
addEventListener("DOMContentLoaded", () => {
  const work = document.querySelector('[data-work="running"]');
  if (!work) return;
  const bar = work.querySelector("progress");
  const count = work.querySelector("[data-count]");
  const look = async () => {
    try {
      const answer = await fetch("/staff/pages/progress", { redirect: "error" });
      const { running, done, total } = await answer.json();
      if (!running) return location.reload();
      if (total) {
        bar.max = total;
        bar.value = done;
      }
      count.textContent = `${done} of ${total} passages`;
    } catch {
      // The server is busy or the session has ended: the reload link still works.
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
});
