"""Single records, decoded: a transaction, an identifier's history, an account, a wallet, the supply; and their proofs.

A name with ``.fujie`` behind it is the proof as a file, which ``since`` concerns. What is shown without it is read from the
same state.
"""

from collections.abc import Sequence
from typing import Any

from fujie.api import media, parameters, queries
from fujie.api.pages import exact
from fujie.api.pages_explorer import (
    Account,
    Balance,
    History,
    InstrumentSupply,
    Lineage,
    Posting,
    Supply,
    Transaction,
    Version,
    Wallet,
)
from fujie.api.parameters import takes
from fujie.api.problems import Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving, bytes_answer, page_answer, wanted
from fujie.core.errors import OperationalError
from fujie.core.json_form import to_json
from fujie.core.state import Key
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.core.versions import Standing, skip_target
from fujie.engine.base import Served
from fujie.engine.reading import ProvenState
from fujie.modules.catalog import RECEIPT, TRANSACTION, reason
from fujie.modules.currency import state_keys as currency
from fujie.modules.currency.events import Posting as LedgerPosting
from fujie.modules.currency.events import postings
from fujie.modules.currency.queries import WalletQuery
from fujie.modules.identity import queries as identity
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.identity.records import Identity
from fujie.modules.membership import queries as membership
from fujie.modules.membership import state_keys as membership_keys
from fujie.proof.bundle import BUNDLE_SUFFIX


async def transaction(serving: Serving, request: AnyRequest) -> Answer:
    """Return a transaction decoded, with its events and postings. Whoever knows the id may read, as with its receipt.

    Problems, in order: MALFORMED (no id), RECEIPT_ABSENT.
    """
    identifier = queries.transaction_id(str(request.path_params["transaction_id"]))
    engine = serving.engine
    index = engine.index_of(identifier)
    entry = None if index is None else engine.entry(index)
    if index is None or entry is None:
        raise Problem(Kind.RECEIPT_ABSENT)
    body = TRANSACTION.decode_trusted(SIGNED_TRANSACTION.decode_trusted(entry.transaction).body)
    receipt = RECEIPT.decode_trusted(entry.receipt)
    why = reason(receipt.code)
    lines = [posting for event in receipt.events for posting in postings(event)]
    page = Transaction(
        transaction_id=identifier.hex(),
        index=index,
        height=receipt.height,
        time_ms=receipt.time_ms,
        code=receipt.code,
        reason=None if why is None else why.name,
        sentence=None if why is None else why.sentence,
        operations=[to_json(operation) for operation in body.operations],
        events=[to_json(event) for event in receipt.events],
        postings=[_posting_page(line) for line in lines],
        decimals=_decimals(serving.state, [code for each in body.operations if (code := _instrument(each))]),
        signers=[key.hex() for key in body.public_keys],
        expires_at_ms=body.expires_at_ms,
        nonce=body.nonce.hex(),
        proof=f"/receipts/{identifier.hex()}{BUNDLE_SUFFIX}",
        raw_bytes=entry.transaction.hex(),
    )
    return page_answer(page, private=True)


@takes(before=parameters.BEFORE_VERSION, limit=parameters.LIMIT)
async def history(serving: Serving, request: AnyRequest, before: int | None, limit: int) -> Answer:
    """List the versions of an identifier's record, newest first, and what it came from and what followed it.

    Problems, in order: MALFORMED, IDENTIFIER_REDIRECTED, IDENTIFIER_MALFORMED, IDENTIFIER_ABSENT, UNAVAILABLE (an old
    version is missing).
    """
    name = queries.identifier(str(request.path_params["identifier"]), "/history", request.scope["query_string"])
    current = identity.identity(serving.state, name)
    proof = f"/ids/{name}{BUNDLE_SUFFIX}"
    if current is None:
        raise Problem(Kind.IDENTIFIER_ABSENT, identifier=name, proof=proof)
    versions = []
    for record, until_ms in _versions(serving.engine, current, before, limit):
        standing = record.standing
        versions.append(
            Version(number=standing.number, since_ms=standing.since_ms, until_ms=until_ms, record=to_json(record))
        )
    lineage = current.lineage
    page = History(
        identifier=name,
        versions=versions,
        lineage=Lineage(predecessors=list(lineage.predecessors), successors=list(lineage.successors)),
        proof=proof,
        next=versions[-1].number if versions and versions[-1].number > 1 else None,
    )
    return page_answer(page)


