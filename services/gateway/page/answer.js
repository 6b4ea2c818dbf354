// What was measured, in words and numbers: values with their intervals, and why there are none.

import { h, icon, number } from "./dom.js";

const NAMES = {
  heart_rate: "Heart rate", respiration_rate: "Breathing", sdnn: "SDNN", rmssd: "RMSSD", pnn50: "pNN50", lf: "LF power",
  hf: "HF power", lf_hf: "LF / HF", stress_indication: "Stress indication", spo2: "Oxygen saturation",
};
const MEANINGS = {
  sdnn: "Spread of the time between beats", rmssd: "Change from beat to beat", pnn50: "Beats that differ by over 50 ms",
  lf: "0.04 to 0.15 Hz", hf: "0.15 to 0.4 Hz", lf_hf: "Slow over fast changes",
};

function nameOf(key) {
  const words = key.replaceAll("_", " ");
  return NAMES[key] ?? words[0].toUpperCase() + words.slice(1);
}

/** How sure a measurement is, in a word. */
export function confidence(value) {
  if (value === null || value === undefined) return "";
  if (value >= 0.9) return "high confidence";
  return value >= 0.7 ? "fair confidence" : "low confidence";
}

function digitsOf(measurement) {
  const size = Math.abs(measurement.value);
  return size >= 100 ? 0 : size >= 10 ? 1 : 2;
}

/** "71.6 to 72.1", or nothing. */
export function interval(measurement) {
  const { low, high } = measurement;
  if (low === null || low === undefined || high === null || high === undefined) return "";
  const digits = digitsOf(measurement);
  return `${number(low, digits)} to ${number(high, digits)}`;
}

function sentence(words) {
  const text = words.trim();
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** What happened and what would help, as sentences: a reason is `cause; fix`, the fix may be missing. */
export function causeAndFix(reason) {
  const cut = reason.lastIndexOf("; ");
  const [cause, fix] = cut < 0 ? [reason, ""] : [reason.slice(0, cut), reason.slice(cut + 2)];
  return [sentence(cause), sentence(fix.replace("name a point on it with skin_point", "click on it in the picture"))];
}

function heart(measurement) {
  if (measurement.status === "ok") {
    return h(
      "div",
      { class: "heart" },
      h("h3", { text: "Heart rate" }),
      h("p", { class: "value", "data-value": measurement.value },
        h("strong", { text: number(measurement.value, 1) }), " ", h("span", { class: "unit", text: measurement.unit })),
      h("p", { class: "soft" }, `${interval(measurement)} with 90 % probability`),
      h("p", { class: "badge good" }, icon("check"), confidence(measurement.confidence)),
    );
  }
  const [cause, fix] = causeAndFix(measurement.reason ?? "");
  return h(
    "div",
    { class: "heart refused" },
    h("h3", { text: "Heart rate" }),
    h("p", { class: "value none", text: "No number this time" }),
    h("p", { text: cause }),
    fix && h("p", { class: "fix" }, h("strong", { text: "What helps: " }), fix),
  );
}

function entry(key, measurement) {
  const unit = measurement.unit === "1" ? "" : measurement.unit;
  return h(
    "div",
    { class: "entry" },
    h("dt", { title: MEANINGS[key] }, nameOf(key)),
    h("dd", { class: "number" }, number(measurement.value, digitsOf(measurement)), " ", h("span", { class: "unit", text: unit })),
    h("dd", { class: "soft small" }, [interval(measurement), confidence(measurement.confidence)].filter(Boolean).join(", ")),
  );
}

/** Refused measurements by their reason: `[[reason, names]…]`. */
function together(refused) {
  const found = new Map();
  for (const [key, { reason }] of refused) found.set(reason, [...(found.get(reason) ?? []), nameOf(key)]);
  return [...found];
}

/** The measurements of one person. */
export function answerOf(person) {
  const { heart_rate: rate, ...others } = person.measurements;
  const found = Object.entries(others);
  const [right, refused] = [found.filter(([, m]) => m.status === "ok"), found.filter(([, m]) => m.status !== "ok")];
  // where everything hangs on a heart rate that is not there, it is said once
  const said = rate?.status === "ok" ? refused : [];
  return h(
    "div",
    { class: "answer" },
    rate && heart(rate),
    h(
      "div",
      { class: "stack" },
      right.length > 0 && h("dl", { class: "entries" }, right.map(([key, measurement]) => entry(key, measurement))),
      said.length > 0 && h("ul", { class: "not-measured soft small" }, together(said).map(([reason, names]) =>
        h("li", {}, h("strong", { text: names.join(", ") }), `: ${reason}`))),
    ),
  );
}

/** The answer in one sentence, to be heard. */
export function spoken(result) {
  if (!result.people.length) return "No skin was found, so nothing was measured.";
  return result.people
    .map((person, i) => {
      const rate = person.measurements.heart_rate;
      const who = result.people.length > 1 ? `Person ${i + 1}: heart rate` : "Heart rate";
      return rate?.status === "ok" ? `${who} ${number(rate.value, 0)} ${rate.unit}` : `${who} refused. ${rate?.reason ?? ""}`;
    })
    .join(". ");
}
