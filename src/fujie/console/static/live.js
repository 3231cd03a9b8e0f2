// The live page: events of the node, already written as HTML by this console, put in front of the list. Pausable.
"use strict";

(() => {
  const ROWS_MAX = 200;
  const list = document.getElementById("live");
  const pause = document.getElementById("live-pause");
  const state = document.getElementById("live-state");
  const waiting = []; // what arrives while the list is paused
  let paused = false;

  document.getElementById("live-refresh").hidden = true;
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
  source.addEventListener("open", () => { if (!paused) state.textContent = state.dataset.on; });
  source.addEventListener("error", () => { if (!paused) state.textContent = state.dataset.off; });
  source.addEventListener("block", arrived);
  source.addEventListener("transaction", arrived);
  addEventListener("pagehide", () => source.close());
})();
