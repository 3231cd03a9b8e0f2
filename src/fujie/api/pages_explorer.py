"""The JSON pages of lists and of single records, as structs (see ``api.pages``)."""

from fujie.api.pages import Hex, Integer, Page, Record

# --- Lists ----------------------------------------------------------------------------------------------------------


class Block(Page):
    """A block of a list. Digests are empty where the ledger began with a later snapshot."""

    height: int
    time_ms: int
    transactions: int
    first_index: int
    app_hash: Hex
    block_hash: Hex
    proposer: Hex


class Blocks(Page):
    """Blocks, newest first."""

    blocks: list[Block]
    next: int | None


class TransactionLine(Page):
    """A transaction of a list. The first operation that moves money gives instrument, amount, payer and payee, as they were
    asked for; payer and payee are ledger accounts, as in ``Posting``. ``postings``: how many lines all its operations make.
    """

    index: int
    height: int
    time_ms: int
    transaction_id: Hex
    code: int
    reason: str | None
    operations: list[str]
    parties: list[str]
    party_count: int
    instrument: str | None
    amount_minor: Integer | None
    payer: str | None
    payee: str | None
    postings: int


class Transactions(Page):
    """Transactions, newest first. ``hidden``: the reader sees those that he is a party to, there may be others."""

    transactions: list[TransactionLine]
    next: int | None
    hidden: bool


class Match(Page):
    """Something that was found. ``kind``: identifier, alias, name, wallet, transaction, block, account, organisation or
    instrument; ``key`` leads there. ``time_ms`` and ``transactions`` are those of a block.
    """

    kind: str
    title: str
    detail: str
    key: str
    time_ms: int | None
    transactions: int | None


class Search(Page):
    """What a text may mean, the best first. ``behind``: so many of the newest log entries were not searched yet."""

    query: str
    matches: list[Match]
    behind: int


class Child(Page):
    """An identifier in a list."""

    identifier: str
    name: str
    kind: str
    status: str
    within: str
    version: int
    children: int
    places: int


class Children(Page):
    """The identifiers under another one."""

    identifier: str
    children: list[Child]
    total: int
    next: str | None


class AccountLine(Page):
    """An account of a list."""

    name: str
    organisation: str
    title: str
    roles: list[str]
    suspended: bool


class Accounts(Page):
    """Accounts by name."""

    accounts: list[AccountLine]
    next: str | None


class OrganisationLine(Page):
    """An organisation of a list."""

    name: str
    title: str
    suspended: bool
    accounts: int


class Organisations(Page):
    """Organisations by name."""

    organisations: list[OrganisationLine]
    next: str | None


# --- Records --------------------------------------------------------------------------------------------------------


class Posting(Page):
    """A line of double entry."""

    ledger_account: str
    instrument: str
    debit_minor: Integer
    credit_minor: Integer


class Transaction(Page):
    """A transaction and what became of it, decoded. ``proof`` is the path of its receipt."""

    transaction_id: Hex
    index: int
    height: int
    time_ms: int
    code: int
    reason: str | None
    sentence: str | None
    operations: list[Record]
    events: list[Record]
    postings: list[Posting]
    decimals: dict[str, int]
    signers: list[Hex]
    expires_at_ms: int
    nonce: Hex
    proof: str
    raw_bytes: Hex


class Version(Page):
    """A version of a record; in force until ``until_ms``, or now where that is null."""

    number: int
    since_ms: int
    until_ms: int | None
    record: Record


class Lineage(Page):
    """What an identifier came from and what followed it."""

    predecessors: list[str]
    successors: list[str]


class History(Page):
    """The versions of an identifier's record, newest first."""

    identifier: str
    versions: list[Version]
    lineage: Lineage
    proof: str
    next: int | None


class Account(Page):
    """An account with its key policy. ``organisation_record`` is the organisation that it belongs to."""

    name: str
    organisation: str
    title: str
    roles: list[str]
    suspended: bool
    record: Record
    organisation_record: Record
    proof: str


class Balance(Page):
    """What a wallet holds of an instrument; what it spent on ``day`` (days since 1970 at the chain's offset)."""

    instrument: str
    balance_minor: Integer
    spent_today_minor: Integer
    payments_today: int
    day: int


class Wallet(Page):
    """A wallet and its balances."""

    wallet: Hex
    record: Record
    balances: list[Balance]
    decimals: dict[str, int]
    proof: str


class InstrumentSupply(Page):
    """All that was issued and redeemed of an instrument; the difference is in circulation."""

    instrument: str
    title: str
    decimals: int
    issuer: str
    issued_minor: Integer
    redeemed_minor: Integer
    circulating_minor: Integer
    proof: str


class Supply(Page):
    """The supply of every instrument."""

    instruments: list[InstrumentSupply]
