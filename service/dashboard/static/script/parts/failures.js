/** Failed tasks, grouped by what went wrong, to be looked at or tried again together. */

import { h } from "../dom.js";
import { capped } from "../format.js";
import { to } from "../router.js";
import { age } from "../times.js";
import { search } from "../api.js";
import { changeMany } from "./bulk.js";
import { button, empty, unseen } from "./pieces.js";
import { table } from "./table.js";

/** @param {any[]} groups @param {() => void} changed */
export function failureTable(groups, changed) {
  if (!groups.length) return empty("Nothing has failed.");
  const retry = async (filter) => (await changeMany("retry", filter)) && changed();
  return table("Failures by error", ["Kind", "Error", "Tasks", "First", "Last", "Retry"], groups.map((group) => {
    const filter = { status: ["failed"], kind: group.kind, error_code: group.code };
    return { key: `${group.kind} ${group.code}`, cells: [
      group.kind,
      h("a", { href: to("tasks", group.task_id), class: "bad message" }, h("strong", {}, group.code), " ", group.message),
      h("a", { href: to("tasks", "", search(filter)) }, capped(group.count, group.capped)),
      age(group.first_at), age(group.last_at),
      button(["Retry all", unseen(` ${group.kind} that failed with ${group.code}`)], () => retry(filter), { class: "small" }),
    ] };
  }));
}
