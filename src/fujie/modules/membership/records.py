"""What membership keeps in state, and the actions that a proposal may carry (docs/spec/03-state.md)."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from fujie.core.encoding import Record
from fujie.core.misbehaviour import Misbehaviour, ValidatorAddress
from fujie.core.policy import KeyPolicy
from fujie.core.units import AccountName, Count, Height, Nonce, PublicKey, ShortText, TimeMs
from fujie.core.versions import Standing

# Bounds of the room, fixed by rule version 1.
GOVERNORS_MAX: Final = 64  # accounts that vote: a council, not an electorate; all are read at every vote
VALIDATORS_MAX: Final = 100  # CometBFT's votes and commits grow with the square of it
VALIDATOR_POWER_MAX: Final = 1_000_000_000  # 100 of these stay far below CometBFT's total of 2^60
RULE_VERSIONS_MAX: Final = 256  # changes of one room's rules, ever; one a month lasts 21 years
ORGANISATION_ACCOUNTS_MAX: Final = 1_000  # one organisation cannot multiply its quota without bound
RULE_LEAD_HEIGHTS: Final = 2  # a vote at height H changes the rules at H + 2 at the earliest, as with validators
ROOMS_MAX: Final = 64  # rooms that a chain may ever run; there are five
FOUNDING_BYTES_MAX: Final = (
    61_440  # of what a room begins with: with keys and signatures it fits a transaction of 64 KiB
)
MISBEHAVIOUR_KEPT_MAX: Final = 16  # acts of one validator that are kept whole; more are only counted
GENESIS_ITEMS_MAX: Final = 10_000  # organisations, and accounts, in a genesis

RoomName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"\A[a-z]+\Z")]
RuleNumber = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Version of a room's rules; 0 means that the room does not run."""

ValidatorPower = Annotated[int, Meta(ge=0, le=VALIDATOR_POWER_MAX)]
"""Voting power of a validator; 0 in an action removes it."""

QuotaPerMinute = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""Operations in one minute of block time; 0 means the chain's default."""

# Parameters, each with the bounds within which a vote may move it.
UtcOffsetMinutes = Annotated[int, Meta(ge=-720, le=840)]  # the offsets in civil use
TRANSACTION_WINDOW_MS_MAX: Final = 3_600_000  # ids of an hour at 10,000/s are 36 million: enough
TransactionWindowMs = Annotated[int, Meta(ge=10_000, le=TRANSACTION_WINDOW_MS_MAX)]
OperationsPerMinute = Annotated[int, Meta(ge=1, le=1_000_000_000)]
StateTreeDepth = Annotated[int, Meta(ge=4, le=24)]  # 2^24 buckets keep 1 GiB of inner nodes in memory
GovernanceThreshold = Annotated[int, Meta(ge=1, le=GOVERNORS_MAX)]
ProposalPeriodMs = Annotated[int, Meta(ge=1_000, le=366 * 86_400_000)]  # up to a leap year


class Role(StrEnum):
    """What an account may do beyond acting for itself. Granted and revoked by vote only."""

    AUDITOR = "auditor"  # reads what auditors may read
    CENTRAL_BANK = "central-bank"  # issues money, sets its policy
    GOVERNOR = "governor"  # proposes and votes
    INSTITUTION = "institution"  # serves wallets
    REGISTRAR = "registrar"  # may be given prefixes to allocate under
    REGULATOR = "regulator"  # reads as an auditor, orders a freeze
    ROOT_AUTHORITY = "root-authority"  # owns the root of the identifiers


Roles = Annotated[tuple[Role, ...], Meta(max_length=len(Role))]


