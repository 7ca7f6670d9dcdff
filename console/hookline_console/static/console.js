// The keyboard and the theme. Every page works without this file.
"use strict";
(() => {
  const root = document.documentElement;
  const remembered = localStorage.getItem("theme");
  if (remembered === "dark" || remembered === "light") root.dataset.theme = remembered;

  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });

  const help = document.getElementById("help");
  const keys = document.getElementById("keys");
  if (help && keys) {
    keys.hidden = false;
    keys.addEventListener("click", () => help.showModal());
  }

  const rows = () => [...document.querySelectorAll("[data-row]")];
  const chosen = () => document.querySelector("[data-row].chosen");

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(chosen());
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    chosen()?.classList.remove("chosen");
    next.classList.add("chosen");
    next.scrollIntoView({ block: "nearest" });
    (next.querySelector("a[href]") ?? next).focus({ preventScroll: true });
  }

  // What is live is replaced under whoever moves through it with the keyboard: the focus goes to the same link again.
  let focused = "";
  document.addEventListener("htmx:sseBeforeMessage", () => {
    const link = document.activeElement?.closest?.("#status a[href]");
    focused = link ? link.getAttribute("href") : "";
  });
  document.addEventListener("htmx:sseMessage", () => {
    if (focused) document.querySelector(`#status a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  });

  const actions = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    r: () => (chosen()?.querySelector("[data-act]") ?? document.querySelector("[data-act-all]"))?.click(),
    "?": () => help?.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest?.("input, select, textarea");
    if (field && event.key === "Escape") field.blur();
    if (field || event.ctrlKey || event.metaKey || event.altKey || help?.open) return;
    const page = /^[1-9]$/.test(event.key) ? document.querySelectorAll("nav a")[event.key - 1] : undefined;
    const act = page ? () => page.click() : actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
})();
