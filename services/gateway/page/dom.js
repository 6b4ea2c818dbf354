// Making and changing elements, and words for numbers.

const SVG = "http://www.w3.org/2000/svg";

/** An element: attributes, `on…` listeners, `class`, `text`; children are elements or strings. */
export function h(tag, properties = {}, ...children) {
  return dress(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), properties, children);
}

function dress(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name === "style") element.style.cssText = value; // allowed by the policy: it is the object model, no markup
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** What `id` names in the page. */
export function byId(id) {
  return document.getElementById(id);
}

/** Show or hide elements. */
export function show(shown, ...elements) {
  for (const element of elements) element.hidden = !shown;
}

/** An icon of the sheet in the page. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true", focusable: "false" }, svg("use", { href: `#icon-${name}` }));
}

/** Say something to who hears the page. */
export function announce(words) {
  const place = byId("announcer");
  place.textContent = "";
  requestAnimationFrame(() => (place.textContent = words));
}

/** A number with at most so many digits behind the point, and none that say nothing. */
export function number(value, digits = 1) {
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** Bytes in words. */
export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const steps = ["kB", "MB", "GB"];
  let value = count / 1000;
  let step = 0;
  while (value >= 1000 && step < 2) {
    value /= 1000;
    step += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${steps[step]}`;
}

/** Seconds as m:ss.t */
export function clock(seconds, tenths = true) {
  const whole = Math.max(0, seconds);
  const minutes = Math.floor(whole / 60);
  const rest = (whole - 60 * minutes).toFixed(tenths ? 1 : 0);
  return `${minutes}:${rest.padStart(tenths ? 4 : 2, "0")}`;
}

/** Seconds as people say them. */
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} seconds`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} hours`;
  return `${Math.round(seconds / 86400)} days`;
}

/** Offer bytes or an address as a file to keep. */
export function download(name, source) {
  const address = source instanceof Blob ? URL.createObjectURL(source) : source;
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  if (source instanceof Blob) setTimeout(() => URL.revokeObjectURL(address), 60000);
}

/** Whether who looks wants little to move. */
export function wantsStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
