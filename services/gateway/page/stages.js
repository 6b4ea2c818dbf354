// How far each stage of a job is, and what an earlier job had done already.

import { h, icon } from "./dom.js";

const NAMES = {
  split: "Cut", skin: "Find skin", mask: "Mark skin", people: "Who is who", trace: "Read colour", pulse: "Find pulse",
  field: "Pulse fields", segment: "Magnify", clip: "Join clip", map: "Map the pulse", maps: "Draw maps", overlay: "Map as video",
  result: "Put together",
};

/** A stage's name in words. */
export function stageName(stage) {
  return NAMES[stage] ?? stage[0].toUpperCase() + stage.slice(1);
}

export class Stages {
  #items = new Map();

  constructor() {
    this.list = h("ol", { class: "stages" });
    this.words = h("p", { class: "soft small", role: "status" });
    this.element = h("div", { class: "stack progress", hidden: true }, this.list, this.words);
  }

  /** Begin anew. */
  clear(words = "Waiting for its turn") {
    this.#items.clear();
    this.list.replaceChildren();
    this.words.textContent = words;
    this.element.hidden = false;
  }

  /** One stage's progress, as the API gives it. */
  update(progress) {
    const { stage, done, total, reused } = progress;
    let item = this.#items.get(stage);
    if (!item) {
      const name = stageName(stage);
      item = { bar: h("progress", { max: 1, value: 0, "aria-label": name }), state: h("span", { class: "state" }) };
      item.element = h("li", {}, h("span", { class: "name" }, name), item.bar, item.state);
      this.#items.set(stage, item);
      this.list.append(item.element);
    }
    const finished = total !== null && total !== undefined && done >= total;
    const isReused = finished && reused >= total;
    item.bar.max = total || 1;
    item.bar.value = done;
    item.element.classList.toggle("done", finished);
    item.element.classList.toggle("reused", isReused);
    item.element.dataset.stage = stage;
    item.element.dataset.reused = String(reused);
    if (isReused) item.state.replaceChildren("reused");
    else if (finished) item.state.replaceChildren(icon("check"), h("span", { class: "unseen", text: "done" }));
    else item.state.replaceChildren(total > 1 ? `${done} of ${total}` : "");
  }

  /** The whole of it, out of a job's view. */
  view(view) {
    for (const progress of view.progress) this.update(progress);
    if (["queued", "splitting", "processing"].includes(view.state)) {
      this.words.textContent = view.state === "queued" ? "Waiting for its turn" : "Working";
    }
  }

  /** The end, with what it took and what was reused. */
  end(view) {
    this.view(view);
    const made = view.progress.filter(({ done, total, reused }) => total && done >= total && reused >= total);
    const seconds = (Date.parse(view.finished_at) - Date.parse(view.created_at)) / 1000;
    const again = made.length ? `; ${made.length} of ${view.progress.length} stages were reused from before` : "";
    this.words.textContent = { succeeded: `Done in ${seconds.toFixed(1)} s${again}`, failed: "It failed", cancelled: "Stopped" }[view.state];
  }
}
