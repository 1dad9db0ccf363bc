/** A question before something that cannot be taken back, or that concerns many. */

import { h } from "../dom.js";

/**
 * Ask, and wait for the answer.
 * @param {string} question
 * @param {string} explanation
 * @param {string} verb what the button says
 * @returns {Promise<boolean>}
 */
export function confirmed(question, explanation, verb) {
  const dialog = h("dialog", { "aria-labelledby": "question" },
    h("form", { method: "dialog" },
      h("h2", { id: "question" }, question),
      h("p", {}, explanation),
      h("p", { class: "actions" },
        h("button", { value: "" }, "Leave it"),
        h("button", { value: "yes", class: "strong" }, verb))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((answer) => {
    dialog.onclose = () => {
      dialog.remove();
      answer(dialog.returnValue === "yes");
    };
  });
}
