/** Work that is asked for often is done one at a time and no more than once in a while. */

/**
 * @param {() => Promise<void>} work
 * @param {number} gap milliseconds between the end of one and the beginning of the next
 * @param {AbortSignal} signal after which nothing more is begun
 * @returns {() => void} ask for it to be done soon
 */
export function calm(work, gap, signal) {
  let busy = false;
  let asked = false;
  const go = async () => {
    if (signal.aborted) return;
    asked = false;
    busy = true;
    await work();
    setTimeout(() => {
      busy = false;
      if (asked) go();
    }, gap);
  };
  return () => {
    asked = true;
    if (!busy) go();
  };
}
