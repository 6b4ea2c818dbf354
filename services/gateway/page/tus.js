// Resumable uploads: a client of tus 1.0.0 (https://tus.io/protocols/resumable-upload), as much of it as is needed here.

import { api, ApiError, errorOf, offline, pause } from "./api.js";

const PIECE = 8 << 20; // bytes a request: what a broken connection can cost at most is less, the server keeps what came
const PATIENCE = 8; // failures in a row that are worth another try
const TUS = { "Tus-Resumable": "1.0.0" };
const MEMORY = "pulsemesh-upload:"; // in local storage: uploads that have begun, by what tells a file from others

/** One upload. Events: `onProgress(sent, size)`, `onWait(error, seconds)` while it waits for a broken connection. */
export class Upload {
  #abort = new AbortController();

  constructor(clip, { onProgress = () => {}, onWait = () => {}, keep = true } = {}) {
    this.clip = clip;
    this.onProgress = onProgress;
    this.onWait = onWait;
    this.recording = null;
    this.resumed = 0; // bytes that an earlier try had sent
    this.key = keep && clip.name ? `${MEMORY}${clip.name}:${clip.size}:${clip.lastModified}` : null;
  }

  /** Send what is missing; returns the recording. Throws ApiError, AbortError. */
  async run() {
    let failures = 0;
    let offset = null;
    for (;;) {
      try {
        offset ??= await this.#begin();
        while (offset < this.clip.size) {
          this.onProgress(offset, this.clip.size);
          offset = await this.#send(offset);
          failures = 0;
        }
        this.onProgress(offset, this.clip.size);
        this.#remember(null); // a finished one is a recording; sending the file again makes another
        return this.recording;
      } catch (error) {
        if (error.name === "AbortError") throw error;
        const behind = error instanceof ApiError && error.slug === "wrong-offset";
        if (!behind && !(error instanceof ApiError && error.retryable)) {
          this.#remember(null);
          throw error;
        }
        failures += 1;
        if (failures > PATIENCE) throw error;
        const seconds = behind ? 0 : error.retryAfter ?? Math.min(0.5 * 2 ** failures, 20);
        this.onWait(error, seconds);
        await pause(1000 * seconds, this.#abort.signal);
        offset = null; // ask how far it is
      }
    }
  }

  /** Stop, and have the server forget what it has. */
  async abort() {
    this.#abort.abort();
    this.#remember(null);
    if (this.recording) await api.erase(this.recording);
  }

  #remember(recording) {
    if (!this.key) return;
    if (recording) localStorage.setItem(this.key, recording);
    else localStorage.removeItem(this.key);
  }

  /** Begin, or go on with one that had begun; returns how many bytes are there. */
  async #begin() {
    const known = this.recording ?? (this.key && localStorage.getItem(this.key));
    if (known) {
      try {
        const response = await api.request(`/v1/uploads/${known}`, {
          method: "HEAD",
          headers: TUS,
          signal: this.#abort.signal,
        });
        if (Number(response.headers.get("Upload-Length")) === this.clip.size) {
          this.recording = known;
          const offset = Number(response.headers.get("Upload-Offset"));
          this.resumed = Math.max(this.resumed, offset);
          return offset;
        }
      } catch (error) {
        if (!(error instanceof ApiError) || ![404, 410].includes(error.status)) throw error;
      }
    }
    const response = await api.request("/v1/uploads", {
      method: "POST",
      headers: { ...TUS, "Upload-Length": String(this.clip.size) },
      signal: this.#abort.signal,
    });
    this.recording = response.headers.get("Location").split("/").pop();
    this.#remember(this.recording);
    return 0;
  }

  /** One piece; XMLHttpRequest, because fetch does not say how much of a body has gone. */
  #send(offset) {
    const piece = this.clip.slice(offset, offset + PIECE);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PATCH", `/v1/uploads/${this.recording}`);
      const headers = { ...TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
      for (const [name, value] of Object.entries(api.headers(headers))) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => this.onProgress(offset + event.loaded, this.clip.size);
      request.onerror = () => reject(offline());
      request.onabort = () => reject(new DOMException("aborted", "AbortError"));
      request.onload = async () => {
        if (request.status === 204) return resolve(Number(request.getResponseHeader("Upload-Offset")));
        const retryAfter = request.getResponseHeader("Retry-After");
        const headers = retryAfter ? { "Retry-After": retryAfter } : {};
        const answer = new Response(request.responseText || null, {
          status: request.status < 200 ? 502 : request.status,
          headers,
        });
        reject(await errorOf(answer));
      };
      this.#abort.signal.addEventListener("abort", () => request.abort(), { once: true });
      if (this.#abort.signal.aborted) return reject(new DOMException("aborted", "AbortError"));
      request.send(piece);
    });
  }
}
