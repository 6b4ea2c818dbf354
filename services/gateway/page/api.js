// The gateway's HTTP API: requests with a token where one is needed, problems as errors in words, events as they come.

const TOKEN = "pulsemesh-token"; // in the session's storage: gone with the tab
const ROUNDS = 5; // of a stream of events that breaks, one after the other

/** What went wrong, in words: title, detail, hint, and whether another try may help. */
export class ApiError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title);
    this.title = problem.title;
    this.hint = problem.hint;
    this.status = problem.status ?? 0;
    this.retryable = problem.retryable ?? false;
    this.errors = problem.errors ?? [];
    this.slug = (problem.type ?? "").split("/").pop();
    this.retryAfter = problem.retryAfter;
  }
}

/** The error for a connection that did not work. */
export function offline() {
  return new ApiError({
    title: "The gateway cannot be reached",
    detail: "The connection to the gateway was lost.",
    hint: "Look whether the network and the gateway are up, then try again.",
    retryable: true,
    type: "/offline",
  });
}

/** The error that an answer holds. */
export async function errorOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // no problem document: perhaps from a proxy on the way
  }
  return new ApiError({
    title: `The gateway answered ${response.status}`,
    detail: response.statusText,
    status: response.status,
    retryable: response.status >= 500 || response.status === 429,
    ...problem,
    retryAfter: Number(response.headers.get("Retry-After")) || undefined,
  });
}

class Api {
  #asking = null;

  constructor() {
    this.askToken = async () => null; // what asks the person for a token; set by the page
  }

  get token() {
    return sessionStorage.getItem(TOKEN);
  }

  set token(value) {
    if (value) sessionStorage.setItem(TOKEN, value);
    else sessionStorage.removeItem(TOKEN);
  }

  /** Headers of a request. */
  headers(more = {}) {
    return this.token ? { Authorization: `Bearer ${this.token}`, ...more } : more;
  }

  /** Ask for a token once, however many requests want one. */
  async wantToken(wrong) {
    this.#asking ??= this.askToken(wrong).finally(() => (this.#asking = null));
    const given = await this.#asking;
    if (given) this.token = given;
    return Boolean(given);
  }

  /** A request; throws ApiError for every answer that is none of success. */
  async request(path, options = {}) {
    for (;;) {
      const sent = this.token;
      let response;
      try {
        response = await fetch(path, { ...options, headers: this.headers(options.headers), cache: "no-store" });
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw offline();
      }
      if (response.ok) return response;
      if (response.status === 401) {
        if (this.token !== sent) continue; // another request got one meanwhile
        if (await this.wantToken(Boolean(sent))) continue;
      }
      throw await errorOf(response);
    }
  }

  async json(path, options) {
    return (await this.request(path, options)).json();
  }

  parameters() {
    return this.json("/v1/parameters");
  }

  jobs(query = "") {
    return this.json(`/v1/jobs${query}`);
  }

  job(id) {
    return this.json(`/v1/jobs/${id}`);
  }

  result(id) {
    return this.json(`/v1/jobs/${id}/result`);
  }

  /** Files of a result; with `early` those that are there while the job runs. */
  async files(id, early = false) {
    return (await this.json(`/v1/jobs/${id}/files?early=${early}`)).files;
  }

  submit(recording, parameters) {
    return this.json("/v1/jobs", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ recording, parameters }),
    });
  }

  async cancel(id) {
    await this.request(`/v1/jobs/${id}`, { method: "DELETE" });
  }

  async erase(recording) {
    await this.request(`/v1/recordings/${recording}`, { method: "DELETE" });
  }

  async text(path) {
    return (await this.request(path)).text();
  }

  async blob(path, signal) {
    return (await this.request(path, { signal })).blob();
  }

  /** An address for what cannot send a header, such as a video: as it is, or a signed link where a token is needed. */
  async address(path) {
    if (!this.token) return path;
    const link = await this.json("/v1/links", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ path }),
    });
    return link.href;
  }

  /**
   * Follow a job until it has ended; returns its last view. `onEvent(type, data)` is told of `progress` and `state`.
   * Server-sent events over fetch, because EventSource cannot send a token; comes back with Last-Event-ID.
   */
  async follow(id, onEvent, signal) {
    let last = "";
    let failures = 0;
    for (;;) {
      try {
        const headers = last ? { "Last-Event-ID": last } : {};
        const response = await this.request(`/v1/jobs/${id}/events`, { headers, signal });
        if (response.status === 200) {
          for await (const event of eventsIn(response.body)) {
            failures = 0;
            last = event.id || last;
            const data = JSON.parse(event.data);
            onEvent(event.type, data);
            if (event.type === "state" && hasEnded(data)) return data;
          }
        }
        const view = await this.job(id); // the stream's life was over, or we had seen all
        if (hasEnded(view)) {
          onEvent("state", view);
          return view;
        }
      } catch (error) {
        failures += 1;
        if (error.name === "AbortError" || (error instanceof ApiError && !error.retryable) || failures > ROUNDS) throw error;
      }
      await pause(failures ? 500 * 2 ** failures : 200, signal);
    }
  }
}

/** Whether a job has ended. */
export function hasEnded(view) {
  return ["succeeded", "failed", "cancelled"].includes(view.state);
}

/** Wait; rejects with AbortError when `signal` says so. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}

/** The events in a stream of bytes (HTML standard, section 9.2.6). */
export async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += value;
      let end;
      while ((end = held.indexOf("\n\n")) >= 0) {
        const event = { id: "", type: "message", data: "" };
        for (const line of held.slice(0, end).split("\n")) {
          if (line.startsWith("id: ")) event.id = line.slice(4);
          else if (line.startsWith("event: ")) event.type = line.slice(7);
          else if (line.startsWith("data: ")) event.data += line.slice(6);
        }
        held = held.slice(end + 2);
        if (event.data) yield event;
      }
    }
  } catch (error) {
    throw error.name === "AbortError" ? error : offline();
  } finally {
    reader.cancel().catch(() => {});
  }
}

export const api = new Api();
