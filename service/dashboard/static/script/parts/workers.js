/** Who works on what, and for how long already. */

import { h } from "../dom.js";
import { many, short } from "../format.js";
import { to } from "../router.js";
import { since } from "../times.js";
import { empty } from "./pieces.js";
import { progress, sign } from "./status.js";
import { subject } from "./table.js";

/** @param {{worker: string, tasks: any[]}[]} workers */
export function workerList(workers) {
  if (!workers.length) return empty("Nobody works on anything right now.");
  return h("ul", { class: "workers" }, workers.map(({ worker, tasks }) =>
    h("li", { "data-key": worker },
      h("h3", {}, worker, " ", h("small", {}, many(tasks.length, "task"))),
      h("ul", {}, tasks.map((task) => h("li", { "data-key": task.id, class: "row" },
        h("a", { href: to("tasks", task.id) }, sign("running"), `${task.kind} `, h("code", {}, short(task.id))),
        subject(task.subject), progress(task), task.started_at && since(task.started_at)))))));
}
