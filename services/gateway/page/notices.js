// Errors and news in words, with another try where it may help.

import { h, icon } from "./dom.js";

export class Notices {
  constructor(element) {
    this.element = element;
  }

  clear() {
    this.element.replaceChildren();
  }

  /** Say something that is no error. */
  say(words) {
    this.element.append(h("div", { class: "notice good", role: "status" }, icon("check"), h("p", { text: words }), this.#close()));
  }

  /** An error: `title`, `message`, `hint`; `retry` is called by its button, null for none. */
  error(error, retry) {
    const title = error.title ?? "Something in this page went wrong";
    const detail = error.message && error.message !== title ? error.message : "";
    const sentence = detail && detail[0].toUpperCase() + detail.slice(1) + (/[.!?]$/.test(detail) ? "" : ".");
    this.element.append(
      h("div", { class: "notice", role: "alert" },
        icon("alert"),
        h("div", {}, h("strong", { text: title }), h("p", { text: [sentence, error.hint].filter(Boolean).join(" ") })),
        h("div", { class: "row" },
          retry && h("button", { type: "button", onclick: (event) => { event.target.closest(".notice").remove(); retry(); } }, "Try again"),
          this.#close())),
    );
    this.element.scrollIntoView({ block: "nearest" });
  }

  #close() {
    return h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: (event) => event.target.closest(".notice").remove() }, "×");
  }
}
