/**
 * What happens in the service, as it happens: the stream of `/events`, and where that cannot be
 * had, a look every few seconds. Tells `task` and `image` with the documents of the stream,
 * `reset` when all should be read anew, and `state`: `live`, `polling` or `disconnected`.
 */

import { get } from "./api.js";

const POLL_MS = 3000;
const RECONNECT_MS = 15000;

export class Live extends EventTarget {
  state = "connecting";
  #source = null;
  #timer = 0;
  #again = 0;

  /** Listen while the page is looked at: a browser has few connections for all its tabs. */
  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.#resume()));
    this.#connect();
  }

  #resume() {
    this.#connect();
    this.#tell("reset");
  }

  #stop() {
    this.#source?.close();
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#timer = this.#again = 0;
  }

  #connect() {
    this.#stop();
    const source = new EventSource("/events");
    this.#source = source;
    source.onopen = () => this.#onOpen();
    source.onerror = () => this.#onError();
    for (const type of ["task", "image"]) {
      source.addEventListener(type, (event) => this.#tell(type, JSON.parse(event.data)));
    }
    source.addEventListener("reset", () => this.#tell("reset"));
  }

  #onOpen() {
    clearTimeout(this.#timer);
    const missed = this.#timer !== 0;
    this.#timer = 0;
    this.#become("live");
    if (missed) this.#tell("reset");
  }

  /** The browser connects again by itself, unless the answer was a refusal. */
  #onError() {
    if (this.#source.readyState === EventSource.CLOSED && !this.#again) {
      this.#again = setTimeout(() => {
        this.#again = 0;
        this.#connect();
        this.#poll();
      }, RECONNECT_MS);
    }
    if (!this.#timer) this.#poll();
  }

  async #poll() {
    this.#timer = setTimeout(() => this.#poll(), POLL_MS);
    const answered = await get("/healthz").then(() => true, () => false);
    if (this.#timer === 0) return;
    this.#become(answered ? "polling" : "disconnected");
    if (answered) this.#tell("reset");
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#tell("state", state);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
