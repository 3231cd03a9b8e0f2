// The live page: events of the node, already written as HTML by this console, put in front of the list. Pausable.
"use strict";

(() => {
  const ROWS_MAX = 200;
  const list = document.getElementById("live");
  const pause = document.getElementById("live-pause");
  const state = document.getElementById("live-state");
  const refresh = document.getElementById("live-refresh");
  const waiting = []; // what arrives while the list is paused
  let paused = false;

  refresh.hidden = true;
  pause.hidden = false;

  function show(html) {
    const empty = list.querySelector("li.empty");
    if (empty) empty.remove();
    list.insertAdjacentHTML("afterbegin", html);
    list.firstElementChild.classList.add("fresh");
    while (list.children.length > ROWS_MAX) list.lastElementChild.remove();
    list.dispatchEvent(new CustomEvent("fujie:added", { bubbles: true }));
  }

  function arrived(event) {
    if (!paused) return show(event.data);
    waiting.push(event.data);
    if (waiting.length > ROWS_MAX) waiting.shift();
    state.textContent = `${state.dataset.paused} (${waiting.length})`;
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? pause.dataset.resume : pause.dataset.pause;
    state.textContent = paused ? state.dataset.paused : state.dataset.on;
    if (!paused) for (const html of waiting.splice(0)) show(html);
  });

  const source = new EventSource(list.dataset.stream);
  let trouble = false; // what the node said of it stays until the stream is open again
  source.addEventListener("open", () => { trouble = false; if (!paused) state.textContent = state.dataset.on; });
  source.addEventListener("trouble", (event) => { trouble = true; if (!paused) state.textContent = event.data; });
  source.addEventListener("error", () => {
    if (!paused && !trouble) state.textContent = state.dataset.off;
    refresh.hidden = source.readyState !== EventSource.CLOSED; // where the browser gives up, the visitor need not
  });
  source.addEventListener("block", arrived);
  source.addEventListener("transaction", arrived);
  addEventListener("pagehide", () => source.close());
})();
