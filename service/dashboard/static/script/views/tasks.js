/** All tasks, by filters that stand in the address; and what to do with those that fit. */

import { get, pages } from "../api.js";
import { h } from "../dom.js";
import { changeMany, concerned } from "../parts/bulk.js";
import { fillForm, filterForm, filterOf } from "../parts/filters.js";
import { region } from "../parts/region.js";
import { PRIORITIES } from "../parts/status.js";
import { taskTable } from "../parts/table.js";
import { go, to } from "../router.js";

const PAGE = 50;

/** @param {Shown} shown @param {Place} place */
export function tasksView(shown, place) {
  let query = place.query;
  let wanted = PAGE;
  const form = filterForm([], (text) => go(to("tasks", "", text)));
  const list = region(shown, {
    load: (signal) => pages("/tasks", filterOf(query), wanted, signal),
    draw: ({ items, next }) => [
      taskTable(items, { caption: "Tasks", empty: "No task fits." }),
      next && h("p", { class: "actions centred" }, h("button", { type: "button", onclick: more }, "Show older tasks")),
    ].filter(Boolean),
    on: ["task"],
  });
  const more = () => {
    wanted += PAGE;
    list.refresh();
  };
  const bulk = bulkBar(() => filterOf(query), list.refresh);
  const follow = (next) => {
    query = next.query;
    wanted = PAGE;
    fillForm(form, query);
    bulk.show();
    list.refresh();
  };
  fillForm(form, query);
  bulk.show();
  get("/kinds", {}, shown.signal).then((kinds) => {
    const select = form.elements.kind;
    const there = new Set([...select.options].map((option) => option.value));
    select.append(...kinds.filter(({ name }) => !there.has(name)).map(({ name }) => h("option", { value: name }, name)));
  }, () => {});
  return { title: "Tasks", follow, elements: [h("h1", {}, "Tasks"), h("details", { open: innerWidth > 768 }, h("summary", {}, "Filters"), form), bulk.element, list.element] };
}

/** What can be done with all that fit; a verb is there when it fits the statuses. */
function bulkBar(filter, changed) {
  const act = async (verb, extra) => (await changeMany(verb, filter(), extra)) && changed();
  const retry = h("button", { type: "button", onclick: () => act("retry") }, "Retry all that fit");
  const cancel = h("button", { type: "button", onclick: () => act("cancel") }, "Cancel all that fit");
  const priority = h("select", { "aria-label": "Set the priority of all that fit", onchange: async () => {
    const to_ = priority.value;
    priority.value = "";
    await act("priority", { to: to_ });
  } }, h("option", { value: "" }, "Priority of all that fit…"), PRIORITIES.map((one) => h("option", { value: one }, one)));
  const show = () => {
    for (const [verb, control] of Object.entries({ retry, cancel, priority })) control.disabled = !concerned(verb, filter()).length;
  };
  return { element: h("p", { class: "actions bulk" }, retry, cancel, priority), show };
}
