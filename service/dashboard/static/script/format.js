/** Numbers, sizes and times as an operator reads them. */

const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const STEPS = [["d", 86400], ["h", 3600], ["min", 60]];

/** @param {number} value */
export const number = (value) => NUMBER.format(value);

/** A count that may have been stopped at a cap. */
export const capped = (count, isCapped) => number(count) + (isCapped ? "+" : "");

/** How many of what, with the plural of a word that has a plain one. */
export const many = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

/** @param {number} size in bytes */
export function bytes(size) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, size)) / 3));
  const value = size / 1000 ** power;
  return `${power && value < 100 ? value.toFixed(1) : NUMBER.format(Math.round(value))} ${units[power]}`;
}

/** How much smaller, or larger, than the original. */
export function saved(original, made) {
  const share = Math.round(100 * (1 - made / original));
  return share >= 0 ? `−${share} %` : `+${-share} %`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const [unit, size] = STEPS.find(([, each]) => seconds >= each);
  const below = { d: ["h", 3600], h: ["min", 60], min: ["s", 1] }[unit];
  const rest = Math.floor((seconds % size) / below[1]);
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${below[0]}` : ""}`;
}

/** Seconds from one time to another, or to now. */
export const between = (from, to) => Math.max(0, (to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000;

/** @param {string} at in ISO 8601 */
export const clock = (at) => CLOCK.format(new Date(at));

/** The end of an id, which differs first. */
export const short = (id) => (id.length > 12 ? `…${id.slice(-8)}` : id);
