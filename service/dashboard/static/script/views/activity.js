/** Activity: how much there is to do, how fast it goes, what fails, who works on what. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { capped } from "../format.js";
import { failureTable } from "../parts/failures.js";
import { kindTable } from "../parts/kinds.js";
import { region } from "../parts/region.js";
import { sign, STATUSES, UNFINISHED } from "../parts/status.js";
import { spans, throughput } from "../parts/throughput.js";
import { workerList } from "../parts/workers.js";
import { to } from "../router.js";
import { age } from "../times.js";

const SLOW_MS = 5000;

export function activityView(shown, place) {
  const on = ["task"];
  let minutes = Number(place.query.get("minutes")) || 60;
  const overview = (signal) => get("/tasks/overview", {}, signal);
  const series = (signal) => get("/tasks/series", { minutes }, signal);

  const statuses = region(shown, { load: overview, draw: tiles, on });
  const chart = region(shown, { load: series, draw: (data) => throughput(data, minutes), on, gap: SLOW_MS });
  const kinds = region(shown, {
    load: async (signal) => Promise.all([overview(signal), series(signal)]),
    draw: ([{ kinds: rows }, data]) => [kindTable(rows, data, minutes, () => kinds.refresh())], on, gap: SLOW_MS,
  });
  const failures = region(shown, {
    load: (signal) => get("/tasks/failures", {}, signal),
    draw: ({ items }) => [failureTable(items, () => failures.refresh())], on, gap: 1500,
  });
  const workers = region(shown, { load: (signal) => get("/workers", {}, signal), draw: ({ items }) => [workerList(items)], on });
  const health = region(shown, { load: readiness, draw: (found) => [checks(found)], gap: SLOW_MS });
  const choose = (chosen) => {
    minutes = chosen;
    history.replaceState(null, "", to("activity", "", `?minutes=${minutes}`));
    chart.refresh();
    kinds.refresh();
  };
  return {
    title: "Activity",
    elements: [
      h("div", { class: "head" }, h("h1", {}, "Activity"), health.element),
      statuses.element,
      part("Throughput", [chart.element], spans(minutes, choose)),
      part("Kinds", [kinds.element]),
      part("Failures", [failures.element]),
      part("At work now", [workers.element]),
    ],
  };
}

const part = (title, elements, beside) =>
  h("section", { "aria-label": title }, h("div", { class: "head" }, h("h2", {}, title), beside), elements);

/** A count of each status, and since when the oldest of the unfinished ones is there. */
function tiles({ statuses }) {
  const known = new Map(statuses.map((one) => [one.status, one]));
  return [h("ul", { class: "tiles" }, STATUSES.map((status) => {
    const { count = 0, capped: more = false, oldest_at: oldest = null } = known.get(status) ?? {};
    const isOpen = UNFINISHED.includes(status);
    return h("li", { "data-key": status },
      h("a", { class: `tile is-${status}${count ? "" : " is-none"}`, href: to("tasks", "", `?status=${status}`) },
        h("span", { class: "label" }, sign(status), status),
        h("span", { class: "count" }, capped(count, more)),
        h("small", {}, count && isOpen && oldest ? ["oldest ", age(oldest)] : " ")));
  }))];
}

/** Not being ready is an answer, not a refusal. */
const readiness = (signal) => get("/readyz", {}, signal).catch((answer) => {
  if (answer.checks) return answer;
  throw answer;
});

function checks({ checks: found }) {
  const words = Object.entries(found);
  return h("p", { class: "checks", "aria-label": "Health" },
    words.map(([name, word]) => check(name, word, word === "ok" ? "ready" : "failed")));
}

const check = (name, word, status) =>
  h("span", { "data-key": name, class: `badge is-${status}` }, sign(status), `${name}: ${word}`);
