"use strict";
// Filters, pages, keys and pictures of the report. All cards are in the document; the script only
// hides and shows them, and never makes markup of a text.
(() => {
  const find = (selector) => document.querySelector(selector);
  const cards = [...document.querySelectorAll(".card")];
  const texts = new Map();
  const form = find("#filters");
  const perPage = Number(document.body.dataset.page);
  let found = cards;
  let page = 0;
  let current = null;

  // Pictures lie once in the page, as text; a card gets its own when it comes near.
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        const encoded = document.getElementById(`picture-${target.dataset.picture}`).textContent;
        target.src = `data:image/webp;base64,${encoded}`;
      }
    },
    { rootMargin: "800px" },
  );
  for (const image of document.querySelectorAll("img[data-picture]")) near.observe(image);

  function textOf(card) {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  }

  function matches(card, { kind, source, fate, text }) {
    const named = card.dataset.fates.split("\n").map((one) => `${card.dataset.kind}:${one}`);
    return (
      (!kind || card.dataset.kind === kind) &&
      (!source || card.dataset.source === source) &&
      (!fate || named.includes(fate)) &&
      text.toLowerCase().split(/\s+/).every((word) => textOf(card).includes(word))
    );
  }

  function filter() {
    const wanted = Object.fromEntries(new FormData(form));
    found = cards.filter((card) => matches(card, wanted));
    turn(0);
  }

  function turn(to) {
    const last = Math.max(0, Math.ceil(found.length / perPage) - 1);
    page = Math.min(Math.max(to, 0), last);
    const shown = new Set(found.slice(page * perPage, (page + 1) * perPage));
    for (const card of cards) card.hidden = !shown.has(card);
    const first = page * perPage + 1;
    find("#found").textContent = found.length
      ? `${first} to ${first + shown.size - 1} of ${found.length}`
      : "none";
    find("#none").hidden = found.length > 0;
    find("#before").disabled = page === 0;
    find("#after").disabled = page === last;
  }

  function select(card) {
    if (!card) return;
    const at = found.indexOf(card);
    if (Math.floor(at / perPage) !== page) turn(Math.floor(at / perPage));
    current?.removeAttribute("aria-current");
    current = card;
    card.setAttribute("aria-current", "true");
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "start" });
  }

  function step(by) {
    const at = found.indexOf(current);
    const start = by > 0 ? page * perPage : Math.min(found.length, (page + 1) * perPage) - 1;
    select(found[at < 0 || current.hidden ? start : at + by]);
  }

  function fold(card) {
    const parts = [...card.querySelectorAll("details")];
    const open = parts.some((part) => !part.open);
    for (const part of parts) part.open = open;
  }

  function setTheme(dark) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    find("#theme").textContent = dark ? "Light" : "Dark";
  }

  function switchTheme() {
    const dark = document.documentElement.dataset.theme !== "dark";
    setTheme(dark);
    try {
      localStorage.setItem("toolsight-theme", dark ? "dark" : "light");
    } catch {
      // A page opened from a file may have no storage: the choice then lasts as long as the page.
    }
  }

  function storedTheme() {
    try {
      return localStorage.getItem("toolsight-theme");
    } catch {
      return null;
    }
  }

  const keys = {
    j: () => step(1),
    k: () => step(-1),
    d: switchTheme,
    "/": () => form.elements.text.focus(),
    "?": () => find("#help").showModal(),
    Enter: () => current && fold(current),
  };

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || find("#help").open) return;
    const typing = event.target.closest("input, select, textarea");
    if (typing) {
      if (event.key === "Escape") {
        event.preventDefault(); // A browser would empty the search.
        typing.blur();
      }
      return;
    }
    // Enter is also how buttons, links and folded parts are used.
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  }

  function follow() {
    const card = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!card || !cards.includes(card)) return;
    if (!found.includes(card)) {
      form.reset();
      filter();
    }
    select(card);
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  find("#before").addEventListener("click", () => turn(page - 1));
  find("#after").addEventListener("click", () => turn(page + 1));
  find("#theme").addEventListener("click", switchTheme);
  find("#keys").addEventListener("click", keys["?"]);
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      form.reset();
      form.elements.fate.value = button.dataset.show;
      filter();
      find("#cards").scrollIntoView();
      form.elements.fate.focus({ preventScroll: true });
    });
  }
  document.addEventListener("keydown", pressed);
  window.addEventListener("hashchange", follow);

  const stored = storedTheme();
  setTheme(stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  filter();
  follow();
})();
