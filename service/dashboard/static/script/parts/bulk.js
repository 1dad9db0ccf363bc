/** Many tasks at once: counted first, asked about, then changed a portion a request. */

import { pages, post } from "../api.js";
import { many, number } from "../format.js";
import { confirmed } from "./dialog.js";
import { say } from "./notices.js";
import { UNFINISHED } from "./status.js";

/** Tasks whose ids are read so that exactly those that were named are changed. */
const COUNTED = 1000;

/** What may be done, to tasks of which statuses, and how it is said. */
const VERBS = {
  retry: {
    statuses: ["failed", "cancelled"], word: "Retry", done: "tried again",
    why: "Each gets a new round of attempts.",
  },
  cancel: {
    statuses: UNFINISHED, word: "Cancel", done: "cancelled",
    why: "What has not begun is cancelled, with what waits for it; what runs is asked to stop.",
  },
  priority: {
    statuses: ["waiting", "queued", "retrying"], word: "Set the priority of", done: "changed",
    why: "Those that run or have ended stay as they are.",
  },
};

/** The statuses of a filter that a verb can do something about. */
export function concerned(verb, { status = [] }) {
  const { statuses } = VERBS[verb];
  return status.length ? statuses.filter((one) => status.includes(one)) : statuses;
}

/**
 * Change all tasks that fit a filter, after a question that names their number.
 * @param {"retry" | "cancel" | "priority"} verb
 * @param {Record<string, any>} filter as `GET /tasks` takes it
 * @param {object} [extra] what else the request says
 * @returns {Promise<boolean>} whether anything was changed
 */
export async function changeMany(verb, filter, extra = {}) {
  const { word, done, why } = VERBS[verb];
  const suffix = extra.to ? ` to ${extra.to}` : "";
  try {
    const wanted = { ...filter, status: concerned(verb, filter) };
    const { items, next } = wanted.status.length ? await pages("/tasks", wanted, COUNTED) : { items: [] };
    if (!items.length) return say("No task was found that could be changed so."), false;
    const ids = items.map((task) => task.id).slice(0, COUNTED);
    const isAll = !next && ids.length === items.length;
    const count = isAll ? many(ids.length, "task") : `${number(ids.length)} tasks or more`;
    if (!(await confirmed(`${word} ${count}${suffix}?`, why, `${word} ${count}${suffix}`))) return false;
    const changed = isAll ? (await post(`/tasks/${verb}`, { ids, ...extra })).changed : await portions(verb, wanted, extra);
    say(`${many(changed, "task")} ${changed === 1 ? "was" : "were"} ${done}.`);
    return true;
  } catch (problem) {
    if (!problem.code) throw problem;
    say(`${problem.title}: ${problem.message}`);
    return false;
  }
}

/** By filter, a request after the other while there is something left that can be changed. */
async function portions(verb, { status, ...filter }, extra) {
  let total = 0;
  for (const one of status) {
    let answer;
    do {
      answer = await post(`/tasks/${verb}`, { ...filter, status: one, ...extra });
      total += answer.changed;
      say(`${number(total)} so far, ${number(answer.remaining)} left.`);
    } while (answer.changed && answer.remaining);
  }
  return total;
}
