// What every page gains with JavaScript: copy buttons, and relative times that stay true. Nothing here is needed.
"use strict";

(() => {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  const said = document.getElementById("said");

  function ago(milliseconds) {
    const seconds = Math.max(0, Math.floor((Date.now() - milliseconds) / 1000));
    const [unit, size] = units.find(([, size]) => seconds >= size) || units[3];
    return relative.format(-Math.floor(seconds / size), unit);
  }

  function refreshTimes() {
    for (const element of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Number(element.dataset.ago));
      if (element.textContent !== text) element.textContent = text;
    }
  }

  function showCopyButtons(root) {
    if (!navigator.clipboard) return; // only in secure contexts
    for (const button of root.querySelectorAll("button.copy[hidden]")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      return; // the browser forbids it; the whole text stands in the title
    }
    button.classList.add("done");
    said.textContent = document.body.dataset.wordsCopied;
    setTimeout(() => { button.classList.remove("done"); said.textContent = ""; }, 2000);
  });

  document.addEventListener("keydown", (event) => {
    const field = document.getElementById("q");
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && event.target.closest(".find")) {
      document.getElementById("suggestions").replaceChildren();
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => { showCopyButtons(event.target); refreshTimes(); });
  document.addEventListener("fujie:added", (event) => { showCopyButtons(event.target); refreshTimes(); });
  const current = document.querySelector("nav [aria-current]");
  if (current) current.closest("ul").scrollLeft = current.offsetLeft - 40; // on a phone the row of pages scrolls
  showCopyButtons(document);
  refreshTimes();
  setInterval(refreshTimes, 1000);
})();
