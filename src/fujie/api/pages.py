"""The JSON pages of the interface, as structs: an answer is made from one, and the description of the interface too.

Bytes are lower-case hexadecimal, integers beyond 2^53 strings, times end in ``_ms``; ``next`` is the cursor of the next page,
or null. A record or an operation is an object in its JSON form (docs/spec/02-encoding.md, "JSON").
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fujie.core.json_form import INTEGER_EXACT_MAX

Hex = Annotated[str, Meta(pattern="^(?:[0-9a-f]{2})*$")]
Integer = int | Annotated[str, Meta(pattern="^-?(?:0|[1-9][0-9]*)$")]
"""A number, or beyond 2^53 its decimal digits as a string."""

Record = dict[str, Any]
"""A record in its JSON form."""


class Page(msgspec.Struct, gc=False):
    """Base of every page and every part of one."""


class Under(Page):
    """The header that an answer stands under."""

    chain_id: str
    height: int
    time_ms: int


# --- The chain and the node -----------------------------------------------------------------------------------------


class Mirror(Page):
    """The node that this one mirrors, and why it stopped following, if it did."""

    source: str
    stopped: str | None


class ComingRules(Page):
    """A version of a room's rules that is decided and not in force yet; ``known``: whether this node has it."""

    room: str
    version: int
    from_height: int
    known: bool


class Status(Page):
    """Where the chain and the node stand. ``mirror`` is null for a ledger of its own.

    ``decided_ms`` is when the newest block was decided: its own time, but for the first one after a halt.
    """

    chain_id: str
    height: int
    time_ms: int
    decided_ms: int
    app_hash: Hex
    log_size: int
    proven_height: int
    pending: int
    rooms: dict[str, int]
    coming: list[ComingRules]
    version: str
    mirror: Mirror | None


class Live(Page):
    """The process answers."""

    status: str


class Ready(Page):
    """The node serves."""

    status: str
    height: int
    age_ms: int


class Trust(Page):
    """The trust root of a chain (docs/spec/08-files.md)."""

    format: str
    chain_id: str
    validators_hash: Hex
    state_tree_depth: int
    trust_period_ms: int


class GenesisLeaf(Page):
    """A record that the chain began with."""

    path: str
    salt: Hex
    record: Record


class Genesis(Page):
    """What the chain began with."""

    chain_id: str
    name: str
    time_ms: int
    leaves: list[GenesisLeaf]
    archive: list[Hex]


class LightBlock(Page):
    """Header, commit and validators, by the names of CometBFT."""

    header: Record
    commit: Record
    validators: Record


class Problem(Page):
    """A problem document (RFC 9457). Some have further members; a refusal by a rule has ``reason``, its number."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    reason: int | msgspec.UnsetType = msgspec.UNSET
    correlation_id: str | msgspec.UnsetType = msgspec.UNSET


class ProblemReason(Page):
    """The reason of the ledger behind a problem."""

    number: int
    sentence: str


class ProblemType(Page, omit_defaults=True):
    """A type of problem, what it means and what to do."""

    type: str
    title: str
    status: int
    advice: str
    reason: ProblemReason | None = None


class Projection(Page):
    """How far the projection has come."""

    log_size: int
    behind: int
    enabled: bool


class Attention(Page):
    """Something that somebody should look at. ``number`` is the one in ``detail``, for whoever words it himself."""

    kind: str
    detail: str
    number: int | None


class Statistics(Page):
    """Totals, and what needs attention. ``per_minute``: transactions of each of the last 60 minutes, oldest first."""

    height: int
    time_ms: int
    block_age_ms: int
    transactions: int
    refused: int
    identifiers: int
    wallets: int
    accounts: int
    organisations: int
    log_size: int
    per_minute: list[int]
    projection: Projection
    attention: list[Attention]


# --- Submitting and reading -----------------------------------------------------------------------------------------


class Outcome(Page):
    """What became of a transaction. ``do`` is what to do about a refusal."""

    transaction_id: Hex
    code: int
    reason: str | None
    sentence: str | None
    do: str | None
    receipt: Record | None
    log_index: int | None
    proof: str | None


class StateItem(Page):
    """What stands at a path of the state; null where nothing does."""

    path: str
    record: Record | None


class Read(Under):
    """The answers to queries, in their order."""

    items: list[StateItem]


class LoggedItem(Page):
    """A transaction and its receipt, as they stand in the log."""

    log_index: int
    transaction: Record
    receipt: Record


class Receipt(Under):
    """A receipt under the header that proves it."""

    items: list[LoggedItem]
    proof: str


class Identity(Under):
    """What an identifier stands for."""

    identifier: str
    record: Record
    proof: str


# --- Access ---------------------------------------------------------------------------------------------------------


class Me(Page):
    """Who asks, by what was shown. ``expires_at_ms``: block time for a grant, wall-clock time otherwise."""

    kind: str
    reader: str
    means: str
    account: str | None
    organisation: str | None
    roles: list[str]
    scopes: list[str]
    expires_at_ms: int | None
    sees_all: bool


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """The code that the node's operator made."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]


class Session(Page):
    """A session: ``token`` is told once."""

    token: str
    account: str
    expires_at_ms: int


class SessionEnded(Page):
    """The session is over."""

    ended: bool


def exact(number: int) -> Integer:
    """Return a number as JSON can carry it without loss."""
    return number if abs(number) <= INTEGER_EXACT_MAX else str(number)
