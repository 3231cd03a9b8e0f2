/** What a chain begins with, and the chain id that follows from it (docs/spec/03-state.md). */

import { compare, utf8 } from "./bytes.mjs";
import { decodes, must } from "./errors.mjs";
import { chainIdOf } from "./hashing.mjs";
import { decode, placeOf } from "./records.mjs";

const REQUIRED = ["membership/parameters", "membership/governors", "membership/rooms", "membership/validators"];

/**
 * Returns the genesis that `bytes` are, and its chain id. Whether its records agree with one another is not asked.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<{ genesis: any, chainId: string }>}
 * @throws {VerificationError} `decode`, `genesis-order`, `genesis-salt`, `genesis-membership`
 */
export async function checkGenesis(bytes) {
  const genesis = decode("Genesis", bytes);
  const { leaves, archive } = genesis;
  mustAscend(leaves.map((/** @type {any} */ leaf) => utf8(leaf.path)), "the leaves");
  mustAscend(archive, "the old versions");
  for (const { path, salt, record } of leaves) {
    must(salt.length === 0 || salt.length === 32, "genesis-salt", `the salt of ${path} has ${salt.length} bytes`);
    const place = placeOf(path);
    decodes(place !== null, `nothing ever stands at ${path}`);
    decode(/** @type {any} */ (place).type, record);
  }
  const missing = REQUIRED.find((path) => leaves.every((/** @type {any} */ leaf) => leaf.path !== path));
  must(missing === undefined, "genesis-membership", `nothing stands at ${missing}`);
  return { genesis, chainId: await chainIdOf(genesis.name, bytes) };
}

/** @param {Uint8Array[]} values @param {string} what */
function mustAscend(values, what) {
  for (let index = 1; index < values.length; index += 1) {
    must(compare(values[index - 1], values[index]) < 0, "genesis-order", `${what} do not ascend`);
  }
}
