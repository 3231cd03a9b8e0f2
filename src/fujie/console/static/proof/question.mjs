/** What a page of proof was asked, derived from the address of the bundle alone: never from the bundle. */

import { fromHex } from "../verifier/bytes.mjs";

/**
 * `following` says which further answers belong to the first, whose record (or null) it takes: the organisation of an account,
 * the balances of a wallet.
 *
 * @typedef {{ kind: "record", query: any, atMs: number | undefined, following?: (record: any) => any[] }
 *   | { kind: "receipt", id: Uint8Array }} Question
 */

const IDENTIFIER = /^\/ids\/([A-Z0-9.]{1,200})\.fujie(?:\?versionTime=([^&#]{1,200}))?$/;
const ACCOUNT = /^\/accounts\/([a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?)\.fujie$/;
const WALLET = /^\/wallets\/([0-9a-f]{32})\.fujie$/;
const SUPPLY = /^\/supply\/((?=[^.]{3,24}\.)[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)\.fujie$/;
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
  if (!record) return questionOfMany(of);
  const atMs = record[2] === undefined ? undefined : timeOf(record[2]);
  if (atMs !== undefined && !Number.isSafeInteger(atMs)) return null;
  return { kind: "record", query: { $type: "IdentityQuery", identifier: record[1] }, atMs };
}

/** The question that is answered by several records. @param {string} of @returns {Question | null} */
function questionOfMany(of) {
  const account = ACCOUNT.exec(of);
  if (account) return asking({ $type: "AccountQuery", name: account[1] }, (record) =>
    record === null ? [] : [{ $type: "OrganisationQuery", name: record.organisation }]);
  const supply = SUPPLY.exec(of);
  if (supply) {
    const [, instrument] = supply; // both are answered where there is no such instrument, too
    return asking({ $type: "InstrumentQuery", instrument }, () => [{ $type: "SupplyQuery", instrument }]);
  }
  const written = WALLET.exec(of);
  if (!written) return null;
  const wallet = fromHex(written[1]);
  return asking({ $type: "WalletQuery", wallet }, (record) =>
    (record?.instruments ?? []).map((/** @type {string} */ instrument) => ({ $type: "BalanceQuery", wallet, instrument })));
}

/** @param {any} query @param {(record: any) => any[]} following @returns {Question} */
const asking = (query, following) => ({ kind: "record", query, atMs: undefined, following });

/** @param {string} written percent-encoded time of RFC 3339 @returns {number} milliseconds, or NaN */
function timeOf(written) {
  try {
    return Math.max(Date.parse(decodeURIComponent(written)), 0);
  } catch (error) {
    if (error instanceof URIError) return NaN;
    throw error;
  }
}
