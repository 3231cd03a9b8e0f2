/**
 * Watching a verification: the functions here that judge also tell what they compute, to who wants to show it. The verdict does
 * not depend on who listens.
 *
 * Told is the name of a step and what it is judged by, right before it is judged. A step that fails is told, and then raised;
 * a step that needs nothing computed is raised alone. Values are those of the verification itself: do not change them.
 *
 * @typedef {(step: string, values: Record<string, any>) => void} Tell
 */

/** Nobody listens. @type {Tell} */
export const silent = () => {};

/**
 * Returns a listener that hands on what it is told, and says of which item of the bundle it is.
 *
 * @param {Tell} tell
 * @param {number} item its place in the bundle, from 0
 * @returns {Tell}
 */
export const ofItem = (tell, item) => (step, values) => tell(step, { item, ...values });
