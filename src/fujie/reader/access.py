"""Who reads, and what of the chain he may see: the one set of rules behind every page, list, stream and file.

A reader is a stranger, a holder (of a wallet or an identifier, by read grant) or an account (by read grant, API key or
console session). What a query may be answered to, ``engine.reading.may_read`` decides; here is the rest: who somebody is,
and whose transactions he sees in lists and streams.

On a public chain everybody sees everything. On a restricted one an account with the role of auditor, regulator or central
bank sees everything, everybody else the transactions that he is a party to (``reader.parties``).
"""

import base64
import binascii
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from fujie.core.errors import DecodeError, Refused
from fujie.core.grant import GRANT, SIGNED_GRANT
from fujie.core.query import Query
from fujie.core.reasons import ReadReason
from fujie.engine import reading
from fujie.engine.base import Served
from fujie.engine.reading import ProvenState, account_of, is_public
from fujie.modules.membership import queries as membership
from fujie.reader.credentials import BadCredential, Credentials, Fault, Scope, is_session

GRANT_CHARACTERS_MAX: Final = 4_096  # a grant of 16 keys has some 2,600 in base64
BEARER: Final = "bearer"
FUJIE_GRANT: Final = "fujie-grant"


class ReaderKind(StrEnum):
    """What sort of reader somebody is."""

    STRANGER = "stranger"
    HOLDER = "holder"
    ACCOUNT = "account"


class Means(StrEnum):
    """How a reader showed who he is."""

    NOTHING = "nothing"
    GRANT = "grant"
    KEY = "key"
    SESSION = "session"


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks. ``name`` is ``account/<name>``, ``wallet/<hex>`` or ``id/<identifier>``, empty for a stranger.

    ``expires_at_ms`` is wall-clock time for a key or session and block time for a grant.
    """

    name: str = ""
    means: Means = Means.NOTHING
    scopes: frozenset[Scope] = frozenset()
    expires_at_ms: int | None = None

    @property
    def kind(self) -> ReaderKind:
        """What sort of reader this is."""
        if not self.name:
            return ReaderKind.STRANGER
        return ReaderKind.ACCOUNT if self.name.startswith("account/") else ReaderKind.HOLDER


STRANGER: Final = Reader()


class Access:
    """Tells readers by what they show. Without ``folder`` the node has no keys and no sessions, and read grants only."""

    def __init__(self, folder: Path | None = None) -> None:
        self.credentials = None if folder is None else Credentials(folder)

    def authenticate(self, engine: Served, authorization: str | None) -> Reader:
        """Return who sends this Authorization header.

        ``Bearer <key or session>`` or ``Fujie-Grant <base64url of the signed grant>``; the names of the schemes in any
        case. Raises :class:`BadCredential` (also for any other scheme), and refuses as ``engine.reading.verify_grant``.
        """
        if authorization is None:
            return STRANGER
        scheme, _, shown = authorization.strip().partition(" ")
        shown = shown.strip()
        if scheme.lower() == BEARER:
            return self._bearer(engine, shown)
        if scheme.lower() == FUJIE_GRANT:
            return _granted(engine, shown)
        raise BadCredential(Fault.UNKNOWN)

    def _bearer(self, engine: Served, token: str) -> Reader:
        if self.credentials is None:
            raise BadCredential(Fault.UNKNOWN)
        found = self.credentials.find(token)
        state = ProvenState(engine)
        account = membership.account(state, found.account)
        if account is None:
            raise Refused(ReadReason.READER_POLICY_NOT_SATISFIED)
        if not membership.may_act(state, account):
            raise Refused(ReadReason.READER_SUSPENDED)
        return Reader(
            name=f"account/{found.account}",
            means=Means.SESSION if is_session(token) else Means.KEY,
            scopes=frozenset(found.scopes),
            expires_at_ms=found.expires_at_ms,
        )


def sees_all(state: ProvenState, reader: Reader) -> bool:
    """Tell whether a reader may see every transaction, as whoever may mirror the chain."""
    if is_public(state):
        return True
    account = account_of(state, reader.name)
    return account is not None and Scope.READ in reader.scopes and membership.may_audit(account)


def visible_parties(state: ProvenState, reader: Reader) -> frozenset[str] | None:
    """Return the parties whose transactions a reader sees in lists and streams: None for all, empty for none."""
    if sees_all(state, reader):
        return None
    return frozenset({reader.name}) if reader.name and Scope.READ in reader.scopes else frozenset()


def may_read(state: ProvenState, query: Query, reader: Reader) -> bool:
    """Tell whether a reader may have the answer to ``query``."""
    return reading.may_read(state, query, reader.name if Scope.READ in reader.scopes else "")


def encode_grant(grant: bytes) -> str:
    """Return the Authorization header that shows a signed grant."""
    return "Fujie-Grant " + base64.urlsafe_b64encode(grant).decode("ascii").rstrip("=")


def _granted(engine: Served, shown: str) -> Reader:
    if len(shown) > GRANT_CHARACTERS_MAX:
        raise Refused(ReadReason.GRANT_MALFORMED)
    try:
        data = base64.b64decode(shown.rstrip("=") + "=" * (-len(shown.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused(ReadReason.GRANT_MALFORMED) from None
    name = reading.verify_grant(ProvenState(engine), engine.chain_id, engine.head.time_ms, data)
    return Reader(name=name, means=Means.GRANT, scopes=frozenset({Scope.READ}), expires_at_ms=_expiry(data))


def _expiry(data: bytes) -> int:
    try:
        return GRANT.decode(SIGNED_GRANT.decode(data).body).expires_at_ms
    except DecodeError as error:
        raise AssertionError("the grant was verified") from error
