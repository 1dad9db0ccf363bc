/** Text to take along. */

import { h } from "../dom.js";
import { say } from "./notices.js";
import { button, unseen } from "./pieces.js";

/** A button that copies `text`; `what` says of what. */
export function copyButton(text, what) {
  const copy = async (event) => {
    if (!navigator.clipboard) {  // only there over HTTPS and on the own machine
      select(event.currentTarget.closest("[data-copies]")?.querySelector("code") ?? event.currentTarget);
      return say("Marked: copy it with the keyboard.");
    }
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}.`);
  };
  return button(["Copy", unseen(` ${what}`)], copy, { class: "small" });
}

/** A block of code with its button. */
export function snippet(title, text) {
  return h("div", { class: "snippet", "data-copies": true },
    h("div", { class: "row" }, h("strong", {}, title), copyButton(text, `the ${title}`)),
    h("pre", { tabindex: 0, "aria-label": title }, h("code", {}, text)));
}

const select = (element) => getSelection().selectAllChildren(element);
