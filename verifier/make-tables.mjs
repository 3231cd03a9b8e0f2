/**
 * Makes tables.mjs of the verifier from the tables of docs/spec: `node verifier/make-tables.mjs`. A test compares the two, so a table that
 * changes in the specification changes here, and is never typed twice.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the tables go: beside the modules that read them. */
export const TABLES = new URL("../src/fujie/console/static/verifier/tables.mjs", import.meta.url);

const PAGES = ["02-encoding.md", "03-state.md", "04-proofs.md", "06-codebook.md", "07-rooms.md"];
const HEAD = `/**
 * Every record, state path and reason of docs/spec. Made by make-tables.mjs from its tables; do not edit.
 */

import { bin, bool, int, list, oneOf, oneOfNumbers, oneOfWords, orNil, record, text, tuple } from "./types.mjs";
`;

const number = (/** @type {string} */ words) => {
  const match = /^(-?[\d,]+)(?:\^(\d+)( - 1)?)?$/.exec(words);
  if (!match) throw new Error(`not a number: ${words}`);
  const base = BigInt(match[1].replaceAll(",", ""));
  return match[2] ? base ** BigInt(match[2]) - (match[3] ? 1n : 0n) : base;
};

/** Splits at `separator` outside parentheses and backquotes. @param {string} words @param {string} separator */
function split(words, separator) {
  const parts = [""];
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < words.length; index += 1) {
    const character = words[index];
    if (character === "`") quoted = !quoted;
    if (!quoted) depth += character === "(" ? 1 : character === ")" ? -1 : 0;
    if (!quoted && depth === 0 && words.startsWith(separator, index)) {
      parts.push("");
      index += separator.length - 1;
    } else parts[parts.length - 1] += character;
  }
  return parts;
}

/** "1 to 64", "6" or "any number of" as two numbers. @param {string} words */
function range(words) {
  if (words === "any number of") return "0, Infinity";
  const ends = words.split(" to ").map(number);
  return `${ends[0]}, ${ends[ends.length - 1]}`;
}

