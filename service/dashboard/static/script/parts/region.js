/** A part of a view that is drawn from what the API says, and drawn anew when that has changed. */

import { calm } from "../calm.js";
import { h } from "../dom.js";
import { morph } from "../morph.js";
import { refusal } from "./refusal.js";

/**
 * @typedef {object} Shown what a view is given for as long as it is shown
 * @property {Live} live
 * @property {Uploads} uploads
 * @property {AbortSignal} signal ends with the view
 */

/**
 * @template T
 * @param {Shown} shown
 * @param {object} what
 * @param {(signal: AbortSignal) => Promise<T>} what.load
 * @param {(data: T) => Node[]} what.draw
 * @param {string[]} [what.on] the events after which it is loaded anew; `reset` always is one
 * @param {(detail: any) => boolean} [what.matters] which of them
 * @param {number} [what.gap] milliseconds between two loads, at least
 * @param {string} [what.tag]
 * @param {Record<string, any>} [what.props]
 * @returns {{element: Element, refresh: () => void}}
 */
export function region(shown, { load, draw, on = [], matters = () => true, gap = 700, tag = "div", props = {} }) {
  const element = h(tag, { "aria-busy": "true", ...props });
  let drawn = false;
  const { soon, now } = calm(async () => {
    try {
      const data = await load(shown.signal);
      if (shown.signal.aborted) return;
      morph(element, draw(data));
      drawn = true;
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (!problem.code) throw problem;
      // What was seen last is worth more than that it could not be looked at again just now.
      if (!drawn || problem.status === 404) morph(element, [refusal(problem)]);
    }
    element.removeAttribute("aria-busy");
  }, gap, shown.signal);
  const options = { signal: shown.signal };
  for (const type of on) {
    shown.live.addEventListener(type, (event) => matters(event.detail) && soon(), options);
  }
  shown.live.addEventListener("reset", soon, options);
  now();
  return { element, refresh: now };
}
