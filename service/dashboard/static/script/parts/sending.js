/** The list of what is on its way, with what became of it. */

import { h } from "../dom.js";
import { bytes } from "../format.js";
import { morph } from "../morph.js";
import { isUnderWay } from "../uploads.js";
import { picture } from "./card.js";
import { button, unseen } from "./pieces.js";
import { refusal } from "./refusal.js";

export function sendingList({ uploads, signal }) {
  const list = h("ul", { class: "sending", "aria-label": "Uploads" });
  const draw = () => morph(list, uploads.entries.map((entry) => row(uploads, entry)));
  uploads.addEventListener("change", draw, { signal });
  draw();
  return list;
}

function row(uploads, entry) {
  const { file } = entry;
  return h("li", { "data-key": String(entry.id), "data-state": entry.state },
    picture(entry.preview, () => (entry.preview = "")),
    h("div", { class: "grow" },
      h("div", { class: "row" }, h("span", { class: "name" }, file.name), h("small", {}, words(entry))),
      isUnderWay(entry) && h("progress", { max: file.size || 1, value: entry.sent, "aria-label": `Sent of ${file.name}` }),
      entry.problem && refusal(entry.problem)),
    isUnderWay(entry)
      ? act("Cancel", entry, () => uploads.cancel(entry))
      : [act("Retry", entry, () => uploads.retry(entry)), act("Dismiss", entry, () => uploads.forget(entry))]);
}

const act = (verb, entry, onclick) =>
  button([verb, unseen(` ${entry.file.name}`)], onclick, { class: "small", "data-key": verb });

function words({ state, sent, file }) {
  return {
    waiting: `waits for its turn · ${bytes(file.size)}`,
    sending: `${bytes(sent)} of ${bytes(file.size)}`,
    storing: "sent, being stored",
    refused: "refused",
    cancelled: "cancelled",
  }[state];
}
