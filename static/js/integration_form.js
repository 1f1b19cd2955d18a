// Family Identifier offers only what the chosen system knows; the rest of the form follows by itself.
document.addEventListener("DOMContentLoaded", () => {
  const system = document.querySelector("select[name=system]");
  const options = document.querySelectorAll("input[data-systems]");
  const follow = () => {
    for (const option of options) {
      const offered = !system || !system.value || option.dataset.systems.split(" ").includes(system.value);
      (option.closest("label") || option).parentElement.hidden = !offered;
    }
  };
  if (system) {
    system.addEventListener("change", follow);
    follow();
  }
});
