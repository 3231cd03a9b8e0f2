"""Lists, search and statistics, from the projection. Nothing here is proven: every row leads to what is.

Transactions are listed for their parties (``reader.access.visible_parties``); blocks, identifiers, accounts and totals for
anyone. A wallet is found by whoever may read it.
"""

import time
from typing import Final

import msgspec

from fujie.api import parameters, queries
from fujie.api.chain import READY_AGE_MS_MAX, block_age_ms
from fujie.api.pages import Attention, Projection, Statistics, exact
from fujie.api.pages_explorer import (
    AccountLine,
    Accounts,
    Block,
    Blocks,
    Child,
    Children,
    Match,
    OrganisationLine,
    Organisations,
    Search,
    TransactionLine,
    Transactions,
)
from fujie.api.parameters import takes
from fujie.api.problems import Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving, page_answer
from fujie.core.limits import PENDING_TRANSACTIONS_MAX
from fujie.core.units import HEIGHT_MAX
from fujie.core.wording import span
from fujie.engine.reading import ProvenState, account_of
from fujie.modules.catalog import reason
from fujie.modules.currency.queries import WalletQuery
from fujie.modules.identity import queries as identity
from fujie.modules.membership import queries as membership
from fujie.modules.membership.records import Role
from fujie.reader.access import Reader, may_read, sees_all
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.rows import BlockRow, TransactionRow
from fujie.reader.projection.rows import Match as Found
from fujie.reader.projection.search import linked

MINUTES: Final = 60
BEHIND_MAX: Final = 1_000  # log entries that the projection may lag before somebody should look: a second at full load


@takes(
    q=parameters.anything("What to look for: an identifier, a name, a code, an id, a height."), limit=parameters.LIMIT
)
async def search(serving: Serving, request: AnyRequest, q: str, limit: int) -> Answer:
    """Say what a text may mean: identifier, alias, name, wallet, transaction, block, account, organisation, instrument.

    Problems, in order: MALFORMED, CREDENTIAL_UNKNOWN and the others of a credential, PROJECTION_OFF.
    """
    reader = serving.reader(request)
    state = serving.state
    everything = sees_all(state, reader)
    account = account_of(state, reader.name)
    institution = account.name if account is not None and Role.INSTITUTION in account.roles else None
    lists = serving.lists()
    behind = max(serving.engine.head.log_size - lists.position().log_size, 0)
    found = lists.search(
        q,
        limit,
        wallets=everything or institution is not None,
        institution=None if everything else institution,
        index_of=serving.engine.index_of,
    )
    if own := _own_wallet(state, reader, q):
        found.insert(0, Found(kind="wallet", title=own, detail="", key=own))
    matches = [Match(**msgspec.structs.asdict(each)) for each in found]
    return page_answer(Search(query=q, matches=matches[:limit], behind=behind), private=not serving.is_public)


@takes(before=parameters.BEFORE_HEIGHT, limit=parameters.LIMIT)
async def blocks(serving: Serving, request: AnyRequest, before: int | None, limit: int) -> Answer:
    """List blocks, newest first. Problems, in order: MALFORMED, PROJECTION_OFF."""
    rows = serving.lists().blocks(before, limit)
    following = rows[-1].height if len(rows) == limit and rows[-1].height > 1 else None
    return page_answer(Blocks(blocks=[block_page(row) for row in rows], next=following))


@takes(before=parameters.BEFORE_INDEX, limit=parameters.LIMIT)
async def block_transactions(serving: Serving, request: AnyRequest, before: int | None, limit: int) -> Answer:
    """List the transactions of a block, newest first, as far as the reader is a party to them.

    Problems, in order: MALFORMED, CREDENTIAL_UNKNOWN and the others of a credential, BLOCK_ABSENT, PROJECTION_OFF.
    """
    height = queries.height(str(request.path_params["height"]))
    reader = serving.reader(request)
    if serving.engine.block(height) is None:
        raise Problem(Kind.BLOCK_ABSENT)
    return _transactions(serving, reader, serving.lists(), before, limit, height=height)


