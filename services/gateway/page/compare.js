// Original and magnified, in step: side by side or one over the other with a slider between them.

import { clock, h, icon } from "./dom.js";

const FAR_S = 0.18; // apart by more: jump
const NEAR_S = 0.02; // apart by less: leave it
const SPEEDS = [0.25, 0.5, 1];

export class Compare {
  #frame = 0;
  #speed = 1;

  /** `onTime(seconds)` is told where the picture is. */
  constructor(onTime = () => {}) {
    this.onTime = onTime;
    const still = { playsinline: true, loop: true, preload: "auto", tabindex: "-1" };
    this.original = h("video", { ...still, "aria-label": "Original clip" });
    this.magnified = h("video", { ...still, class: "magnified", "aria-label": "Magnified clip" });
    for (const video of [this.original, this.magnified]) video.muted = true;
    this.divider = h("input", {
      class: "divider", type: "range", min: 0, max: 100, value: 50, "aria-label": "Border between original and magnified",
      oninput: () => this.#divide(),
    });
    this.panes = h(
      "div",
      { class: "panes" },
      h("div", { class: "pane before" }, this.original, h("span", { class: "tag", text: "Original" })),
      h("div", { class: "pane after" }, this.magnified, h("span", { class: "tag", text: "Magnified" })),
      h("span", { class: "edge", "aria-hidden": "true" }),
      this.divider,
    );
    this.button = h("button", { type: "button", class: "round main", onclick: () => this.toggle() });
    this.seeker = h("input", {
      type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "Time in the clip",
      oninput: () => this.seek(Number(this.seeker.value)),
    });
    this.time = h("span", { class: "time", text: "0:00.0" });
    this.layout = this.#choice("View", [["beside", "Side by side"], ["over", "Slide"]], (value) => this.#lay(value));
    this.speed = this.#choice("Speed", SPEEDS.map((each) => [String(each), `${each}×`]), (value) => this.#hurry(Number(value)));
    this.element = h(
      "div",
      { class: "compare", hidden: true },
      this.panes,
      h("div", { class: "row controls" }, this.button, this.seeker, this.time),
      h("div", { class: "row apart" }, this.layout, this.speed),
    );
    this.magnified.addEventListener("loadedmetadata", () => this.#measure());
    for (const type of ["play", "pause"]) this.magnified.addEventListener(type, () => this.#showState());
    this.magnified.addEventListener("seeked", () => this.#told());
    this.#showState();
    this.#lay(matchMedia("(max-width: 640px)").matches ? "over" : "beside");
    this.#hurry(1);
  }

  #choice(legend, choices, chosen) {
    const name = `choice-${legend}`;
    return h(
      "fieldset",
      { class: "choice" },
      h("legend", { class: "unseen", text: legend }),
      choices.map(([value, text]) =>
        h("label", {}, h("input", { type: "radio", name, value, onchange: () => chosen(value) }), h("span", { text })),
      ),
    );
  }

  #lay(value) {
    this.panes.dataset.layout = value;
    for (const input of this.layout.querySelectorAll("input")) input.checked = input.value === value;
    this.#divide();
  }

  #divide() {
    this.panes.style.setProperty("--border", `${this.divider.value}%`);
    this.divider.setAttribute("aria-valuetext", `${this.divider.value} % original`);
  }

  #hurry(value) {
    this.#speed = value;
    for (const video of [this.original, this.magnified]) video.playbackRate = value;
    for (const input of this.speed.querySelectorAll("input")) input.checked = Number(input.value) === value;
  }

  /** Show clips by their addresses; `original` is null where the browser has none. Nothing plays by itself. */
  show(original, magnified) {
    const time = this.magnified.currentTime || 0;
    const first = !this.magnified.src;
    const playing = !this.magnified.paused;
    this.pause();
    this.element.hidden = false;
    this.panes.classList.toggle("alone", !original);
    this.layout.hidden = !original;
    if (original && this.original.src !== original) this.original.src = original;
    if (!original) this.original.removeAttribute("src");
    this.magnified.src = magnified;
    this.#hurry(this.#speed);
    if (first) return;
    this.magnified.addEventListener("loadeddata", () => {
      this.seek(Math.min(time, this.magnified.duration || 0)); // a new gain is seen where the old one was
      if (playing) this.play();
    }, { once: true });
  }

  hide() {
    this.pause();
    this.element.hidden = true;
    for (const video of [this.original, this.magnified]) {
      video.removeAttribute("src");
      video.load();
    }
  }

  #measure() {
    this.seeker.max = this.magnified.duration || 1;
    this.panes.style.setProperty("--shape", `${this.magnified.videoWidth} / ${this.magnified.videoHeight}`);
    this.#told();
  }

  get #pair() {
    return this.original.getAttribute("src") ? [this.magnified, this.original] : [this.magnified];
  }

  async play() {
    try {
      await Promise.all(this.#pair.map((video) => video.play()));
    } catch {
      this.pause(); // another clip came, or the browser forbids it: the button says how it is
    }
    cancelAnimationFrame(this.#frame);
    this.#follow();
  }

  pause() {
    cancelAnimationFrame(this.#frame);
    for (const video of [this.magnified, this.original]) video.pause();
    this.#align(0);
  }

  toggle() {
    if (this.magnified.paused) this.play();
    else this.pause();
  }

  seek(time) {
    for (const video of this.#pair) video.currentTime = time;
    this.#told();
  }

  #showState() {
    const paused = this.magnified.paused;
    this.button.replaceChildren(icon(paused ? "play" : "pause"), h("span", { class: "unseen", text: paused ? "Play" : "Pause" }));
  }

  /** Bring the original to the magnified one's time: a jump where it is far, a little faster or slower where near. */
  #align(near = NEAR_S) {
    if (this.#pair.length < 2) return;
    const behind = this.magnified.currentTime - this.original.currentTime;
    if (Math.abs(behind) > (this.magnified.paused ? near : FAR_S)) {
      this.original.currentTime = this.magnified.currentTime;
      this.original.playbackRate = this.#speed;
    } else {
      this.original.playbackRate = this.#speed * (Math.abs(behind) < near ? 1 : 1 + Math.sign(behind) * 0.08);
    }
  }

  #follow() {
    this.#told();
    if (this.magnified.paused) return;
    this.#align();
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #told() {
    const now = this.magnified.currentTime || 0;
    this.seeker.value = now;
    this.seeker.setAttribute("aria-valuetext", `${now.toFixed(1)} seconds`);
    this.time.textContent = `${clock(now)} / ${clock(this.magnified.duration || 0)}`;
    this.onTime(now);
  }
}
