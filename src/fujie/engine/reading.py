"""Who may read what, and the answer with proof: one function for every way in (HTTP, in process).

A query declares its audience. What anyone may read needs nothing; for the rest the request carries a read grant, signed by
the reader it names, or comes from a reader whom the way in knows already. On a public chain nothing is guarded: whoever may
mirror the whole may read each part. The decision is taken on the newest proven state, the one that the answer is read from.
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeVar

import msgspec

from fujie.core.encoding import Record
from fujie.core.errors import DecodeError, Refused
from fujie.core.grant import GRANT, SIGNED_GRANT, Grant
from fujie.core.hashing import TAG_READ_GRANT
from fujie.core.identifiers import is_identifier
from fujie.core.limits import BULK_ITEMS_MAX, HEARTBEAT_MS, READ_GRANT_MS_MAX
from fujie.core.policy import KeyPolicy
from fujie.core.query import Audience, Query
from fujie.core.reasons import ReadReason
from fujie.core.signing import verify
from fujie.core.state import Key, Leaf
from fujie.engine.base import Served
from fujie.modules.catalog import QUERY, codec_of
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.identity import queries as identity
from fujie.modules.membership import queries as membership
from fujie.proof.bundle import Bundle, Present
from fujie.proof.commit import decided_ms
from fujie.proof.header import NANOSECONDS_PER_MS
from fujie.proof.light_block import decode_light_block
from fujie.proof.past import path_to

T = TypeVar("T", bound=Record)

_ACCOUNT: Final = "account/"
_WALLET: Final = "wallet/"
_IDENTIFIER: Final = "id/"
_WALLET_HEX: Final = frozenset("0123456789abcdef")
_WALLET_HEX_LENGTH: Final = 32


class ProvenState:
    """The newest proven state of an engine, for the questions of authorisation. Implements ``core.state.StateRead``."""

    def __init__(self, engine: Served) -> None:
        self._engine = engine

    def leaf(self, key: Key[Any]) -> Leaf | None:
        """Return record and salt at ``key``, or None."""
        return self._engine.read(key)

    def get(self, key: Key[T]) -> T | None:
        """Return the record at ``key``, or None."""
        leaf = self._engine.read(key)
        return None if leaf is None else leaf.record  # type: ignore[return-value]  # a path has one type

    def archived(self, version: bytes) -> bytes | None:
        """Return the canonical bytes of an old version, or None."""
        return self._engine.archived(version)

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        """No question of reading depends on what was submitted."""
        return False


def answer(
    engine: Served,
    queries: Sequence[bytes],
    grant: bytes | None = None,
    time_ms: int | None = None,
    reader: str | None = None,
) -> Bundle:
    """Return the bundle that answers canonical queries (1 to ``BULK_ITEMS_MAX``), one item for each, in order.

    With ``time_ms`` records with a history come with the old versions that reach back to it. ``reader`` as in
    :func:`authorise_read`. Refuses with ReadReason, in its order; raises :class:`OperationalError` as ``Engine.prove``.
    """
    allowed = authorise_read(engine, decode_queries(queries), grant, reader)
    bundle = engine.prove([query.key() for query in allowed])
    if time_ms is None:
        return bundle
    fetch = engine.archived
    items = tuple(_with_versions(item, time_ms, fetch) if isinstance(item, Present) else item for item in bundle.items)
    return msgspec.structs.replace(bundle, items=items)


def decode_queries(queries: Sequence[bytes]) -> list[Query]:
    """Return the queries in canonical bytes. Refuses with QUERY_MALFORMED, also for none or too many of them."""
    if not 1 <= len(queries) <= BULK_ITEMS_MAX:
        raise Refused(ReadReason.QUERY_MALFORMED)
    try:
        return [QUERY.decode(query) for query in queries]
    except DecodeError:
        raise Refused(ReadReason.QUERY_MALFORMED) from None


def authorise_read(
    engine: Served, queries: Sequence[Query], grant: bytes | None, reader: str | None = None
) -> Sequence[Query]:
    """Return ``queries`` when ``grant``, canonical bytes of a signed grant or None, entitles to every one of them.

    ``reader`` is whom the caller has authenticated otherwise (``account/<name>``, …); it counts where there is no grant.
    Refuses, in order: GRANT_REQUIRED, then as :func:`verify_grant`, then READER_NOT_ENTITLED. A grant that nothing needs
    is not looked at, and a public chain needs none.
    """
    guarded = [query for query in queries if Audience.ANYONE not in query.audience]
    if not guarded:
        return queries
    state = ProvenState(engine)
    if is_public(state):
        return queries
    if grant is not None:
        reader = verify_grant(state, engine.chain_id, engine.head.time_ms, grant)
    if reader is None:
        raise Refused(ReadReason.GRANT_REQUIRED)
    if not all(may_read(state, query, reader) for query in guarded):
        raise Refused(ReadReason.READER_NOT_ENTITLED)
    return queries


def verify_grant(state: ProvenState, chain_id: str, time_ms: int, data: bytes) -> str:
    """Return the reader that a signed grant speaks for at block time ``time_ms``.

    Refuses, in order: GRANT_MALFORMED (encoding, keys not ascending, not one signature per key),
    GRANT_CHAIN_ID_DIFFERS, GRANT_SIGNATURE_INVALID, GRANT_EXPIRED, GRANT_EXPIRY_TOO_FAR, READER_POLICY_NOT_SATISFIED
    (also where there is no such reader: a stranger does not learn which wallets exist), READER_SUSPENDED.
    """
    grant, body, signatures = _decode_grant(data)
    if grant.chain_id != chain_id:
        raise Refused(ReadReason.GRANT_CHAIN_ID_DIFFERS)
    for key, signature in zip(grant.public_keys, signatures, strict=True):
        if not verify(key, TAG_READ_GRANT + body, signature):
            raise Refused(ReadReason.GRANT_SIGNATURE_INVALID)
    if grant.expires_at_ms <= time_ms:
        raise Refused(ReadReason.GRANT_EXPIRED)
    if grant.expires_at_ms > time_ms + READ_GRANT_MS_MAX:
        raise Refused(ReadReason.GRANT_EXPIRY_TOO_FAR)
    policy = policy_of(state, grant.reader)
    if policy is None or not policy.satisfied_by(frozenset(grant.public_keys)):
        raise Refused(ReadReason.READER_POLICY_NOT_SATISFIED)
    if (account := account_of(state, grant.reader)) is not None and not membership.may_act(state, account):
        raise Refused(ReadReason.READER_SUSPENDED)
    return grant.reader


def is_public(state: ProvenState) -> bool:
    """Tell whether anyone may mirror the chain whole, and so read each part of it."""
    return membership.parameters(state).visibility is membership.Visibility.PUBLIC


def may_read(state: ProvenState, query: Query, reader: str) -> bool:
    """Tell whether ``reader``, who was authenticated, belongs to the audience of ``query``; empty for a stranger."""
    audience = query.audience
    if Audience.ANYONE in audience or is_public(state):
        return True
    if Audience.HOLDER in audience and query.holder() == reader:
        return True
    account = account_of(state, reader)
    if account is None:
        return False
    if Audience.AUDITOR in audience and membership.may_audit(account):
        return True
    return Audience.INSTITUTION in audience and query.institution(state) == account.name


def policy_of(state: ProvenState, reader: str) -> KeyPolicy | None:
    """Return the key policy of ``account/<name>``, ``wallet/<hex>`` or ``id/<identifier>``; None where there is none."""
    if reader.startswith(_ACCOUNT):
        account = account_of(state, reader)
        return None if account is None else account.policy
    if reader.startswith(_WALLET):
        name = reader[len(_WALLET) :]
        if len(name) != _WALLET_HEX_LENGTH or not _WALLET_HEX.issuperset(name):
            return None
        wallet = state.get(currency_keys.wallet(bytes.fromhex(name)))
        return None if wallet is None else wallet.policy
    identifier = reader.removeprefix(_IDENTIFIER)
    if identifier == reader or not is_identifier(identifier):
        return None
    try:
        return identity.governing_policy(state, identifier)
    except Refused:
        return None  # never allocated


def account_of(state: ProvenState, reader: str) -> membership.Account | None:
    """Return the account that ``account/<name>`` names; None for any other reader, and where there is no such account."""
    return membership.account(state, reader[len(_ACCOUNT) :]) if reader.startswith(_ACCOUNT) else None


def _decode_grant(data: bytes) -> tuple[Grant, bytes, tuple[bytes, ...]]:
    """Return the grant, its canonical bytes and its signatures. Refuses with GRANT_MALFORMED."""
    try:
        signed = SIGNED_GRANT.decode(data)
        grant = GRANT.decode(signed.body)
    except DecodeError:
        raise Refused(ReadReason.GRANT_MALFORMED) from None
    keys = grant.public_keys
    if len(keys) != len(signed.signatures) or any(a >= b for a, b in pairwise(keys)):
        raise Refused(ReadReason.GRANT_MALFORMED)
    return grant, signed.body, signed.signatures


def _with_versions(item: Present, time_ms: int, fetch: Callable[[bytes], bytes | None]) -> Present:
    """Return ``item`` with the old versions that reach back to ``time_ms``, if its records have a history."""
    codec = codec_of(item.path)
    current = codec.decode_trusted(item.record)
    if not hasattr(current, "standing"):
        return item
    return msgspec.structs.replace(item, versions=tuple(path_to(current, time_ms, fetch, codec)))


def decided_at_ms(engine: Served, now_ms: int | None = None) -> int:
    """Return when the newest block was decided, in ms of Unix time: about the time of the next one (``now_ms``: by this clock).

    Its own time says it, but for that of the first one after a halt, which is the time of the halt: then the votes for it do.
    """
    time_ms = engine.head.time_ms
    now_ms = time.time_ns() // NANOSECONDS_PER_MS if now_ms is None else now_ms
    if now_ms - time_ms > HEARTBEAT_MS:
        time_ms = max(time_ms, _votes_ms(engine.chain_id, engine.proven.light_block))
    return time_ms


@lru_cache(maxsize=4)
def _votes_ms(chain_id: str, light_block: bytes) -> int:
    block = decode_light_block(light_block)
    return decided_ms(chain_id, block.validators, block.commit)
