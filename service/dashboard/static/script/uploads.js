/**
 * What this page is sending. It goes on while other views are looked at, and tells `change` when
 * something has moved and `accepted` with the image's document.
 */

import { noAnswer, problemOf } from "./api.js";

const AT_ONCE = 3;
/** What was being sent when the page was left; read by the next one. */
const STORE = "pixmill.sending";

/**
 * An upload: `sent` is in bytes, `preview` the address of its picture within this page.
 * @typedef {{id: number, file: File, presets: string[], sent: number, problem: Problem | null, preview: string,
 *   state: "waiting" | "sending" | "storing" | "refused" | "cancelled"}} Entry
 */

export class Uploads extends EventTarget {
  /** @type {Entry[]} */
  entries = [];
  /** Pictures of this page, by the id their image got. */
  previews = new Map();
  #count = 0;
  #requests = new Map();

  /** The names of what the page before this one did not send to its end. */
  interrupted() {
    const names = JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
    sessionStorage.removeItem(STORE);
    return names;
  }

  /** @param {Iterable<File>} files @param {string[]} presets @param {(file: File) => any} check a problem, or null */
  add(files, presets, check) {
    for (const file of files) {
      const problem = check(file);
      const state = problem ? "refused" : "waiting";
      const preview = problem ? "" : URL.createObjectURL(file);
      this.entries.push({ id: ++this.#count, file, presets, state, sent: 0, problem, preview });
    }
    this.#proceed();
  }

  cancel(entry) {
    this.#requests.get(entry.id)?.abort();
    this.#settle(entry, { state: "cancelled" });
  }

  retry(entry) {
    Object.assign(entry, { state: "waiting", problem: null, sent: 0 });
    this.#proceed();
  }

  /** Take it off the list. */
  forget(entry) {
    URL.revokeObjectURL(entry.preview);
    this.entries = this.entries.filter((one) => one !== entry);
    this.#proceed();
  }

  /** The picture of an image that can be shown by itself now. */
  dropPreview(imageId) {
    URL.revokeObjectURL(this.previews.get(imageId));
    this.previews.delete(imageId);
  }

  #proceed() {
    const room = AT_ONCE - this.#requests.size;
    for (const entry of this.entries.filter((one) => one.state === "waiting").slice(0, room)) this.#send(entry);
    this.#changed();
  }

  #send(entry) {
    const request = new XMLHttpRequest();  // fetch does not tell how much of a body is sent
    this.#requests.set(entry.id, request);
    entry.state = "sending";
    request.upload.onprogress = ({ loaded }) => this.#moved(entry, { sent: Math.min(loaded, entry.file.size) });
    request.upload.onload = () => this.#moved(entry, { sent: entry.file.size, state: "storing" });
    request.onload = () => this.#answered(entry, request);
    request.onerror = () => this.#settle(entry, { state: "refused", problem: noAnswer() });
    request.open("POST", "/images");
    request.send(form(entry));
  }

  #answered(entry, request) {
    if (request.status !== 202) {
      return this.#settle(entry, { state: "refused", problem: problemOf(request.status, request.responseText) });
    }
    const image = JSON.parse(request.responseText);
    this.previews.set(image.id, entry.preview);
    this.entries = this.entries.filter((one) => one !== entry);
    this.#settle(entry, {});
    this.dispatchEvent(new CustomEvent("accepted", { detail: image }));
  }

  #settle(entry, change) {
    this.#requests.delete(entry.id);
    Object.assign(entry, change);
    this.#proceed();
  }

  #moved(entry, change) {
    if (this.#requests.has(entry.id)) Object.assign(entry, change);
    this.#changed();
  }

  #changed() {
    const names = this.entries.filter(isUnderWay).map((entry) => entry.file.name);
    if (names.length) sessionStorage.setItem(STORE, JSON.stringify(names));
    else sessionStorage.removeItem(STORE);
    window.onbeforeunload = names.length ? (event) => event.preventDefault() : null;
    this.dispatchEvent(new Event("change"));
  }
}

export const isUnderWay = (entry) => ["waiting", "sending", "storing"].includes(entry.state);

function form(entry) {
  const data = new FormData();
  for (const name of entry.presets) data.append("preset", name);
  data.append("file", entry.file, entry.file.name);
  return data;
}
