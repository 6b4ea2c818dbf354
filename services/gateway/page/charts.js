// Charts in SVG: lines with axes, a band, and a cursor that is linked to the video's time.

import { h, number, svg } from "./dom.js";

const PAD = { left: 44, right: 14, top: 12, bottom: 30 };

/** Ticks at round distances that lie in [low, high]; about `wanted` of them. */
export function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(wanted, 1);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/**
 * A chart. `options`: `title`, `summary` (for who cannot see it), `x` and `y` as `{label, range, ticks}` with `y.ticks`
 * false for none, `height`, and `onSeek(x)` where a place can be chosen.
 */
export class Chart {
  #lines = [];
  #cursor = null;

  constructor(options) {
    this.options = { height: 190, ...options };
    this.plot = svg("svg", { class: "plot", role: "img", "aria-label": `${options.title}. ${options.summary ?? ""}` });
    this.readout = h("span", { class: "readout" });
    this.element = h(
      "figure",
      { class: "chart" },
      h("figcaption", {}, h("h3", { text: options.title }), this.readout),
      this.plot,
    );
    if (options.onSeek) this.#listen();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
  }

  /** Add a line (`points` [[x, y]…]), a band (`[[x, low, high]…]`), or bars. */
  add(kind, points, style = "") {
    this.#lines.push({ kind, points, style });
    return this;
  }

  /** Show other lines than before: `[[kind, points, style]…]`. */
  replace(lines) {
    this.#lines = lines.map(([kind, points, style]) => ({ kind, points, style }));
    this.draw();
  }

  #listen() {
    this.plot.classList.add("seekable");
    const seek = (event) => {
      const box = this.plot.getBoundingClientRect();
      this.options.onSeek(this.#from(event.clientX - box.left));
    };
    this.plot.addEventListener("pointerdown", (event) => {
      this.plot.setPointerCapture(event.pointerId);
      seek(event);
    });
    this.plot.addEventListener("pointermove", (event) => event.buttons && seek(event));
  }

  get #width() {
    return Math.max(this.element.clientWidth, 240);
  }

  #at(x) {
    const [low, high] = this.options.x.range;
    return PAD.left + ((x - low) / (high - low)) * (this.#width - PAD.left - PAD.right);
  }

  #from(pixel) {
    const [low, high] = this.options.x.range;
    const part = (pixel - PAD.left) / (this.#width - PAD.left - PAD.right);
    return low + Math.min(Math.max(part, 0), 1) * (high - low);
  }

  #up(y) {
    const [low, high] = this.options.y.range;
    const clamped = Math.min(Math.max(y, low), high);
    return this.options.height - PAD.bottom - ((clamped - low) / (high - low)) * (this.options.height - PAD.top - PAD.bottom);
  }

  draw() {
    const { x, y, height } = this.options;
    const width = this.#width;
    const bottom = height - PAD.bottom;
    const parts = [];
    for (const value of y.ticks === false ? [] : ticks(...y.range, 4)) {
      const at = this.#up(value);
      parts.push(svg("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: at, y2: at }));
      parts.push(svg("text", { class: "tick", x: PAD.left - 8, y: at + 4, "text-anchor": "end" }, number(value, 2)));
    }
    parts.push(svg("line", { class: "axis", x1: PAD.left, x2: width - PAD.right, y1: bottom, y2: bottom }));
    for (const value of ticks(...x.range, width / 110)) {
      const at = this.#at(value);
      parts.push(svg("line", { class: "axis", x1: at, x2: at, y1: bottom, y2: bottom + 4 }));
      if (at > width - PAD.right - 34) continue; // here stands the unit
      parts.push(svg("text", { class: "tick", x: at, y: bottom + 18, "text-anchor": "middle" }, number(value, 2)));
    }
    parts.push(svg("text", { class: "tick", x: width - PAD.right, y: bottom + 18, "text-anchor": "end" }, x.label));
    for (const line of this.#lines) parts.push(this.#shape(line));
    this.mark = svg("line", { class: "cursor", y1: PAD.top - 4, y2: bottom, visibility: "hidden" });
    parts.push(this.mark);
    this.plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.plot.setAttribute("height", height);
    this.plot.replaceChildren(...parts);
    if (this.#cursor !== null) this.cursor(this.#cursor);
  }

  #shape({ kind, points, style }) {
    if (kind === "dots") {
      return svg("g", { class: style }, points.map(([x, y]) => svg("circle", { cx: this.#at(x), cy: this.#up(y), r: 3.5 })));
    }
    if (kind === "mark") {
      const at = this.#at(points[0]);
      return svg("line", { class: style, x1: at, x2: at, y1: PAD.top, y2: this.options.height - PAD.bottom });
    }
    const place = ([x, y]) => `${this.#at(x).toFixed(1)} ${this.#up(y).toFixed(1)}`;
    if (kind === "band") {
      const there = points.map(([x, low]) => place([x, low]));
      const back = points.map(([x, , high]) => place([x, high])).reverse();
      return svg("path", { class: style, d: `M${[...there, ...back].join("L")}Z` });
    }
    return svg("path", { class: style, d: `M${points.map(place).join("L")}`, fill: "none" });
  }

  /** Put the cursor at `x`, with words beside the title. */
  cursor(x, words) {
    this.#cursor = x;
    if (words !== undefined) this.readout.textContent = words;
    if (!this.mark) return;
    const at = this.#at(x);
    this.mark.setAttribute("x1", at);
    this.mark.setAttribute("x2", at);
    this.mark.setAttribute("visibility", "visible");
  }

  close() {
    this.observer.disconnect();
  }
}
