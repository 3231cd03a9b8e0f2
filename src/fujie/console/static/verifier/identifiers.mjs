/** Identifiers and their form for people (docs/spec/05-identifiers.md). The step of an error is the name of the fault. */

import { must, VerificationError } from "./errors.mjs";

const LENGTH_MAX = 128;
const NODES_MAX = 12;
const NODE_LENGTH_MAX = 32;
const PEOPLE_LENGTH_MAX = 132;

const CONTROL = /[\0-\x1f\x7f-\x9f\u00ad\u061c\ufeff\u200b-\u200f\u2028-\u202e\u2060-\u206f]/u;

/** @param {string} character @returns {string} the fault of a character that no identifier has */
function characterFault(character) {
  if (/[a-z]/.test(character)) return "lower-case";
  if (/[ \u00a0\u3000]/.test(character)) return "whitespace";
  if (CONTROL.test(character)) return "control-character";
  if (/[\uff01-\uff5e]/.test(character)) return "full-width";
  return character > "\u007f" ? "not-ascii" : "foreign-character";
}

/** @param {string[]} nodes @param {number} index @returns {string | null} the fault of node `index` */
function nodeFault(nodes, index) {
  const node = nodes[index];
  if (index === NODES_MAX) return "too-many-nodes";
  if (node === "") return index === nodes.length - 1 ? "trailing-dot" : "empty-node";
  if (index === 0 && !/^[A-Z]{2}$/.test(node)) return "agency";
  if (index === 1 && !/^[0-9]{3}$/.test(node)) return "country";
  return node.length > NODE_LENGTH_MAX ? "node-too-long" : null;
}

/**
 * @param {string} text
 * @returns {string | null} the fault of text that is no identifier
 */
export function faultOf(text) {
  if (text === "") return "empty";
  const characters = [...text];
  if (characters.length > LENGTH_MAX) return "too-long";
  const foreign = characters.find((character) => !/^[0-9A-Z.]$/.test(character));
  if (foreign !== undefined) return characterFault(foreign);
  const nodes = text.split(".");
  for (const index of nodes.keys()) {
    const fault = nodeFault(nodes, index);
    if (fault !== null) return fault;
  }
  return nodes.length === 1 ? "country-missing" : null;
}

/**
 * @param {string} text
 * @returns {string} the same text when it is an identifier
 * @throws {VerificationError} under the name of its fault
 */
export function parseIdentifier(text) {
  const fault = faultOf(text);
  if (fault !== null) throw new VerificationError(fault, "this is no identifier");
  return text;
}

/** @param {string} identifier @returns {string} the two check characters, ISO 7064 MOD 1271-36 */
export function checkCharacters(identifier) {
  let rest = 0;
  for (const character of identifier.replaceAll(".", "")) rest = (36 * rest + parseInt(character, 36)) % 1271;
  const check = (1 + 1271 - ((36 * 36 * rest) % 1271)) % 1271;
  return (Math.floor(check / 36).toString(36) + (check % 36).toString(36)).toUpperCase();
}

/**
 * @param {string} identifier
 * @returns {string} its form for people, such as `ZZ.156.1301-X1`
 * @throws {VerificationError} under the name of its fault
 */
export function peopleForm(identifier) {
  return `${parseIdentifier(identifier)}-${checkCharacters(identifier)}`;
}

/**
 * @param {string} text the form for people
 * @returns {string} the identifier
 * @throws {VerificationError} under the name of the fault: those of an identifier, `check-missing`, `check`
 */
export function parsePeopleForm(text) {
  const looked = [...text].slice(0, PEOPLE_LENGTH_MAX).join("");
  const hyphen = looked.indexOf("-");
  const identifier = parseIdentifier(hyphen < 0 ? looked : looked.slice(0, hyphen));
  const check = hyphen < 0 ? "" : looked.slice(hyphen + 1);
  must([...check].length === 2, "check-missing", "two check characters are missing");
  must(check === checkCharacters(identifier), "check", "the check characters are those of another identifier");
  return identifier;
}
