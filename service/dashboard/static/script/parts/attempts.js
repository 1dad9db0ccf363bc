/** A task's attempts, read from its timeline. */

import { h } from "../dom.js";
import { between, duration } from "../format.js";
import { exact, since } from "../times.js";
import { snippet } from "./copy.js";
import { empty, fold, wrong } from "./pieces.js";
import { badge } from "./status.js";
import { table } from "./table.js";

/** How an attempt ends, by the line that ends it, as a word of the statuses. */
const ENDS = {
  succeeded: "succeeded", attempt_failed: "failed", failed: "failed",
  given_back: "queued", rescued: "retrying", cancelled: "cancelled",
};
const NOTES = { given_back: "given back at a stop", rescued: "its worker died" };

/**
 * @param {{at: string, kind: string, detail: any}[]} events the oldest first
 * @returns {{attempt: number, worker: string, began: string, end: any}[]}
 */
function attemptsOf(events) {
  const attempts = [];
  for (const { at, kind, detail } of events) {
    if (kind === "claimed") attempts.push({ attempt: detail.attempt, worker: detail.worker, began: at, end: null });
    else if (kind in ENDS && attempts.length && !attempts.at(-1).end) attempts.at(-1).end = { at, kind, ...detail };
  }
  return attempts;
}

/** @param {any} task its document */
export function attemptTable(task) {
  const attempts = attemptsOf(task.events);
  if (!attempts.length) return empty("No attempt yet.");
  const rows = attempts.map((one, at) => ({ key: String(at), cells: cells(one) }));
  return table("Attempts", ["Attempt", "How it ended", "Began", "Took", "Worker"], rows.reverse());
}

/** What each failed attempt left behind, the last one first. */
export const tracebacks = (task) => attemptsOf(task.events).filter(({ end }) => end?.traceback).reverse().map(
  ({ attempt, began, end }) => fold(["Traceback of attempt ", attempt, ", ", exact(began)], snippet("Traceback", end.traceback)));

function cells({ attempt, worker, began, end }) {
  return [
    String(attempt),
    end ? [badge(ENDS[end.kind], NOTES[end.kind]), end.code && wrong(end)] : badge("running"),
    exact(began),
    end ? duration(between(began, end.at)) : since(began),
    h("code", {}, worker ?? "–"),
  ];
}
