/** Charts of a few shapes, drawn as SVG by calls. Each says in words what it shows. */

import { s } from "../dom.js";

const WIDTH = 720;
const HEIGHT = 120;

/**
 * Bars of parts that stand on each other, a bar a step.
 * @param {string} title
 * @param {{label: string, parts: number[]}[]} steps
 * @param {string[]} classes of the parts, the lowest first
 */
export function bars(title, steps, classes) {
  const most = Math.max(1, ...steps.map((step) => sum(step.parts)));
  const width = WIDTH / Math.max(1, steps.length);
  const drawn = steps.flatMap((step, at) => stack(step, at, width, most, classes));
  return s("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
    hatch(),
    ...[0.25, 0.5, 0.75].map((share) => s("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT * share, y2: HEIGHT * share })),
    ...drawn);
}

function stack(step, at, width, most, classes) {
  let top = HEIGHT;
  return step.parts.map((value, part) => {
    const height = (value / most) * (HEIGHT - 4);
    top -= height;
    return value > 0 && s("rect", {
      class: classes[part], x: (at * width + width * 0.1).toFixed(2), y: top.toFixed(2),
      width: (width * 0.8).toFixed(2), height: Math.max(1, height).toFixed(2),
    }, s("title", {}, step.label));
  });
}

/** Failures are hatched as well as red. */
function hatch() {
  return s("defs", {}, s("pattern", { id: "hatch", width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    s("rect", { class: "hatch-ground", width: 4, height: 4 }), s("rect", { class: "hatch-line", width: 2, height: 4 })));
}

/**
 * Bars without axes, the size of a word; behind each stands what was most, in a paler tone.
 * @param {string} title
 * @param {number[]} values
 * @param {number[]} [most]
 */
export function spark(title, values, most = []) {
  const top = Math.max(...values, ...most, 1e-9);
  const bar = (value, at) => (value > 0 ? `M${at} 24V${(24 - Math.max(1.5, (value / top) * 23)).toFixed(1)}h.8V24Z` : "");
  const path = (numbers) => numbers.map(bar).join("");
  return s("svg", { class: "spark", viewBox: `0 0 ${values.length} 24`, preserveAspectRatio: "none", role: "img", "aria-label": title },
    s("path", { class: "pale", d: path(most) }), s("path", { d: path(values) }));
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);
