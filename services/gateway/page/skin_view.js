// A frame of the clip in which a click says "this is skin", and what is taken for skin drawn over it.

import { api } from "./api.js";
import { announce, h, icon } from "./dom.js";

const STEP = 0.02; // of the picture: how far an arrow key moves the cross
const PATIENCE_MS = 200; // after the last change, before the overlay is asked for

export class SkinView {
  #clip = null;
  #wanted = 0;
  #timer = 0;
  #request = null;

  /** `parameters()` gives what is set elsewhere, `onChange()` is told when another point is chosen. */
  constructor(parameters, onChange) {
    this.parameters = parameters;
    this.onChange = onChange;
    this.point = null; // {x, y} in pixels of the picture as it is shown, {time} in seconds
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.overlay = h("img", { class: "overlay", alt: "", hidden: true });
    this.cross = h("span", { class: "cross", hidden: true, "aria-hidden": "true" });
    this.picture = h(
      "button",
      {
        type: "button", class: "picture", "aria-label": "Picture of the clip. Press to say that the middle is skin, arrow keys move the spot.",
        onclick: (event) => this.#click(event), onkeydown: (event) => this.#key(event),
      },
      this.canvas, this.overlay, this.cross,
    );
    this.slider = h("input", {
      type: "range", min: 0, max: 1, step: 0.05, value: 0, "aria-label": "Time of the picture",
      oninput: () => this.#draw(Number(this.slider.value)),
    });
    this.words = h("p", { class: "small soft", role: "status" });
    this.forget = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.choose(null) }, "Find skin by itself");
    this.element = h("div", { class: "skin-view", hidden: true }, this.picture, this.slider, h("div", { class: "row apart hint" }, this.words, this.forget));
  }

  /** Show a clip; resolves to whether the browser can. */
  async open(clip) {
    this.#clip = clip;
    this.choose(null, true);
    if (!(await clip.readable)) {
      this.element.hidden = true;
      return false;
    }
    this.slider.max = Math.max(clip.duration - 0.05, 0.05);
    this.slider.value = Math.min(1, clip.duration / 2);
    this.picture.style.setProperty("--ratio", clip.width / clip.height);
    this.element.hidden = false;
    await this.#draw(Number(this.slider.value));
    return true;
  }

  close() {
    this.#request?.abort();
    this.#clip = null;
    this.element.hidden = true;
  }

  /** The parameter that the chosen point is. */
  values() {
    return this.point ? { skin_point: [Math.round(this.point.x), Math.round(this.point.y), Number(this.point.time.toFixed(2))] } : {};
  }

  async #draw(time) {
    this.#wanted = time;
    if (this.drawing) return;
    this.drawing = true;
    try {
      while (this.#clip) {
        const now = this.#wanted;
        this.slider.setAttribute("aria-valuetext", `${now.toFixed(1)} seconds`);
        this.drawn = await this.#clip.draw(this.canvas, now);
        if (now === this.#wanted) break;
      }
    } catch {
      this.words.textContent = "The browser cannot show this moment of the clip.";
    } finally {
      this.drawing = false;
    }
    this.hideOverlay();
    if (this.point) this.ask();
  }

  #click(event) {
    if (event.detail === 0) return this.choose(this.point ?? { x: this.canvas.width / 2, y: this.canvas.height / 2 }); // a key
    const box = this.canvas.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const down = (event.clientY - box.top) / box.height;
    if (across < 0 || across > 1 || down < 0 || down > 1) return;
    this.choose({ x: across * this.canvas.width, y: down * this.canvas.height });
  }

  #key(event) {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!x && !y) return;
    event.preventDefault();
    const { width, height } = this.canvas;
    const from = this.point ?? { x: width / 2, y: height / 2 };
    this.choose({
      x: Math.min(Math.max(from.x + x * STEP * width, 0), width - 1),
      y: Math.min(Math.max(from.y + y * STEP * height, 0), height - 1),
    });
  }

  /** Choose a point of the picture, or none. */
  choose(point, quietly = false) {
    const { width, height } = this.canvas;
    this.point = point && {
      x: Math.min(Math.max(point.x, 0), width - 1), y: Math.min(Math.max(point.y, 0), height - 1), time: this.drawn ?? 0,
    };
    this.cross.hidden = !this.point;
    this.forget.hidden = !this.point;
    this.hideOverlay();
    if (this.point) {
      this.cross.style.left = `${(100 * (this.point.x + 0.5)) / width}%`;
      this.cross.style.top = `${(100 * (this.point.y + 0.5)) / height}%`;
      this.words.textContent = `Skin is at ${Math.round(this.point.x)}, ${Math.round(this.point.y)}.`;
      this.ask();
    } else {
      this.words.textContent = "Skin is found by itself. Click a spot of it to choose another.";
    }
    if (!quietly) this.onChange();
  }

  hideOverlay() {
    this.#request?.abort();
    clearTimeout(this.#timer);
    this.overlay.removeAttribute("src");
    this.overlay.hidden = true;
  }

  /** Have the gateway draw what it takes for skin, soon. */
  ask() {
    clearTimeout(this.#timer);
    if (this.#clip) this.#timer = setTimeout(() => this.#fetch(), PATIENCE_MS);
  }

  async #fetch() {
    const request = (this.#request = new AbortController());
    const parameters = { ...this.parameters(), ...this.values() };
    if (parameters.skin_point) parameters.skin_point = parameters.skin_point.slice(0, 2); // the picture is the moment
    const frame = await new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", 0.95));
    const form = new FormData();
    form.append("picture", frame, "frame.jpg");
    form.append("parameters", JSON.stringify(parameters));
    try {
      const found = await api.json("/v1/preview/skin", { method: "POST", body: form, signal: request.signal });
      if (request.signal.aborted) return;
      this.#cover(found);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.words.textContent = `${error.message} ${error.hint ?? ""}`;
    }
  }

  #cover(found) {
    this.overlay.src = found.overlay;
    this.overlay.hidden = false;
    const part = 100 * found.skin_fraction;
    const said = part ? `${part < 1 ? part.toFixed(1) : Math.round(part)} % of the picture has this colour.` : "Nothing here has this colour.";
    const words = [found.reason ?? said, found.warning].filter(Boolean).map((each) => each[0].toUpperCase() + each.slice(1));
    this.words.textContent = words.map((each) => (/[.!?]$/.test(each) ? each : `${each}.`)).join(" ");
    announce(this.words.textContent);
  }

  /** The picture of an earlier run, where the browser cannot show the clip. */
  static placeholder() {
    return h("p", { class: "placeholder soft" }, icon("alert"), " This browser cannot show the clip. It is analysed all the same; what was taken for skin is shown afterwards.");
  }
}
