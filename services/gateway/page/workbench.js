// One recording: sent, looked at, run, and run again with other settings.

import { api, ApiError, hasEnded } from "./api.js";
import { spoken } from "./answer.js";
import { Compare } from "./compare.js";
import { reallyErase } from "./dialogs.js";
import { announce, bytes, clock, h, icon, show } from "./dom.js";
import { Outcome } from "./outcome.js";
import { SettingsForm } from "./settings_form.js";
import { SkinView } from "./skin_view.js";
import { Stages } from "./stages.js";
import { Upload } from "./tus.js";

const CLIP = "magnified.mp4";
const IN_MEMORY = 256 << 20; // bytes of a clip that is fetched whole: it then plays and jumps without delay

export class Workbench {
  #clip = null;
  #recording = null;
  #upload = null;
  #sent = null; // resolves when the clip is at the gateway
  #job = null;
  #following = null;
  #address = null;

  /** `notices` shows errors, `onLeave(words)` is called when the recording is done with. */
  constructor(element, book, { notices, onLeave }) {
    this.element = element;
    this.notices = notices;
    this.onLeave = onLeave;
    this.form = new SettingsForm(book, () => this.skin.ask());
    this.skin = new SkinView(() => this.form.values() ?? {}, () => {});
    this.compare = new Compare((time) => this.outcome.at(time));
    this.outcome = new Outcome((time) => this.compare.seek(time));
    this.stages = new Stages();
    this.name = h("h1", { class: "clip-name" });
    this.facts = h("p", { class: "soft small" });
    this.sending = h("progress", { max: 1, value: 0, "aria-label": "Sent" });
    this.sendingWords = h("p", { class: "small soft", role: "status" });
    this.sender = h("div", { class: "stack sender", hidden: true }, this.sending, this.sendingWords);
    this.run = h("button", { type: "button", class: "main big", onclick: () => this.start() }, "Find the pulse");
    this.stop = h("button", { type: "button", hidden: true, onclick: () => this.cancel() }, "Stop");
    this.erase = h("button", { type: "button", class: "danger", onclick: () => this.eraseAll() }, icon("trash"), "Erase");
    this.missing = SkinView.placeholder();
    this.#buildTabs();
    const settings = h("details", { class: "settings-fold", open: !matchMedia("(max-width: 900px)").matches }, h("summary", { text: "Settings" }), this.form.element);
    this.element.replaceChildren(
      h("div", { class: "row apart head" },
        h("div", {}, this.name, this.facts),
        h("div", { class: "row" }, h("button", { type: "button", class: "quiet", onclick: () => this.leave() }, icon("back"), "Another clip"), this.erase)),
      h("div", { class: "workbench" },
        h("div", { class: "column" }, this.outcome.answer,
          h("section", { class: "card stage", "aria-label": "Clip" }, this.tabs, this.skinPanel, this.comparePanel)),
        h("aside", { class: "card stack", "aria-label": "Settings and progress" },
          h("div", { class: "row" }, this.run, this.stop), this.sender, this.stages.element, settings),
        h("div", { class: "column rest" }, this.outcome.charts, this.outcome.pictures, this.outcome.files)),
    );
  }

