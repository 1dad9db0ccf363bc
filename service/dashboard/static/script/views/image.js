/** One image: the original, its variants beside it, and what a page needs to show them. */

import { get, post, remove } from "../api.js";
import { h } from "../dom.js";
import { bytes, number, saved, short } from "../format.js";
import { ground } from "../parts/card.js";
import { copyButton, snippet } from "../parts/copy.js";
import { confirmed } from "../parts/dialog.js";
import { facts } from "../parts/facts.js";
import { attempt } from "../parts/notices.js";
import { button, empty } from "../parts/pieces.js";
import { refusal } from "../parts/refusal.js";
import { region } from "../parts/region.js";
import { badge } from "../parts/status.js";
import { taskTable } from "../parts/table.js";
import { go, to } from "../router.js";
import { exact } from "../times.js";

export function imageView(shown, { id }) {
  const mine = (detail) => detail.id === id || detail.subject?.id === id;
  const image = region(shown, {
    load: (signal) => get(`/images/${encodeURIComponent(id)}`, {}, signal),
    draw: page,
    on: ["image"], matters: mine, gap: 200,
  });
  const tasks = region(shown, {
    load: (signal) => get("/tasks", { subject_type: "image", subject_id: id, limit: 20 }, signal),
    draw: ({ items }) => [taskTable(items, { caption: "Tasks of this image" })],
    on: ["task"], matters: mine,
  });
  return { title: `Image ${short(id)}`, elements: [image.element, h("h2", {}, "Tasks"), tasks.element] };
}

function page(image) {
  const made = image.variants.filter((variant) => variant.status === "ready");
  return [
    h("div", { class: "head" }, h("h1", { class: "name" }, image.filename), badge(image.status), actions(image)),
    image.error && refusal({ title: image.error.code, message: image.error.message }),
    figures(image),
    made.length > 0 && image.picture && snippet("<picture> element", pictureElement(image)),
    facts([
      ["Id", h("code", {}, image.id)],
      ["Original", `${image.content_type}, ${number(image.width)} × ${number(image.height)}, ${bytes(image.size_bytes)}`],
      ["SHA-256", h("code", {}, image.sha256)],
      ["Left out", image.removed?.join(", ")],
      ["Item", image.item_id],
      ["Received", exact(image.created_at)],
    ]),
  ].filter(Boolean);
}

/** The original and its variants, before and after, side by side. */
export function figures(image) {
  return h("ul", { class: "figures" },
    figure(image, { name: "original", url: `/images/${image.id}/original`, ...image, status: "ready" }),
    image.variants.map((variant) => figure(image, variant)));
}

function figure(image, variant) {
  const isOriginal = "filename" in variant;
  const address = new URL(variant.url, location.origin).href;
  const size = variant.size_bytes === null ? "" : ` · ${bytes(variant.size_bytes)}`;
  return h("li", { "data-key": variant.url, "data-copies": true },
    h("div", { class: "shot", style: variant.status === "ready" ? {} : ground(image) },
      variant.status === "ready" && h("img", {
        src: variant.url, alt: `${image.filename}, ${variant.name}`, width: variant.width, height: variant.height,
        loading: "lazy", onerror: (event) => event.currentTarget.replaceWith(empty("This browser cannot show it.")),
      })),
    h("div", { class: "caption" },
      h("div", { class: "row" }, h("strong", {}, variant.name), variant.status !== "ready" && badge(variant.status),
        !isOriginal && variant.size_bytes !== null && h("span", { class: "saved" }, saved(image.size_bytes, variant.size_bytes))),
      h("small", {}, `${number(variant.width)} × ${number(variant.height)} ${variant.format}${size}`),
      h("div", { class: "row address" }, h("code", {}, variant.url), copyButton(address, `the address of ${variant.name}`))));
}

function actions(image) {
  const again = () => attempt(() => post(`/images/${image.id}/process`, {}), "The variants are made anew.");
  const erase = async () => {
    const sure = await confirmed(`Delete ${image.filename}?`, "The original and all its variants are removed for good.", "Delete");
    if (sure && (await attempt(() => remove(`/images/${image.id}`), "The image was deleted."))) go(to("images"));
  };
  return h("p", { class: "actions" },
    button("Make again", again), button("Delete", erase, { class: "danger" }));
}

/** The document's own, with addresses that hold anywhere. */
const pictureElement = (image) => image.picture.replaceAll(/(["\s])\/images\//g, `$1${location.origin}/images/`);
