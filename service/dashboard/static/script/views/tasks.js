/** All tasks, by filters that stand in the address; and what to do with those that fit. */

import { get, pages } from "../api.js";
import { h } from "../dom.js";
import { changeMany, concerned } from "../parts/bulk.js";
import { fillForm, filterForm, filterOf } from "../parts/filters.js";
import { button, fold, options } from "../parts/pieces.js";
import { region } from "../parts/region.js";
import { PRIORITIES } from "../parts/status.js";
import { taskTable } from "../parts/table.js";
import { go, to } from "../router.js";

const PAGE = 50;
/** For a page whose tasks are far between. */
const REQUESTS = 5;

export function tasksView(shown, place) {
  let query = place.query;
  let wanted = PAGE;
  let requests = REQUESTS;
  const form = filterForm((text) => go(to("tasks", "", text)));
  const list = region(shown, {
    load: (signal) => pages("/tasks", filterOf(query), wanted, signal, requests),
    draw: ({ items, next }) => [
      taskTable(items, { caption: "Tasks", none: "No task fits." }),
      next && h("p", { class: "actions centred" }, button("Show older tasks", more)),
    ].filter(Boolean),
    on: ["task"],
  });
  const more = () => {
    wanted += PAGE;
    requests += REQUESTS;
    list.refresh();
  };
  const bulk = bulkBar(() => filterOf(query), list.refresh);
  const follow = (next) => {
    query = next.query;
    wanted = PAGE;
    requests = REQUESTS;
    fillForm(form, query);
    bulk.show();
    list.refresh();
  };
  fillForm(form, query);
  bulk.show();
  get("/tasks/overview", {}, shown.signal).then(({ kinds }) => {
    const select = form.elements.kind;
    const there = new Set([...select.options].map((option) => option.value));
    select.append(...options(kinds.map(({ kind }) => kind).filter((kind) => !there.has(kind))));
  }, () => {});
  const filters = fold("Filters", form);
  filters.open = innerWidth > 768;
  return { title: "Tasks", follow, elements: [h("h1", {}, "Tasks"), filters, bulk.element, list.element] };
}

/** What can be done with all that fit; a verb is there when it fits the statuses. */
function bulkBar(filter, changed) {
  const act = async (verb, extra) => (await changeMany(verb, filter(), extra)) && changed();
  const retry = button("Retry all that fit", () => act("retry"));
  const cancel = button("Cancel all that fit", () => act("cancel"));
  const priority = h("select", { "aria-label": "Set the priority of all that fit", onchange: async () => {
    const chosen = priority.value;
    priority.value = "";
    await act("priority", { to: chosen });
  } }, h("option", { value: "" }, "Priority of all that fit…"), options(PRIORITIES));
  const show = () => {
    for (const [verb, control] of Object.entries({ retry, cancel, priority })) control.disabled = !concerned(verb, filter()).length;
  };
  return { element: h("p", { class: "actions" }, retry, cancel, priority), show };
}
