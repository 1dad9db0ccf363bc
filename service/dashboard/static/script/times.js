/** Times on the page: ages and durations that go on by themselves. */

import { h } from "./dom.js";
import { between, clock, duration } from "./format.js";

/** How long ago; the exact time as its title. */
export function age(at) {
  return at ? h("time", { datetime: at, title: clock(at), "data-tick": "age" }, words.age(at)) : "–";
}

/** How long it has been going on. */
export function since(at) {
  return h("time", { datetime: at, title: `since ${clock(at)}`, "data-tick": "since" }, words.since(at));
}

/** The time of day, with its date. */
export const exact = (at) => h("time", { datetime: at }, clock(at));

const words = {
  age(at) {
    const ahead = Date.parse(at) - Date.now();
    if (ahead > 1000) return `in ${whole(ahead / 1000)}`;
    const seconds = between(at);
    return seconds < 2 ? "now" : `${whole(seconds)} ago`;
  },
  since: (at) => whole(between(at)),
};

const whole = (seconds) => duration(seconds < 60 ? Math.max(1, Math.floor(seconds)) : seconds).replace(/\.0 /, " ");

/** Keep all of them going, once a second. */
export function startTicking() {
  setInterval(() => {
    for (const time of document.querySelectorAll("[data-tick]")) {
      time.textContent = words[time.dataset.tick](time.dateTime);
    }
  }, 1000);
}
