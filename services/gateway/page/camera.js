// The camera: opened, its automatics locked where the browser lets a page do so, recorded with a bit rate of our choice.

const BITS_PER_S = 8_000_000; // 640x480 at 30/s: 0.87 bits a pixel. Compression takes the pulse first
const KEYFRAME_MS = 5000; // the length of a chunk: clips are then cut without being coded again
// The coder that spends the bits it is given first: of the same picture Chromium's H.264 keeps an eighth of what its VP9
// keeps, however many are allowed (docs/page.md). Safari has MP4 alone.
const TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/mp4;codecs=avc1.42E01E", "video/mp4"];

/** Why the camera does not work, in words. */
export class CameraError extends Error {
  constructor(title, hint) {
    super(title);
    this.title = title;
    this.hint = hint;
    this.retryable = true;
  }
}

const REASONS = {
  NotAllowedError: ["The camera is not allowed", "Allow it beside the address of this page, then try again."],
  NotFoundError: ["There is no camera", "Plug one in, or upload a clip."],
  NotReadableError: ["The camera is in use", "Close the program that uses it, then try again."],
  OverconstrainedError: ["The camera has no picture of the kind we need", "Try another camera, or upload a clip."],
};

export class Camera {
  /** Ask for the camera; `facing` is `user` or `environment`. Throws CameraError. */
  static async open(facing = "user") {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new CameraError("This page may not use the camera", "Browsers allow it at https:// or http://localhost only.");
    }
    const video = {
      facingMode: facing,
      width: { ideal: 640 },
      height: { ideal: 480 },
      frameRate: { ideal: 30, min: 10 },
      resizeMode: "none",
    };
    try {
      return new Camera(await navigator.mediaDevices.getUserMedia({ video, audio: false }), facing);
    } catch (error) {
      const [title, hint] = REASONS[error.name] ?? ["The camera did not start", error.message];
      throw new CameraError(title, hint);
    }
  }

  constructor(stream, facing) {
    this.stream = stream;
    this.facing = facing;
    this.track = stream.getVideoTracks()[0];
    this.locked = [];
  }

  get settings() {
    return this.track.getSettings();
  }

  /** Hold exposure, white balance and focus as they are now; returns which of them are held. */
  async lock() {
    const can = this.track.getCapabilities?.() ?? {};
    const now = this.settings;
    const wanted = [
      ["exposure", "exposureMode", { exposureTime: now.exposureTime, iso: now.iso }],
      ["white balance", "whiteBalanceMode", { colorTemperature: now.colorTemperature }],
      ["focus", "focusMode", { focusDistance: now.focusDistance }],
    ];
    for (const [name, mode, values] of wanted) {
      if (!can[mode]?.includes("manual")) continue;
      const known = Object.entries(values).filter(([key, value]) => value !== undefined && can[key] !== undefined);
      try {
        await this.track.applyConstraints({ advanced: [{ [mode]: "manual", ...Object.fromEntries(known) }] });
        if (this.settings[mode] === "manual" && !this.locked.includes(name)) this.locked.push(name);
      } catch {
        // the browser said it could, the camera could not: it stays automatic
      }
    }
    return this.locked;
  }

  /** Record until `stop` of what this returns; that resolves to a File. */
  record() {
    const type = TYPES.find((each) => MediaRecorder.isTypeSupported(each));
    const recorder = new MediaRecorder(this.stream, {
      mimeType: type,
      videoBitsPerSecond: BITS_PER_S,
      videoKeyFrameIntervalDuration: KEYFRAME_MS,
    });
    const pieces = [];
    recorder.ondataavailable = (event) => event.data.size && pieces.push(event.data);
    const ended = new Promise((resolve, reject) => {
      recorder.onstop = () => {
        const kind = recorder.mimeType.split(";")[0] || "video/webm";
        resolve(new File(pieces, `recording.${kind === "video/mp4" ? "mp4" : "webm"}`, { type: kind }));
      };
      recorder.onerror = (event) => reject(new CameraError("The recording broke off", event.error?.message ?? ""));
    });
    ended.catch(() => {}); // it is told to who stops
    recorder.start(1000);
    return {
      stop() {
        if (recorder.state !== "inactive") recorder.stop();
        return ended;
      },
    };
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
  }
}
