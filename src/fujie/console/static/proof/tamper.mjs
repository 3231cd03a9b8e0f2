/** Changing one bit of a bundle at a chosen place, to see which step notices. */

import { decodeBundle } from "../verifier/bundle.mjs";
import { VerificationError } from "../verifier/errors.mjs";
import { decodeLightBlock } from "../verifier/light-block.mjs";

/**
 * Returns where a bit of `bundle` can be changed: the name of the place, and the bytes of the bundle that it is.
 *
 * @param {Uint8Array} bundle
 * @returns {Promise<Map<string, Uint8Array>>} parts of `bundle`, which share its memory
 */
export async function placesOf(bundle) {
  const places = new Map();
  try {
    // What the decoders return are parts of the bytes that they are given, never copies.
    const { items, state_root, light_block } = decodeBundle(bundle);
    const { header, commit } = await decodeLightBlock(light_block);
    const [item] = items;
    if (item.$type === "Present") places.set("record", item.record);
    if (item.$type === "Absent") places.set("bucket", item.proof.leaves);
    if (item.$type === "Logged") places.set("receipt", item.receipt).set("log", item.proof.path);
    else places.set("sibling", item.proof.siblings);
    places.set("root", state_root).set("header", header.appHash).set("signature", commit.signatures[0].signature);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
  }
  places.set("anywhere", bundle);
  for (const [name, part] of places) if (part.length === 0) places.delete(name);
  return places;
}

/**
 * Returns a copy of `bundle` in which one bit of `part` is changed, and what was changed.
 *
 * @param {Uint8Array} bundle
 * @param {Uint8Array} part of the bundle, as {@link placesOf} returned it
 * @param {number} number decides which bit: the bits of the part are counted through, again and again
 * @returns {{ bytes: Uint8Array, offset: number, bit: number, before: number, after: number }}
 */
export function flip(bundle, part, number) {
  const [within, bit] = [Math.floor(number / 8) % part.length, number % 8];
  const offset = part.byteOffset - bundle.byteOffset + within;
  const bytes = new Uint8Array(bundle);
  bytes[offset] ^= 1 << bit;
  return { bytes, offset, bit, before: bundle[offset], after: bytes[offset] };
}
