/** Codebook entries, their path, and the identifiers they demand (docs/spec/06-codebook.md). */

import { equal } from "./bytes.mjs";
import { must } from "./errors.mjs";
import { digest, TAG } from "./hashing.mjs";
import { encode } from "./records.mjs";

const SIZE_MAX = 131_072;
const PATH_MAX = 34;

/** @param {any} entry a CodebookEntry @returns {Promise<Uint8Array>} */
export const codebookLeaf = (entry) => digest(TAG.CODEBOOK_LEAF, encode("CodebookEntry", entry));

/**
 * Checks that `entries` are those from number `first` of the edition with `root` and `size`.
 *
 * @param {Uint8Array} root
 * @param {number} size
 * @param {number} first
 * @param {any[]} entries CodebookEntry
 * @param {Uint8Array} path
 * @returns {Promise<void>}
 * @throws {VerificationError} `codebook-position`, `codebook-path`, `codebook-root`
 */
export async function verifyCodebookEntries(root, size, first, entries, path) {
  const isInside = entries.length > 0 && first >= 0 && first + entries.length <= size && size <= SIZE_MAX;
  must(isInside, "codebook-position", `${entries.length} entries from ${first} of ${size}`);
  must(path.length % 32 === 0 && path.length <= 32 * PATH_MAX, "codebook-path", `path of ${path.length} bytes`);
  let offset = 0;
  const next = () => {
    must(offset < path.length, "codebook-path", "a digest is missing");
    offset += 32;
    return path.subarray(offset - 32, offset);
  };
  let row = await Promise.all(entries.map(codebookLeaf));
  let start = first;
  for (let last = size - 1; last > 0; last >>= 1, start >>= 1) {
    const end = start + row.length - 1;
    if (start % 2 === 1) row.unshift(next());
    if (end % 2 === 0 && end < last) row.push(next());
    const above = [];
    for (let index = 0; index < row.length; index += 2) {
      const isPair = index + 1 < row.length;
      above.push(isPair ? await digest(TAG.CODEBOOK_NODE, row[index], row[index + 1]) : row[index]);
    }
    row = above;
  }
  must(offset === path.length, "codebook-path", "a digest is left");
  must(row.length === 1 && equal(row[0], root), "codebook-root", "the path leads to another root");
}

/**
 * Checks that code, level and parent of an entry agree.
 *
 * @param {any} entry
 * @throws {VerificationError} `codebook-entry`
 */
export function checkCodebookEntry({ code, level, parent }) {
  const [province, prefecture, county] = [code.slice(0, 2), code.slice(2, 4), code.slice(4)];
  const [above, beside] = [`${province}0000`, `${province}${prefecture}00`];
  const agrees =
    province !== "00" &&
    ((level === 1 && code === above && parent === "") ||
      (level === 2 && prefecture !== "00" && county === "00" && parent === above) ||
      (level === 3 && prefecture !== "00" && county !== "00" && (parent === above || parent === beside)));
  must(agrees, "codebook-entry", `code ${code}, level ${level} and parent ${parent} do not agree`);
}

/**
 * @param {string} country such as `ZZ.156`
 * @param {any} entry
 * @returns {string} the identifier that the `codebook` rule demands for it
 * @throws {VerificationError} `codebook-entry`
 */
export function codebookIdentifier(country, entry) {
  checkCodebookEntry(entry);
  const { code, level, parent } = entry;
  if (level < 3) return `${country}.${code.slice(0, 2 * level)}`;
  const significant = parent.endsWith("0000") ? 2 : 4;
  return `${country}.${parent.slice(0, significant)}.${code.slice(significant)}`;
}
