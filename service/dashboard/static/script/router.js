/** Which view an address shows. Links within the page change the address without leaving it. */

const BASE = "/dashboard";

/**
 * @typedef {{view: string, id: string | null, query: URLSearchParams}} Place
 */

/** @returns {Place} */
export function here() {
  const [view = "images", id = null] = location.pathname.slice(BASE.length).split("/").filter(Boolean);
  return { view, id: id && decodeURIComponent(id), query: new URLSearchParams(location.search) };
}

/** The address of a view. */
export const to = (view, id = "", query = "") => `${BASE}/${view}${id && `/${encodeURIComponent(id)}`}${query}`;

/** Go to an address of the page. */
export function go(address) {
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** @param {(place: Place) => void} show */
export function startRouter(show) {
  addEventListener("popstate", () => show(here()));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    const plain = !event.defaultPrevented && !(event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!link || !plain || link.target || link.download || link.origin !== location.origin) return;
    if (!isOurs(link.pathname) || link.hash) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  show(here());
}

const isOurs = (path) => path === BASE || (path.startsWith(`${BASE}/`) && !path.startsWith(`${BASE}/static/`));
