// Figures for people. Each has its unit; what there is nothing of is a dash.

const NONE = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

// Three significant digits, as much as changes within a second are worth.
function short(value) {
  if (value === 0) return "0";
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return new Intl.NumberFormat("en", { maximumFractionDigits: digits }).format(value);
}

function scaled(value, steps) {
  const [factor, prefix] = steps.find(([factor]) => value >= factor) ?? [1, ""];
  return [short(value / factor), prefix];
}

const THOUSANDS = [[1e9, "G"], [1e6, "M"], [1e4, "k"]];
const BYTES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** Exact, with separators: 12,345. */
export function count(value) {
  return whole.format(value);
}

/** Exact, with its noun: 1 partition, 12 partitions. */
export function things(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** 950 rec/s, 12.3 k rec/s. */
export function rate(value, unit) {
  const [figure, prefix] = scaled(value, THOUSANDS);
  return prefix ? `${figure} ${prefix} ${unit}` : `${figure} ${unit}`;
}

/** 512 B, 1.5 MB: powers of ten, as disks and networks count. */
export function bytes(value) {
  const [figure, prefix] = scaled(value, BYTES);
  return `${figure} ${prefix}B`;
}

/** 1.5 MB/s. */
export function byteRate(value) {
  return `${bytes(value)}/s`;
}

/** 250 µs, 3.2 ms, 1.5 s; longer ones as of a clock. */
export function seconds(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0 s";
  if (value < 0.001) return `${short(value * 1e6)} µs`;
  if (value < 1) return `${short(value * 1e3)} ms`;
  return value < 60 ? `${short(value)} s` : duration(value);
}

/** 42 s, 5 min 3 s, 3 h 20 min, 12 d 4 h, 11 y 190 d. */
export function duration(value) {
  const steps = [["y", 31557600], ["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const total = Math.floor(value);
  const first = steps.findIndex(([, length]) => total >= length);
  if (first < 0) return "0 s";
  const [unit, length] = steps[first];
  const rest = steps[first + 1];
  const left = rest ? Math.floor((total % length) / rest[1]) : 0;
  return left > 0 ? `${Math.floor(total / length)} ${unit} ${left} ${rest[0]}` : `${Math.floor(total / length)} ${unit}`;
}

/** 42 %. */
export function percent(share) {
  return `${whole.format(share * 100)} %`;
}

/** 2.5, or a dash. */
export function average(value) {
  return value === null || value === undefined ? NONE : short(value);
}