@takes(since=parameters.SINCE)
async def account(serving: Serving, request: AnyRequest, since: str | None) -> Answer:
    """Return an account with its policy and its organisation. ``<name>.fujie`` is the proof of both as a file.

    Problems, in order: MALFORMED, NOT_ACCEPTABLE, ACCOUNT_ABSENT, VALIDATORS_UNKNOWN.
    """
    text, as_file = queries.without_suffix(str(request.path_params["name"]))
    name = queries.account_name(text)
    form = _form(request, as_file)
    state = serving.state
    found = membership.account(state, name)
    if form == media.BUNDLE:
        keys: list[Key[Any]] = [membership_keys.account(name)]
        if found is not None:
            keys.append(membership_keys.organisation(found.organisation))
        return _proof(serving, since, keys, f"account-{name}")
    if found is None:
        raise Problem(Kind.ACCOUNT_ABSENT, proof=f"/accounts/{name}{BUNDLE_SUFFIX}")
    organisation = membership.organisation(state, found.organisation)
    assert organisation is not None, "an account belongs to an organisation that exists"
    page = Account(
        name=name,
        organisation=found.organisation,
        title=organisation.title,
        roles=[role.value for role in found.roles],
        suspended=not membership.may_act(state, found),
        record=to_json(found),
        organisation_record=to_json(organisation),
        proof=f"/accounts/{name}{BUNDLE_SUFFIX}",
    )
    return page_answer(page)


@takes(since=parameters.SINCE)
async def wallet(serving: Serving, request: AnyRequest, since: str | None) -> Answer:
    """Return a wallet and its balances, to its holder, its institution and auditors. ``<id>.fujie`` is the proof of all.

    Problems, in order: MALFORMED, NOT_ACCEPTABLE, CREDENTIAL_UNKNOWN and the others of a credential,
    CREDENTIAL_REQUIRED, READER_NOT_ENTITLED, WALLET_ABSENT, VALIDATORS_UNKNOWN.
    """
    text, as_file = queries.without_suffix(str(request.path_params["wallet"]))
    identifier = queries.wallet_id(text)
    form = _form(request, as_file)
    serving.require(serving.reader(request), WalletQuery(identifier))
    state = serving.state
    found = state.get(currency.wallet(identifier))
    instruments = () if found is None else found.instruments
    if form == media.BUNDLE:
        keys: list[Key[Any]] = [currency.wallet(identifier)]
        keys += [currency.balance(identifier, code) for code in instruments]
        return _proof(serving, since, keys, f"wallet-{text}", private=True)
    if found is None:
        raise Problem(Kind.WALLET_ABSENT, proof=f"/wallets/{text}{BUNDLE_SUFFIX}")
    page = Wallet(
        wallet=text,
        record=to_json(found),
        balances=[_balance_page(state, identifier, code) for code in instruments],
        decimals=_decimals(state, instruments),
        proof=f"/wallets/{text}{BUNDLE_SUFFIX}",
    )
    return page_answer(page, private=True)


async def supply(serving: Serving, request: AnyRequest) -> Answer:
    """Return the supply of every instrument. Problems: PROJECTION_OFF."""
    state = serving.state
    rows = serving.lists().instruments()
    found = (_supply_page(state, row.instrument) for row in rows)
    return page_answer(Supply(instruments=[page for page in found if page is not None]))


