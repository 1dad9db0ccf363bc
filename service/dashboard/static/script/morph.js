/**
 * Make what is on the page look like what was just drawn, and keep whatever need not change: so
 * the focus, an opened detail and a picture that has loaded stay where they are.
 */

const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit", "onerror", "onload"];
/** What the reader opened or closed is the reader's. */
const READERS = new Set(["DETAILS", "DIALOG"]);

/**
 * Give `parent` these children. Those with the same `data-key`, or else the same place and tag,
 * are kept and changed; the others are put in or taken out.
 * @param {Element} parent
 * @param {Node[]} wanted
 */
export function morph(parent, wanted) {
  const keyed = new Map([...parent.children].filter(keyOf).map((one) => [keyOf(one), one]));
  let at = parent.firstChild;
  for (const next of wanted) {
    const kept = next.parentNode === parent ? next : match(keyed, at, next);
    if (kept === null) parent.insertBefore(next, at);
    else if (kept === at) at = at.nextSibling;
    else parent.insertBefore(kept, at);
    if (kept && kept !== next) become(kept, next);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

const keyOf = (node) => node.dataset?.key;

function match(keyed, at, next) {
  const found = keyOf(next) ? keyed.get(keyOf(next)) : at && !keyOf(at) ? at : null;
  return found && found.nodeName === next.nodeName ? found : null;
}

function become(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const name of HANDLERS) if (old[name] !== next[name]) old[name] = next[name];
  attributes(old, next);
  morph(old, [...next.childNodes]);
  if (old.nodeName === "SELECT" && old !== document.activeElement) old.value = next.value;
}

function attributes(old, next) {
  for (const name of new Set([...old.getAttributeNames(), ...next.getAttributeNames()])) {
    const value = next.getAttribute(name);
    if (name === "open" && READERS.has(old.nodeName)) continue;
    // The policy of the page refuses style attributes; the object model is ours.
    if (name === "style") old.style.cssText = next.style.cssText;
    else if (value === null) old.removeAttribute(name);
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}
