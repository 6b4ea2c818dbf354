// Recording: guidance before and while, a countdown that waits while something is wrong.

import { Camera } from "./camera.js";
import { announce, h, icon, number, svg } from "./dom.js";
import { checks, look, median, WIDTH } from "./guidance.js";
import { LiveRate } from "./live.js";

const SECONDS = 15; // of good picture
const LONGEST_S = 45; // with what was bad: a recording is never cut, since a gap in time spoils a pulse
const LOOK_MS = 150;
const READY_S = 3; // that everything must be right before it begins
const STEADY = 3; // looks in a row that make a check change: nothing flickers

export class RecordView {
  #camera = null;
  #timer = 0;
  #frames = [];
  #before = null;
  #state = "waiting"; // waiting, ready, recording, ending
  #taken = null;
  #steady = new Map();

  /** `onClip(file)` gets the recording, `onLeave()` is called for another way. */
  constructor(element, { onClip, onLeave }) {
    this.element = element;
    this.onClip = onClip;
    this.onLeave = onLeave;
    this.video = h("video", { playsinline: true, "aria-label": "Your camera" });
    this.video.muted = true;
    this.small = document.createElement("canvas");
    this.ring = h("span", { class: "count", "aria-hidden": "true" });
    this.say = h("p", { class: "say", role: "status" });
    this.list = h("ul", { class: "checks" });
    this.bar = h("progress", { max: SECONDS, value: 0, "aria-label": "Recorded" });
    this.start = h("button", { type: "button", class: "main big", onclick: () => this.#press() }, "Start");
    this.turn = h("button", { type: "button", onclick: () => this.#turn() }, icon("turn"), "Other camera");
    this.lock = h("p", { class: "soft small" });
    this.wave = svg("polyline", { fill: "none" });
    this.liveWords = h("span", {});
    this.live = h("p", { class: "live", hidden: true }, svg("svg", { viewBox: "0 0 120 30", "aria-hidden": "true" }, this.wave), this.liveWords);
    this.frame = h("div", { class: "finder" }, this.video, h("span", { class: "oval", "aria-hidden": "true" }), this.live, this.ring);
    this.element.replaceChildren(
      h("div", { class: "recorder" },
        h("div", { class: "stack" }, this.frame, this.bar),
        h("div", { class: "stack side" },
          h("h1", { class: "title", text: "Hold still for 15 seconds" }),
          h("p", { class: "soft" }, "Face the light, rest your head or hand, breathe as always. Talking and moving can wait."),
          this.list, this.say,
          h("div", { class: "row" }, this.start, this.turn, h("button", { type: "button", class: "quiet", onclick: () => this.#leave() }, "Cancel")),
          this.lock)),
    );
  }

  /** Open the camera. Throws CameraError. */
  async open(facing = "user") {
    this.#reset();
    this.#camera = await Camera.open(facing);
    this.video.srcObject = this.#camera.stream;
    this.frame.classList.toggle("mirrored", facing === "user");
    await this.video.play();
    const { width, height } = this.#camera.settings;
    this.small.width = WIDTH;
    this.small.height = Math.round((WIDTH * (height || this.video.videoHeight)) / (width || this.video.videoWidth)) || 72;
    this.#countFrames();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  close() {
    clearInterval(this.#timer);
    this.#camera?.close();
    this.#camera = null;
    this.video.srcObject = null;
    this.rate?.close();
    this.rate = null;
  }

  #reset() {
    this.close();
    this.#frames = [];
    this.#before = null;
    this.#taken = null;
    this.#steady.clear();
    this.list.replaceChildren();
    this.bar.value = 0;
    this.ring.textContent = "";
    this.live.hidden = true;
    this.lock.textContent = "";
    this.#enter("waiting");
  }

  #enter(state) {
    this.#state = state;
    this.element.dataset.state = state;
    this.start.textContent = { waiting: "Start", ready: "Stop", recording: "Stop", ending: "One moment" }[state];
    this.start.disabled = state === "ending";
    this.turn.hidden = state !== "waiting";
  }

  #countFrames() {
    const camera = this.#camera;
    if (!this.video.requestVideoFrameCallback) return;
    const next = (now, data) => {
      if (this.#camera !== camera) return;
      this.#frames.push(data.captureTime ?? data.mediaTime * 1000);
      if (this.#frames.length > 45) this.#frames.shift();
      if (this.#state === "recording") this.rate?.frame(this.video, data.mediaTime);
      this.video.requestVideoFrameCallback(next);
    };
    this.video.requestVideoFrameCallback(next);
  }

  get fps() {
    if (this.#frames.length < 20) return null;
    const gaps = this.#frames.slice(1).map((time, i) => time - this.#frames[i]);
    const gap = median(gaps.filter((each) => each > 0));
    return gap > 0 ? 1000 / gap : null;
  }

  #look() {
    if (this.video.readyState < 2) return;
    const context = this.small.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.video, 0, 0, this.small.width, this.small.height);
    const { data } = context.getImageData(0, 0, this.small.width, this.small.height);
    const seen = look(data, this.small.width, this.small.height, this.#before);
    this.#before = seen.luma;
    const found = checks(seen, this.fps).map((check) => this.#steadied(check));
    this.#showChecks(found);
    this.#step(found.find(({ ok }) => !ok));
  }

  /** A check as it was in the last looks: one look alone changes nothing. */
  #steadied(check) {
    const known = this.#steady.get(check.name);
    if (!known || known.shown.ok === check.ok) {
      this.#steady.set(check.name, { shown: check, turns: 0 });
      return check;
    }
    known.turns += 1;
    if (known.turns < STEADY) return known.shown;
    this.#steady.set(check.name, { shown: check, turns: 0 });
    return check;
  }

  #showChecks(found) {
    const key = JSON.stringify(found);
    if (key === this.shown) return;
    this.shown = key;
    this.list.replaceChildren(...found.map(({ name, ok, words }) =>
      h("li", { class: ok ? "ok" : "bad" }, icon(ok ? "check" : "alert"), h("span", {}, h("strong", { text: name }), h("span", { text: words })))));
  }

  /** What a look means for the countdown. */
  #step(wrong) {
    const now = performance.now();
    const passed = Math.min(now - this.looked, 1000) / 1000 || 0; // a busy browser looks less often
    this.looked = now;
    this.frame.dataset.good = String(!wrong);
    if (this.#state === "waiting") this.#tell(wrong ? wrong.words : "Ready when you are");
    else if (this.#state === "ready") {
      this.left = wrong ? READY_S : this.left - passed;
      this.ring.textContent = wrong ? "" : Math.max(Math.ceil(this.left), 1);
      this.#tell(wrong ? `Waiting: ${wrong.words}` : "Hold still");
      if (this.left <= 0) this.#record();
    } else if (this.#state === "recording") {
      this.total += passed;
      if (!wrong) this.good += passed;
      this.bar.value = this.good;
      this.ring.textContent = Math.max(Math.ceil(SECONDS - this.good), 0);
      this.#tell(wrong ? `Paused: ${wrong.words}` : "Recording. Hold still");
      if (this.good >= SECONDS || this.total >= LONGEST_S) this.#end();
    }
  }

  #tell(words) {
    if (this.say.textContent !== words) this.say.textContent = words;
  }

  #press() {
    if (this.#state === "waiting") {
      this.left = READY_S;
      this.#enter("ready");
    } else if (this.#state === "ready") this.#enter("waiting");
    else if (this.good >= 5) this.#end(); // a rate needs five seconds
    else {
      this.#taken?.stop();
      this.#again(this.#camera.facing);
    }
  }

  async #record() {
    this.#enter("recording");
    this.good = 0;
    this.total = 0;
    const held = await this.#camera.lock();
    this.lock.textContent = held.length
      ? `The camera holds its ${held.join(" and ")}.`
      : "This camera does not let a page hold its exposure: keep the light as it is.";
    this.#taken = this.#camera.record();
    this.good = 0;
    this.total = 0;
    this.rate = new LiveRate((words, reading) => this.#showLive(words, reading));
    announce("Recording");
  }

  #showLive(words, reading) {
    this.live.hidden = !words;
    this.live.dataset.state = reading.state;
    this.liveWords.textContent = words;
    const wave = (reading.wave ?? []).slice(-Math.ceil((6 * (reading.wave?.length ?? 0)) / Math.max(reading.seconds, 6)));
    const point = (value, i) => `${((120 * i) / Math.max(wave.length - 1, 1)).toFixed(1)},${(15 - 6 * Math.max(-2.3, Math.min(value, 2.3))).toFixed(1)}`;
    this.wave.setAttribute("points", wave.map(point).join(" "));
  }

  async #end() {
    if (this.#state !== "recording") return;
    this.#enter("ending");
    const file = await this.#taken.stop();
    const seconds = this.total;
    this.close();
    announce(`Recorded ${number(seconds, 0)} seconds`);
    this.onClip(file);
  }

  #turn() {
    this.#again(this.#camera?.facing === "user" ? "environment" : "user");
  }

  async #again(facing) {
    try {
      await this.open(facing);
    } catch (error) {
      this.#tell(`${error.title}. ${error.hint}`);
    }
  }

  #leave() {
    this.close();
    this.onLeave();
  }
}