@takes(since=parameters.SINCE)
async def instrument_supply(serving: Serving, request: AnyRequest, since: str | None) -> Answer:
    """Return the supply of one instrument. ``<code>.fujie`` is the proof of instrument and supply as a file.

    Problems, in order: MALFORMED, NOT_ACCEPTABLE, INSTRUMENT_ABSENT, VALIDATORS_UNKNOWN.
    """
    text, as_file = queries.without_suffix(str(request.path_params["instrument"]))
    code = queries.instrument_code(text)
    form = _form(request, as_file)
    if form == media.BUNDLE:
        return _proof(serving, since, [currency.instrument(code), currency.supply(code)], f"supply-{code}")
    page = _supply_page(serving.state, code)
    if page is None:
        raise Problem(Kind.INSTRUMENT_ABSENT, proof=f"/supply/{code}{BUNDLE_SUFFIX}")
    return page_answer(page)


def _form(request: AnyRequest, as_file: bool) -> str:
    return media.BUNDLE if as_file else wanted(request, (media.JSON, media.BUNDLE))


def _proof(
    serving: Serving, since: str | None, keys: Sequence[Key[Any]], name: str, *, private: bool = False
) -> Answer:
    data = serving.encoded(serving.engine.prove(keys), since)
    return bytes_answer(data, media.BUNDLE, private=private, file_name=name + BUNDLE_SUFFIX)


def _versions(engine: Served, current: Identity, before: int | None, limit: int) -> list[tuple[Identity, int | None]]:
    """Return up to ``limit`` versions below number ``before`` with the time at which each ended, newest first.

    The first is reached by the further links of a record: 31 at most among 10,000 versions.
    """
    record, until_ms = current, None
    first = current.standing.number if before is None else min(current.standing.number, before - 1)
    found: list[tuple[Identity, int | None]] = []
    if first < 1:
        return found
    while record.standing.number > first:
        standing = record.standing
        until_ms = (
            standing.since_ms
        )  # so the last step is never a leap: the version after says when the one asked for ended
        record = _older(engine, standing, leap=bool(standing.skip) and skip_target(standing.number) > first)
    while len(found) < limit:
        found.append((record, until_ms))
        if record.standing.number == 1:
            break
        until_ms = record.standing.since_ms
        record = _older(engine, record.standing, leap=False)
    return found


def _older(engine: Served, standing: Standing, leap: bool) -> Identity:
    data = engine.archived(standing.skip if leap else standing.previous)
    if data is None:
        raise OperationalError("An old version of a record is missing.", "Restore the archive from a snapshot.")
    return identity_keys.IDENTITY.decode_trusted(data)


def _instrument(operation: Any) -> str | None:
    code: str | None = getattr(operation, "instrument", None)
    return code


def _decimals(state: ProvenState, codes: Sequence[str]) -> dict[str, int]:
    """Return the decimal places of each instrument that exists."""
    found = ((code, state.get(currency.instrument(code))) for code in dict.fromkeys(codes))
    return {code: instrument.decimals for code, instrument in found if instrument is not None}


def _posting_page(line: LedgerPosting) -> Posting:
    return Posting(
        ledger_account=line.ledger_account,
        instrument=line.instrument,
        debit_minor=exact(line.debit_minor),
        credit_minor=exact(line.credit_minor),
    )


def _balance_page(state: ProvenState, wallet: bytes, code: str) -> Balance:
    found = state.get(currency.balance(wallet, code))
    assert found is not None, "a wallet has a balance of every instrument that it names"
    return Balance(
        instrument=code,
        balance_minor=exact(found.amount_minor),
        spent_today_minor=exact(found.spent_today_minor),
        payments_today=found.payments_today,
        day=found.day,
    )


def _supply_page(state: ProvenState, code: str) -> InstrumentSupply | None:
    instrument, found = state.get(currency.instrument(code)), state.get(currency.supply(code))
    if instrument is None or found is None:
        return None
    return InstrumentSupply(
        instrument=code,
        title=instrument.title,
        decimals=instrument.decimals,
        issuer=instrument.issuer,
        issued_minor=exact(found.issued_minor),
        redeemed_minor=exact(found.redeemed_minor),
        circulating_minor=exact(found.issued_minor - found.redeemed_minor),
        proof=f"/supply/{code}{BUNDLE_SUFFIX}",
    )
