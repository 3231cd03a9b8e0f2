/**
 * Fujie's second verifier: everything a holder of a proof needs to check it, in plain JavaScript, without dependencies, without
 * asking anybody. Written from docs/spec and from nothing else.
 */

export { CLOCK_DRIFT_MS, proveAll, proveReceipt, proveRecord, proveRecords } from "./answers.mjs";
export { decodeBundle, verifyBundle } from "./bundle.mjs";
export { fromHex, toHex } from "./bytes.mjs";
export { checkCodebookEntry, codebookIdentifier, codebookLeaf, verifyCodebookEntries } from "./codebook.mjs";
export { verifyCommit } from "./commit.mjs";
export { isSoundPublicKey, isValidSignature } from "./ed25519.mjs";
export { VerificationError } from "./errors.mjs";
export { checkGenesis } from "./genesis.mjs";
export { checkCharacters, faultOf, parseIdentifier, parsePeopleForm, peopleForm } from "./identifiers.mjs";
export { decodeLightBlock, headerHash, headerLeaves, validatorsHash } from "./light-block.mjs";
export { isAccountable, verifyFollows, verifyRoot } from "./light.mjs";
export { verifyLogConsistency, verifyLogInclusion } from "./log-proof.mjs";
export { inForce, skipTarget } from "./past.mjs";
export { decode, encode, pathOf, placeOf, reasonOf, toJson } from "./records.mjs";
export { verifyExclusion, verifyInclusion } from "./state-proof.mjs";
export { verifyGrant, verifyTransaction } from "./transaction.mjs";
export { decodeTrustRoot } from "./trust-root.mjs";
