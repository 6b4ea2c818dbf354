// What is asked once: consent, a token, whether to erase.

import { h, span } from "./dom.js";

const CONSENT = "pulsemesh-consent"; // in local storage: said once

/** Open a dialog and wait; resolves to its return value, "" when it was closed otherwise. */
function ask(title, content, actions) {
  return new Promise((resolve) => {
    const id = `dialog-${title.length}-${Date.now()}`;
    const dialog = h("dialog", { "aria-labelledby": id }, h("form", { method: "dialog" }, h("h2", { id, text: title }), content, h("div", { class: "row" }, actions)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const action = (value, text, kind = "") => h("button", { value, class: kind }, text);

/** What happens to a video, as a list; `limits` as GET /v1/parameters has them. */
function whatHappens(limits) {
  return h("ul", {},
    h("li", {}, "Your video goes to this gateway and nowhere else. It is used to measure the pulse in it, and for nothing besides."),
    h("li", {}, `The video is erased ${span(limits.keep_uploads_s)} after its last run, the results after ${span(limits.keep_results_s)}. Erase does both at once, for good.`),
    h("li", {}, "Record others only if they agree."),
    h("li", {}, "What is measured is for research and general wellness. It is no diagnosis, and not a medical device."));
}

/** Whether it was agreed to that videos are sent; asks once. */
export async function consent(limits) {
  if (localStorage.getItem(CONSENT)) return true;
  const answer = await ask("What happens to your video", whatHappens(limits), [action("yes", "I agree", "main"), action("", "Not now", "quiet")]);
  if (answer !== "yes") return false;
  localStorage.setItem(CONSENT, new Date().toISOString());
  return true;
}

/** The same to read again, with a way to take it back. */
export async function aboutVideos(limits) {
  const agreed = localStorage.getItem(CONSENT);
  const note = agreed && h("p", { class: "soft small", style: "margin-bottom: 1.25rem" }, `You agreed on ${new Date(agreed).toLocaleDateString()}.`);
  const answer = await ask("What happens to your video", [whatHappens(limits), note].filter(Boolean),
    [action("", "Close", "main"), agreed ? action("withdraw", "Take back my consent", "quiet") : ""]);
  if (answer === "withdraw") localStorage.removeItem(CONSENT);
}

/** A token from the person, null if none was given. */
export async function askToken(wrong) {
  const input = h("input", { id: "token", type: "password", autocomplete: "current-password", required: true, "aria-describedby": "token-help" });
  const help = h("p", { id: "token-help", class: wrong ? "wrong" : "help" }, wrong ? "This token is not accepted." : "Whoever runs this gateway gives it to you. It is kept until this tab closes.");
  const field = h("div", { class: "field", style: "margin-bottom: 1.5rem" }, h("label", { for: "token" }, "Access token"), input, help);
  const answer = await ask("This gateway asks for a token", field, [action("yes", "Continue", "main"), h("button", { value: "", class: "quiet", formnovalidate: true }, "Cancel")]);
  return answer === "yes" ? input.value.trim() : null;
}

/** Whether a recording is to be erased. */
export async function reallyErase() {
  const content = h("p", { style: "margin-bottom: 1.5rem" }, "The video, everything made of it and all its results are erased from the gateway. This cannot be undone.");
  return (await ask("Erase this recording?", content, [action("yes", "Erase", "main"), action("", "Keep it", "quiet")])) === "yes";
}
