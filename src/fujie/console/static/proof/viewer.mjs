/**
 * The proof viewer: loads a bundle from this node or opens one of the visitor's, verifies it in this browser, and shows every
 * step. The page holds `<div id="proof-viewer" data-of="/ids/….fujie" data-trust="/console/trust.json">`; its children are
 * replaced. `data-from` is where the bundle is loaded from, where that is not the path that says what was asked.
 */

import { VerificationError } from "../verifier/errors.mjs";
import { decodeTrustRoot } from "../verifier/trust-root.mjs";
import { canVerify, chainOf, check } from "./checking.mjs";
import { element, listOf, visible } from "./dom.mjs";
import { agree, Pins, storageOfPage } from "./pins.mjs";
import { questionOf } from "./question.mjs";
import { stepsOf, timeText } from "./steps.mjs";
import { flip, placesOf } from "./tamper.mjs";
import { byteText, rootPairs, verdictOn } from "./verdict.mjs";
import { faultOf, wordsOf } from "./words.mjs";

const FILE_BYTES_MAX = 64 * 2 ** 20;
const BUNDLE_ACCEPT = "application/vnd.fujie.bundle, application/json;q=0.5"; // a problem says more as JSON
const MARKS = /** @type {Record<string, string>} */ ({ ok: "✓", bad: "✗", unreached: "·" });

