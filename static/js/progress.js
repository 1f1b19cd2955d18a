// Says how far a run is to those who cannot see the bar: when its status changes, and at every tenth of the way.
document.addEventListener("DOMContentLoaded", () => {
  const said = document.getElementById("progress-said");
  let before = "";
  const say = () => {
    const part = document.getElementById("progress");
    const bar = part && part.querySelector("[role=progressbar]");
    if (!said || !bar) return;
    const tenth = Math.floor(Number(bar.getAttribute("aria-valuenow") || 0) / 10);
    const now = `${part.querySelector(".console-row").textContent.trim()} ${tenth}`;
    if (now === before) return;
    before = now;
    said.textContent = bar.getAttribute("aria-valuetext");
  };
  document.body.addEventListener("htmx:afterSettle", say);
  say();
});