/** The words of a type cell as JavaScript. @param {string} words @returns {string} */
function typeOf(words) {
  const alternatives = split(words, " or ");
  if (alternatives.at(-1) === "nil") return `orNil(${typeOf(alternatives.slice(0, -1).join(" or "))})`;
  if (alternatives.length > 1) return `oneOf(${alternatives.join(", ")})`;
  if (words === "bool") return "bool";
  if (words === "an operation of any room (07-rooms.md)") return "Operation";
  if (words === "an event of any room (07-rooms.md)") return "Event";
  let match;
  if ((match = /^int, one of (.*)$/.exec(words))) {
    return `oneOfNumbers(${split(match[1], ", ").map((one) => number(one.split(" ")[0])).join(", ")})`;
  }
  if ((match = /^str, one of (.*)$/.exec(words))) {
    return `oneOfWords(${split(match[1], ", ").map((one) => JSON.stringify(one.slice(1, -1))).join(", ")})`;
  }
  if ((match = /^int (.*) to (.*)$/.exec(words))) return `int(${number(match[1])}n, ${number(match[2])}n)`;
  if ((match = /^str of (.*?) characters(?:, `(.*)`)?$/.exec(words))) {
    return `text(${range(match[1])}${match[2] ? `, /^(?:${match[2]})$/u` : ""})`;
  }
  if ((match = /^bin of (.*?)(?: of)? bytes$/.exec(words))) {
    return `bin(${range(match[1] === "any number" ? "any number of" : match[1])})`;
  }
  if ((match = /^array of exactly \((.*)\)$/.exec(words))) {
    // The comma between the elements looks like the one before a pattern; a pattern stands in backquotes.
    const elements = match[1].split(/, (?!`)/);
    return `tuple(${elements.map(typeOf).join(", ")})`;
  }
  if ((match = /^array of (.*?)(?: of)? items of \((.*)\)$/.exec(words))) {
    return `list(${range(match[1] === "any number" ? "any number of" : match[1])}, ${typeOf(match[2])})`;
  }
  if (/^[A-Z][A-Za-z]+$/.test(words)) return words;
  throw new Error(`not a type: ${words}`);
}

/** @param {string} page */
function read(page) {
  /** @type {{ records: Map<string, string>, kinds: Record<string, string[]>, states: string[], paths: string[], reasons: string[] }} */
  const found = { records: new Map(), kinds: { Operations: [], Events: [], Queries: [] }, states: [], paths: [], reasons: [] };
  let section = "";
  let name = "";
  for (const line of page.split("\n")) {
    let match;
    if ((match = /^##+ (.*)$/.exec(line))) [section, name] = [match[1], ""];
    else if (line === "<!-- end -->") name = "";
    else if ((match = /^\*\*(\w+)\*\*: array of \d+\./.exec(line))) {
      name = match[1];
      found.records.set(name, "");
      found.kinds[section]?.push(name);
    } else if ((match = /^\| (\d+) \| `([A-Z_0-9]+)` \| (.*) \|$/.exec(line))) {
      found.reasons.push(`  ${match[1]}: [${JSON.stringify(match[2])}, ${JSON.stringify(match[3])}],`);
    } else if ((match = /^\| (\d+) \| (\w+) \| (.*) \|$/.exec(line)) && name) {
      const element = match[2] === "tag" ? `${number(match[3].replace("int ", ""))}, {` : ` ${match[2]}: ${typeOf(match[3])},`;
      found.records.set(name, found.records.get(name) + (match[2] === "tag" ? element : `\n   ${element}`));
    } else if ((match = /^\| `([^`]+)` \| (\w+) \| (not salted|salted) \|$/.exec(line))) {
      found.states.push(`  [${JSON.stringify(match[1])}, ${match[2]}, ${match[3] === "salted"}],`);
    } else if ((match = /^Reads `([^`]+)`\./.exec(line))) found.paths.push(`  ${name}: ${JSON.stringify(match[1])},`);
  }
  return found;
}

/** @returns {string} what tables.mjs has to be */
export function render() {
  const records = new Map();
  const kinds = { Operations: [], Events: [], Queries: [] };
  const states = [];
  const paths = [];
  const reasons = [];
  for (const page of PAGES) {
    const found = read(readFileSync(new URL(`../docs/spec/${page}`, import.meta.url), "utf8"));
    for (const [name, body] of found.records) {
      if (records.has(name) && records.get(name) !== body) throw new Error(`two tables of ${name} differ`);
      records.set(name, body);
    }
    for (const kind of Object.keys(kinds)) kinds[kind].push(...found.kinds[kind]);
    states.push(...found.states);
    paths.push(...found.paths);
    reasons.push(...found.reasons);
  }
  for (const [single, plural] of [["Operation", "Operations"], ["Event", "Events"], ["Query", "Queries"]]) {
    records.set(single, `oneOf(${kinds[plural].join(", ")})`);
  }
  // A constant stands before it is used; types do not nest in themselves, so there is such an order.
  const ordered = new Map();
  const place = (/** @type {string} */ name) => {
    if (ordered.has(name)) return;
    for (const [word] of records.get(name).matchAll(/(?<![\w"])[A-Z]\w+(?=[,)])/g)) if (records.has(word)) place(word);
    ordered.set(name, records.get(name));
  };
  for (const name of records.keys()) place(name);
  const constants = [...ordered].map(([name, body]) =>
    body.startsWith("oneOf") ? `const ${name} = ${body};` : `const ${name} = record("${name}", ${body}${body.endsWith("{") ? "" : "\n"}});`,
  );
  return [
    HEAD,
    ...constants,
    "",
    "/** Every record by its name, and Operation, Event and Query for any of those. */",
    `export const TYPES = Object.freeze({\n  ${[...ordered.keys()].join(",\n  ")},\n});`,
    "",
    "/** What stands at which path of the state: path, record, whether its leaf is salted. */",
    `export const STATE = Object.freeze([\n${states.join("\n")}\n]);`,
    "",
    "/** The path that a query leads to. */",
    `export const QUERY_PATHS = Object.freeze({\n${paths.join("\n")}\n});`,
    "",
    "/** The name of every reason and its sentence, by number. */",
    `export const REASONS = Object.freeze({\n${reasons.join("\n")}\n});`,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TABLES, render());
