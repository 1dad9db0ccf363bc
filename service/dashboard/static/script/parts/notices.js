/** Short sentences about what was done, read out where somebody listens. */

import { h } from "../dom.js";

const STAYS_MS = 5000;
const READING_MS = 50;

/** @param {string} sentence */
export function say(sentence) {
  const notice = h("p", { class: "notice" }, sentence);
  document.getElementById("notices").append(notice);
  setTimeout(() => notice.remove(), STAYS_MS + READING_MS * sentence.length);
}

/** Do something; a refusal is said, not thrown. Whether it was done. */
export async function attempt(work, done) {
  try {
    const result = await work();
    if (done) say(typeof done === "function" ? done(result) : done);
    return true;
  } catch (problem) {
    if (!problem.code) throw problem;
    say(`${problem.title}: ${problem.message}`);
    return false;
  }
}
