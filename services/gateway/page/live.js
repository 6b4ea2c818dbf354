// The rate while it is recorded: mean colours of patches of skin, frame by frame, to the gateway's live session.

import { api, pause } from "./api.js";
import { number } from "./dom.js";
import { isSkinColour } from "./guidance.js";

const [WIDTH, HEIGHT] = [128, 96]; // of the small picture that colours are read from
const GRID = 4; // patches across and down
const LEAST = 24; // pixels of skin in a patch
const SEND_MS = 250;
const TRIES = 6; // to take a session up again after a broken connection

/** Pixels of each patch of a grid that have the colour of skin: decided once, so that it cannot follow the pulse. */
export function skinPatches(pixels, width, height, grid = GRID) {
  const patches = Array.from({ length: grid * grid }, () => []);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const i = 4 * (y * width + x);
      if (!isSkinColour(pixels[i], pixels[i + 1], pixels[i + 2])) continue;
      patches[Math.floor((y * grid) / height) * grid + Math.floor((x * grid) / width)].push(i);
    }
  }
  return patches;
}

/** Mean R, G, B of each patch, null where there is too little skin. */
export function patchColours(pixels, patches) {
  return patches.map((places) => {
    if (places.length < LEAST) return null;
    let [r, g, b] = [0, 0, 0];
    for (const i of places) {
      r += pixels[i];
      g += pixels[i + 1];
      b += pixels[i + 2];
    }
    return [r, g, b].map((sum) => Math.round((1000 * sum) / places.length) / 1000);
  });
}

/** What a reading says, in words. */
export function inWords(reading) {
  const { state, heart_rate: rate } = reading;
  if (["good", "unstable"].includes(state) && rate.status === "ok") return `${number(rate.value, 0)} ${rate.unit}`;
  return { waiting: "Waiting", short: "Listening", good: "Listening", bad: "No clear pulse", unstable: "Not steady yet" }[state] ?? "";
}

export class LiveRate {
  #socket = null;
  #session = null;
  #timer = 0;
  #times = [];
  #colours = [];
  #closed = false;
  #patches = null;

  /** `onReading(words, reading)` is called about once a second. A rate that is not there stops no recording. */
  constructor(onReading) {
    this.onReading = onReading;
    this.small = document.createElement("canvas");
    [this.small.width, this.small.height] = [WIDTH, HEIGHT];
    this.context = this.small.getContext("2d", { willReadFrequently: true });
    this.context.imageSmoothingQuality = "high";
    this.#run();
  }

  /** Read one frame of a video, whose time is in seconds. */
  frame(video, time) {
    if (this.#closed || this.#times.length > 600) return; // 20 s without a connection: what comes later is not used
    if (this.#times.length && time <= this.#times[this.#times.length - 1]) return;
    this.context.drawImage(video, 0, 0, WIDTH, HEIGHT);
    const { data } = this.context.getImageData(0, 0, WIDTH, HEIGHT);
    this.#patches ??= skinPatches(data, WIDTH, HEIGHT);
    this.#times.push(time);
    this.#colours.push(patchColours(data, this.#patches));
  }

  async #run() {
    for (let tries = 0; tries < TRIES && !this.#closed; tries += 1) {
      try {
        const address = new URL(await api.address("/v1/live"), location.href);
        address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
        if (await this.#connect(address)) tries = 0;
      } catch {
        return; // this token or gateway has no live sessions
      }
      await pause(1000);
    }
  }

  /** One connection, until it ends; whether it came up. */
  #connect(address) {
    return new Promise((resolve) => {
      if (this.#closed) return resolve(false);
      const socket = (this.#socket = new WebSocket(address));
      let came = false;
      socket.onopen = () => socket.send(JSON.stringify({ type: "start", patches: GRID * GRID, ...(this.#session && { session: this.#session }) }));
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "session") {
          came = true;
          this.#session = message.session;
          this.#timer = setInterval(() => this.#send(), SEND_MS);
        } else if (message.type === "update") this.onReading(inWords(message), message);
        else if (message.type === "problem") this.#session = null;
      };
      socket.onclose = () => {
        clearInterval(this.#timer);
        resolve(came);
      };
    });
  }

  #send() {
    if (this.#socket?.readyState !== WebSocket.OPEN || !this.#times.length) return;
    this.#socket.send(JSON.stringify({ type: "frames", t: this.#times, rgb: this.#colours }));
    this.#times = [];
    this.#colours = [];
  }

  close() {
    this.#closed = true;
    clearInterval(this.#timer);
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type: "end" }));
      this.#socket.close();
    }
  }
}
