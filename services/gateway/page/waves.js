// The pulse wave of each person out of pulse.csv, and its spectrum. Pure functions.

/** `{person: {time: Float64Array, pulse: Float64Array}}` of the text of pulse.csv; times in seconds. */
export function parseWaves(text) {
  const lines = text.trim().split("\n");
  const columns = lines[0].split(",");
  const [person, time, pulse] = ["person", "time_s", "pulse"].map((name) => columns.indexOf(name));
  const found = {};
  for (const line of lines.slice(1)) {
    const cells = line.split(",");
    const wave = (found[cells[person]] ??= { time: [], pulse: [] });
    wave.time.push(Number(cells[time]));
    wave.pulse.push(Number(cells[pulse]));
  }
  return Object.fromEntries(
    Object.entries(found).map(([id, wave]) => [
      id,
      { time: Float64Array.from(wave.time), pulse: Float64Array.from(wave.pulse) },
    ]),
  );
}

/** The part of a wave between two times. */
export function part(wave, from, to) {
  let first = 0;
  while (first < wave.time.length && wave.time[first] < from) first += 1;
  let last = wave.time.length;
  while (last > first && wave.time[last - 1] > to) last -= 1;
  return { time: wave.time.subarray(first, last), pulse: wave.pulse.subarray(first, last) };
}

/**
 * Spectrum of a wave: `[[rate per minute, power]…]`, the largest 1. Hann window, mean taken away, the Fourier sum at
 * each rate (Goertzel 1958): few rates are wanted, so no transform of all of them.
 */
export function spectrum(wave, low = 36, high = 240, step = 1) {
  const count = wave.pulse.length;
  if (count < 16) return [];
  const interval = (wave.time[count - 1] - wave.time[0]) / (count - 1);
  let mean = 0;
  for (const value of wave.pulse) mean += value / count;
  const tapered = wave.pulse.map((value, i) => (value - mean) * (0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / count)));
  const found = [];
  let largest = 0;
  for (let rate = low; rate <= Math.min(high, 30 / interval); rate += step) {
    const turn = 2 * Math.cos((2 * Math.PI * rate * interval) / 60);
    let [one, two] = [0, 0];
    for (const value of tapered) [one, two] = [value + turn * one - two, one];
    const power = Math.max(one * one + two * two - turn * one * two, 0);
    largest = Math.max(largest, power);
    found.push([rate, power]);
  }
  return largest > 0 ? found.map(([rate, power]) => [rate, power / largest]) : [];
}

/** Points of a wave for a line: at most `most`, the extremes of each piece kept; scaled so that 99 % lies in ±1. */
export function outline(wave, most = 1600) {
  const sizes = Float64Array.from(wave.pulse, Math.abs).sort();
  const scale = sizes[Math.floor(0.99 * (sizes.length - 1))] || 1;
  const size = Math.max(1, Math.ceil((2 * wave.pulse.length) / most));
  const points = [];
  for (let start = 0; start < wave.pulse.length; start += size) {
    const stop = Math.min(start + size, wave.pulse.length);
    let [low, high] = [start, start];
    for (let i = start; i < stop; i += 1) {
      if (wave.pulse[i] < wave.pulse[low]) low = i;
      if (wave.pulse[i] > wave.pulse[high]) high = i;
    }
    for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) {
      points.push([wave.time[i], wave.pulse[i] / scale]);
    }
  }
  return points;
}
