// What a camera's picture says before it is recorded: is skin there, large enough, well lit, still? Pure functions.

export const WIDTH = 96; // of the small picture that is looked at, in pixels
const SKIN = { cb: [77, 127], cr: [133, 173] }; // Chai & Ngan 1999: holds for all skin tones, brightness is left out
const SMALL = 0.06; // part of the picture that must be skin
const DARK = 55; // mean brightness of the skin, 0-255
const BRIGHT = 215;
const CLIPPED = 0.05; // part of the skin that is at the end of the range
const UNEVEN = 1.8; // brighter half of the skin over the darker one
const MOVING = 6; // mean change of brightness of the skin's pixels from look to look, levels
const SLOW = 15; // frames a second

/** Whether a colour may be skin. */
export function isSkinColour(r, g, b) {
  const y = 0.299 * r + 0.587 * g + 0.114 * b;
  const cb = 128 + 0.564 * (b - y);
  const cr = 128 + 0.713 * (r - y);
  return y >= 16 && cb >= SKIN.cb[0] && cb <= SKIN.cb[1] && cr >= SKIN.cr[0] && cr <= SKIN.cr[1];
}

/**
 * Figures of one look.
 *
 * `pixels` is RGBA of a picture of `width` x `height`; `before` is the `luma` of the last look, or null.
 * Returns `{luma, skin, brightness, dark, clipped, unevenness, motion}`: `skin` is the part of the picture with the
 * colour of skin, `brightness` its mean luma (0-255), `motion` the mean absolute change of its luma in levels, after
 * the change of the mean, which is light.
 */
export function look(pixels, width, height, before = null) {
  const count = width * height;
  const luma = new Float32Array(count);
  const isSkin = new Uint8Array(count);
  let skin = 0;
  let sum = 0;
  let clipped = 0;
  const halves = [0, 0, 0, 0]; // sum and count at the left, at the right
  for (let i = 0; i < count; i += 1) {
    const [r, g, b] = [pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]];
    const y = 0.299 * r + 0.587 * g + 0.114 * b;
    luma[i] = y;
    if (!isSkinColour(r, g, b)) continue;
    isSkin[i] = 1;
    skin += 1;
    sum += y;
    if (Math.max(r, g, b) >= 254) clipped += 1;
  }
  const centre = skinCentre(isSkin, width, skin);
  for (let i = 0; i < count; i += 1) {
    if (!isSkin[i]) continue;
    const side = i % width < centre ? 0 : 2;
    halves[side] += luma[i];
    halves[side + 1] += 1;
  }
  const [left, right] = [halves[0] / (halves[1] || 1), halves[2] / (halves[3] || 1)];
  return {
    luma,
    skin: skin / count,
    brightness: skin ? sum / skin : mean(luma),
    clipped: skin ? clipped / skin : 0,
    unevenness: halves[1] > 20 && halves[3] > 20 ? Math.max(left, right) / Math.max(Math.min(left, right), 1) : 1,
    motion: before ? change(luma, before, isSkin, skin) : 0,
  };
}

function mean(values) {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function skinCentre(isSkin, width, skin) {
  let sum = 0;
  for (let i = 0; i < isSkin.length; i += 1) if (isSkin[i]) sum += i % width;
  return skin ? sum / skin : width / 2;
}

function change(luma, before, isSkin, skin) {
  if (!skin) return 0;
  let drift = 0;
  for (let i = 0; i < luma.length; i += 1) if (isSkin[i]) drift += luma[i] - before[i];
  drift /= skin;
  let sum = 0;
  for (let i = 0; i < luma.length; i += 1) if (isSkin[i]) sum += Math.abs(luma[i] - before[i] - drift);
  return sum / skin;
}

/**
 * What to say of a look: one entry a check, `{name, ok, words}`. `fps` is the camera's, null while it is not known.
 * Only what spoils a recording is not ok.
 */
export function checks(seen, fps = null) {
  const there = seen.skin >= 0.01;
  return [
    skinCheck(seen, there),
    lightCheck(seen, there),
    seen.motion > MOVING
      ? { name: "Motion", ok: false, words: "Hold still, rest head or hand" }
      : { name: "Motion", ok: true, words: "Still" },
    fps !== null && fps < SLOW
      ? { name: "Camera", ok: false, words: `Only ${fps.toFixed(0)} pictures a second: more light, or close other programs` }
      : { name: "Camera", ok: true, words: fps === null ? "Measuring its speed" : `${fps.toFixed(0)} pictures a second` },
  ];
}

function skinCheck(seen, there) {
  if (!there) return { name: "Skin", ok: false, words: "No skin in the picture" };
  if (seen.skin < SMALL) return { name: "Skin", ok: false, words: "Come closer" };
  return { name: "Skin", ok: true, words: "In the picture" };
}

function lightCheck(seen, there) {
  if (seen.brightness < DARK) return { name: "Light", ok: false, words: "Too dark: face a window or a lamp" };
  if (there && (seen.brightness > BRIGHT || seen.clipped > CLIPPED)) {
    return { name: "Light", ok: false, words: "Too bright: away from the lamp" };
  }
  if (there && seen.unevenness > UNEVEN) return { name: "Light", ok: false, words: "Uneven: turn to the light" };
  return { name: "Light", ok: true, words: "Good" };
}

/** The median of some numbers; NaN of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (!sorted.length) return NaN;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
