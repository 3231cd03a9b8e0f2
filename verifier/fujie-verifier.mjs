/** The second verifier, whose modules travel with the package so that a node can serve them to pages. */

export * from "../src/fujie/console/static/verifier/fujie-verifier.mjs";
