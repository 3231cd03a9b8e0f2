"""What the lists answer with. Every row is a msgspec struct: ``core.json_form.to_json`` writes it as it is."""

from typing import dataclass_transform

import msgspec

from fujie.core.errors import OperationalError


class ProjectionUnavailable(OperationalError):
    """There is no projection to ask: it is switched off, was deleted, or is being built and has no table yet."""

    def __init__(self, detail: str = "There is no projection here.") -> None:
        super().__init__(detail, "It is built by the node; `fujie projection status` says how far it is.")


@dataclass_transform(frozen_default=True, kw_only_default=True)  # msgspec hands both down; a type checker must be told
class Row(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Base of every row."""


class Position(Row):
    """How far the projection has come: everything below ``log_size`` and up to block ``height`` is in it."""

    log_size: int
    height: int
    time_ms: int


class BlockRow(Row):
    """A block. Digests are empty for a block that the ledger itself does not keep (it began with a snapshot)."""

    height: int
    time_ms: int
    transactions: int
    first_index: int
    app_hash: bytes
    block_hash: bytes
    proposer: bytes


class TransactionRow(Row):
    """A transaction of the log. ``instrument``, ``amount_minor``, ``payer`` and ``payee`` are those of its first operation
    that moves money, as asked for: where ``code`` is not 0, nothing moved. All are None where no operation does.

    ``payer`` and ``payee`` are ledger accounts: ``wallet/<hex>``, ``vault/<account>`` or ``issued``; a payee that nobody
    knows is None. ``postings``: how many lines of double entry all its operations make, two for each that moves money.
    ``parties`` are reader names, at most ``PARTIES_SHOWN_MAX`` of ``party_count``.
    """

    index: int
    height: int
    time_ms: int
    transaction_id: bytes
    code: int
    operations: tuple[str, ...]
    parties: tuple[str, ...]
    party_count: int
    instrument: str | None
    amount_minor: int | None
    payer: str | None
    payee: str | None
    postings: int


class TransactionPage(Row):
    """Transactions, newest first. ``next`` is what to give as ``before`` for those that follow, or None at the end.

    A rare combination of filters may need several pages: one may hold fewer rows than asked for, even none, and still
    have a ``next``.
    """

    rows: tuple[TransactionRow, ...]
    next: int | None


class ChildRow(Row):
    """An identifier as it stands in a list. ``within`` is for browsing (city → province), or empty.

    ``status``: active, suspended or retired. ``children`` are those directly under it, ``places`` those that are browsed
    under it (see ``Lists.places``); ``version`` is the number of its record.
    """

    identifier: str
    name: str
    kind: str
    status: str
    within: str
    version: int
    children: int
    places: int


class AccountRow(Row):
    """An account. ``title`` is that of its organisation; ``suspended`` when either of the two is."""

    name: str
    organisation: str
    title: str
    roles: tuple[str, ...]
    suspended: bool


class OrganisationRow(Row):
    """An organisation and how many accounts it has."""

    name: str
    title: str
    suspended: bool
    accounts: int


class WalletRow(Row):
    """A wallet. ``number`` is its place in lists (``after``). ``kind`` and ``status`` are the numbers of the record."""

    number: int
    wallet: bytes
    institution: str
    wallet_class: int
    kind: int
    status: int
    opened_height: int
    opened_ms: int


class InstrumentRow(Row):
    """An instrument, by its code."""

    instrument: str
    title: str
    decimals: int
    issuer: str


class ProposalRow(Row):
    """A proposal. ``action`` is the name of its kind (``grant_role``); ``status``: open, carried or withdrawn.

    An open one whose ``deadline_ms`` has passed takes no vote any more.
    """

    id: bytes
    proposer: str
    action: str
    status: str
    votes: int
    deadline_ms: int


class Match(Row):
    """What a search found. ``kind``: identifier, alias, name, wallet, transaction, block, account, organisation or
    instrument. ``key`` leads there: an identifier (for identifier, alias and name), a wallet or transaction id in
    hexadecimal, a height, a name, a code. ``time_ms`` and ``transactions`` are those of a block, None for all else.
    """

    kind: str
    title: str
    detail: str
    key: str
    time_ms: int | None = None
    transactions: int | None = None


class Statistics(Row):
    """Totals, as of ``height``. ``refused`` are the transactions in the log whose code is not 0."""

    height: int
    time_ms: int
    log_size: int
    transactions: int
    refused: int
    identifiers: int
    wallets: int
    accounts: int
    organisations: int
    proposals_open: int
