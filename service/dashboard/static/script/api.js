/** The public API, asked as any client asks it. */

/** A refusal in the service's own words. Source: RFC 9457. */
export class Problem extends Error {
  /** @param {{title: string, detail?: string, code: string, status?: number}} document */
  constructor(document) {
    super(document.detail || document.title);
    Object.assign(this, document);
  }
}

/** When nobody answered at all. */
export const noAnswer = () =>
  new Problem({ title: "No answer", detail: "The service did not answer.", code: "no_answer", status: 0 });

/**
 * The problem in the body of a refusal, or one made of its status.
 * @param {number} status
 * @param {string} body
 */
export function problemOf(status, body) {
  try {
    return new Problem(JSON.parse(body));
  } catch {
    return new Problem({ title: "Refused", detail: `The service answered with ${status}.`, code: "refused", status });
  }
}

/** @param {string} path @param {Record<string, any>} [query] @param {AbortSignal} [signal] */
export const get = (path, query = {}, signal) => ask("GET", path + search(query), undefined, signal);

/** @param {string} path @param {object} [body] */
export const post = (path, body) => ask("POST", path, body);

/** @param {string} path */
export const remove = (path) => ask("DELETE", path);

/**
 * As much of a list as is looked at: whole pages until there are `wanted` entries. Where few fit
 * a filter, pages are short and may be empty, so there is an end to asking too.
 * @returns {Promise<{items: any[], next: string | null}>}
 */
export async function pages(path, query, wanted, signal, requests = wanted / 100 + 4) {
  const items = [];
  let next = null;
  do {
    const page = await get(path, { ...query, cursor: next, limit: Math.min(100, wanted) }, signal);
    items.push(...page.items);
    next = page.next;
  } while (next && items.length < wanted && --requests > 0);
  return { items, next };
}

/** A query without what is empty; lists are repeated. */
export function search(query) {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const text = new URLSearchParams(pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")).toString();
  return text && `?${text}`;
}

async function ask(method, path, body, signal) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
  } catch (error) {
    throw error.name === "AbortError" ? error : noAnswer();
  }
  const text = await answer.text();
  if (!answer.ok) throw problemOf(answer.status, text);
  return text ? JSON.parse(text) : null;
}
