/**
 * What happens in the service, as it happens: the stream of `/events`, and where that cannot be
 * had, a look every few seconds. Tells `task` and `image` with the documents of the stream,
 * `reset` when all should be read anew, and `state`: `live`, `polling` or `disconnected`.
 */

import { get } from "./api.js";

const POLL_MS = 3000;
const RECONNECT_MS = 15000;
const OPENS_WITHIN_MS = 500;

export class Live extends EventTarget {
  state = "connecting";
  #source = null;
  #timer = 0;
  #again = 0;
  /** Whether something may have happened that was not heard of. */
  #missed = false;

  /** Comes when the stream is open, or not to be waited for: what is read then misses nothing. */
  ready = new Promise((come) => {
    this.addEventListener("state", come, { once: true });
    setTimeout(() => come((this.#missed ||= this.state === "connecting")), OPENS_WITHIN_MS);
  });

  /** Listen while the page is looked at: a browser has few connections for all its tabs. */
  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.#connectAgain()));
    this.#connect();
  }

  #connectAgain() {
    this.#missed = true;
    this.#connect();
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
    const missed = this.#missed || this.#timer;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#missed = false;
    this.#become("live");
    if (missed) this.#tell("reset");
  }

  /** The browser connects again by itself, unless the answer was a refusal. */
  #onError() {
    if (this.#source.readyState === EventSource.CLOSED && !this.#again) {
      this.#again = setTimeout(() => {
        this.#connectAgain();
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
