// The form of an integration follows the chosen system: which fields are required and how they are called, which
// ticks and options it offers, and, on a new integration, the data entity mappings that fit.
document.addEventListener("DOMContentLoaded", () => {
  const told = document.getElementById("integration-rules");
  if (!told) return;
  const { systems, fields, system: fixed, existing } = JSON.parse(told.textContent);
  const select = document.querySelector("select[name=system]");
  const pictures = document.querySelector("input[name=pictures_only]");
  const chosen = () => (select ? select.value : fixed);

  const label = (name) => document.querySelector(`#integration_form label[for=id_${name}]`);

  const mark = (name, required) => {
    const input = document.getElementById(`id_${name}`);
    const own = label(name);
    if (!input || !own) return;
    const needed = required && !input.dataset.stored;
    if (needed) input.setAttribute("aria-required", "true");
    else input.removeAttribute("aria-required");
    let star = own.querySelector("[data-star]");
    if (needed && !star && !own.textContent.includes("*")) {
      star = document.createElement("span");
      star.dataset.star = "yes";
      star.className = "console-bad";
      star.setAttribute("aria-hidden", "true");
      star.textContent = "*";
      own.append(star);
    }
    if (star) star.hidden = !needed;
  };

  const name = (field, text) => {
    const own = label(field);
    const words = own && [...own.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (words && words.textContent.trim() !== text) words.textContent = text;
  };

  // What the person chose stays; what was filled in for another system does not.
  const prefill = (mappings) => {
    for (const field of document.querySelectorAll("#integration_form select[data-mapping]")) {
      const fitting = String(mappings[field.dataset.mapping] ?? "");
      const own = field.value !== "" && field.value !== field.dataset.filled;
      if (own || field.dataset.touched || field.value === fitting) continue;
      field.value = fitting;
      field.dataset.filled = field.value;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
  };

  const follow = () => {
    const system = chosen();
    const rules = systems[system];
    for (const tick of document.querySelectorAll("input[data-systems]")) {
      const offered = !system || tick.dataset.systems.split(" ").includes(system);
      (tick.closest("label") || tick).parentElement.hidden = !offered;
    }
    for (const option of document.querySelectorAll("[data-option-systems]")) {
      option.hidden = !system || !option.dataset.optionSystems.split(" ").includes(system);
    }
    const required = rules ? (rules.pictures && pictures?.checked ? rules.pictures : rules.required) : [];
    for (const field of fields) mark(field, required.includes(field));
    for (const [field, text] of Object.entries(rules?.labels ?? {})) name(field, text);
  };

  for (const field of document.querySelectorAll("#integration_form select[data-mapping]")) {
    field.addEventListener("change", (event) => { if (event.isTrusted) field.dataset.touched = "yes"; });
  }
  select?.addEventListener("change", () => {
    follow();
    if (!existing) prefill(systems[chosen()]?.mappings ?? {});
  });
  pictures?.addEventListener("change", follow);
  follow();
});
