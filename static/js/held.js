// Counts the choices of the page as they are made, and warns before choices that are not saved yet are left behind.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("held");
  const count = document.getElementById("held-count");
  const radios = form ? [...form.querySelectorAll("input[type=radio][name^=decision-]")] : [];
  if (!count || !radios.length) return;
  const fields = [...form.querySelectorAll(".console-choice input")];
  const touched = () => {
    const changed = (field) => (field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue);
    return new Set(fields.filter(changed).map((field) => field.name.split("-")[1])).size;
  };
  const tell = () => {
    const here = radios.filter((radio) => radio.checked);
    const kept = here.filter((radio) => radio.value === "keep").length;
    const number = (value) => value.toLocaleString("en-US");
    const ending = Number(form.dataset.ending) + here.length - kept;
    const unsaved = touched();
    count.textContent =
      `${number(ending)} would end, ${number(Number(form.dataset.kept) + kept)} kept enrolled` +
      (unsaved ? ` (${unsaved} not saved yet)` : "");
    for (const radio of here) radio.closest("tr").classList.toggle("console-changed", radio.value === "keep");
  };
  let leaving = false;
  form.addEventListener("input", tell);
  form.addEventListener("submit", () => { leaving = true; });
  window.addEventListener("beforeunload", (event) => { if (!leaving && touched()) event.preventDefault(); });
  tell();
});
