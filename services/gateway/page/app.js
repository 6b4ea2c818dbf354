// The page: start, record, workbench; wiring only.

import { api } from "./api.js";
import { Clip } from "./clip.js";
import { aboutVideos, askToken, consent } from "./dialogs.js";
import { announce, byId, show } from "./dom.js";
import { Notices } from "./notices.js";
import { RecordView } from "./record_view.js";
import { hero, StartView } from "./start_view.js";
import { Workbench } from "./workbench.js";

const JOB = /^#(job_[a-z0-9]+)$/;
const notices = new Notices(byId("notices"));
const views = { start: byId("start"), record: byId("record"), bench: byId("bench") };
api.askToken = askToken;

function enter(name) {
  for (const [key, element] of Object.entries(views)) show(key === name, element);
  if (name !== "bench") history.replaceState(null, "", location.pathname);
  scrollTo(0, 0);
}

class App {
  async begin() {
    try {
      this.book = await api.parameters();
    } catch (error) {
      enter("start");
      views.start.replaceChildren(hero());
      notices.error(error, () => {
        notices.clear();
        this.begin();
      });
      return;
    }
    this.bench = new Workbench(views.bench, this.book, { notices, onLeave: (words) => this.home(words) });
    this.recorder = new RecordView(views.record, { onClip: (file) => this.take(file, true), onLeave: () => this.home() });
    this.start = new StartView(views.start, this.book.limits, {
      onFile: (file) => this.take(file, false),
      onRecord: () => this.record(),
      onJob: (id) => this.job(id),
      notices,
    });
    byId("privacy").addEventListener("click", () => aboutVideos(this.book.limits));
    byId("home").addEventListener("click", (event) => {
      event.preventDefault();
      this.recorder.close();
      this.bench.leave();
    });
    addEventListener("hashchange", () => this.route());
    await this.route();
  }

  async route() {
    const found = JOB.exec(location.hash);
    if (found) await this.job(found[1]);
    else if (views.bench.hidden && views.record.hidden) await this.home();
  }

  async home(words = "") {
    enter("start");
    notices.clear();
    if (words) {
      notices.say(words);
      announce(words);
    }
    await this.start.refresh();
  }

  async job(id) {
    enter("bench");
    try {
      await this.bench.openJob(id);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404) await this.home();
      notices.error(error, error.retryable ? () => this.job(id) : null);
    }
  }

  async record() {
    if (!(await consent(this.book.limits))) return;
    notices.clear();
    enter("record");
    try {
      await this.recorder.open();
    } catch (error) {
      await this.home();
      notices.error(error, () => this.record());
    }
  }

  async take(file, atOnce) {
    if (!(await consent(this.book.limits))) return;
    const { upload_bytes: most } = this.book.limits;
    if (file.size > most || file.size === 0) {
      notices.clear();
      notices.error({
        title: file.size ? "The clip is too large" : "The file is empty",
        message: file.size ? `This gateway takes at most ${Math.round(most / 1e6)} MB.` : "There is nothing in it.",
        hint: file.size ? "Send a shorter piece of it." : "Choose another one.",
      }, null);
      return;
    }
    enter("bench");
    await this.bench.open(new Clip(file, atOnce ? "Your recording" : file.name), atOnce);
  }
}

new App().begin();
