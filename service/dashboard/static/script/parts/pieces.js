/** The small pieces that many parts are made of. */

import { h } from "../dom.js";

/** @param {string} label @param {(event: Event) => any} onclick @param {Record<string, any>} [props] */
export const button = (label, onclick, props = {}) => h("button", { type: "button", onclick, ...props }, label);

/** In place of what is not there. */
export const empty = (text) => h("p", { class: "empty" }, text);

/** What went wrong, in a cell. */
export const wrong = ({ code, message }) => h("small", { class: "bad message" }, `${code}: ${message}`);

/** Details under a title. */
export const fold = (title, ...inside) => h("details", {}, h("summary", {}, title), inside);

/** @param {string[]} words that stand for themselves */
export const options = (words) => words.map((value) => h("option", { value }, value));

/** Words for the ear alone, that tell apart what the eye sees at its place. */
export const unseen = (text) => h("span", { class: "unseen" }, text);
