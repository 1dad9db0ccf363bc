/** A list of names and values; what is empty is left out. */

import { h } from "../dom.js";

/** @param {[string, any][]} pairs */
export function facts(pairs) {
  const there = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, there.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
