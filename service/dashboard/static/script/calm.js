/** Work that is asked for often is done one at a time, and no more than once in a while. */

/**
 * @param {() => Promise<void>} work
 * @param {number} gap milliseconds between the end of one and the beginning of the next
 * @param {AbortSignal} signal after which nothing more is begun
 * @returns {{soon: () => void, now: () => void}} ask for it, with or without keeping the gap
 */
export function calm(work, gap, signal) {
  let asked = null;
  let busy = false;
  let timer = 0;
  const go = async () => {
    clearTimeout(timer);
    asked = null;
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
    }
    if (asked === "now") return ask("now");
    timer = setTimeout(() => {
      timer = 0;
      if (asked) ask("now");
    }, gap);
  };
  const ask = (when) => {
    asked = asked === "now" ? "now" : when;
    if (!signal.aborted && !busy && (when === "now" || !timer)) go();
  };
  return { soon: () => ask("soon"), now: () => ask("now") };
}
