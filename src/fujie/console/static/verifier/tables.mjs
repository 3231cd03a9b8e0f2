/**
 * Every record, state path and reason of docs/spec. Made by make-tables.mjs from its tables; do not edit.
 */

import { bin, bool, int, list, oneOf, oneOfNumbers, oneOfWords, orNil, record, text, tuple } from "./types.mjs";

const KeyPolicy = record("KeyPolicy", 1, {
    threshold: int(1n, 16n),
    keys: list(1, 16, bin(32, 32)),
});
const OpenAccount = record("OpenAccount", 1001, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    name: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    policy: KeyPolicy,
});
const RotateKeys = record("RotateKeys", 1002, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    policy: KeyPolicy,
});
const AdmitOrganisation = record("AdmitOrganisation", 1101, {
    name: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    title: text(0, 200),
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    policy: KeyPolicy,
});
const SuspendOrganisation = record("SuspendOrganisation", 1102, {
    organisation: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const RestoreOrganisation = record("RestoreOrganisation", 1103, {
    organisation: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const SuspendAccount = record("SuspendAccount", 1104, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const RestoreAccount = record("RestoreAccount", 1105, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const RecoverAccount = record("RecoverAccount", 1106, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    policy: KeyPolicy,
});
const GrantRole = record("GrantRole", 1107, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    role: oneOfWords("auditor", "central-bank", "governor", "institution", "registrar", "regulator", "root-authority"),
});
const RevokeRole = record("RevokeRole", 1108, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    role: oneOfWords("auditor", "central-bank", "governor", "institution", "registrar", "regulator", "root-authority"),
});
const SetQuota = record("SetQuota", 1109, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    quota_per_minute: int(0n, 1000000000n),
});
const SetParameters = record("SetParameters", 1110, {
    utc_offset_minutes: orNil(int(-720n, 840n)),
    transaction_window_ms: orNil(int(10000n, 3600000n)),
    operations_per_minute: orNil(int(1n, 1000000000n)),
    governance_threshold: orNil(int(1n, 64n)),
    proposal_period_max_ms: orNil(int(1000n, 31622400000n)),
});
const ActivateRules = record("ActivateRules", 1111, {
    room: text(1, 32, /^(?:[a-z]+)$/u),
    version: int(0n, 1000000n),
    from_height: int(0n, 9007199254740992n),
});
const SetValidator = record("SetValidator", 1112, {
    public_key: bin(32, 32),
    power: int(0n, 1000000000n),
    organisation: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const FoundRoom = record("FoundRoom", 1113, {
    room: text(1, 32, /^(?:[a-z]+)$/u),
    part: bin(1, 61440),
});
const Propose = record("Propose", 1003, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    id: bin(16, 16),
    action: oneOf(AdmitOrganisation, SuspendOrganisation, RestoreOrganisation, SuspendAccount, RestoreAccount, RecoverAccount, GrantRole, RevokeRole, SetQuota, SetParameters, ActivateRules, SetValidator, FoundRoom),
    deadline_ms: int(0n, 9007199254740992n),
});
const Vote = record("Vote", 1004, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    id: bin(16, 16),
});
const Withdraw = record("Withdraw", 1005, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    id: bin(16, 16),
});
const RegisterCodebook = record("RegisterCodebook", 2001, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    series: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    root: bin(32, 32),
    size: int(1n, 131072n),
    title: text(0, 200),
    source: text(0, 200),
});
const WithdrawCodebook = record("WithdrawCodebook", 2002, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
});
const Delegation = record("Delegation", 1, {
    rule: oneOfWords("codebook", "sequence", "free"),
    named: bool,
    quota: int(0n, 1000000000000n),
    width: int(0n, 18n),
    series: text(0, 20, /^(?:(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)?)$/u),
    controllers: orNil(KeyPolicy),
});
const NamedItem = record("NamedItem", 1, {
    node: text(1, 32, /^(?:[0-9A-Z]+)$/u),
    kind: text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    name: text(1, 200),
    attributes: list(0, 16, tuple(text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u), text(0, 200))),
    content: bin(0, 32),
    within: text(0, 128, /^(?:(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    controllers: orNil(KeyPolicy),
    delegation: orNil(Delegation),
});
const NumberedItem = record("NumberedItem", 2, {
    kind: text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    name: text(1, 200),
    attributes: list(0, 16, tuple(text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u), text(0, 200))),
    content: bin(0, 32),
    within: text(0, 128, /^(?:(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    controllers: orNil(KeyPolicy),
    delegation: orNil(Delegation),
});
const Allocate = record("Allocate", 2003, {
    namespace: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    item: oneOf(NamedItem, NumberedItem),
});
const AllocateMany = record("AllocateMany", 2004, {
    namespace: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    items: list(1, 500, oneOf(NamedItem, NumberedItem)),
});
const CodebookEntry = record("CodebookEntry", 1, {
    code: text(6, 6, /^(?:[0-9]{6})$/u),
    level: oneOfNumbers(1, 2, 3),
    parent: text(0, 6, /^(?:(?:[0-9]{6})?)$/u),
    name: text(1, 64),
});
const CodebookItem = record("CodebookItem", 1, {
    entry: CodebookEntry,
    attributes: list(0, 16, tuple(text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u), text(0, 200))),
    controllers: orNil(KeyPolicy),
    delegation: orNil(Delegation),
});
const CodebookRange = record("CodebookRange", 1, {
    first: int(0n, 131072n),
    path: bin(0, 1088),
    items: list(1, 500, CodebookItem),
});
const AllocateFromCodebook = record("AllocateFromCodebook", 2005, {
    namespace: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    ranges: list(1, 500, CodebookRange),
});
const Delegate = record("Delegate", 2006, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    delegation: Delegation,
});
const AmendDelegation = record("AmendDelegation", 2007, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    delegation: Delegation,
});
const RotateRegistrar = record("RotateRegistrar", 2008, {
    prefix: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    controllers: orNil(KeyPolicy),
});
const RotateControllers = record("RotateControllers", 2009, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    controllers: orNil(KeyPolicy),
});
const UpdateRecord = record("UpdateRecord", 2010, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    number: int(0n, 9007199254740992n),
    name: text(1, 200),
    attributes: list(0, 16, tuple(text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u), text(0, 200))),
    content: bin(0, 32),
    within: text(0, 128, /^(?:(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
});
const Retire = record("Retire", 2011, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
});
const Suspend = record("Suspend", 2012, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
});
const Restore = record("Restore", 2013, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
});
const BindAlias = record("BindAlias", 2014, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    scheme: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
    document: bin(0, 32),
});
const ReleaseAlias = record("ReleaseAlias", 2015, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    scheme: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
});
const AdmitInstitution = record("AdmitInstitution", 3001, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    quota_minor: int(0n, 9223372036854775807n),
    salt_seed: bin(32, 32),
});
const SetInstitutionQuota = record("SetInstitutionQuota", 3002, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    quota_minor: int(0n, 9223372036854775807n),
});
const LimitEntry = record("LimitEntry", 1, {
    effective_from_ms: int(0n, 9007199254740992n),
    balance_max_minor: orNil(int(0n, 9223372036854775807n)),
    payment_max_minor: orNil(int(0n, 9223372036854775807n)),
    day_max_minor: orNil(int(0n, 9223372036854775807n)),
    payments_per_day_max: orNil(int(0n, 9007199254740992n)),
});
const SetLimits = record("SetLimits", 3003, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    wallet_class: int(1n, 99n),
    entries: list(1, 32, LimitEntry),
});
const Issue = record("Issue", 3004, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
    reference: bin(16, 16),
});
const Redeem = record("Redeem", 3005, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
    reference: bin(16, 16),
});
const Distribute = record("Distribute", 3006, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    wallet: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
});
const Return = record("Return", 3007, {
    wallet: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
});
const OpenWallet = record("OpenWallet", 3008, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    wallet: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    wallet_class: int(1n, 99n),
    kind: oneOfNumbers(1, 2),
    policy: KeyPolicy,
    salt_seed: bin(32, 32),
});
const UpgradeWallet = record("UpgradeWallet", 3009, {
    wallet: bin(16, 16),
    wallet_class: int(1n, 99n),
});
const RotateWalletKeys = record("RotateWalletKeys", 3010, {
    wallet: bin(16, 16),
    policy: KeyPolicy,
});
const FreezeWallet = record("FreezeWallet", 3011, {
    wallet: bin(16, 16),
    authority: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    scope: oneOfNumbers(2, 3),
    basis: text(1, 100),
});
const UnfreezeWallet = record("UnfreezeWallet", 3012, {
    wallet: bin(16, 16),
    authority: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    basis: text(1, 100),
});
const CloseWallet = record("CloseWallet", 3013, {
    wallet: bin(16, 16),
});
const Pay = record("Pay", 3014, {
    payer: bin(16, 16),
    payee: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
});
const Operation = oneOf(OpenAccount, RotateKeys, Propose, Vote, Withdraw, RegisterCodebook, WithdrawCodebook, Allocate, AllocateMany, AllocateFromCodebook, Delegate, AmendDelegation, RotateRegistrar, RotateControllers, UpdateRecord, Retire, Suspend, Restore, BindAlias, ReleaseAlias, AdmitInstitution, SetInstitutionQuota, SetLimits, Issue, Redeem, Distribute, Return, OpenWallet, UpgradeWallet, RotateWalletKeys, FreezeWallet, UnfreezeWallet, CloseWallet, Pay);
const Transaction = record("Transaction", 1, {
    chain_id: text(1, 50),
    nonce: bin(16, 16),
    expires_at_ms: int(0n, 9007199254740992n),
    operations: list(1, 64, Operation),
    public_keys: list(1, 16, bin(32, 32)),
});
const SignedTransaction = record("SignedTransaction", 1, {
    body: bin(0, 65536),
    signatures: list(1, 16, bin(64, 64)),
});
const AccountOpened = record("AccountOpened", 1001, {
    name: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    organisation: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const KeysRotated = record("KeysRotated", 1002, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    number: int(0n, 9007199254740992n),
});
const Proposed = record("Proposed", 1003, {
    id: bin(16, 16),
    proposer: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    deadline_ms: int(0n, 9007199254740992n),
});
const Voted = record("Voted", 1004, {
    id: bin(16, 16),
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    votes: int(0n, 9007199254740992n),
    carried: bool,
});
const Withdrawn = record("Withdrawn", 1005, {
    id: bin(16, 16),
});
const CodebookRegistered = record("CodebookRegistered", 2001, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    series: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
});
const CodebookWithdrawn = record("CodebookWithdrawn", 2002, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
});
const Allocated = record("Allocated", 2003, {
    namespace: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    identifiers: list(0, Infinity, text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u)),
});
const Delegated = record("Delegated", 2004, {
    prefix: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    rule: oneOfWords("codebook", "sequence", "free"),
    number: int(0n, 9007199254740992n),
});
const RegistrarRotated = record("RegistrarRotated", 2005, {
    prefix: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    number: int(0n, 9007199254740992n),
});
const ControllersRotated = record("ControllersRotated", 2006, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    number: int(0n, 9007199254740992n),
});
const RecordUpdated = record("RecordUpdated", 2007, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    number: int(0n, 9007199254740992n),
});
const Retired = record("Retired", 2008, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    aliases: int(0n, 9007199254740992n),
});
const Suspended = record("Suspended", 2009, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
});
const Restored = record("Restored", 2010, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
});
const AliasBound = record("AliasBound", 2011, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    scheme: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
    since_ms: int(0n, 9007199254740992n),
});
const AliasReleased = record("AliasReleased", 2012, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    scheme: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
    until_ms: int(0n, 9007199254740992n),
});
const InstitutionAdmitted = record("InstitutionAdmitted", 3001, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    quota_minor: int(0n, 9223372036854775807n),
});
const InstitutionQuotaSet = record("InstitutionQuotaSet", 3002, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    quota_minor: int(0n, 9223372036854775807n),
});
const LimitsSet = record("LimitsSet", 3003, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    wallet_class: int(1n, 99n),
});
const Issued = record("Issued", 3004, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
    reference: bin(16, 16),
});
const Redeemed = record("Redeemed", 3005, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
    reference: bin(16, 16),
});
const Distributed = record("Distributed", 3006, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    wallet: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
});
const Returned = record("Returned", 3007, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    wallet: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
});
const WalletOpened = record("WalletOpened", 3008, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    wallet: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    wallet_class: int(1n, 99n),
});
const WalletUpgraded = record("WalletUpgraded", 3009, {
    wallet: bin(16, 16),
    wallet_class: int(1n, 99n),
});
const WalletKeysRotated = record("WalletKeysRotated", 3010, {
    wallet: bin(16, 16),
});
const WalletFrozen = record("WalletFrozen", 3011, {
    wallet: bin(16, 16),
    authority: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    scope: oneOfNumbers(2, 3),
});
const WalletUnfrozen = record("WalletUnfrozen", 3012, {
    wallet: bin(16, 16),
    authority: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const WalletClosed = record("WalletClosed", 3013, {
    wallet: bin(16, 16),
});
const Paid = record("Paid", 3014, {
    payer: bin(16, 16),
    payee: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    amount_minor: int(0n, 9223372036854775807n),
});
const Event = oneOf(AccountOpened, KeysRotated, Proposed, Voted, Withdrawn, CodebookRegistered, CodebookWithdrawn, Allocated, Delegated, RegistrarRotated, ControllersRotated, RecordUpdated, Retired, Suspended, Restored, AliasBound, AliasReleased, InstitutionAdmitted, InstitutionQuotaSet, LimitsSet, Issued, Redeemed, Distributed, Returned, WalletOpened, WalletUpgraded, WalletKeysRotated, WalletFrozen, WalletUnfrozen, WalletClosed, Paid);
const Receipt = record("Receipt", 1, {
    transaction_id: bin(32, 32),
    height: int(0n, 9007199254740992n),
    time_ms: int(0n, 9007199254740992n),
    code: int(0n, 9007199254740992n),
    authorised: bool,
    operation: int(0n, 9007199254740992n),
    events: list(0, Infinity, Event),
});
const Grant = record("Grant", 1, {
    chain_id: text(1, 50),
    reader: text(1, 200),
    expires_at_ms: int(0n, 9007199254740992n),
    nonce: bin(16, 16),
    public_keys: list(1, 16, bin(32, 32)),
});
const SignedGrant = record("SignedGrant", 1, {
    body: bin(0, 1024),
    signatures: list(1, 16, bin(64, 64)),
});
const GenesisLeaf = record("GenesisLeaf", 1, {
    path: text(1, 400),
    salt: bin(0, 32),
    record: bin(0, Infinity),
});
const Genesis = record("Genesis", 1, {
    name: text(1, 17, /^(?:[a-z][a-z0-9-]*)$/u),
    time_ms: int(0n, 9007199254740992n),
    leaves: list(0, Infinity, GenesisLeaf),
    archive: list(0, Infinity, bin(0, Infinity)),
});
const StateProof = record("StateProof", 1, {
    leaves: bin(0, Infinity),
    present: bin(0, Infinity),
    siblings: bin(0, Infinity),
});
const LogProof = record("LogProof", 1, {
    index: int(0n, 9223372036854775807n),
    size: int(0n, 9223372036854775807n),
    path: bin(0, Infinity),
});
const LogConsistencyProof = record("LogConsistencyProof", 1, {
    old_size: int(0n, 9223372036854775807n),
    new_size: int(0n, 9223372036854775807n),
    path: bin(0, Infinity),
});
const Present = record("Present", 1, {
    path: text(1, 400),
    salt: bin(0, 32),
    record: bin(0, Infinity),
    proof: StateProof,
    versions: list(0, 128, bin(0, Infinity)),
});
const Absent = record("Absent", 2, {
    path: text(1, 400),
    proof: StateProof,
});
const Logged = record("Logged", 3, {
    salt: bin(32, 32),
    transaction: bin(0, Infinity),
    receipt: bin(0, Infinity),
    proof: LogProof,
});
const Bundle = record("Bundle", 1, {
    chain_id: text(1, 50),
    light_block: bin(0, Infinity),
    state_root: bin(32, 32),
    log_root: bin(32, 32),
    log_size: int(0n, 9007199254740992n),
    items: list(1, 500, oneOf(Present, Absent, Logged)),
});
const BundleWithPath = record("BundleWithPath", 2, {
    chain_id: text(1, 50),
    light_block: bin(0, Infinity),
    state_root: bin(32, 32),
    log_root: bin(32, 32),
    log_size: int(0n, 9007199254740992n),
    items: list(1, 500, oneOf(Present, Absent, Logged)),
    path: list(0, 64, bin(0, Infinity)),
});
const Meter = record("Meter", 1, {
    window: int(0n, 9007199254740992n),
    used: int(0n, 9007199254740992n),
});
const Standing = record("Standing", 1, {
    number: int(0n, 9007199254740992n),
    since_height: int(0n, 9007199254740992n),
    since_ms: int(0n, 9007199254740992n),
    created_height: int(0n, 9007199254740992n),
    created_ms: int(0n, 9007199254740992n),
    previous: bin(0, 32),
    skip: bin(0, 32),
});
const Misbehaviour = record("Misbehaviour", 1, {
    kind: int(0n, 9007199254740992n),
    address: bin(20, 20),
    height: int(0n, 9007199254740992n),
    time_ms: int(0n, 9007199254740992n),
    power: int(0n, 9223372036854775807n),
});
const Organisation = record("Organisation", 1, {
    name: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    title: text(0, 200),
    status: oneOfWords("active", "suspended"),
    accounts: int(0n, 9007199254740992n),
    standing: Standing,
});
const Account = record("Account", 1, {
    name: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    organisation: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    policy: KeyPolicy,
    roles: list(0, 7, oneOfWords("auditor", "central-bank", "governor", "institution", "registrar", "regulator", "root-authority")),
    status: oneOfWords("active", "suspended"),
    quota_per_minute: int(0n, 1000000000n),
    standing: Standing,
});
const RuleVersion = record("RuleVersion", 1, {
    version: int(0n, 1000000n),
    from_height: int(0n, 9007199254740992n),
});
const Rules = record("Rules", 1, {
    room: text(1, 32, /^(?:[a-z]+)$/u),
    versions: list(0, 256, RuleVersion),
});
const Founding = record("Founding", 1, {
    room: text(1, 32, /^(?:[a-z]+)$/u),
    version: int(0n, 1000000n),
    height: int(0n, 9007199254740992n),
});
const Proposal = record("Proposal", 1, {
    id: bin(16, 16),
    proposer: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    action: oneOf(AdmitOrganisation, SuspendOrganisation, RestoreOrganisation, SuspendAccount, RestoreAccount, RecoverAccount, GrantRole, RevokeRole, SetQuota, SetParameters, ActivateRules, SetValidator, FoundRoom),
    votes: list(0, 64, text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u)),
    deadline_ms: int(0n, 9007199254740992n),
    status: oneOfWords("open", "carried", "withdrawn"),
});
const Validator = record("Validator", 1, {
    public_key: bin(32, 32),
    power: int(0n, 1000000000n),
    organisation: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const MisbehaviourRecord = record("MisbehaviourRecord", 1, {
    address: bin(20, 20),
    validator: orNil(Validator),
    count: int(0n, 9007199254740992n),
    first: Misbehaviour,
    newest: list(1, 16, Misbehaviour),
});
const Governors = record("Governors", 1, {
    accounts: list(0, 64, text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u)),
});
const Parameters = record("Parameters", 1, {
    utc_offset_minutes: int(-720n, 840n),
    transaction_window_ms: int(10000n, 3600000n),
    operations_per_minute: int(1n, 1000000000n),
    governance_threshold: int(1n, 64n),
    proposal_period_max_ms: int(1000n, 31622400000n),
    state_tree_depth: int(4n, 24n),
    visibility: oneOfWords("public", "restricted"),
    standing: Standing,
});
const Rooms = record("Rooms", 1, {
    names: list(1, 64, text(1, 32, /^(?:[a-z]+)$/u)),
});
const Validators = record("Validators", 1, {
    members: list(1, 100, Validator),
    standing: Standing,
});
const AccountQuery = record("AccountQuery", 1001, {
    name: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const OrganisationQuery = record("OrganisationQuery", 1002, {
    name: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const ParametersQuery = record("ParametersQuery", 1003, {});
const ProposalQuery = record("ProposalQuery", 1004, {
    id: bin(16, 16),
});
const ValidatorsQuery = record("ValidatorsQuery", 1005, {});
const RulesQuery = record("RulesQuery", 1006, {
    room: text(1, 32, /^(?:[a-z]+)$/u),
});
const MisbehaviourQuery = record("MisbehaviourQuery", 1007, {
    address: bin(20, 20),
});
const RoomsQuery = record("RoomsQuery", 1008, {});
const FoundingQuery = record("FoundingQuery", 1009, {
    room: text(1, 32, /^(?:[a-z]+)$/u),
});
const Evidence = record("Evidence", 1, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
});
const AliasName = record("AliasName", 1, {
    scheme: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
});
const Lineage = record("Lineage", 1, {
    predecessors: list(0, 64, text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u)),
    successors: list(0, 64, text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u)),
    reason: text(0, 32),
    document: bin(0, 32),
});
const Recovery = record("Recovery", 1, {
    controllers: KeyPolicy,
    announced_ms: int(0n, 9007199254740992n),
    effective_ms: int(0n, 9007199254740992n),
});
const Identity = record("Identity", 1, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    kind: text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    name: text(1, 200),
    attributes: list(0, 16, tuple(text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u), text(0, 200))),
    content: bin(0, 32),
    within: text(0, 128, /^(?:(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    controllers: orNil(KeyPolicy),
    status: oneOfWords("active", "suspended", "retired"),
    evidence: orNil(Evidence),
    aliases: list(0, 16, AliasName),
    lineage: Lineage,
    recovery: orNil(Recovery),
    standing: Standing,
});
const Namespace = record("Namespace", 1, {
    prefix: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
    terms: Delegation,
    standing: Standing,
});
const Usage = record("Usage", 1, {
    allocated: int(0n, 9007199254740992n),
    retired: int(0n, 9007199254740992n),
    next_number: int(0n, 9007199254740992n),
    meter: Meter,
});
const Alias = record("Alias", 1, {
    scheme: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
    document: bin(0, 32),
    since_ms: int(0n, 9007199254740992n),
    until_ms: orNil(int(0n, 9007199254740992n)),
    standing: Standing,
});
const CodebookEdition = record("CodebookEdition", 1, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    series: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    root: bin(32, 32),
    size: int(1n, 131072n),
    title: text(0, 200),
    source: text(0, 200),
    status: oneOfWords("current", "withdrawn"),
    standing: Standing,
});
const Series = record("Series", 1, {
    series: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    newest: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    editions: int(0n, 9007199254740992n),
});
const Agency = record("Agency", 1, {
    agency: text(2, 2, /^(?:[A-Z]{2})$/u),
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
});
const CodebookGenesis = record("CodebookGenesis", 1, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
    series: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    root: bin(32, 32),
    size: int(1n, 131072n),
    title: text(0, 200),
    source: text(0, 200),
});
const CountryGenesis = record("CountryGenesis", 1, {
    number: text(3, 3, /^(?:[0-9]{3})$/u),
    name: text(1, 200),
    attributes: list(0, 16, tuple(text(1, 32, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u), text(0, 200))),
    controllers: orNil(KeyPolicy),
    delegation: orNil(Delegation),
});
const IdentityGenesis = record("IdentityGenesis", 1, {
    agency: text(2, 2, /^(?:[A-Z]{2})$/u),
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    codebooks: list(0, 1000, CodebookGenesis),
    countries: list(0, 1000, CountryGenesis),
});
const IdentityQuery = record("IdentityQuery", 2001, {
    identifier: text(0, 128, /^(?:[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})$/u),
});
const NamespaceQuery = record("NamespaceQuery", 2002, {
    prefix: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
});
const UsageQuery = record("UsageQuery", 2003, {
    prefix: text(0, 128, /^(?:[A-Z]{2}(?:\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10})?)$/u),
});
const AliasQuery = record("AliasQuery", 2004, {
    scheme: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
    code: text(1, 100, /^(?:[!-~]+)$/u),
});
const CodebookQuery = record("CodebookQuery", 2005, {
    edition: text(1, 64, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)$/u),
});
const SeriesQuery = record("SeriesQuery", 2006, {
    series: text(1, 20, /^(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)$/u),
});
const AgencyQuery = record("AgencyQuery", 2007, {});
const Instrument = record("Instrument", 1, {
    title: text(0, 200),
    decimals: int(0n, 8n),
    issuer: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    kind: oneOfNumbers(1),
});
const Supply = record("Supply", 1, {
    issued_minor: int(0n, 9223372036854775807n),
    redeemed_minor: int(0n, 9223372036854775807n),
});
const Institution = record("Institution", 1, {
    quota_minor: int(0n, 9223372036854775807n),
    standing: Standing,
});
const Vault = record("Vault", 1, {
    balance_minor: int(0n, 9223372036854775807n),
    issued_minor: int(0n, 9223372036854775807n),
    redeemed_minor: int(0n, 9223372036854775807n),
});
const Issuance = record("Issuance", 1, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    amount_minor: int(0n, 9223372036854775807n),
    height: int(0n, 9007199254740992n),
    time_ms: int(0n, 9007199254740992n),
});
const Redemption = record("Redemption", 1, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    amount_minor: int(0n, 9223372036854775807n),
    height: int(0n, 9007199254740992n),
    time_ms: int(0n, 9007199254740992n),
});
const ClassLimits = record("ClassLimits", 1, {
    entries: list(1, 32, LimitEntry),
    standing: Standing,
});
const Freeze = record("Freeze", 1, {
    authority: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    scope: oneOfNumbers(2, 3),
    basis: text(1, 100),
    since_ms: int(0n, 9007199254740992n),
});
const Wallet = record("Wallet", 1, {
    institution: text(1, 64),
    wallet_class: int(1n, 99n),
    kind: oneOfNumbers(1, 2),
    status: oneOfNumbers(1, 2, 3, 4),
    policy: KeyPolicy,
    instruments: list(1, 32, text(3, 24)),
    freezes: list(0, 8, Freeze),
    opened_height: int(0n, 9007199254740992n),
    opened_ms: int(0n, 9007199254740992n),
});
const Balance = record("Balance", 1, {
    amount_minor: int(0n, 9223372036854775807n),
    day: int(-1n, 9007199254740992n),
    spent_today_minor: int(0n, 9223372036854775807n),
    payments_today: int(0n, 9007199254740992n),
    meter: Meter,
});
const GenesisInstrument = record("GenesisInstrument", 1, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    title: text(0, 200),
    decimals: int(0n, 8n),
    issuer: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    kind: oneOfNumbers(1),
});
const GenesisInstitution = record("GenesisInstitution", 1, {
    institution: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    quota_minor: int(0n, 9223372036854775807n),
    salt_seed: bin(32, 32),
});
const GenesisLimits = record("GenesisLimits", 1, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    wallet_class: int(1n, 99n),
    entries: list(1, 32, LimitEntry),
});
const CurrencyGenesis = record("CurrencyGenesis", 1, {
    instruments: list(1, 256, GenesisInstrument),
    institutions: list(0, 1000, GenesisInstitution),
    limits: list(0, 1000, GenesisLimits),
});
const WalletQuery = record("WalletQuery", 3001, {
    wallet: bin(16, 16),
});
const BalanceQuery = record("BalanceQuery", 3002, {
    wallet: bin(16, 16),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
});
const InstrumentQuery = record("InstrumentQuery", 3003, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
});
const SupplyQuery = record("SupplyQuery", 3004, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
});
const LimitsQuery = record("LimitsQuery", 3005, {
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
    wallet_class: int(1n, 99n),
});
const InstitutionQuery = record("InstitutionQuery", 3006, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
});
const VaultQuery = record("VaultQuery", 3007, {
    account: text(1, 64, /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/u),
    instrument: text(3, 24, /^(?:[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)$/u),
});
const IssueQuery = record("IssueQuery", 3008, {
    reference: bin(16, 16),
});
const RedemptionQuery = record("RedemptionQuery", 3009, {
    reference: bin(16, 16),
});
const Query = oneOf(AccountQuery, OrganisationQuery, ParametersQuery, ProposalQuery, ValidatorsQuery, RulesQuery, MisbehaviourQuery, RoomsQuery, FoundingQuery, IdentityQuery, NamespaceQuery, UsageQuery, AliasQuery, CodebookQuery, SeriesQuery, AgencyQuery, WalletQuery, BalanceQuery, InstrumentQuery, SupplyQuery, LimitsQuery, InstitutionQuery, VaultQuery, IssueQuery, RedemptionQuery);

/** Every record by its name, and Operation, Event and Query for any of those. */
export const TYPES = Object.freeze({
  KeyPolicy,
  OpenAccount,
  RotateKeys,
  AdmitOrganisation,
  SuspendOrganisation,
  RestoreOrganisation,
  SuspendAccount,
  RestoreAccount,
  RecoverAccount,
  GrantRole,
  RevokeRole,
  SetQuota,
  SetParameters,
  ActivateRules,
  SetValidator,
  FoundRoom,
  Propose,
  Vote,
  Withdraw,
  RegisterCodebook,
  WithdrawCodebook,
  Delegation,
  NamedItem,
  NumberedItem,
  Allocate,
  AllocateMany,
  CodebookEntry,
  CodebookItem,
  CodebookRange,
  AllocateFromCodebook,
  Delegate,
  AmendDelegation,
  RotateRegistrar,
  RotateControllers,
  UpdateRecord,
  Retire,
  Suspend,
  Restore,
  BindAlias,
  ReleaseAlias,
  AdmitInstitution,
  SetInstitutionQuota,
  LimitEntry,
  SetLimits,
  Issue,
  Redeem,
  Distribute,
  Return,
  OpenWallet,
  UpgradeWallet,
  RotateWalletKeys,
  FreezeWallet,
  UnfreezeWallet,
  CloseWallet,
  Pay,
  Operation,
  Transaction,
  SignedTransaction,
  AccountOpened,
  KeysRotated,
  Proposed,
  Voted,
  Withdrawn,
  CodebookRegistered,
  CodebookWithdrawn,
  Allocated,
  Delegated,
  RegistrarRotated,
  ControllersRotated,
  RecordUpdated,
  Retired,
  Suspended,
  Restored,
  AliasBound,
  AliasReleased,
  InstitutionAdmitted,
  InstitutionQuotaSet,
  LimitsSet,
  Issued,
  Redeemed,
  Distributed,
  Returned,
  WalletOpened,
  WalletUpgraded,
  WalletKeysRotated,
  WalletFrozen,
  WalletUnfrozen,
  WalletClosed,
  Paid,
  Event,
  Receipt,
  Grant,
  SignedGrant,
  GenesisLeaf,
  Genesis,
  StateProof,
  LogProof,
  LogConsistencyProof,
  Present,
  Absent,
  Logged,
  Bundle,
  BundleWithPath,
  Meter,
  Standing,
  Misbehaviour,
  Organisation,
  Account,
  RuleVersion,
  Rules,
  Founding,
  Proposal,
  Validator,
  MisbehaviourRecord,
  Governors,
  Parameters,
  Rooms,
  Validators,
  AccountQuery,
  OrganisationQuery,
  ParametersQuery,
  ProposalQuery,
  ValidatorsQuery,
  RulesQuery,
  MisbehaviourQuery,
  RoomsQuery,
  FoundingQuery,
  Evidence,
  AliasName,
  Lineage,
  Recovery,
  Identity,
  Namespace,
  Usage,
  Alias,
  CodebookEdition,
  Series,
  Agency,
  CodebookGenesis,
  CountryGenesis,
  IdentityGenesis,
  IdentityQuery,
  NamespaceQuery,
  UsageQuery,
  AliasQuery,
  CodebookQuery,
  SeriesQuery,
  AgencyQuery,
  Instrument,
  Supply,
  Institution,
  Vault,
  Issuance,
  Redemption,
  ClassLimits,
  Freeze,
  Wallet,
  Balance,
  GenesisInstrument,
  GenesisInstitution,
  GenesisLimits,
  CurrencyGenesis,
  WalletQuery,
  BalanceQuery,
  InstrumentQuery,
  SupplyQuery,
  LimitsQuery,
  InstitutionQuery,
  VaultQuery,
  IssueQuery,
  RedemptionQuery,
  Query,
});

/** What stands at which path of the state: path, record, whether its leaf is salted. */
export const STATE = Object.freeze([
  ["membership/organisation/<name>", Organisation, false],
  ["membership/account/<name>", Account, false],
  ["membership/meter/<name>", Meter, false],
  ["membership/rules/<room>", Rules, false],
  ["membership/founding/<room>", Founding, false],
  ["membership/proposal/<identifier in 32 hexadecimal digits>", Proposal, false],
  ["membership/misbehaviour/<address in 40 hexadecimal digits>", MisbehaviourRecord, false],
  ["membership/governors", Governors, false],
  ["membership/parameters", Parameters, false],
  ["membership/rooms", Rooms, false],
  ["membership/validators", Validators, false],
  ["identity/id/<identifier>", Identity, false],
  ["identity/namespace/<prefix>", Namespace, false],
  ["identity/usage/<prefix>", Usage, false],
  ["identity/alias/<scheme>/<code>", Alias, false],
  ["identity/codebook/<edition>", CodebookEdition, false],
  ["identity/series/<name>", Series, false],
  ["identity/agency", Agency, false],
  ["currency/instrument/<code>", Instrument, false],
  ["currency/supply/<code>", Supply, false],
  ["currency/institution/<account>/<code>", Institution, false],
  ["currency/vault/<account>/<code>", Vault, true],
  ["currency/issue/<reference in 32 hexadecimal digits>", Issuance, false],
  ["currency/redemption/<reference in 32 hexadecimal digits>", Redemption, false],
  ["currency/limits/<code>/<wallet_class in two digits>", ClassLimits, false],
  ["currency/wallet/<identifier in 32 hexadecimal digits>", Wallet, true],
  ["currency/balance/<identifier in 32 hexadecimal digits>/<code>", Balance, true],
]);

/** The path that a query leads to. */
export const QUERY_PATHS = Object.freeze({
  AccountQuery: "membership/account/<name>",
  OrganisationQuery: "membership/organisation/<name>",
  ParametersQuery: "membership/parameters",
  ProposalQuery: "membership/proposal/<id in 32 hexadecimal digits>",
  ValidatorsQuery: "membership/validators",
  RulesQuery: "membership/rules/<room>",
  MisbehaviourQuery: "membership/misbehaviour/<address in 40 hexadecimal digits>",
  RoomsQuery: "membership/rooms",
  FoundingQuery: "membership/founding/<room>",
  IdentityQuery: "identity/id/<identifier>",
  NamespaceQuery: "identity/namespace/<prefix>",
  UsageQuery: "identity/usage/<prefix>",
  AliasQuery: "identity/alias/<scheme>/<code>",
  CodebookQuery: "identity/codebook/<edition>",
  SeriesQuery: "identity/series/<series>",
  AgencyQuery: "identity/agency",
  WalletQuery: "currency/wallet/<wallet in 32 hexadecimal digits>",
  BalanceQuery: "currency/balance/<wallet in 32 hexadecimal digits>/<instrument>",
  InstrumentQuery: "currency/instrument/<instrument>",
  SupplyQuery: "currency/supply/<instrument>",
  LimitsQuery: "currency/limits/<instrument>/<wallet_class in two digits>",
  InstitutionQuery: "currency/institution/<account>/<instrument>",
  VaultQuery: "currency/vault/<account>/<instrument>",
  IssueQuery: "currency/issue/<reference in 32 hexadecimal digits>",
  RedemptionQuery: "currency/redemption/<reference in 32 hexadecimal digits>",
});

/** The name of every reason and its sentence, by number. */
export const REASONS = Object.freeze({
  1: ["TRANSACTION_MALFORMED", "The bytes are not one canonical signed transaction within the size limits."],
  2: ["CHAIN_ID_DIFFERS", "The transaction is meant for another chain."],
  3: ["SIGNATURE_INVALID", "A signature does not verify under its public key."],
  4: ["TRANSACTION_EXPIRED", "The expiry of the transaction lies at or before the time of the block."],
  5: ["EXPIRY_TOO_FAR", "The expiry lies further ahead than the chain's transaction window allows."],
  6: ["TRANSACTION_REPEATED", "A transaction with this id was carried out before; its first receipt stands."],
  7: ["ROOM_NOT_ACTIVE", "The chain does not run the room this operation belongs to."],
  8: ["POLICY_NOT_SATISFIED", "The signatures do not satisfy the key policy of whoever must authorise the operation."],
  9: ["QUOTA_EXCEEDED", "The account has used up its operations for this minute."],
  10: ["ADMISSION_QUEUE_FULL", "The node has as many transactions waiting as it accepts; try again shortly."],
  11: ["EXECUTION_FAILED", "The node quarantined the transaction because carrying it out failed unexpectedly."],
  12: ["OUTCOME_NOT_KEPT", "It has expired, and the node's log does not go back to when it may have been carried out."],
  101: ["QUERY_MALFORMED", "The bytes are not one canonical query, or a read asks for none or too many."],
  102: ["GRANT_REQUIRED", "Not everyone may read this, and the request carries no read grant."],
  103: ["GRANT_MALFORMED", "The bytes are not one canonical signed read grant."],
  104: ["GRANT_CHAIN_ID_DIFFERS", "The read grant is meant for another chain."],
  105: ["GRANT_SIGNATURE_INVALID", "A signature of the read grant does not verify under its public key."],
  106: ["GRANT_EXPIRED", "The expiry of the read grant lies at or before the time of the newest block."],
  107: ["GRANT_EXPIRY_TOO_FAR", "The expiry of the read grant lies further ahead than a grant may last."],
  108: ["READER_POLICY_NOT_SATISFIED", "The signatures do not satisfy the key policy of the reader, or there is none."],
  109: ["READER_SUSPENDED", "The account that reads, or its organisation, is suspended."],
  110: ["READER_NOT_ENTITLED", "The reader is none of those who may read this."],
  1001: ["ACCOUNT_NOT_FOUND", "No account with the name of the one that acts exists on this chain."],
  1002: ["ACCOUNT_SUSPENDED", "The account that acts is suspended."],
  1003: ["ORGANISATION_SUSPENDED", "The organisation of the account that acts is suspended."],
  1004: ["ACCOUNT_LACKS_ROLE", "The account that acts does not hold the role which the operation demands."],
  1005: ["PROPOSAL_EXISTS_WITH_DIFFERENT_CONTENT", "A proposal with this id but another content exists already."],
  1006: ["PROPOSAL_DEADLINE_NOT_AHEAD", "The deadline of a new proposal must lie after the time of the block."],
  1007: ["PROPOSAL_DEADLINE_TOO_FAR", "The deadline lies further ahead than the chain lets a proposal stay open."],
  1008: ["PROPOSAL_NOT_FOUND", "No proposal with this id exists."],
  1009: ["PROPOSAL_OF_ANOTHER_ACCOUNT", "Only the account that made a proposal may withdraw it."],
  1010: ["PROPOSAL_ALREADY_CARRIED", "The proposal was carried and its action carried out."],
  1011: ["PROPOSAL_WITHDRAWN", "The proposal was withdrawn by the account that made it."],
  1012: ["PROPOSAL_DEADLINE_PASSED", "The deadline of the proposal lies at or before the time of the block."],
  1013: ["PROPOSAL_ALREADY_VOTED_FOR", "The account has voted for this proposal before."],
  1014: ["SUBJECT_ACCOUNT_NOT_FOUND", "No account exists with the name of the one that the action is about."],
  1015: ["SUBJECT_ORGANISATION_NOT_FOUND", "No organisation exists with the name of the one that the action is about."],
  1016: ["SUBJECT_ACCOUNT_NOT_SUSPENDED", "Keys are replaced by vote only for an account that was suspended before."],
  1017: ["KEY_POLICY_UNSOUND", "The keys must ascend, be sound Ed25519 points, and be enough for their threshold."],
  1018: ["VALIDATOR_KEY_UNSOUND", "The validator's key is not a sound Ed25519 point."],
  1019: ["ORGANISATION_NAME_TAKEN", "An organisation with this name exists already."],
  1020: ["ACCOUNT_NAME_TAKEN", "An account with this name exists already."],
  1021: ["MEMBERSHIP_ROOM_MUST_RUN", "The room membership cannot be stopped, because only it can start rooms again."],
  1022: ["RULE_HEIGHT_TOO_SOON", "A rule version needs a height further ahead, so that every node can prepare for it."],
  1023: ["NOTHING_WOULD_CHANGE", "The ledger already stands as the operation or action demands."],
  1024: ["ORGANISATION_ACCOUNTS_EXHAUSTED", "The organisation has as many accounts as one may have."],
  1025: ["REGISTER_FULL", "The list that the action would extend has reached its fixed bound."],
  1026: ["VALIDATOR_SET_WOULD_BE_EMPTY", "The last validator cannot be removed."],
  1027: ["TOO_FEW_GOVERNORS_WOULD_REMAIN", "Fewer governors than the threshold would be able to vote afterwards."],
  1028: ["MEMBERSHIP_GENESIS_INCONSISTENT", "The genesis of the room contradicts itself."],
  1029: ["ROOM_NOT_IN_FORCE", "No version of the rules of the room that would be founded is in force yet."],
  1030: ["ROOM_FOUNDED_ALREADY", "The room began with the chain, by an earlier vote, or with nothing to found."],
  1031: ["FOUNDING_UNREADABLE", "What the room would begin with is not the canonical form of its genesis."],
  2001: ["IDENTIFIER_UNKNOWN", "The identifier was never allocated."],
  2002: ["NAMESPACE_UNKNOWN", "The prefix was never delegated, so nothing is decided under it."],
  2003: ["AUTHORITY_NOT_ACTIVE", "The identifier whose keys authorise the operation is suspended or retired."],
  2004: ["IDENTIFIER_RETIRED", "The identifier is retired for ever."],
  2005: ["IDENTIFIER_SUSPENDED", "The identifier is suspended by its registrar."],
  2006: ["IDENTIFIER_NOT_SUSPENDED", "The identifier is not suspended."],
  2007: ["VERSION_NUMBER_DIFFERS", "The record has another version by now than the one that the sender has seen."],
  2008: ["CODEBOOK_EDITION_UNKNOWN", "No codebook edition with this name is registered."],
  2009: ["CODEBOOK_EDITION_WITHDRAWN", "The codebook edition was withdrawn."],
  2010: ["CODEBOOK_EDITION_EXISTS", "A codebook edition with this name is registered already."],
  2011: ["CONTROLLER_POLICY_UNSOUND", "The keys must ascend, be sound Ed25519 points, and be enough for their threshold."],
  2012: ["ATTRIBUTES_NOT_ASCENDING", "The keys of the attributes must ascend and be distinct."],
  2013: ["DELEGATION_UNSOUND", "The terms of a delegation contradict one another."],
  2014: ["CODEBOOK_SERIES_UNKNOWN", "No edition of the codebook series of a delegation is registered."],
  2015: ["NAMESPACE_EXISTS", "The identifier is a namespace already; its terms are amended, not delegated again."],
  2016: ["RULE_FIXED", "Rule and width of a prefix are fixed once something was allocated under it."],
  2017: ["QUOTA_BELOW_ALLOCATED", "The quota would lie below what was allocated under the prefix already."],
  2018: ["BULK_ITEMS_EXCEEDED", "The operation has more items over all its ranges than one operation may have."],
  2019: ["ALLOCATION_QUOTA_EXCEEDED", "The prefix would have more children than its quota allows."],
  2020: ["RULE_DIFFERS", "The prefix gives out identifiers by another rule than the operation asks for."],
  2021: ["CODEBOOK_SERIES_DIFFERS", "The edition belongs to another series than the one that rules the prefix."],
  2022: ["CODEBOOK_PROOF_INVALID", "Entries and path do not lead to the root of the codebook edition."],
  2023: ["CODEBOOK_ENTRY_UNSOUND", "Code, level and parent of a codebook entry do not agree."],
  2024: ["CODEBOOK_ENTRY_OUTSIDE_PREFIX", "The codebook entry stands for an identifier that is no child of the prefix."],
  2025: ["COUNTRY_NODE_REQUIRED", "Directly under the agency stand countries only, by their three digits."],
  2026: ["NODE_RESERVED", "Nodes of digits alone belong to the rule of this prefix and cannot be chosen."],
  2027: ["SEQUENCE_EXHAUSTED", "The numbers of this prefix are used up at its width."],
  2028: ["IDENTIFIER_TOO_LONG", "Prefix and node together are longer than an identifier may be."],
  2029: ["IDENTIFIER_TOO_DEEP", "Prefix and node together have more nodes than an identifier may have."],
  2030: ["IDENTIFIER_TAKEN", "The identifier was allocated before, and identifiers are never used again."],
  2031: ["WITHIN_UNKNOWN", "What the identifier is to be shown within was never allocated, or is the identifier itself."],
  2032: ["ALIAS_RESERVED_TO_CODEBOOK", "Codes of this scheme are bound and released by codebook allocation only."],
  2033: ["ALIAS_NOT_BOUND", "The code is not bound to this identifier now."],
  2034: ["ALIAS_TAKEN", "The code is bound to a live identifier already; its alias record, with proof, says which."],
  2035: ["ALIASES_EXHAUSTED", "The identifier has as many live aliases as one may have."],
  2036: ["NAME_FIXED_BY_CODEBOOK", "The name was decided by a codebook and cannot be changed by an update."],
  2037: ["IDENTIFIER_WOULD_NOT_CHANGE", "The ledger already stands as the operation demands."],
  2038: ["CHILDREN_LIVE", "Identifiers directly under this one are not retired yet."],
  2039: ["IDENTITY_GENESIS_INCONSISTENT", "The genesis of the room contradicts itself or that of membership."],
  3001: ["INSTRUMENT_NOT_FOUND", "The chain has no instrument with this code."],
  3002: ["WALLET_NOT_FOUND", "The chain has no wallet with this id."],
  3003: ["PAYER_WALLET_NOT_FOUND", "The chain has no wallet with the payer's id."],
  3004: ["PAYEE_WALLET_NOT_FOUND", "The chain has no wallet with the payee's id."],
  3005: ["PAYER_AND_PAYEE_ARE_THE_SAME", "Payer and payee are the same wallet."],
  3006: ["AMOUNT_IS_ZERO", "The amount is zero."],
  3007: ["ISSUE_REFERENCE_HAS_ANOTHER_BODY", "Another issue was made under this reference."],
  3008: ["ISSUE_ALREADY_MADE", "This very issue was made under this reference before."],
  3009: ["REDEMPTION_REFERENCE_HAS_ANOTHER_BODY", "Another redemption was made under this reference."],
  3010: ["REDEMPTION_ALREADY_MADE", "This very redemption was made under this reference before."],
  3011: ["INSTITUTION_ACCOUNT_NOT_FOUND", "The chain has no account with the institution's name."],
  3012: ["INSTITUTION_ALREADY_ADMITTED", "The institution is already admitted for this instrument."],
  3013: ["INSTITUTION_NOT_ADMITTED", "The institution is not admitted for this instrument."],
  3014: ["WALLET_ALREADY_OPENED", "A wallet with this id was opened before."],
  3015: ["WALLET_POLICY_UNSOUND", "The wallet's key policy cannot be met or holds a key outside the prime-order group."],
  3016: ["WALLET_SERVED_BY_ANOTHER_INSTITUTION", "The wallet is served by another institution."],
  3017: ["WALLET_CLOSED", "The wallet is closed."],
  3018: ["WALLET_FROZEN", "The wallet is frozen."],
  3019: ["WALLET_FREEZE_UNCHANGED", "The authority has already frozen the wallet to this extent."],
  3020: ["WALLET_FREEZES_TOO_MANY", "As many authorities as a wallet can record have already frozen it."],
  3021: ["WALLET_NOT_FROZEN_BY_AUTHORITY", "The authority has no freeze on this wallet."],
  3022: ["WALLET_CLASS_UNCHANGED", "The wallet has this class already."],
  3023: ["WALLET_CLASS_HAS_NO_LIMITS", "No limits are set for this class of wallets in this instrument."],
  3024: ["WALLET_BALANCE_ABOVE_CLASS_LIMIT", "The wallet holds more than its new class may."],
  3025: ["WALLET_BALANCE_NOT_ZERO", "The wallet still holds money."],
  3026: ["PAYER_WALLET_CLOSED", "The payer's wallet is closed."],
  3027: ["PAYER_WALLET_FROZEN", "The payer's wallet is frozen for payments."],
  3028: ["PAYEE_WALLET_CLOSED", "The payee's wallet is closed."],
  3029: ["PAYEE_WALLET_FROZEN", "The payee's wallet is frozen for receipts."],
  3030: ["PAYER_DOES_NOT_HOLD_INSTRUMENT", "The payer's wallet does not hold this instrument."],
  3031: ["PAYEE_DOES_NOT_HOLD_INSTRUMENT", "The payee's wallet does not hold this instrument."],
  3032: ["PAYER_PAYMENT_LIMIT_EXCEEDED", "The amount exceeds what one payment of the payer's class may be."],
  3033: ["PAYER_DAY_LIMIT_EXCEEDED", "The payer would spend more today than its class may."],
  3034: ["PAYER_DAY_COUNT_EXCEEDED", "The payer would make more payments today than its class may."],
  3035: ["PAYER_BALANCE_INSUFFICIENT", "The payer's balance is smaller than the amount."],
  3036: ["VAULT_BALANCE_INSUFFICIENT", "The institution's vault holds less than the amount."],
  3037: ["PAYEE_HOLDING_LIMIT_EXCEEDED", "The payee would hold more than its class may."],
  3038: ["LIMITS_NOT_ASCENDING", "The dates of the limits do not ascend."],
  3039: ["LIMITS_NOT_IN_FORCE", "The first entry of the limits is not in force yet."],
  3040: ["LIMITS_REWRITE_THE_PAST", "An entry that is in force already, or was, differs from what stands."],
  3041: ["SUPPLY_WOULD_OVERFLOW", "More would be issued of the instrument than an amount can express."],
  3042: ["INSTITUTION_QUOTA_EXCEEDED", "More would stand issued to the institution than its quota."],
  3043: ["INSTITUTION_QUOTA_BELOW_OUTSTANDING", "The quota is smaller than what stands issued to the institution."],
  3044: ["CURRENCY_GENESIS_INCONSISTENT", "The genesis of the room contradicts itself or that of membership."],
});
