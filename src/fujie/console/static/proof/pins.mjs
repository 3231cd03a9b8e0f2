/** The trust roots that the visitor has pinned, one for each chain, kept by his browser for this address. */

import { VerificationError } from "../verifier/errors.mjs";
import { decodeTrustRoot } from "../verifier/trust-root.mjs";

const KEY = "fujie.trust-roots";

/**
 * `origin`: "file" when the visitor chose the file himself, "first-use" when the node named it.
 *
 * @typedef {import("../verifier/trust-root.mjs").TrustRoot} TrustRoot
 * @typedef {{ root: TrustRoot, origin: "file" | "first-use", pinnedMs: number }} Pin
 */

/** Whether two roots of one chain say the same of who signs, and of the state tree. @param {TrustRoot} one @param {TrustRoot} other */
export const agree = (one, other) =>
  one.validators_hash === other.validators_hash && one.state_tree_depth === other.state_tree_depth;

/** Pinned trust roots in a storage such as localStorage; where there is none, in memory. */
export class Pins {
  /** @param {Storage | null} storage */
  constructor(storage) {
    this.storage = storage;
    /** @type {Map<string, Pin>} */
    this.pins = new Map();
    for (const pin of readPins(storage)) this.pins.set(pin.root.chain_id, pin);
    this.isKept = storage !== null;
  }

  /** @param {string} chainId @returns {Pin | null} */
  of(chainId) {
    return this.pins.get(chainId) ?? null;
  }

  /** The chains with a pinned root. @returns {string[]} */
  chains() {
    return [...this.pins.keys()];
  }

  /** @param {TrustRoot} root @param {"file" | "first-use"} origin @param {number} pinnedMs */
  pin(root, origin, pinnedMs) {
    this.pins.set(root.chain_id, { root, origin, pinnedMs });
    this.keep();
  }

  /** @param {string} chainId */
  forget(chainId) {
    this.pins.delete(chainId);
    this.keep();
  }

  keep() {
    if (this.storage === null) return;
    try {
      this.storage.setItem(KEY, JSON.stringify([...this.pins.values()]));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.isKept = false; // full, or switched off
    }
  }
}

/** @param {Storage | null} storage @returns {Pin[]} those that are whole; what somebody else wrote there is left out */
function readPins(storage) {
  let found;
  try {
    found = JSON.parse(storage?.getItem(KEY) ?? "[]");
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  return Array.isArray(found) ? found.map(readPin).filter((pin) => pin !== null) : [];
}

/** @param {any} found @returns {Pin | null} */
function readPin(found) {
  const origin = found?.origin;
  if ((origin !== "file" && origin !== "first-use") || !Number.isSafeInteger(found.pinnedMs)) return null;
  try {
    return { root: decodeTrustRoot(JSON.stringify(found.root ?? null)), origin, pinnedMs: found.pinnedMs };
  } catch (error) {
    if (error instanceof VerificationError) return null;
    throw error;
  }
}

/** The storage of this page, or null where the browser gives none. @returns {Storage | null} */
export function storageOfPage() {
  try {
    return globalThis.localStorage ?? null;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}
