/** What a page of proof was asked, derived from the address of the bundle alone: never from the bundle. */

import { fromHex } from "../verifier/bytes.mjs";

/**
 * @typedef {{ kind: "record", query: any, atMs: number | undefined } | { kind: "receipt", id: Uint8Array }} Question
 */

const IDENTIFIER = /^\/ids\/([A-Z0-9.]{1,200})\.fujie(?:\?versionTime=([^&#]{1,200}))?$/;
const RECEIPT = /^\/receipts\/([0-9a-f]{64})\.fujie$/;

/**
 * Returns the question that the bundle at `of` has to answer.
 *
 * @param {string} of path of a bundle on this node
 * @returns {Question | null} null when no question is known for this path
 */
export function questionOf(of) {
  const receipt = RECEIPT.exec(of);
  if (receipt) return { kind: "receipt", id: fromHex(receipt[1]) };
  const record = IDENTIFIER.exec(of);
  if (!record) return null;
  const atMs = record[2] === undefined ? undefined : timeOf(record[2]);
  if (atMs !== undefined && !Number.isSafeInteger(atMs)) return null;
  return { kind: "record", query: { $type: "IdentityQuery", identifier: record[1] }, atMs };
}

/** @param {string} written percent-encoded time of RFC 3339 @returns {number} milliseconds, or NaN */
function timeOf(written) {
  try {
    return Math.max(Date.parse(decodeURIComponent(written)), 0);
  } catch (error) {
    if (error instanceof URIError) return NaN;
    throw error;
  }
}
