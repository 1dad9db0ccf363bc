/** Statuses as a word with a sign, so that no meaning hangs on a colour alone. */

import { h } from "../dom.js";

const SIGNS = {
  waiting: "◌", queued: "○", running: "◐", retrying: "↻", succeeded: "✓", failed: "✕", cancelled: "⊘",
  received: "○", processing: "◐", ready: "✓", pending: "○", sent: "✓", paused: "‖",
};

/** In the order of a task's life. */
export const STATUSES = ["waiting", "queued", "running", "retrying", "succeeded", "failed", "cancelled"];
export const UNFINISHED = ["waiting", "queued", "running", "retrying"];
export const PRIORITIES = ["high", "normal", "low"];

/** @param {string} word @param {string} [note] added in small letters */
export function badge(word, note = "") {
  return h("span", { class: `badge is-${word}` }, sign(word), note ? `${word} ${note}` : word);
}

export const sign = (word) => h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[word] ?? "•");

/** How far a running task is. */
export function progress(task) {
  return h("progress", { max: 1, value: task.progress || null, "aria-label": `Progress of ${task.kind ?? "the work"}` });
}
