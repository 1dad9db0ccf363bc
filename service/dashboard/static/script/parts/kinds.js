/** The kinds of tasks: how much of each there is, how fast it goes, pause and resume. */

import { post, search } from "../api.js";
import { h } from "../dom.js";
import { capped, duration, number } from "../format.js";
import { to } from "../router.js";
import { spark, sum } from "./chart.js";
import { attempt } from "./notices.js";
import { button, unseen } from "./pieces.js";
import { badge } from "./status.js";
import { table } from "./table.js";
import { grid } from "./throughput.js";

const COLUMNS = ["Kind", "Queued", "Retrying", "Running", "Succeeded", "Failed", "Wait", "Run", "Pause"];

/** @param {any[]} kinds @param {{step_seconds: number, points: any[]}} series @param {number} minutes @param {() => void} changed */
export function kindTable(kinds, series, minutes, changed) {
  return table("Kinds of tasks", COLUMNS, kinds.map((kind) => {
    const own = { ...series, points: series.points.filter((point) => point.kind === kind.kind) };
    const steps = grid(own, minutes).map(([, points]) => points[0] ?? null);
    return { key: kind.kind, cells: [
      [kind.kind, " ", kind.paused && badge("paused")],
      ...["queued", "retrying", "running"].map((status) => link(kind, status)),
      trend(steps, "succeeded", kind.kind), trend(steps, "failed", kind.kind),
      seconds(steps, "wait_seconds", `Wait of ${kind.kind}`), seconds(steps, "run_seconds", `Run time of ${kind.kind}`),
      pauseButton(kind, changed),
    ] };
  }));
}

function link(kind, status) {
  const address = to("tasks", "", search({ status, kind: kind.kind }));
  return kind[status] ? h("a", { href: address }, capped(kind[status], kind.capped)) : "0";
}

function trend(steps, outcome, kind) {
  const values = steps.map((point) => point?.[outcome] ?? 0);
  const total = sum(values);
  return h("span", { class: `trend is-${outcome}` }, h("span", { class: "figure" }, number(total)),
    total > 0 && spark(`${number(total)} of ${kind} ${outcome}`, values));
}

/** The mean over the span, the means step by step, and the longest of each step behind them. */
function seconds(steps, what, title) {
  const there = steps.filter((point) => Number.isFinite(point?.[what].mean));
  if (!there.length) return "–";
  const ended = (point) => point.succeeded + point.failed;
  const mean = sum(there.map((point) => point[what].mean * ended(point))) / sum(there.map(ended));
  const most = Math.max(...there.map((point) => point[what].max));
  const words = `${title}: ${duration(mean)} on average, ${duration(most)} at most`;
  return h("span", { class: "trend", title: words }, h("span", { class: "figure" }, duration(mean)),
    spark(words, steps.map((point) => point?.[what].mean ?? 0), steps.map((point) => point?.[what].max ?? 0)));
}

function pauseButton(kind, changed) {
  const verb = kind.paused ? "resume" : "pause";
  const done = kind.paused ? `${kind.kind} goes on.` : `${kind.kind} is paused: what runs goes on, nothing new begins.`;
  const act = async () => (await attempt(() => post(`/kinds/${encodeURIComponent(kind.kind)}/${verb}`), done)) && changed();
  return button([kind.paused ? "Resume" : "Pause", unseen(` ${kind.kind}`)], act, { class: "small" });
}
