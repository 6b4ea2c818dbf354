// The form of all that can be set, built from what GET /v1/parameters says: new parameters appear by themselves.

import { h, number } from "./dom.js";

const FIRST = ["preset", "segmenter", "magnify", "gain", "luma", "method", "band_low_hz", "band_high_hz"];
const HIDDEN = new Set(["skin_point"]); // chosen in the picture
const LABELS = {
  preset: "Preset", segmenter: "Find skin by", magnify: "Make visible by", gain: "Gain", luma: "Magnify brightness too",
  method: "Pulse from colour by", band_low_hz: "Band from", band_high_hz: "Band to",
};
const GROUPS = {
  split: "Clip", skin: "Skin", mask: "Skin", people: "People", trace: "Traces", pulse: "Pulse", field: "Magnified clip",
  segment: "Magnified clip", map: "Maps", maps: "Maps", overlay: "Maps", result: "Results",
};
const UNITS = /_(hz|s|ms|px)$/;
const TOP_GAIN = 300; // of the slider; the field beside it takes all

/** Words for a parameter that has none of its own. */
function label(name) {
  const words = name.replace(UNITS, "").replaceAll("_", " ");
  return LABELS[name] ?? words[0].toUpperCase() + words.slice(1);
}

/** What may stand in a parameter, out of its JSON Schema. */
function kindOf(schema) {
  const options = (schema.anyOf ?? [schema]).filter((each) => each.type !== "null");
  const choices = options.flatMap((each) => each.enum ?? (each.const !== undefined ? [each.const] : []));
  if (choices.length) return { type: "choice", choices };
  const main = options[0];
  if (main.type === "array") return { type: "numbers" };
  return {
    type: main.type,
    low: main.minimum ?? main.exclusiveMinimum,
    high: main.maximum ?? main.exclusiveMaximum,
    step: main.multipleOf ?? (main.type === "integer" ? 1 : "any"),
    longest: main.maxLength,
  };
}

export class SettingsForm {
  #fields = {};

