// Suggested values: one click ticks every row with a suggestion, and choosing another value ticks its row.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("[data-suggestions]");
  if (!table) return;
  const rows = [...table.querySelectorAll("tbody tr")].map((row) => ({
    tick: row.querySelector("input[type=checkbox]"),
    value: row.querySelector("select"),
  }));
  for (const button of document.querySelectorAll("button[data-tick]")) {
    button.hidden = !rows.some(({ tick }) => !tick.disabled);
    button.addEventListener("click", () => {
      for (const { tick, value } of rows) {
        if (button.dataset.tick === "none") tick.checked = false;
        else if (value.dataset.suggested && value.value === value.dataset.suggested) tick.checked = true;
      }
    });
  }
  for (const { tick, value } of rows) {
    value.addEventListener("change", () => { tick.checked = value.value !== ""; });
  }
});