@takes(
    before=parameters.BEFORE_INDEX,
    limit=parameters.LIMIT,
    party=parameters.PARTY,
    operation=parameters.OPERATION,
    code=parameters.CODE,
)
async def transactions(
    serving: Serving,
    request: AnyRequest,
    before: int | None,
    limit: int,
    party: str | None,
    operation: str | None,
    code: int | None,
) -> Answer:
    """List transactions, newest first, as far as the reader is a party to them.

    Problems, in order: MALFORMED, OPERATION_UNKNOWN, CREDENTIAL_UNKNOWN and the others of a credential, PROJECTION_OFF.
    """
    reader = serving.reader(request)
    lists = serving.lists()
    return _transactions(serving, reader, lists, before, limit, party=party, operation=operation, code=code)


@takes(
    after=parameters.AFTER_IDENTIFIER,
    limit=parameters.LIMIT,
    by=parameters.choice("`prefix`: allocated directly under it; `place`: browsed under it.", "prefix", "place"),
)
async def children(serving: Serving, request: AnyRequest, after: str | None, limit: int, by: str) -> Answer:
    """List what stands under an identifier, or under the agency (``ZZ``), ascending.

    Problems, in order: MALFORMED, IDENTIFIER_REDIRECTED, IDENTIFIER_MALFORMED, IDENTIFIER_ABSENT, PROJECTION_OFF.
    """
    above = str(request.path_params["identifier"])
    state = serving.state
    if above != identity.agency(state).agency:
        above = queries.identifier(above, "/children", request.scope["query_string"])
        if identity.identity(state, above) is None:
            raise Problem(Kind.IDENTIFIER_ABSENT, identifier=above, proof=f"/ids/{above}.fujie")
    lists = serving.lists()
    places = by == "place"
    rows = lists.places(above, after, limit) if places else lists.children(above, after, limit)
    page = Children(
        identifier=above,
        children=[
            Child(
                identifier=row.identifier,
                name=row.name,
                kind=row.kind,
                status=row.status,
                within=row.within,
                version=row.version,
                children=row.children,
                places=row.places,
            )
            for row in rows
        ],
        total=lists.place_count(above) if places else lists.child_count(above),
        next=rows[-1].identifier if len(rows) == limit else None,
    )
    return page_answer(page)


@takes(after=parameters.AFTER_NAME, limit=parameters.LIMIT, organisation=parameters.ORGANISATION)
async def accounts(
    serving: Serving, request: AnyRequest, after: str | None, limit: int, organisation: str | None
) -> Answer:
    """List accounts by name. Problems, in order: MALFORMED, ORGANISATION_ABSENT, PROJECTION_OFF."""
    if organisation is not None and membership.organisation(serving.state, organisation) is None:
        raise Problem(Kind.ORGANISATION_ABSENT)
    rows = serving.lists().accounts(after, limit, organisation)
    lines = [
        AccountLine(
            name=row.name,
            organisation=row.organisation,
            title=row.title,
            roles=list(row.roles),
            suspended=row.suspended,
        )
        for row in rows
    ]
    return page_answer(Accounts(accounts=lines, next=rows[-1].name if len(rows) == limit else None))


@takes(after=parameters.AFTER_NAME, limit=parameters.LIMIT)
async def organisations(serving: Serving, request: AnyRequest, after: str | None, limit: int) -> Answer:
    """List organisations by name. Problems, in order: MALFORMED, PROJECTION_OFF."""
    rows = serving.lists().organisations(after, limit)
    lines = [
        OrganisationLine(name=row.name, title=row.title, suspended=row.suspended, accounts=row.accounts) for row in rows
    ]
    return page_answer(Organisations(organisations=lines, next=rows[-1].name if len(rows) == limit else None))