  /** `book` is the answer of GET /v1/parameters; `onChange()` is told of every change. */
  constructor(book, onChange = () => {}) {
    this.book = book;
    this.onChange = onChange;
    this.properties = book.schema.properties;
    this.stageOf = {};
    for (const [stage, names] of Object.entries(book.stages)) for (const name of names) this.stageOf[name] ??= stage;
    const names = Object.keys(this.properties).filter((name) => !HIDDEN.has(name));
    const groups = new Map();
    for (const name of names.filter((each) => !FIRST.includes(each))) {
      const group = GROUPS[this.stageOf[name]] ?? "More";
      groups.set(group, [...(groups.get(group) ?? []), name]);
    }
    this.element = h(
      "form",
      { class: "settings", novalidate: true, onsubmit: (event) => event.preventDefault() },
      h("div", { class: "fields" }, FIRST.filter((name) => name in this.properties).map((name) => this.#field(name))),
      h(
        "details",
        { class: "all" },
        h("summary", { text: "All settings" }),
        [...groups].map(([group, found]) =>
          h("fieldset", {}, h("legend", { text: group }), h("div", { class: "fields" }, found.map((name) => this.#field(name)))),
        ),
      ),
    );
    this.#showDefaults();
  }

  #field(name) {
    const schema = this.properties[name];
    const kind = kindOf(schema);
    const id = `setting-${name}`;
    const changed = () => {
      this.#mend(name);
      this.#showDefaults();
      this.onChange();
    };
    let input;
    let slider = null;
    if (kind.type === "choice" || kind.type === "boolean") {
      const choices = kind.type === "boolean" ? [["true", "Yes"], ["false", "No"]] : kind.choices.map((each) => [each, each]);
      const free = name === "preset" ? [] : [h("option", { value: "" })];
      input = h("select", { id, onchange: changed }, free, choices.map(([value, text]) => h("option", { value, text })));
      if (name === "preset") input.value = schema.default;
    } else {
      const numeric = ["number", "integer"].includes(kind.type);
      input = h("input", {
        id, type: numeric ? "number" : "text", min: numeric ? kind.low : null, max: numeric ? kind.high : null,
        step: numeric ? kind.step : null, maxlength: kind.longest, autocomplete: "off", inputmode: numeric ? "decimal" : null,
        oninput: changed,
      });
      if (name === "gain") slider = this.#slider(input, changed);
    }
    const help = h("p", { class: "help", id: `${id}-help`, text: `${schema.description ?? ""} (${name})` });
    const wrong = h("p", { class: "wrong", id: `${id}-wrong`, hidden: true });
    input.setAttribute("aria-describedby", `${help.id} ${wrong.id}`);
    const unit = schema.unit ? h("span", { class: "unit", text: ` ${schema.unit}` }) : null;
    help.hidden = true;
    const why = h("button", { type: "button", class: "why", "aria-expanded": "false", "aria-controls": help.id, "aria-label": `About ${label(name)}`, onclick: () => {
      help.hidden = !help.hidden;
      why.setAttribute("aria-expanded", String(!help.hidden));
    } }, "?");
    const top = h("div", { class: "top-line" }, h("label", { for: id }, label(name), unit), why);
    const element = h("div", { class: "field", "data-name": name }, top, slider, input, help, wrong);
    this.#fields[name] = { input, kind, wrong, element, slider };
    return element;
  }

  /** Gains differ by factors: equal ways on the slider are equal factors. */
  #slider(input, changed) {
    const slider = h("input", {
      type: "range", min: 0, max: 100, step: 1, "aria-label": "Gain, roughly",
      oninput: () => {
        input.value = Math.round((TOP_GAIN + 1) ** (slider.value / 100) - 1);
        slider.setAttribute("aria-valuetext", `${input.value} times`);
        changed();
      },
    });
    return slider;
  }

  /** What stands where nothing was set: the preset's values, as far as they do not hang on another choice. */
  #showDefaults() {
    const preset = this.book.presets[this.#fields.preset.input.value] ?? this.book.defaults;
    const method = this.#fields.magnify?.input.value;
    const other = Boolean(method) && method !== preset.magnify;
    for (const [name, { input, kind, slider }] of Object.entries(this.#fields)) {
      if (name === "preset") continue;
      const value = preset[name];
      const hangs = other && ["luma", "band", "region", "temporal_filter"].includes(name);
      let words = value === null || value === undefined ? "automatic" : Array.isArray(value) ? value.join(", ") : value;
      if (typeof value === "number") words = String(Number(value.toPrecision(4)));
      if (kind.type === "boolean") words = value ? "yes" : "no";
      if (input.tagName === "SELECT") input.options[0].textContent = hangs ? "As the method needs" : `Default: ${words}`;
      else input.placeholder = words;
      if (slider) {
        const gain = Math.max(input.value === "" ? value : Number(input.value), 0);
        if (document.activeElement !== slider) slider.value = (100 * Math.log(gain + 1)) / Math.log(TOP_GAIN + 1);
        slider.setAttribute("aria-valuetext", `${number(gain)} times`);
      }
    }
  }

  /** What was set, as the API takes it; null where a field holds nothing that can be sent. */
  values() {
    const found = {};
    let bad = null;
    for (const [name, { input, kind }] of Object.entries(this.#fields)) {
      const text = input.value.trim();
      if (input.validity.badInput) {
        this.#complain(name, "This is no number.");
        bad ??= input;
      }
      if (text === "" || (name === "preset" && text === this.properties.preset.default)) continue;
      if (kind.type === "boolean") found[name] = text === "true";
      else if (kind.type === "numbers") found[name] = text.split(/[\s,;]+/).map(Number);
      else if (["number", "integer"].includes(kind.type)) found[name] = Number(text);
      else found[name] = text;
    }
    bad?.focus();
    return bad ? null : found;
  }

  /** Put values in, for instance those of an earlier job; what equals its preset is left free. */
  fill(values) {
    const preset = this.book.presets[values.preset] ?? this.book.defaults;
    for (const [name, { input }] of Object.entries(this.#fields)) {
      const value = values[name];
      const same = JSON.stringify(value) === JSON.stringify(preset[name]);
      if (name === "preset") input.value = value ?? this.properties.preset.default;
      else input.value = value === null || value === undefined || same ? "" : String(value);
    }
    this.#showDefaults();
  }

  set(name, value) {
    this.#fields[name].input.value = String(value);
    this.#showDefaults();
  }

  /** Show what the gateway said of single parameters; returns whether it was about any that is here. */
  complain(errors) {
    let first = null;
    for (const { pointer, detail } of errors) {
      const name = pointer.split("/").find((each) => each in this.#fields);
      if (!name) continue;
      this.#complain(name, detail);
      first ??= this.#fields[name];
    }
    if (!first) return false;
    const folded = first.element.closest("details");
    if (folded) folded.open = true;
    first.input.focus();
    return true;
  }

  #complain(name, words) {
    const { input, wrong } = this.#fields[name];
    input.setAttribute("aria-invalid", "true");
    wrong.textContent = words;
    wrong.hidden = false;
  }

  #mend(name) {
    const { input, wrong } = this.#fields[name];
    input.removeAttribute("aria-invalid");
    wrong.hidden = true;
  }
}
