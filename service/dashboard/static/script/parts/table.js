/** Tables whose cells carry the names of their columns, for narrow screens. */

import { search } from "../api.js";
import { h } from "../dom.js";
import { between, duration, short } from "../format.js";
import { to } from "../router.js";
import { age, since } from "../times.js";
import { empty, wrong } from "./pieces.js";
import { badge, progress } from "./status.js";

/**
 * @param {string} caption read out, not shown
 * @param {string[]} columns
 * @param {{key: string, cells: any[], status?: string}[]} rows
 */
export function table(caption, columns, rows) {
  return h("div", { class: "table", role: "region", tabindex: 0, "aria-label": caption },
    h("table", {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", { "data-key": row.key, "data-status": row.status },
        row.cells.map((cell, at) => h("td", { "data-column": columns[at] }, cell)))))));
}

/** Tasks as a table. */
export function taskTable(tasks, { caption, none = "No tasks." }) {
  if (!tasks.length) return empty(none);
  const columns = ["Task", "Status", "Kind", "About", "Priority", "Attempt", "Enqueued", "Took"];
  return table(caption, columns, tasks.map((task) => ({ key: task.id, status: task.status, cells: cells(task) })));
}

function cells(task) {
  return [
    h("a", { href: to("tasks", task.id) }, h("code", {}, short(task.id))),
    [badge(task.status), task.cancel_requested_at && task.status === "running" && h("small", {}, " to stop"),
      task.error && task.status !== "succeeded" && wrong(task.error)],
    task.kind,
    subject(task.subject),
    task.priority,
    `${task.attempt} of ${task.max_attempts}`,
    age(task.created_at),
    took(task),
  ];
}

/** Where the tasks about something are listed. */
export const tasksAbout = (type, id) => to("tasks", "", search({ subject_type: type, subject_id: id }));

/** What it is about, as a link where there is a view of it. */
export function subject(what) {
  if (!what) return "–";
  const words = `${what.type} ${short(what.id)}`;
  return h("a", { href: what.type === "image" ? to("images", what.id) : tasksAbout(what.type, what.id) }, words);
}

function took(task) {
  if (task.status === "running") return [since(task.started_at), " ", task.progress > 0 && progress(task)];
  return task.started_at && task.finished_at ? duration(between(task.started_at, task.finished_at)) : "–";
}