  #buildTabs() {
    const names = [["skin", "Skin"], ["compare", "Original and magnified"]];
    this.tabButtons = names.map(([id, text]) => h("button", {
      type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, onclick: () => this.showTab(id),
      onkeydown: (event) => {
        if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
        const other = this.tabButtons.find((each) => each !== event.currentTarget);
        other.click();
        other.focus();
      },
    }, text));
    this.tabs = h("div", { role: "tablist", class: "tabs", "aria-label": "View of the clip", hidden: true }, this.tabButtons);
    this.skinPanel = h("div", { role: "tabpanel", id: "panel-skin", "aria-labelledby": "tab-skin" }, this.skin.element, this.missing);
    this.comparePanel = h("div", { role: "tabpanel", id: "panel-compare", "aria-labelledby": "tab-compare", hidden: true }, this.compare.element);
  }

  showTab(id) {
    for (const button of this.tabButtons) {
      const chosen = button.id === `tab-${id}`;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
    show(id === "skin", this.skinPanel);
    show(id === "compare", this.comparePanel);
    if (id === "skin") this.compare.pause();
  }

  // --- a clip comes in

  /** Take a clip of this browser: it is sent at once, and run at once where `atOnce`. */
  async open(clip, atOnce) {
    this.#reset();
    this.#clip = clip;
    this.name.textContent = clip.name;
    this.facts.textContent = bytes(clip.file.size);
    this.#send(atOnce);
    const readable = await this.skin.open(clip);
    if (this.#clip !== clip) return;
    this.missing.hidden = readable;
    if (readable) this.facts.textContent = `${clip.width} × ${clip.height}, ${clock(clip.duration)}, ${bytes(clip.file.size)}`;
  }

  /** Show a job that is there already, whose clip this browser does not have. */
  async openJob(id) {
    this.#reset();
    const view = await api.job(id);
    this.#recording = view.recording;
    this.#sent = Promise.resolve(view.recording);
    this.name.textContent = `Recording of ${new Date(view.created_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`;
    this.missing.hidden = true;
    this.form.fill(view.parameters);
    await this.#follow(view);
  }

  #reset() {
    this.#following?.abort();
    this.#clip?.close();
    this.#clip = this.#recording = this.#upload = this.#job = null;
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
    this.#played = null;
    this.skin.close();
    this.compare.hide();
    this.outcome.clear();
    this.notices.clear();
    this.facts.textContent = "";
    this.stages.element.hidden = true;
    this.sender.hidden = true;
    this.tabs.hidden = true;
    this.missing.hidden = true;
    this.showTab("skin");
    this.#busy(false, false);
  }

  #send(atOnce) {
    const upload = (this.#upload = new Upload(this.#clip.file, {
      onProgress: (sent, size) => {
        this.sending.value = sent / size;
        const before = upload.resumed ? `, went on at ${bytes(upload.resumed)}` : "";
        this.sendingWords.textContent = sent < size ? `Sending: ${bytes(sent)} of ${bytes(size)}${before}` : "The clip is looked at";
      },
      onWait: (error, seconds) => {
        this.sendingWords.textContent = `${error.message} Trying again${seconds >= 1 ? ` in ${Math.round(seconds)} s` : ""}; nothing is lost.`;
      },
    }));
    this.sender.hidden = false;
    this.#busy(false);
    this.#sent = upload.run();
    this.#sent.then(
      (recording) => {
        if (this.#upload !== upload) return;
        this.#recording = recording;
        this.sender.hidden = true;
        if (atOnce) this.start();
      },
      (error) => {
        if (this.#upload !== upload || error.name === "AbortError") return;
        this.sender.hidden = true;
        this.run.disabled = true;
        this.notices.error(error, error.retryable ? () => this.#send(atOnce) : null);
      },
    );
  }

  // --- a run

  /** Run with what is set. */
  async start() {
    const values = this.form.values();
    if (values === null) return;
    this.notices.clear();
    this.#busy(true, false);
    try {
      const recording = await this.#sent.catch(() => null);
      if (recording === null) return this.#busy(false); // why it was not sent has been said
      const view = await api.submit(recording, { ...values, ...this.skin.values() });
      await this.#follow(view);
    } catch (error) {
      this.#busy(false);
      if (error.name === "AbortError") return;
      if (error instanceof ApiError && error.errors.length && this.form.complain(error.errors)) return this.notices.error(error, null);
      this.notices.error(error, () => this.start());
    }
  }

  async #follow(view) {
    this.#job = view.id;
    history.replaceState(null, "", `#${view.id}`);
    const following = (this.#following = new AbortController());
    this.stages.clear();
    this.stages.view(view);
    this.#busy(true, true);
    let answered = false;
    const last = await api.follow(view.id, (type, data) => {
      if (following.signal.aborted) return;
      if (type === "progress") this.stages.update(data);
      else if (!hasEnded(data)) this.stages.view(data);
      if (type === "progress" && data.stage === "pulse" && data.done && !answered) {
        answered = true;
        this.#answerEarly(view.id, following.signal);
      }
      if (type === "progress" && data.stage === "clip" && data.done) this.#showEarly(view, following.signal);
    }, following.signal);
    if (following.signal.aborted) return;
    this.stages.end(last);
    this.#busy(false);
    if (last.state === "failed") throw new ApiError(last.problem);
    if (last.state === "succeeded") await this.#showResult(last.id, following.signal);
  }

  /** The numbers are there before the clip. What goes wrong here is told by the result. */
  async #answerEarly(id, signal) {
    try {
      const found = await api.json(`/v1/jobs/${id}/measurements`, { signal });
      if (signal.aborted || this.#shown === id) return;
      this.outcome.showAnswer(found);
      announce(spoken(found));
    } catch {
      // the result says it again
    }
  }

  #shown = null;

  /** The clip is there before the maps. What goes wrong here is told by the result. */
  async #showEarly(view, signal) {
    try {
      const clip = (await api.files(view.id, true)).find(({ name }) => name === CLIP);
      if (!clip || signal.aborted || this.#shown === view.id) return;
      this.outcome.dropFiles();
      await this.#play(clip, view.parameters, signal);
    } catch {
      // the result says it again
    }
  }

  /** Play the magnified clip beside the original, once a job however often it is asked for. */
  #play(clip, parameters, signal) {
    if (this.#played?.href === clip.href) return this.#played.shown;
    const shown = this.#open(clip, parameters, signal);
    const playing = (this.#played = { href: clip.href, shown });
    shown.catch(() => {
      if (this.#played === playing) this.#played = null;
    });
    return shown;
  }

  async #open({ href, size }, parameters, signal) {
    const address = size < IN_MEMORY ? URL.createObjectURL(await api.blob(href, signal)) : await api.address(href);
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = address.startsWith("blob:") ? address : null;
    const original = this.#clip && (await this.#clip.readable) && parameters.layout !== "side_by_side" ? this.#clip.url : null;
    this.compare.show(original, address);
    this.tabs.hidden = !this.#clip;
    this.showTab("compare");
  }

  #played = null;

  async #showResult(id, signal) {
    const [result, files] = await Promise.all([api.result(id), api.files(id)]);
    if (signal.aborted) return;
    this.#shown = id;
    await this.outcome.show(id, result, files);
    const clip = files.find(({ name }) => name === CLIP);
    if (clip) {
      await this.#play(clip, result.parameters, signal);
    } else {
      this.compare.hide();
      this.tabs.hidden = true;
      this.showTab("skin");
    }
    this.run.textContent = "Run again";
    announce(`${spoken(result)} ${clip ? "The magnified clip is ready." : ""}`);
  }

  #busy(busy, canStop = false) {
    this.run.disabled = busy;
    if (busy) this.run.textContent = "Working";
    else this.run.textContent = this.#job ? "Run again" : "Find the pulse";
    this.stop.hidden = !canStop;
    this.element.setAttribute("aria-busy", String(busy));
  }

  /** Stop the job that runs. */
  async cancel() {
    try {
      await api.cancel(this.#job);
    } catch (error) {
      this.notices.error(error, null);
    }
  }

  // --- the end

  /** Erase the recording everywhere, after asking. */
  async eraseAll() {
    if (!(await reallyErase())) return;
    this.#following?.abort();
    try {
      if (this.#recording) await api.erase(this.#recording);
      else await this.#upload?.abort();
    } catch (error) {
      this.notices.error(error, () => this.eraseAll());
      return;
    }
    this.#reset();
    this.onLeave("The recording is erased.");
  }

  leave() {
    this.#reset();
    this.onLeave("");
  }
}
