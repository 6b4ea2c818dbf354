// The first view: record, or drop a clip; and what was recorded before.

import { api } from "./api.js";
import { reallyErase } from "./dialogs.js";
import { bytes, h, icon, span, svg } from "./dom.js";

const EARLIER = 4; // recordings that are listed

/** A pulse wave over rings of skin: a picture, nothing moves. */
function emblem() {
  const beat = (t) => Math.exp(-(((t - 0.25) / 0.09) ** 2)) + 0.38 * Math.exp(-(((t - 0.58) / 0.13) ** 2));
  const points = Array.from({ length: 241 }, (_, i) => `${i * 2} ${(196 - 96 * beat((i / 80) % 1)).toFixed(1)}`);
  return svg("svg", { class: "emblem", viewBox: "0 0 480 320", "aria-hidden": "true" },
    [150, 116, 82].map((r) => svg("circle", { cx: 240, cy: 160, r })), svg("path", { d: `M${points.join("L")}` }));
}

/** What this is, in two sentences. */
export function hero() {
  return h("div", { class: "hero" },
    h("div", {},
      h("h1", {}, "See the pulse in a video"),
      h("p", { class: "lead" }, "Skin changes its colour with every heartbeat, too little for the eye. Pulsemesh measures it, shows it, and says so when it cannot.")),
    emblem());
}

export class StartView {
  constructor(element, limits, { onFile, onRecord, onJob, notices }) {
    this.onFile = onFile;
    this.onJob = onJob;
    this.notices = notices;
    this.input = h("input", { type: "file", id: "file", class: "unseen", accept: "video/*,.mkv,.webm,.mov,.mp4", onchange: () => this.#chosen(this.input.files) });
    this.earlier = h("section", { class: "earlier", "aria-labelledby": "earlier-title", hidden: true });
    this.zone = h("div", { class: "card way drop" },
      icon("upload"), h("h2", { text: "Upload a clip" }),
      h("p", { class: "soft" }, `Drop it here, or choose a file. Ten seconds to ${span(limits.max_seconds)}, at most ${bytes(limits.upload_bytes)}. An upload that breaks off goes on where it was.`),
      this.input, h("label", { for: "file", class: "button" }, "Choose a file"));
    element.replaceChildren(
      hero(),
      h("div", { class: "ways" },
        h("div", { class: "card way" }, icon("camera"), h("h2", { text: "Record 15 seconds" }),
          h("p", { class: "soft" }, "A face, a wrist, the palm of a hand. You are told what to mend before it begins."),
          h("button", { type: "button", class: "main", id: "record-button", onclick: onRecord }, "Use the camera")),
        this.zone),
      this.earlier,
    );
    this.#listen();
  }

  #listen() {
    const over = (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.zone.classList.add("over");
    };
    for (const type of ["dragenter", "dragover"]) document.addEventListener(type, over);
    document.addEventListener("dragleave", (event) => event.relatedTarget ?? this.zone.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.zone.classList.remove("over");
      if (!this.zone.closest("[hidden]")) this.#chosen(event.dataTransfer.files);
    });
  }

  #chosen(files) {
    const [file] = files;
    if (file) this.onFile(file);
    this.input.value = "";
  }

  /** Look which recordings there are. */
  async refresh() {
    let jobs = [];
    try {
      ({ jobs } = await api.jobs("?limit=50"));
    } catch {
      // the list is a convenience: what is wrong is told when something is done
    }
    const latest = new Map();
    for (const job of jobs) if (!latest.has(job.recording)) latest.set(job.recording, job);
    const shown = [...latest.values()].slice(0, EARLIER);
    this.earlier.hidden = !shown.length;
    this.earlier.replaceChildren(h("h2", { id: "earlier-title", text: "Earlier recordings" }), h("ul", {}, shown.map((job) => this.#entry(job))));
  }

  #entry(job) {
    const when = new Date(job.created_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const state = { succeeded: "done", failed: "failed", cancelled: "stopped" }[job.state] ?? "working";
    return h("li", {},
      h("button", { type: "button", class: "quiet", onclick: () => this.onJob(job.id) }, when, h("span", { class: "soft small", text: state })),
      h("button", { type: "button", class: "danger", "aria-label": `Erase the recording of ${when}`, onclick: () => this.#erase(job.recording) }, icon("trash")));
  }

  async #erase(recording) {
    if (!(await reallyErase())) return;
    try {
      await api.erase(recording);
      this.notices.say("The recording is erased.");
    } catch (error) {
      this.notices.error(error, () => this.#erase(recording));
    }
    await this.refresh();
  }
}
