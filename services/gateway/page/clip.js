// A clip that the browser holds: its address, size and frames, where the browser can play it.

const FAR = 1e7; // seconds: seeking there makes a browser find the end of a recording that does not name its length
const PATIENCE_MS = 8000;

export class Clip {
  /** `file` is a File or Blob; `name` is shown. */
  constructor(file, name) {
    this.file = file;
    this.name = name;
    this.url = URL.createObjectURL(file);
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    this.video.preload = "auto";
    this.width = 0;
    this.height = 0;
    this.duration = 0;
    this.readable = this.#open();
  }

  /** Resolves to whether the browser can show it. */
  async #open() {
    try {
      const ready = settled(this.video, "loadeddata");
      this.video.src = this.url;
      await ready;
      if (!Number.isFinite(this.video.duration)) {
        await seek(this.video, FAR);
        await seek(this.video, 0);
      }
      this.width = this.video.videoWidth;
      this.height = this.video.videoHeight;
      this.duration = Number.isFinite(this.video.duration) ? this.video.duration : 0;
      return this.width > 0;
    } catch {
      return false;
    }
  }

  /** Draw the frame at a time, in seconds, into a canvas of the clip's own size. */
  async draw(canvas, time) {
    const wanted = Math.min(Math.max(time, 0), Math.max(this.duration - 0.05, 0));
    if (Math.abs(this.video.currentTime - wanted) > 0.001) await seek(this.video, wanted);
    if (canvas.width !== this.width || canvas.height !== this.height) {
      canvas.width = this.width;
      canvas.height = this.height;
    }
    canvas.getContext("2d").drawImage(this.video, 0, 0, this.width, this.height);
    return wanted;
  }

  close() {
    this.video.removeAttribute("src");
    this.video.load();
    URL.revokeObjectURL(this.url);
  }
}

function settled(video, type) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the browser did not open the clip")), PATIENCE_MS);
    const done = (then) => () => {
      clearTimeout(timer);
      then();
    };
    video.addEventListener(type, done(resolve), { once: true });
    video.addEventListener("error", done(() => reject(new Error("the browser cannot play the clip"))), { once: true });
  });
}

async function seek(video, time) {
  const there = settled(video, "seeked");
  video.currentTime = time;
  await there;
}
