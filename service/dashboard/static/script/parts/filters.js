/** The filters of the list of tasks: a form that stands in the address, and back again. */

import { h } from "../dom.js";
import { options } from "./pieces.js";
import { PRIORITIES, sign, STATUSES } from "./status.js";

/** Seconds; below 0 what is older. */
const AGES = [
  ["", "any age"], ["300", "last 5 minutes"], ["3600", "last hour"], ["86400", "last day"],
  ["-3600", "older than an hour"], ["-86400", "older than a day"],
];
const WORDS = ["kind", "priority", "age", "error_code", "error", "subject_type", "subject_id"];

/** @param {(query: string) => void} changed */
export function filterForm(changed) {
  const apply = (event) => (event?.preventDefault(), changed(queryOf(form)));
  const handlers = { onsubmit: apply, onchange: apply, onreset: () => setTimeout(apply) };
  const form = h("form", { class: "filters", role: "search", "aria-label": "Filter the tasks", ...handlers },
    h("fieldset", { class: "statuses" }, h("legend", { class: "unseen" }, "Status"),
      STATUSES.map(box), h("button", { type: "reset", class: "small" }, "Clear")),
    field("Kind", h("select", { name: "kind" }, option("", "all kinds"))),
    field("Priority", h("select", { name: "priority" }, option("", "all"), options(PRIORITIES))),
    field("Age", h("select", { name: "age" }, AGES.map(([value, words]) => option(value, words)))),
    field("Error text", h("input", { name: "error", type: "search", maxlength: 200 })),
    field("Error code", h("input", { name: "error_code", maxlength: 64, size: 12 })),
    field("About", h("select", { name: "subject_type" }, option("", "anything"), options(["image", "item", "user", "notification"]))),
    field("with id", h("input", { name: "subject_id", maxlength: 64, size: 12 })));
  return form;
}

const option = (value, words) => h("option", { value }, words);
const box = (status) => h("label", { class: `check is-${status}` },
  h("input", { type: "checkbox", name: "status", value: status }), sign(status), status);
const field = (label, control) => h("label", { class: "field" }, h("span", {}, label), control);

/** Show what an address says. */
export function fillForm(form, query) {
  const statuses = query.getAll("status");
  for (const box of form.querySelectorAll("[name=status]")) box.checked = statuses.includes(box.value);
  for (const name of WORDS) {
    const control = form.elements[name];
    const value = query.get(name) ?? "";
    control.value = value;
    if (control.value !== value) control.append(h("option", { value, selected: true }, value));
  }
}

function queryOf(form) {
  const pairs = [...new FormData(form)].filter(([, value]) => value !== "");
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

/** What an address asks of `GET /tasks`; an age becomes a time. */
export function filterOf(query) {
  const filter = Object.fromEntries(WORDS.filter((name) => name !== "age" && query.get(name)).map((name) => [name, query.get(name)]));
  if (query.has("status")) filter.status = query.getAll("status");
  const seconds = Number(query.get("age")) || 0;
  const border = new Date(Date.now() - Math.abs(seconds) * 1000).toISOString();
  if (seconds) filter[seconds > 0 ? "created_after" : "created_before"] = border;
  return filter;
}
