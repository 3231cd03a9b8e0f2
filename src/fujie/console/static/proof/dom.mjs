/** Small pieces of a page. Text becomes text and never markup: nothing here parses what a proof says. */

import { toHex } from "../verifier/bytes.mjs";

const WHOLE_BYTES = 12;
const SHOWN_BYTES_MAX = 4_096;

// What turns the direction of a text, or shows as nothing: a name must not rewrite the page around it, nor look like another.
const UNSEEN = /[\0-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

/** Returns a text with its unseen characters written out. @param {string} text @returns {string} */
export const visible = (text) => text.replace(UNSEEN, (one) => {
  const code = one.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
});

/**
 * Returns a new element.
 *
 * @param {string} name of the element
 * @param {Record<string, any>} [attributes] a function becomes a listener ("onclick"), false and null are left out
 * @param {...(Node | string | null)} children
 * @returns {any}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : String(value));
  }
  const shown = children.filter((child) => child !== null);
  made.append(...shown.map((child) => (typeof child === "string" ? visible(child) : child)));
  return made;
}

/** The beginning and the end of bytes. @param {Uint8Array} bytes @returns {string} */
export const shortHex = (bytes) => `${toHex(bytes.subarray(0, 5))}…${toHex(bytes.subarray(-4))}`;

/**
 * Returns bytes in hexadecimal, shortened, and whole when opened.
 *
 * @param {Uint8Array} bytes
 * @param {(key: string, places?: Record<string, any>) => string} words
 * @returns {Node}
 */
export function hex(bytes, words) {
  if (bytes.length <= WHOLE_BYTES) return element("code", { class: "proof-hex" }, toHex(bytes));
  const rest = bytes.length - SHOWN_BYTES_MAX;
  return element(
    "details",
    { class: "proof-hex" },
    element("summary", {}, element("code", {}, shortHex(bytes)), element("small", {}, words("bytes", { count: bytes.length }))),
    element("code", {}, toHex(bytes.subarray(0, SHOWN_BYTES_MAX))),
    rest > 0 ? element("p", {}, words("cut", { count: rest })) : null,
  );
}

/**
 * Returns names and their values.
 *
 * @param {[string, Node | string][]} pairs
 * @returns {Node}
 */
export function listOf(pairs) {
  const parts = pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element("dl", { class: "proof-values" }, ...parts);
}

/**
 * Returns a table that scrolls by itself where it is wider than the page.
 *
 * @param {string} caption
 * @param {string[]} heads
 * @param {(Node | string)[][]} rows
 * @returns {Node}
 */
export function table(caption, heads, rows) {
  // The name of a column stands at each cell as well, for narrow pages that show a row below the other.
  const cells = (/** @type {(Node | string)[]} */ row) =>
    row.map((cell, index) => element("td", { "data-label": heads[index] }, cell));
  return element(
    "div",
    { class: "proof-scroll", role: "region", "aria-label": caption, tabindex: "0" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))),
    ),
  );
}

/** @param {any} value what JSON.stringify takes @returns {Node} */
export const json = (value) => element("pre", { class: "proof-json", tabindex: "0" }, JSON.stringify(value, null, 2));