class Status(StrEnum):
    """Whether an organisation or account may act."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Visibility(StrEnum):
    """Who may mirror the chain whole."""

    PUBLIC = "public"  # anyone
    RESTRICTED = "restricted"  # enrolled replicas and validators; others see what they may read, with proof


class ProposalStatus(StrEnum):
    """How far a proposal has come. An open proposal whose deadline has passed stays ``open`` and takes no vote."""

    OPEN = "open"
    CARRIED = "carried"
    WITHDRAWN = "withdrawn"


class Organisation(Record, tag=1):
    """A member of the chain. ``accounts`` is how many accounts it has; suspended ones count."""

    name: AccountName
    title: ShortText
    status: Status
    accounts: Count
    standing: Standing


class Account(Record, tag=1):
    """Who acts on the chain, for an organisation. ``roles`` ascend and are distinct.

    ``quota_per_minute`` 0 means the chain's default. What the account has used of it stands in a leaf of its own, so that
    acting adds no version here.
    """

    name: AccountName
    organisation: AccountName
    policy: KeyPolicy
    roles: Roles
    status: Status
    quota_per_minute: QuotaPerMinute
    standing: Standing


class Governors(Record, tag=1):
    """Names of the accounts with the role of governor, ascending: a rule cannot search the accounts for them."""

    accounts: Annotated[tuple[AccountName, ...], Meta(max_length=GOVERNORS_MAX)]


class ParameterValues(Record, tag=1):
    """The parameters of a chain, without their history. The last two are fixed at genesis.

    ``utc_offset_minutes`` says when the day of daily limits begins; ``transaction_window_ms`` how far ahead a transaction
    may expire; ``operations_per_minute`` is the quota of every account, wallet and namespace that has none of its own;
    ``governance_threshold`` how many governors carry a proposal; ``proposal_period_max_ms`` how long one may stay open;
    ``state_tree_depth`` the number of buckets of the state tree, 2 to this power; ``visibility`` who may mirror it.
    """

    utc_offset_minutes: UtcOffsetMinutes
    transaction_window_ms: TransactionWindowMs
    operations_per_minute: OperationsPerMinute
    governance_threshold: GovernanceThreshold
    proposal_period_max_ms: ProposalPeriodMs
    state_tree_depth: StateTreeDepth
    visibility: Visibility


class Parameters(ParameterValues, tag=1):
    """The parameters in force, in state."""

    standing: Standing


class RuleVersion(Record, tag=1):
    """From ``from_height`` on, ``version`` of a room's rules is in force; 0 means that the room does not run."""

    version: RuleNumber
    from_height: Height


class Rules(Record, tag=1):
    """Every rule version of one room, past and decided, by height ascending."""

    room: RoomName
    versions: Annotated[tuple[RuleVersion, ...], Meta(max_length=RULE_VERSIONS_MAX)]


class Rooms(Record, tag=1):
    """Names of the rooms about which rules were ever decided, ascending: whoever carries out a block must know them all.

    A binary that has never heard of a room could not find its rules otherwise, and would run on past their activation.
    """

    names: Annotated[tuple[RoomName, ...], Meta(min_length=1, max_length=ROOMS_MAX)]


class Founding(Record, tag=1):
    """A room was founded by vote, in the block at ``height``, under ``version`` of its rules."""

    room: RoomName
    version: RuleNumber
    height: Height


class Validator(Record, tag=1):
    """One validator: an Ed25519 public key, its power (1 or more), and the organisation that runs it."""

    public_key: PublicKey
    power: ValidatorPower
    organisation: AccountName


class Validators(Record, tag=1):
    """The validator set as decided, by public key ascending.

    An engine of several validators puts a change into force two blocks later; the embedded one keeps the set that the
    chain was founded with.
    """

    members: Annotated[tuple[Validator, ...], Meta(min_length=1, max_length=VALIDATORS_MAX)]
    standing: Standing


