"use strict";

// What the admin's own templates leave out for people who use no mouse or do not see the screen.
// Fonts draw an icon from a word, which a screen reader would read out; what has only a title gets
// it as its name, a box without a label its placeholder; what only listens to clicks can be reached
// and pressed with the keyboard; who opens the filters is led into them.
{
  const ICON = ".material-symbols-outlined:not([aria-hidden]):not([role])";
  const TITLED = "a[title]:not([aria-label]), button[title]:not([aria-label])";
  const UNNAMED = "input[placeholder]:not([aria-label]), textarea[placeholder]:not([aria-label])";
  const CLICKED = "a[x-on\\:click]:not([href]):not([role]), span[x-on\\:click]:not([role])";

  const NAMES = {
    "#searchbar-submit": "Search",
    "#nav-sidebar-inner a.shrink-0": "SIS Console",
    "[x-on\\:click*=showPassword]": "Show or hide what is typed",
    "[x-on\\:click*=openTheme]": "Light or dark",
    "a:has(> .date-icon)": "Choose a date",
    "a:has(> .clock-icon)": "Choose a time",
  };

  const words = (element) => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll(".material-symbols-outlined").forEach((icon) => icon.remove());
    return copy.textContent.trim();
  };
  const each = (root, selector, act) => {
    if (root.matches(selector)) act(root);
    root.querySelectorAll(selector).forEach(act);
  };
  const mend = (root) => {
    for (const [selector, name] of Object.entries(NAMES)) {
      each(root, selector, (control) => control.setAttribute("aria-label", name));
    }
    each(root, TITLED, (link) => words(link) || link.setAttribute("aria-label", link.title.trim()));
    each(root, UNNAMED, (box) => box.labels?.length || box.setAttribute("aria-label", box.placeholder));
    each(root, CLICKED, (element) => {
      element.setAttribute("role", "button");
      element.setAttribute("tabindex", "0");
    });
    each(root, ICON, (icon) => icon.setAttribute("aria-hidden", "true"));
  };

  document.addEventListener("DOMContentLoaded", () => {
    mend(document.body);
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const added of change.addedNodes) if (added instanceof Element) mend(added);
      }
    }).observe(document.body, { childList: true, subtree: true });
  });

  document.addEventListener("click", (event) => {
    const filters = document.getElementById("changelist-filter");
    if (!filters || !event.target.closest?.('[x-on\\:click="filterOpen = true"]')) return;
    setTimeout(() => filters.querySelector("a[href], input:not([type=hidden]), select, button")?.focus(), 50);
  });

  document.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && event.target.matches?.('[role="button"][tabindex="0"]')) {
      event.preventDefault();
      event.target.click();
    }
  });
}
