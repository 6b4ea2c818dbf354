// The result of a job: answer, wave, spectrum, rate over time, pictures, warnings, files.

import { api } from "./api.js";
import { answerOf } from "./answer.js";
import { Chart } from "./charts.js";
import { bytes, clock, download, h, icon, number } from "./dom.js";
import { outline, parseWaves, part, spectrum } from "./waves.js";
import { LARGEST, zip } from "./zip.js";

const WINDOW_S = 10; // of the wave, the spectrum looks at so much around the video's time
const PICTURES = {
  "skin.jpg": "What was taken for skin", "amplitude.png": "How strongly each place pulses",
  "delay.png": "When the pulse arrives", "vessels.png": "Candidates for vessels", "rate.png": "Rate of each patch",
  "quality.png": "How sure the amplitude is", "overlay.mp4": "The map over the moving picture",
};
const IN_MEMORY = 1 << 30; // bytes that are put into an archive at most

export class Outcome {
  #charts = [];
  #addresses = [];
  #onTime = () => {};

  /** `onSeek(seconds)` when a place in time is chosen in a chart. */
  constructor(onSeek) {
    this.onSeek = onSeek;
    this.answer = h("section", { class: "card answers", "aria-labelledby": "answer-title", hidden: true });
    this.charts = h("section", { class: "card chart-set", "aria-label": "Charts", hidden: true });
    this.pictures = h("section", { class: "card pictures", "aria-label": "Pictures", hidden: true });
    this.files = h("section", { class: "card files", "aria-label": "Files", hidden: true });
  }

  /** The measurements alone: they are there before the clip. */
  showAnswer(result) {
    const many = result.people.length > 1;
    this.answer.replaceChildren(
      h("h2", { id: "answer-title", class: "unseen", text: "Answer" }),
      ...(result.people.length
        ? result.people.map((person, i) => h("div", { class: "person" }, many && h("p", { class: "label", text: `Person ${i + 1}` }), answerOf(person)))
        : [h("div", { class: "heart refused" }, h("p", { class: "value none", text: "No skin was found" }),
          h("p", { text: "Nothing could be measured." }),
          h("p", { class: "fix" }, h("strong", { text: "What helps: " }), "Click the skin in the picture and run it again, or show more of it in even light."))]),
      result.warnings.length ? h("ul", { class: "warnings" }, result.warnings.map((text) => h("li", {}, icon("alert"), h("span", { text: text[0].toUpperCase() + text.slice(1) })))) : "",
    );
    this.answer.hidden = false;
  }

