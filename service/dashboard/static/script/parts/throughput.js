/** Tasks that ended, step by step: a chart, and the same as a table for those who read it. */

import { h } from "../dom.js";
import { clock, duration, many, number } from "../format.js";
import { bars, sum } from "./chart.js";
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
  const steps = grid(series, minutes).map(([at, points]) => ({ at, parts: OUTCOMES.map((outcome) => sum(points.map((point) => point[outcome]))) }));
  const totals = OUTCOMES.map((_, part) => sum(steps.map((step) => step.parts[part])));
  const words = `${many(totals[0], "task")} succeeded, ${number(totals[1])} failed, ${number(totals[2])} were cancelled`;
  const labelled = steps.map(({ at, parts }) => ({ parts, label: `${clock(at)}: ${OUTCOMES.map((one, part) => `${parts[part]} ${one}`).join(", ")}` }));
  const busy = steps.filter((step) => sum(step.parts)).reverse();
  return [
    h("ul", { class: "legend" }, OUTCOMES.map((outcome, part) =>
      h("li", { class: `is-${outcome}` }, h("span", { class: `key bar-${outcome}`, "aria-hidden": "true" }), sign(outcome), `${number(totals[part])} ${outcome}`))),
    h("figure", {}, bars(`${words}.`, labelled, OUTCOMES.map((one) => `bar-${one}`)),
      h("figcaption", {}, h("span", {}, clock(steps[0].at)), h("span", {}, `a bar is ${duration(series.step_seconds)}, the tallest ${many(Math.max(...steps.map((step) => sum(step.parts))), "task")}`), h("span", {}, "now"))),
    h("details", {}, h("summary", {}, "As a table"),
      busy.length ? table("Tasks that ended, by time", ["From", ...OUTCOMES], busy.map(({ at, parts }) => ({ key: String(at), cells: [clock(at), ...parts.map(number)] })))
        : h("p", { class: "empty" }, "Nothing ended in this span.")),
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
