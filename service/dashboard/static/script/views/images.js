/** Images: send some, watch them become ready, see all there are. */

import { get } from "../api.js";
import { calm } from "../calm.js";
import { h } from "../dom.js";
import { morph } from "../morph.js";
import { imageCard } from "../parts/card.js";
import { dropZone } from "../parts/drop.js";
import { button, empty } from "../parts/pieces.js";
import { refusal } from "../parts/refusal.js";
import { sendingList } from "../parts/sending.js";

const PAGE = 24;

export function imagesView(shown) {
  const gallery = openGallery(shown);
  return {
    title: "Images",
    elements: [
      h("h1", { class: "unseen" }, "Images"),
      dropZone(shown),
      sendingList(shown),
      gallery,
    ],
  };
}

/** The newest images, kept up to date; older ones on demand. */
function openGallery({ live, uploads, signal }) {
  const element = h("section", { "aria-label": "Images", "aria-busy": "true" });
  /** @type {Map<string, any>} documents by id; ids are ordered by time */
  const images = new Map();
  const progress = new Map();
  let next = null;
  let trouble = null;

  const draw = () => {
    const sorted = [...images.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
    const cards = sorted.map((image) => imageCard(image, progress.get(image.id), uploads));
    morph(element, [
      cards.length ? h("ul", { class: "gallery" }, cards)
        : trouble ? refusal(trouble) : empty("No images yet. The first one you send appears here."),
      next && h("p", { class: "actions centred" }, button("Show older images", more)),
    ].filter(Boolean));
    element.removeAttribute("aria-busy");
  };
  const keep = (image) => {
    images.set(image.id, image);
    if (image.status === "ready" || image.status === "failed") progress.delete(image.id);
    if (image.status === "ready") uploads.dropPreview(image.id);
  };
  const read = async (query) => {
    try {
      const page = await get("/images", { limit: PAGE, ...query }, signal);
      trouble = null;
      return page;
    } catch (problem) {
      if (problem.name !== "AbortError" && !problem.code) throw problem;
      trouble = problem;
      return null;
    }
  };
  const { soon, now } = calm(async () => {
    const known = new Set(images.keys());
    const page = await read({});
    if (signal.aborted) return;
    if (page) {
      // What was known and is not among them was deleted. Where they do not reach down to what was
      // known, others stand in between: begin anew.
      const oldest = page.next ? page.items.at(-1).id : "";
      const isGap = page.next && !known.has(oldest);
      for (const id of known) if (isGap || id >= oldest) images.delete(id);
      page.items.forEach(keep);
      if (isGap || !page.next) next = page.next;
    }
    draw();
  }, 700, signal);
  const more = async () => {
    const page = await read({ cursor: next });
    page?.items.forEach(keep);
    if (page) next = page.next;
    draw();
  };
  const onProgress = ({ detail: task }) => {
    const image = task.subject?.type === "image" && images.get(task.subject.id);
    if (!image || task.status !== "running") return;
    progress.set(image.id, task.progress);
    draw();
  };

  live.addEventListener("image", soon, { signal });
  live.addEventListener("reset", soon, { signal });
  live.addEventListener("task", onProgress, { signal });
  uploads.addEventListener("accepted", ({ detail }) => (keep(detail), draw(), soon()), { signal });
  now();
  return element;
}
