/** The one error that every check of this verifier raises. */

/** A proof, or something in it, is bad. `step` is the name that docs/spec gives to the step that failed. */
export class VerificationError extends Error {
  /**
   * @param {string} step name of the failed step, such as `state-root`
   * @param {string} detail what is wrong, for people
   */
  constructor(step, detail) {
    super(`${step}: ${detail}`);
    this.name = "VerificationError";
    this.step = step;
    this.detail = detail;
  }
}

/**
 * Raises {@link VerificationError} under `step` unless `condition` holds.
 *
 * @param {boolean} condition
 * @param {string} step
 * @param {string} detail
 */
export function must(condition, step, detail) {
  if (!condition) throw new VerificationError(step, detail);
}

/**
 * Raises `decode` unless `condition` holds.
 *
 * @param {boolean} condition
 * @param {string} detail
 */
export function decodes(condition, detail) {
  if (!condition) throw new VerificationError("decode", detail);
}