async def statistics(serving: Serving, request: AnyRequest) -> Answer:
    """Return totals, the transactions of the last hour by minute, and what needs attention. Problems: PROJECTION_OFF."""
    engine, lists = serving.engine, serving.lists()
    head, totals = engine.head, lists.statistics()
    age_ms = block_age_ms(engine)
    now_ms = max(time.time_ns() // 1_000_000, head.time_ms)
    behind = max(head.log_size - totals.log_size, 0)
    page = Statistics(
        height=head.height,
        time_ms=head.time_ms,
        block_age_ms=age_ms,
        transactions=totals.transactions,
        refused=totals.refused,
        identifiers=totals.identifiers,
        wallets=totals.wallets,
        accounts=totals.accounts,
        organisations=totals.organisations,
        log_size=head.log_size,
        per_minute=lists.per_minute(min(now_ms, HEIGHT_MAX), MINUTES),
        projection=Projection(log_size=totals.log_size, behind=behind, enabled=True),
        attention=_attention(serving, age_ms, behind, totals.proposals_open),
    )
    return page_answer(page)


def block_page(row: BlockRow) -> Block:
    """Return a block as lists and streams show it."""
    return Block(
        height=row.height,
        time_ms=row.time_ms,
        transactions=row.transactions,
        first_index=row.first_index,
        app_hash=row.app_hash.hex(),
        block_hash=row.block_hash.hex(),
        proposer=row.proposer.hex(),
    )


def transaction_page(row: TransactionRow) -> TransactionLine:
    """Return a transaction as lists and streams show it."""
    why = reason(row.code)
    return TransactionLine(
        index=row.index,
        height=row.height,
        time_ms=row.time_ms,
        transaction_id=row.transaction_id.hex(),
        code=row.code,
        reason=None if why is None else why.name,
        operations=list(row.operations),
        parties=sorted(row.parties),  # as in streams
        party_count=row.party_count,
        instrument=row.instrument,
        amount_minor=None if row.amount_minor is None else exact(row.amount_minor),
        payer=row.payer,
        payee=row.payee,
        postings=row.postings,
    )


def _transactions(
    serving: Serving,
    reader: Reader,
    lists: Lists,
    before: int | None,
    limit: int,
    *,
    party: str | None = None,
    operation: str | None = None,
    code: int | None = None,
    height: int | None = None,
) -> Answer:
    visible = serving.visible(reader)
    found = lists.transactions(
        before, limit, party=party, parties=visible, operation=operation, code=code, height=height
    )
    page = Transactions(
        transactions=[transaction_page(row) for row in found.rows], next=found.next, hidden=visible is not None
    )
    return page_answer(page, private=not serving.is_public)


def _own_wallet(state: ProvenState, reader: Reader, text: str) -> str | None:
    """Return the wallet id in ``text`` when it is the holder's own, which the projection does not show to holders."""
    own = reader.name.removeprefix("wallet/")
    _, asked = linked(text.strip().lower())
    if own == reader.name or asked not in (own, reader.name):
        return None
    return own if may_read(state, WalletQuery(bytes.fromhex(own)), reader) else None


def _attention(serving: Serving, age_ms: int, behind: int, proposals_open: int) -> list[Attention]:
    """Return what somebody should look at, the worst first."""
    engine = serving.engine
    pending = engine.pending
    found = []
    if engine.failure is not None:
        found.append(Attention("ledger-stopped", "The ledger has stopped; its log says why.", None))
    if age_ms > READY_AGE_MS_MAX:
        seconds = age_ms // 1000
        found.append(Attention("block-old", f"The newest block is {span(age_ms)} old.", seconds))
    if pending > PENDING_TRANSACTIONS_MAX // 2:
        found.append(Attention("queue-long", f"{pending} transactions wait for a block.", pending))
    if behind > BEHIND_MAX:
        found.append(Attention("projection-behind", f"Lists lack the last {behind} transactions.", behind))
    if proposals_open:
        waiting = "1 proposal waits" if proposals_open == 1 else f"{proposals_open} proposals wait"
        found.append(Attention("proposals-open", f"{waiting} for votes.", proposals_open))
    return found