class MisbehaviourRecord(Record, tag=1):
    """What was proven against the validator at an address, for ever, also after it has gone.

    ``validator`` is how it stood in the validator set when it was last told of and stood there; None when it never did.
    ``count`` is how many acts were told of; ``newest`` are the last of them, in the order in which blocks told of them.
    """

    address: ValidatorAddress
    validator: Validator | None
    count: Count
    first: Misbehaviour
    newest: Annotated[tuple[Misbehaviour, ...], Meta(min_length=1, max_length=MISBEHAVIOUR_KEPT_MAX)]


# Actions: what a proposal does when it is carried. The first element is a permanent kind number, as in an operation.


class AdmitOrganisation(Record, tag=1101):
    """Admit an organisation together with its first account, which holds no role yet."""

    name: AccountName
    title: ShortText
    account: AccountName
    policy: KeyPolicy


class SuspendOrganisation(Record, tag=1102):
    """Keep every account of an organisation from acting."""

    organisation: AccountName


class RestoreOrganisation(Record, tag=1103):
    """Let a suspended organisation act again."""

    organisation: AccountName


class SuspendAccount(Record, tag=1104):
    """Keep an account from acting."""

    account: AccountName


class RestoreAccount(Record, tag=1105):
    """Let a suspended account act again."""

    account: AccountName


class RecoverAccount(Record, tag=1106):
    """Replace the keys of a suspended account whose keys were lost or stolen. It stays suspended until restored."""

    account: AccountName
    policy: KeyPolicy


class GrantRole(Record, tag=1107):
    """Give an account a role."""

    account: AccountName
    role: Role


class RevokeRole(Record, tag=1108):
    """Take a role from an account."""

    account: AccountName
    role: Role


class SetQuota(Record, tag=1109):
    """Set the quota of an account; 0 means the chain's default."""

    account: AccountName
    quota_per_minute: QuotaPerMinute


class SetParameters(Record, tag=1110):
    """Change parameters; None leaves one as it is, so that two proposals about different ones do not undo each other."""

    utc_offset_minutes: UtcOffsetMinutes | None
    transaction_window_ms: TransactionWindowMs | None
    operations_per_minute: OperationsPerMinute | None
    governance_threshold: GovernanceThreshold | None
    proposal_period_max_ms: ProposalPeriodMs | None


class ActivateRules(Record, tag=1111):
    """Put ``version`` of a room's rules into force from ``from_height`` on; 0 stops the room.

    Replaces what was decided for the room but is not in force yet. The version that is in force already takes such a
    decision back.
    """

    room: RoomName
    version: RuleNumber
    from_height: Height


class SetValidator(Record, tag=1112):
    """Add a validator or set its power and organisation; ``power`` 0 removes it."""

    public_key: PublicKey
    power: ValidatorPower
    organisation: AccountName


class FoundRoom(Record, tag=1113):
    """Let a room begin whose rules came into force on a running chain. It takes operations from the next block on.

    ``part``: the canonical bytes of what it begins with, the record that its part of a genesis is.
    """

    room: RoomName
    part: Annotated[bytes, Meta(min_length=1, max_length=FOUNDING_BYTES_MAX)]


Action = (
    AdmitOrganisation
    | SuspendOrganisation
    | RestoreOrganisation
    | SuspendAccount
    | RestoreAccount
    | RecoverAccount
    | GrantRole
    | RevokeRole
    | SetQuota
    | SetParameters
    | ActivateRules
    | SetValidator
    | FoundRoom
)


class Proposal(Record, tag=1):
    """What governors decide. ``id`` is chosen by the proposer; ``votes`` ascend and are distinct."""

    id: Nonce
    proposer: AccountName
    action: Action
    votes: Annotated[tuple[AccountName, ...], Meta(max_length=GOVERNORS_MAX)]
    deadline_ms: TimeMs
    status: ProposalStatus


def active_version(rules: Rules | None, height: int) -> int:
    """Return the version of a room's rules in force at ``height``: the last that begins there or before, 0 for none."""
    if rules is not None:
        for entry in reversed(rules.versions):
            if entry.from_height <= height:
                return entry.version
    return 0
