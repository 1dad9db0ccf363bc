/** Where images come in: dropped, pasted, chosen, or taken with the camera. */

import { get, Problem } from "../api.js";
import { h } from "../dom.js";
import { bytes, number } from "../format.js";
import { refusal } from "./refusal.js";

export function dropZone({ uploads, signal }) {
  const limits = h("small", { class: "limits" }, " ");
  const presets = h("fieldset", { class: "presets", hidden: true }, h("legend", {}, "Variants to make (none marked: all)"));
  let check = () => null;

  const send = (files) => {
    const images = [...files].filter((file) => file.size || file.type);  // a folder has neither
    if (images.length) uploads.add(images, chosen(presets), check);
  };
  const chooser = (label, capture) => {
    const input = h("input", { type: "file", accept: "image/*", multiple: !capture, capture: capture && "environment",
      onchange: () => (send(input.files), (input.value = "")) });
    return h("label", { class: capture ? "button camera" : "button strong" }, label, input);
  };
  const zone = h("section", { class: "drop", "aria-label": "Send images" },
    h("p", {}, h("strong", {}, "Drop images here"), " or paste them, or "),
    h("p", { class: "actions" }, chooser("Choose images"), chooser("Take a photo", true)),
    presets, limits);

  acceptDrops(zone, send, signal);
  document.addEventListener("paste", (event) => event.clipboardData.files.length && send(event.clipboardData.files), { signal });
  Promise.all([get("/limits", {}, signal), get("/presets", {}, signal)]).then(([allowed, offered]) => {
    const [size, megapixels] = [bytes(allowed.max_upload_bytes), number(allowed.max_pixels / 1e6)];
    limits.textContent = `Up to ${size} and ${megapixels} megapixels each: ${allowed.formats.join(", ")}.`;
    check = (file) => tooLarge(file, allowed.max_upload_bytes);
    presets.append(...offered.map(choice));
    presets.hidden = false;
  }).catch((problem) => problem.code && limits.replaceChildren(refusal(problem)));
  return zone;
}

/** The whole page takes what is dropped: a miss would make the browser leave it. */
function acceptDrops(zone, send, signal) {
  const mark = (isOver) => zone.classList.toggle("is-over", isOver);
  const on = (type, handle) => document.addEventListener(type, (event) => (event.preventDefault(), handle(event)), { signal });
  on("dragover", () => mark(true));
  on("dragleave", (event) => event.relatedTarget || mark(false));
  on("drop", (event) => (mark(false), send(event.dataTransfer.files)));
}

function choice(preset) {
  const resize = preset.recipe.operations.find((one) => one.op === "resize");
  const size = resize ? [resize.width, resize.height].map((side) => side ?? "auto").join(" × ") : "";
  return h("label", { class: "check" }, h("input", { type: "checkbox", name: preset.name, checked: true }),
    h("span", {}, preset.name, " ", h("small", {}, size)));
}

/** The presets that are marked. To name none asks for all. */
function chosen(presets) {
  const boxes = [...presets.querySelectorAll("input")];
  const marked = boxes.filter((box) => box.checked);
  return marked.length === boxes.length ? [] : marked.map((box) => box.name);
}

/** Said before anything is sent, in the words of the service's own answer. */
function tooLarge(file, most) {
  return file.size > most ? new Problem({ title: "The body is larger than the limit",
    detail: `${bytes(file.size)}; the limit is ${bytes(most)}.`, code: "too_large", status: 413 }) : null;
}
