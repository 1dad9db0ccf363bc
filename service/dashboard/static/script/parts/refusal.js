/** A problem document in its own words. */

import { h } from "../dom.js";

/** @param {Problem} problem */
export function refusal(problem) {
  const request = problem.request_id && h("small", {}, `Request ${problem.request_id}`);
  return h("p", { class: "refusal", role: "alert" }, h("strong", {}, problem.title), " ", problem.message, " ", request);
}
