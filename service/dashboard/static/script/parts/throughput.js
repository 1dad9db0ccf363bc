/** Tasks that ended, step by step: a chart, and the same as a table for those who read it. */

import { h } from "../dom.js";
import { clock, duration, many, number } from "../format.js";
import { bars, sum } from "./chart.js";
import { fold } from "./pieces.js";
import { sign } from "./status.js";
import { table } from "./table.js";

const OUTCOMES = ["succeeded", "failed", "cancelled"];
const SPANS = [[60, "1 hour"], [360, "6 hours"], [1440, "1 day"], [10080, "7 days"]];

/** Which span is looked at. */
export function spans(minutes, choose) {
  return h("select", { "aria-label": "Span", onchange: (event) => choose(Number(event.currentTarget.value)) },
    SPANS.map(([value, words]) => h("option", { value, selected: value === minutes }, words)));
}

/** @param {{step_seconds: number, points: any[]}} series @param {number} minutes */
export function throughput(series, minutes) {
  const parts = (points) => OUTCOMES.map((outcome) => sum(points.map((point) => point[outcome])));
  const steps = grid(series, minutes).map(([at, points]) => ({ at, parts: parts(points) }));
  const totals = OUTCOMES.map((_, part) => sum(steps.map((step) => step.parts[part])));
  const words = `${many(totals[0], "task")} succeeded, ${number(totals[1])} failed, ${number(totals[2])} were cancelled`;
  const label = (step) => `${clock(step.at)}: ${OUTCOMES.map((one, part) => `${step.parts[part]} ${one}`).join(", ")}`;
  const most = Math.max(...steps.map((step) => sum(step.parts)));
  const row = (step) => ({ key: String(step.at), cells: [clock(step.at), ...step.parts.map(number)] });
  const busy = steps.filter((step) => sum(step.parts)).reverse().map(row);
  return [
    h("ul", { class: "legend" }, OUTCOMES.map((outcome, part) =>
      h("li", { class: `is-${outcome}` }, h("span", { class: `key bar-${outcome}`, "aria-hidden": "true" }),
        sign(outcome), `${number(totals[part])} ${outcome}`))),
    h("figure", {}, bars(`${words}.`, steps.map((step) => ({ ...step, label: label(step) })), OUTCOMES.map((one) => `bar-${one}`)),
      h("figcaption", {}, [clock(steps[0].at), `a bar is ${duration(series.step_seconds)}, the tallest ${many(most, "task")}`, "now"]
        .map((text) => h("span", {}, text)))),
    fold("As a table", table("Tasks that ended, by time", ["From", ...OUTCOMES], busy)),
  ];
}

/**
 * The points by their step, those steps included in which nothing ended.
 * @returns {[number, any[]][]} time in milliseconds, and the points of it
 */
export function grid({ step_seconds: step, points }, minutes) {
  const width = step * 1000;
  const last = Math.floor(Date.now() / width) * width;
  const count = Math.max(1, Math.round((minutes * 60) / step));
  const found = new Map(Array.from({ length: count }, (_, at) => [last - (count - 1 - at) * width, []]));
  for (const point of points) found.get(Math.floor(Date.parse(point.at) / width) * width)?.push(point);
  return [...found];
}
