/** One task: how it is, its attempts, its timeline, its chain, and the image it is about. */

import { get, post } from "../api.js";
import { h } from "../dom.js";
import { between, duration, short } from "../format.js";
import { attemptTable, tracebacks } from "../parts/attempts.js";
import { snippet } from "../parts/copy.js";
import { facts } from "../parts/facts.js";
import { attempt } from "../parts/notices.js";
import { button, fold } from "../parts/pieces.js";
import { refusal } from "../parts/refusal.js";
import { region } from "../parts/region.js";
import { badge, PRIORITIES, progress, sign, UNFINISHED } from "../parts/status.js";
import { subject } from "../parts/table.js";
import { to } from "../router.js";
import { exact } from "../times.js";
import { figures } from "./image.js";

export function taskView(shown, { id }) {
  const path = `/tasks/${encodeURIComponent(id)}`;
  const task = region(shown, {
    load: (signal) => get(path, {}, signal),
    draw: (document_) => page(document_, path, () => task.refresh()),
    on: ["task"], matters: (detail) => detail.id === id, gap: 200,
  });
  const image = region(shown, {
    load: (signal) => imageOf(path, signal),
    draw: (found) => (found ? [h("h2", {}, "Its image, before and after"), figures(found)] : []),
    on: ["task", "image"], matters: (detail) => detail.id === id || "filename" in detail, gap: 700,
  });
  return { title: `Task ${short(id)}`, elements: [task.element, image.element] };
}

async function imageOf(path, signal) {
  const { subject: about } = await get(path, {}, signal);
  if (about?.type !== "image") return null;
  return get(`/images/${encodeURIComponent(about.id)}`, {}, signal).catch((problem) => {
    if (problem.status === 404) return null;  // deleted since
    throw problem;
  });
}

function page(task, path, changed) {
  return [
    h("div", { class: "head" },
      h("h1", {}, task.kind), badge(task.status, isToStop(task) ? "(to stop)" : ""), actions(task, path, changed)),
    task.status === "running" && progress(task),
    task.error && task.status !== "succeeded" && refusal({ title: task.error.code, message: task.error.message }),
    facts(about(task)),
    chain(task),
    h("h2", {}, "Attempts"), attemptTable(task), ...tracebacks(task),
    task.result && fold("Result", snippet("Result", JSON.stringify(task.result, null, 2))),
    h("h2", {}, "Timeline"), timeline(task.events),
  ].filter(Boolean);
}

const isToStop = (task) => Boolean(task.cancel_requested_at) && task.status === "running";

function about(task) {
  const started = task.started_at;
  return [
    ["Id", h("code", {}, task.id)],
    ["About", subject(task.subject)],
    ["Priority", task.priority],
    ["Attempt", `${task.attempt} of ${task.max_attempts}`],
    ["Crashes", task.crashes || ""],
    ["Isolated", task.isolated ? "yes: its attempts run in a child process" : ""],
    ["Enqueued", exact(task.created_at)],
    ["Due", UNFINISHED.includes(task.status) ? exact(task.run_at) : ""],
    ["Waited", started ? duration(between(task.run_at, started)) : ""],
    ["Took", started && task.finished_at ? duration(between(started, task.finished_at)) : ""],
    ["Request", task.request_id && h("code", {}, task.request_id)],
    ["Deduplication key", task.dedup_key && h("code", {}, task.dedup_key)],
  ];
}

function actions(task, path, changed) {
  const act = async (verb, body, done) => (await attempt(() => post(`${path}/${verb}`, body), done)) && changed();
  const isOpen = UNFINISHED.includes(task.status);
  const setPriority = (event) => act("priority", { priority: event.currentTarget.value }, "The priority was changed.");
  return h("p", { class: "actions" },
    (task.status === "failed" || task.status === "cancelled") && button("Retry",
      () => act("retry", undefined, "A new round of attempts was begun."), { class: "strong", "data-key": "retry" }),
    isOpen && button("Cancel", () => act("cancel", undefined, task.status === "running" ? "It was asked to stop." : "It was cancelled."),
      { "data-key": "cancel", disabled: isToStop(task) }),
    isOpen && task.status !== "running" && h("select", { "data-key": "priority", "aria-label": "Priority", onchange: setPriority },
      PRIORITIES.map((one) => h("option", { value: one, selected: one === task.priority }, `${one} priority`))));
}

/** The tasks before and after it, in their order. */
function chain(task) {
  if ((task.chain ?? []).length < 2) return null;
  return h("nav", { class: "chain", "aria-label": "Chain" }, h("h2", {}, "Chain"), h("ol", {}, task.chain.map((one) =>
    h("li", { "data-key": one.id },
      one.id === task.id ? h("strong", { "aria-current": "page" }, one.kind) : h("a", { href: to("tasks", one.id) }, one.kind),
      " ", badge(one.status)))));
}

/** What became of the task by a line of its timeline; other lines are called as their status. */
const STATUS_OF = {
  enqueued: "queued", claimed: "running", attempt_failed: "retrying", given_back: "queued", rescued: "retrying",
  cancel_requested: "cancelled", released: "queued", revived: "waiting", retried: "queued",
};

function timeline(events) {
  return h("ol", { class: "timeline" }, events.map(({ at, kind, detail }, place) => {
    const status = STATUS_OF[kind] ?? kind;
    const told = Object.entries(detail).filter(([name]) => name !== "traceback");
    const words = told.map(([name, value]) => `${name} ${value}`).join(" · ");
    return h("li", { class: `is-${status}`, "data-key": String(place) },
      sign(status), h("strong", {}, kind.replaceAll("_", " ")), " ", exact(at), " ", h("small", {}, words));
  }));
}
