/** An image as a card: what it looks like, how far it is, what was saved. */

import { h } from "../dom.js";
import { bytes, number, saved } from "../format.js";
import { age } from "../times.js";
import { to } from "../router.js";
import { badge } from "./status.js";

/** What a card is wide, in pixels of a fine screen. */
const CARD_PX = 480;

/**
 * @param {any} image its document
 * @param {number | undefined} done how far its task is
 * @param {Uploads} uploads whose picture is shown until there is a variant
 */
export function imageCard(image, done, uploads) {
  const made = image.variants.filter((variant) => variant.status === "ready");
  const isAtWork = image.status === "received" || image.status === "processing";
  return h("li", { class: "card", "data-key": image.id, "data-status": image.status },
    h("a", { class: "shot", href: to("images", image.id), style: ground(image), "aria-label": `${image.filename}, ${image.status}` },
      picture(closest(made, image)?.url ?? uploads.previews.get(image.id), () => uploads.dropPreview(image.id))),
    h("div", { class: "caption" },
      h("a", { class: "name", href: to("images", image.id) }, image.filename),
      isAtWork
        ? h("progress", { max: 1, value: done ?? 0, "aria-label": `Progress of ${image.filename}` })
        : h("span", { class: "row" }, badge(image.status), h("small", {}, age(image.created_at))),
      h("small", {}, `${number(image.width)} × ${number(image.height)} · ${bytes(image.size_bytes)}`),
      image.error ? h("small", { class: "bad" }, image.error.message) : h("small", {}, summary(image, made))));
}

/** One picture, or nothing where the browser cannot show it. */
export function picture(src, drop) {
  return src && h("img", { src, alt: "", loading: "lazy", onerror: (event) => (drop(), event.currentTarget.remove()) });
}

/** The mean colour stands there before the first variant does. */
export const ground = (image) => (image.placeholder ? { backgroundColor: image.placeholder.color } : {});

/** The smallest variant that is wide enough, or the widest; of the whole picture if there is one. */
export function closest(made, image, wanted = CARD_PX) {
  const whole = made.filter((variant) => isWhole(variant, image));
  const sorted = [...(whole.length ? whole : made)].sort((one, other) => one.width - other.width);
  return sorted.find((variant) => variant.width >= wanted) ?? sorted.at(-1);
}

/** Whether a variant has the shape of the whole picture. */
const isWhole = (variant, image) =>
  Math.abs(variant.width * image.height - variant.height * image.width) < 1.5 * Math.max(image.width, image.height);

function summary(image, made) {
  if (!made.length) return `${image.variants.length} variants to come`;
  const most = closest(made, image, 1200);
  return `${made.length} of ${image.variants.length} variants · ${most.name} ${saved(image.size_bytes, most.size_bytes)}`;
}
