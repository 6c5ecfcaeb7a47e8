// Keeps the live part of a page fresh: fetches the same address and swaps the content in.
// Without JavaScript a meta refresh does the same, only more coarsely.
"use strict";

const PERIOD_MS = 4000;

async function refresh() {
  const live = document.querySelector("[data-live]");
  const isRead = document.hidden || live.contains(document.activeElement) ||
    String(document.getSelection()) !== "";
  if (!isRead) {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (response.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (fresh && fresh.innerHTML !== live.innerHTML) {
        const open = [...live.querySelectorAll("details[open][id]")].map((item) => item.id);
        live.replaceChildren(...fresh.childNodes);
        open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
      }
    }
  }
}

function next() {
  setTimeout(() => refresh().catch(() => undefined).finally(next), PERIOD_MS);
}

if (document.querySelector("[data-live]")) next();