/** A page of proof. */
class Viewer {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    this.words = wordsOf(document.documentElement.lang);
    this.pins = new Pins(storageOfPage());
    /** @type {import("./pins.mjs").TrustRoot | null} */
    this.offered = null;
    /** @type {(import("./checking.mjs").Bundle & { name: string }) | null} */
    this.source = null;
    /** @type {ReturnType<typeof flip> | null} */
    this.flipped = null;
    this.flips = Math.floor(Math.random() * 4096); // any bit will do
    /** @type {Map<string, Uint8Array>} */
    this.places = new Map();
    this.runs = 0;
    this.build();
  }

  // What stands on the page. Controls are made once, so that the focus stays where it is; what they change is made again.

  build() {
    const { words } = this;
    this.verdict = element("div", { id: "proof-verdict", role: "status", "aria-live": "polite", "data-verdict": "none" });
    this.alerts = element("div", { class: "proof-alerts", role: "alert" });
    this.steps = element("ol", { class: "proof-steps" });
    const of = this.host.dataset.of ?? "";
    this.shown = element("p", { class: "proof-note", id: "proof-source" });
    this.host.replaceChildren(
      element("h2", { class: "proof-hidden" }, words("verdict")),
      this.shown,
      this.verdict,
      this.alerts,
      this.buildTrust(),
      element("section", {}, element("h2", {}, words("steps")), element("p", {}, words("steps-lead")), this.steps),
      this.buildTamper(),
      this.buildFile(),
      this.buildElsewhere(of),
    );
    this.host.addEventListener("dragover", (event) => event.preventDefault());
    this.host.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) this.openFile(file);
    });
  }

  /** A button that opens a file. @param {string} id @param {string} label @param {string} accept @param {(file: File) => void} take */
  fileInput(id, label, accept, take) {
    const chosen = () => {
      const [file] = input.files;
      input.value = ""; // so that the same file, written anew, can be chosen again
      if (file) take(file);
    };
    const input = element("input", { id, type: "file", accept, onchange: chosen });
    return element("p", { class: "proof-file" }, element("label", { for: id }, label), input);
  }

  /** @param {string} label @param {() => void} act @param {string} id @param {boolean} [isQuiet] */
  button(label, act, id, isQuiet = false) {
    return element("button", { type: "button", id, class: isQuiet ? "quiet" : null, onclick: act }, label);
  }

  buildTrust() {
    const { words } = this;
    this.trustState = element("div", { id: "proof-trust-state", "aria-live": "polite" });
    this.firstUse = this.button(words("first-use"), () => this.pinOffered(), "proof-first-use");
    this.firstUseMeans = element("p", { class: "proof-note", id: "proof-first-use-means" }, words("first-use-means"));
    this.firstUse.setAttribute("aria-describedby", this.firstUseMeans.id);
    this.forget = this.button(words("forget"), () => this.forgetPin(), "proof-forget", true);
    return element(
      "section",
      { class: "proof-trust" },
      element("h2", {}, words("trust")),
      element("p", {}, words("trust-lead")),
      this.trustState,
      this.fileInput("proof-root", words("choose-root"), ".json,application/json", (file) => this.pinFile(file)),
      element("p", {}, this.firstUse, this.forget),
      this.firstUseMeans,
    );
  }

  buildTamper() {
    const { words } = this;
    this.place = element("select", { id: "proof-place" });
    this.flipButton = this.button(words("flip"), () => this.change(), "proof-flip");
    this.restoreButton = this.button(words("restore"), () => this.restore(), "proof-restore", true);
    this.flipState = element("p", { id: "proof-flipped", "aria-live": "polite" });
    this.tamper = element(
      "section",
      { class: "proof-tamper" },
      element("h2", {}, words("tamper")),
      element("p", {}, words("tamper-lead")),
      element("p", {}, element("label", { for: "proof-place" }, words("place")), this.place, this.flipButton, this.restoreButton),
      this.flipState,
    );
    return this.tamper;
  }

  buildFile() {
    const { words } = this;
    return element(
      "section",
      { class: "proof-drop" },
      element("h2", {}, words("file")),
      element("p", {}, words("file-lead")),
      this.fileInput("proof-bundle", words("choose-file"), ".fujie", (file) => this.openFile(file)),
      element("p", { class: "proof-note" }, words("drop")),
    );
  }

  /** @param {string} of */
  buildElsewhere(of) {
    const { words } = this;
    const name = questionOf(of) === null ? "FILE.fujie" : of.slice(of.lastIndexOf("/") + 1).split("?")[0];
    const commands = `fujie verify ${name} --trust trust.json\nnode verifier/cli.mjs ${name} --trust trust.json`;
    return element(
      "section",
      {},
      element("h2", {}, words("elsewhere")),
      element("p", {}, words("elsewhere-lead")),
      element("pre", { tabindex: "0" }, commands),
      questionOf(of) === null
        ? null
        : element("p", {}, element("a", { href: this.host.dataset.from || of, download: name }, words("download"))),
    );
  }

  // Where bundles and roots come from.

  async start() {
    this.say("none", [this.words("checking")]);
    await this.loadOffered();
    const of = this.host.dataset.of ?? "";
    if (of === "") await this.run();
    else await this.loadBundle(of);
  }

  /** The hash of the pinned validators where this node names others by now, whose coming the proof has to show. */
  since() {
    const pinned = this.offered === null ? null : this.pins.of(this.offered.chain_id);
    if (pinned === null || this.offered === null) return null;
    return pinned.root.validators_hash === this.offered.validators_hash ? null : pinned.root.validators_hash;
  }

  async loadOffered() {
    const path = this.host.dataset.trust;
    if (!path) return;
    try {
      const answer = await fetch(path, { headers: { accept: "application/json" } });
      if (answer.ok) this.offered = decodeTrustRoot(new Uint8Array(await answer.arrayBuffer()));
    } catch (error) {
      // A node that names no root, or none that can be read: the visitor has his own, or nothing is proven.
      if (!(error instanceof VerificationError) && !(error instanceof TypeError)) throw error;
    }
  }

  /** @param {string} of */
  async loadBundle(of) {
    const question = questionOf(of);
    if (question === null) {
      await this.run();
      return this.say("cannot-tell", [this.words("bad-of", { of })]);
    }
    const from = this.host.dataset.from || of;
    const since = this.since();
    let { bytes, detail } = await load(since === null ? from : `${from}${from.includes("?") ? "&" : "?"}since=${since}`);
    // A node that does not know the pinned validators still has an answer, under those whom it names.
    if (bytes === null && since !== null) ({ bytes, detail } = await load(from));
    if (bytes !== null) return this.take(of, bytes, question);
    await this.run();
    this.say("cannot-tell", [this.words("no-bundle", { detail })]);
  }

  /** @param {File} file */
  async openFile(file) {
    if (file.size > FILE_BYTES_MAX) {
      const places = { name: file.name, most: FILE_BYTES_MAX / 2 ** 20 };
      return this.say("cannot-tell", [this.words("too-large", places)]);
    }
    await this.take(file.name, new Uint8Array(await file.arrayBuffer()), null);
    this.verdict.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} name @param {Uint8Array} bytes @param {import("./question.mjs").Question | null} question */
  async take(name, bytes, question) {
    this.source = { name, bytes, question, loadedMs: Date.now() };
    this.shown.textContent = visible(this.words(question === null ? "source-file" : "source-node", { name }));
    this.flipped = null;
    this.places = (await canVerify()) ? await placesOf(bytes) : new Map();
    const choices = [...this.places.keys()];
    this.place.replaceChildren(...choices.map((one) => element("option", { value: one }, this.words(`place-${one}`))));
    await this.run();
  }

  // What the visitor decides.

  /** @param {File} file */
  async pinFile(file) {
    try {
      const root = decodeTrustRoot(new Uint8Array(await file.arrayBuffer()));
      this.pins.pin(root, "file", Date.now());
      const isOther = this.chain() !== null && root.chain_id !== this.chain();
      this.trustSaid = isOther ? this.words("other-root", { chain: root.chain_id }) : undefined;
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.trustSaid = this.words("bad-root", { detail: error.detail });
    }
    await this.run();
  }

  async pinOffered() {
    if (this.offered === null) return;
    this.pins.pin(this.offered, "first-use", Date.now());
    this.trustSaid = undefined;
    await this.run();
    this.forget.focus(); // the button that was pressed is gone
  }

  async forgetPin() {
    const chain = this.chain();
    if (chain !== null) this.pins.forget(chain);
    this.trustSaid = undefined;
    await this.run();
    if (!this.firstUse.hidden) this.firstUse.focus();
  }

  async change() {
    const part = this.places.get(this.place.value);
    if (this.source === null || part === undefined) return;
    this.flips += 4099; // a prime, so that the presses wander over the whole part
    this.flipped = flip(this.source.bytes, part, this.flips);
    await this.run();
  }

  async restore() {
    this.flipped = null;
    await this.run();
    this.flipButton.focus(); // the button that was pressed is gone
  }

  // The check, and what is said of it.

  /** The chain that this page is about. @returns {string | null} */
  chain() {
    const said = this.source === null ? null : chainOf(this.source.bytes);
    return said ?? this.offered?.chain_id ?? null;
  }

  /**
   * The root under which the bundle is checked, and the pin that it is. Without a pin it is the one that this node names, for
   * what this node answered and for files of its chain.
   *
   * @returns {{ root: import("./pins.mjs").TrustRoot | null, pin: import("./pins.mjs").Pin | null }}
   */
  chosen() {
    const chain = this.chain();
    const pin = chain === null ? null : this.pins.of(chain);
    if (pin !== null) return { root: pin.root, pin };
    const isOfNode = this.source !== null && (this.source.question !== null || chain === this.offered?.chain_id);
    return { root: isOfNode ? this.offered : null, pin: null };
  }

  async run() {
    const run = (this.runs += 1);
    const { root, pin } = this.chosen();
    this.showTrust(pin);
    this.showTamper();
    if (this.source === null) return this.showNothing("none", "nothing-yet");
    if (!(await canVerify())) return this.showNothing("cannot-tell", "no-crypto");
    if (root === null) return this.showNothing("cannot-tell", "no-root", { chain: this.chain() ?? "?" });
    const { question, loadedMs } = this.source;
    try {
      const bytes = this.flipped?.bytes ?? this.source.bytes;
      const checked = await check({ bytes, question, loadedMs }, root);
      if (run !== this.runs) return; // something newer is being checked
      const outcome = { failed: checked.failed?.step ?? null, answers: checked.answers, question };
      const { steps, hidden } = stepsOf(checked.watched, outcome, this.words);
      this.showSteps(steps, hidden, checked.failed);
      const { verdict, sentences } = verdictOn(checked, steps, pin, question, this.words);
      this.say(verdict, sentences);
    } catch (error) {
      this.showNothing("cannot-tell", "unexpected", { detail: String(error) });
      throw error;
    }
  }

  /** @param {string} verdict @param {string} key @param {Record<string, any>} [places] */
  showNothing(verdict, key, places) {
    this.steps.replaceChildren();
    this.say(verdict, [this.words(key, places)]);
  }

  /** @param {string} verdict @param {string[]} sentences */
  say(verdict, sentences) {
    const paragraphs = sentences.map((sentence) => element("p", {}, sentence));
    const word = verdict === "none" ? null : element("strong", { class: "proof-word" }, this.words(verdict));
    this.verdict.dataset.verdict = verdict;
    this.verdict.replaceChildren(...(word === null ? [] : [word]), ...paragraphs);
  }

  /** @param {import("./pins.mjs").Pin | null} pin */
  showTrust(pin) {
    const { words, offered, pins } = this;
    const chain = this.chain();
    const known = pin?.root ?? offered;
    const state = [];
    if (this.trustSaid !== undefined) state.push(element("p", {}, this.trustSaid));
    if (pin === null) state.push(element("p", {}, words("trust-unpinned")));
    else {
      const key = pin.origin === "file" ? "trust-file" : "trust-first-use";
      state.push(element("p", {}, words(key, { time: timeText(pin.pinnedMs) })));
    }
    if (pin === null) state.push(element("p", {}, words(offered === null ? "trust-none-offered" : "trust-offered")));
    if (known !== null) state.push(listOf(rootPairs(known, words).map(([name, value]) => [name, element("code", {}, value)])));
    if (!pins.isKept) state.push(element("p", { class: "proof-note" }, words("not-kept")));
    this.trustState.replaceChildren(...state);
    this.firstUse.hidden = pin !== null || offered === null || offered.chain_id !== chain;
    this.firstUseMeans.hidden = this.firstUse.hidden;
    this.forget.hidden = pin === null;
    this.showAlerts(pin, chain);
  }

  /** @param {import("./pins.mjs").Pin | null} pin @param {string | null} chain */
  showAlerts(pin, chain) {
    const { words, offered, pins } = this;
    const alerts = [];
    if (pin !== null && offered !== null && offered.chain_id === chain && !agree(pin.root, offered)) {
      const pairs = rootPairs(offered, words).map(([name, value]) => [name, element("code", {}, value)]);
      alerts.push(element("p", {}, words("differs")), element("p", {}, words("trust-offered")), listOf(/** @type {any} */ (pairs)));
    }
    const isOfNode = this.source === null || this.source.question !== null;
    if (pin === null && chain !== null && isOfNode && pins.chains().length > 0) {
      alerts.push(element("p", {}, words("other-chain", { pinned: pins.chains().join(", "), chain })));
    }
    this.alerts.replaceChildren(...alerts);
  }

  showTamper() {
    const { flipped, words } = this;
    this.tamper.hidden = this.source === null;
    this.restoreButton.hidden = flipped === null;
    const places = flipped && { ...flipped, before: byteText(flipped.before), after: byteText(flipped.after) };
    this.flipState.textContent = places === null ? "" : words("flipped", places);
  }

  /** @param {import("./steps.mjs").Step[]} steps @param {number} hidden @param {VerificationError | null} failed */
  showSteps(steps, hidden, failed) {
    const shown = steps.map((step) => this.stepElement(step, failed));
    if (hidden > 0 && failed === null) shown.push(element("li", { class: "proof-more" }, this.words("more-items", { count: hidden })));
    this.steps.replaceChildren(...shown);
  }

  /** What is wrong in words, and what the verifier says of the very place, which is English. @param {VerificationError} failed */
  reasonElement({ step, detail }) {
    const said = element("small", { lang: "en" }, element("code", {}, `${step}: ${detail}`));
    return element("p", { class: "proof-reason" }, faultOf(step, this.words) ?? "", said);
  }

  /** @param {import("./steps.mjs").Step} step @param {VerificationError | null} failed */
  stepElement({ id, item, count, number, state, isAbsence, brief, values }, failed) {
    const { words } = this;
    const isMany = item !== null && count > 1;
    const where = isMany ? ` (${words("of-item", { number: item + 1, count })})` : "";
    const why = id === "leaf" && isAbsence ? "why-leaf-absent" : `why-${id}`;
    // What fails, and the answer itself, is what people came for.
    const isOpen = state === "bad" || (failed === null && (id === "record" || id === "receipt"));
    const isFailed = state === "bad" && failed !== null;
    return element(
      "li",
      { "data-step": id, "data-state": state },
      element(
        "h3",
        {},
        element("span", { class: "proof-mark", "aria-hidden": "true" }, MARKS[state]),
        `${number}. ${words(`step-${id}`)}${where}`,
        element("span", { class: "proof-hidden" }, `${words("colon")}${words(`state-${state}`)}`),
      ),
      element("p", {}, words(why)),
      isFailed ? this.reasonElement(failed) : null,
      values === null
        ? null
        : element("details", { open: isOpen }, element("summary", {}, words("show-values"), element("code", {}, brief)), values),
    );
  }
}

/**
 * Loads a bundle from this node.
 *
 * @param {string} from
 * @returns {Promise<{ bytes: Uint8Array | null, detail: string }>} `detail` says why there are no bytes
 */
async function load(from) {
  try {
    const answer = await fetch(from, { headers: { accept: BUNDLE_ACCEPT } });
    if (answer.ok) return { bytes: new Uint8Array(await answer.arrayBuffer()), detail: "" };
    return { bytes: null, detail: await problemOf(answer) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // fetch's own word for a connection that fails
    return { bytes: null, detail: error.message };
  }
}

/** What a problem of the node says. @param {Response} answer @returns {Promise<string>} */
async function problemOf(answer) {
  try {
    const { title, detail } = await answer.json();
    return `${answer.status} ${title ?? ""} ${detail ?? ""}`.trim();
  } catch (error) {
    if (error instanceof SyntaxError) return String(answer.status);
    throw error;
  }
}

const host = document.getElementById("proof-viewer");
if (host !== null) await new Viewer(host).start();