  /** Everything; `result` is `result.json`, `files` the list of the API. */
  async show(job, result, files) {
    this.clear();
    this.showAnswer(result);
    this.#showFiles(job, files);
    await Promise.all([this.#showCharts(result, files), this.#showPictures(files)]);
  }

  clear() {
    for (const chart of this.#charts) chart.close();
    this.#charts = [];
    for (const address of this.#addresses) URL.revokeObjectURL(address);
    this.#addresses = [];
    this.#onTime = () => {};
    for (const place of [this.answer, this.charts, this.pictures, this.files]) {
      place.replaceChildren();
      place.hidden = true;
    }
  }

  /** What an earlier run drew and wrote does not belong to the clip that is shown now. */
  dropFiles() {
    this.pictures.hidden = true;
    this.files.hidden = true;
  }

  /** The video is at this time. */
  at(time) {
    this.#onTime(time);
  }

  async #showCharts(result, files) {
    const table = files.find(({ name }) => name === "pulse.csv");
    if (!table || !result.people.length) return;
    const waves = parseWaves(await api.text(table.href));
    const sets = result.people.map((person) => this.#chartsOf(person, waves[person.id])).filter(Boolean);
    if (!sets.length) return;
    const shown = h("div", { class: "charts" }, sets[0].element);
    let current = sets[0];
    const choose = (set) => {
      current = set;
      shown.replaceChildren(set.element);
    };
    const names = sets.length > 1 && h("label", { class: "field who" }, h("span", { class: "label", text: "Person" }),
      h("select", { onchange: (event) => choose(sets[event.target.value]) }, sets.map((_, i) => h("option", { value: i, text: `Person ${i + 1}` }))));
    this.charts.replaceChildren(...[names, shown].filter(Boolean));
    this.charts.hidden = false;
    this.#onTime = (time) => current.at(time);
    this.#onTime(0);
  }

  #chartsOf(person, wave) {
    if (!wave || wave.time.length < 2) return null;
    const [start, end] = [wave.time[0], wave.time[wave.time.length - 1]];
    const rate = person.measurements.heart_rate;
    const isKnown = rate?.status === "ok";
    const range = { label: "s", range: [start, end] };
    const time = new Chart({
      title: "Pulse wave", x: range, y: { range: [-1.4, 1.4], ticks: false }, onSeek: this.onSeek,
      summary: `Over ${number(end - start)} seconds.${isKnown ? ` ${number(rate.value, 0)} beats a minute.` : " No rate was found in it."}`,
    }).add("line", outline(wave), "wave");
    const powers = new Chart({
      title: "Spectrum", x: { label: "bpm", range: [36, 240] }, y: { range: [0, 1.08], ticks: false }, height: 170,
      summary: `Of ${WINDOW_S} seconds around the video's time.`,
    });
    const set = [time, powers, this.#rates(person, range)].filter(Boolean);
    this.#charts.push(...set);
    const element = h("div", { class: "charts" }, set.map((chart) => chart.element));
    let drawn = null;
    const at = (now) => {
      time.cursor(Math.min(Math.max(now, start), end), `${clock(now)}`);
      set[2]?.cursor(Math.min(Math.max(now, start), end));
      const middle = Math.min(Math.max(now, start + WINDOW_S / 2), Math.max(end - WINDOW_S / 2, start + WINDOW_S / 2));
      if (drawn !== null && Math.abs(middle - drawn) < 0.2) return;
      drawn = middle;
      const found = spectrum(part(wave, middle - WINDOW_S / 2, middle + WINDOW_S / 2));
      if (!found.length) return;
      const top = found.reduce((best, each) => (each[1] > best[1] ? each : best));
      powers.replace([["line", found, "power"], ...(isKnown ? [["mark", [rate.value], "found"]] : [])]);
      powers.readout.textContent = `strongest at ${number(top[0], 0)} bpm`;
    };
    return { element, at };
  }

  #rates(person, range) {
    const right = person.heart_rate_over_time.filter(({ heart_rate: m }) => m.status === "ok");
    if (!right.length) return null;
    const lows = right.map(({ heart_rate: m }) => m.low ?? m.value);
    const highs = right.map(({ heart_rate: m }) => m.high ?? m.value);
    const [low, high] = [Math.min(...lows), Math.max(...highs)];
    const room = Math.max(4, 0.25 * (high - low));
    const chart = new Chart({
      title: "Heart rate over time", x: range, y: { label: "bpm", range: [Math.floor(low - room), Math.ceil(high + room)] },
      onSeek: this.onSeek, height: 170, summary: `From ${number(low, 0)} to ${number(high, 0)} beats a minute, with 90 % intervals.`,
    });
    chart.readout.textContent = "bpm, with its 90 % interval";
    const points = right.map(({ time_s, heart_rate: m }) => [time_s, m.value]);
    if (right.length > 1) chart.add("band", right.map(({ time_s }, i) => [time_s, lows[i], highs[i]]), "band").add("line", points, "rate");
    else chart.add("line", [[points[0][0], lows[0]], [points[0][0], highs[0]]], "rate");
    return chart.add("dots", points, "dots");
  }

  async #showPictures(files) {
    const isShown = ({ name, media_type: type }) => /^(image|video)\//.test(type) && !["pulse.png", "magnified.mp4"].includes(name);
    const order = Object.keys(PICTURES);
    const found = files.filter(isShown).sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    const shown = await Promise.all(found.map(async (file) => {
      const address = URL.createObjectURL(await api.blob(file.href));
      this.#addresses.push(address);
      const words = PICTURES[file.name] ?? file.name.replace(/\.\w+$/, "").replaceAll(/[-_]/g, " ");
      if (file.media_type.startsWith("video/")) {
        const film = h("video", { src: address, controls: true, playsinline: true, preload: "metadata", "aria-label": words });
        film.muted = true;
        return h("figure", {}, film, h("figcaption", { text: words }));
      }
      return h("figure", {}, h("a", { href: address, target: "_blank", rel: "noopener" }, h("img", { src: address, alt: words })), h("figcaption", { text: words }));
    }));
    this.pictures.replaceChildren(h("h2", { text: found.length > 1 ? "Maps and pictures" : "Skin" }), h("div", { class: "gallery" }, shown));
    this.pictures.hidden = !shown.length;
  }

  #showFiles(job, files) {
    const total = files.reduce((sum, { size }) => sum + size, 0);
    const state = h("span", { class: "soft small", role: "status" });
    const all = h("button", { type: "button", onclick: () => this.#downloadAll(job, files, all, state) }, icon("down"), `Download all, ${bytes(total)}`);
    this.files.replaceChildren(
      h("div", { class: "row apart" }, h("h2", { text: "Files" }), total < Math.min(IN_MEMORY, LARGEST) ? all : ""),
      h("ul", {}, files.map((file) => h("li", {},
        h("button", { type: "button", class: "quiet file", onclick: () => this.#downloadOne(file, state) }, icon("down"), file.name),
        h("span", { class: "soft small", text: bytes(file.size) })))),
      state,
    );
    this.files.hidden = false;
  }

  async #downloadOne(file, state) {
    try {
      download(file.name, await api.address(file.href));
    } catch (error) {
      state.textContent = `${error.message} ${error.hint ?? ""}`;
    }
  }

  async #downloadAll(job, files, button, state) {
    button.disabled = true;
    try {
      const found = [];
      for (const file of files) {
        state.textContent = `Fetching ${file.name}`;
        found.push({ name: `${job}/${file.name}`, blob: await api.blob(file.href) });
      }
      download(`${job}.zip`, await zip(found));
      state.textContent = "All files are in the archive.";
    } catch (error) {
      state.textContent = `${error.message} ${error.hint ?? ""} Try again.`;
    } finally {
      button.disabled = false;
    }
  }
}
