"""API keys, console sessions and one-time codes of a node, in ``<home>/access/`` (0700; every file 0600).

    access/keys/<id>.json        made by the operator for an account; lasts until its expiry or until it is revoked
    access/sessions/<id>.json    made from a code by whoever signs in at the console
    access/codes/<id>.json       made by the operator; becomes one session, once

A key or session is told as ``fjk_<id>_<secret>`` or ``fjs_<id>_<secret>``, once. The file has SHA-256 of the secret, which is
256 random bits: nothing slower is needed to keep it from being guessed. Files are read at every use, so what is revoked
is revoked at once, in every process.

A code is short because a person types it: 40 random bits behind an id of 20. It lives for ten minutes and bears five wrong
guesses, so that whoever knows its id guesses it with a chance of 5 in 2^40, whatever else is sent meanwhile. Who knows no
id must hit one of at most sixteen as well: with a million guesses, 16 x 10^6 in 2^60. A guess at an id that there is not
therefore takes nothing from anybody; it is turned away before the lock and written nowhere. Wrong guesses at codes that
there are count in each process, thirty a minute. The hash of a code could be searched, but only by one who reads the
folder, and who could write a key as well.
"""

import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from enum import Enum, StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from fujie.core.errors import FujieError, OperationalError
from fujie.core.units import AccountName, Digest, TimeMs
from fujie.reader.private_files import locked, read_private, remove_private, write_private

S = TypeVar("S", bound=msgspec.Struct)

log = logging.getLogger(__name__)  # gets ids and accounts only: never a secret, a code or a part of one

DAY_MS: Final = 86_400_000
KEY_DAYS_MAX: Final = 366  # a key that nobody renews for a year is a key that nobody looks after
SESSION_MS: Final = 43_200_000  # a working day
CODE_MS: Final = 600_000
CODE_GUESSES_MAX: Final = 5
GUESSES_PER_MINUTE_MAX: Final = 30  # wrong ones at codes that there are, over all of them, in one process
CODES_MAX: Final = 16  # at once; the oldest goes

_TOKEN: Final = re.compile(r"fj([ks])_([0-9a-f]{16})_([0-9a-f]{64})")
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 32 that are not taken for one another
_CODE: Final = re.compile(rf"([{_LETTERS}]{{4}})[- ]?([{_LETTERS}]{{4}})[- ]?([{_LETTERS}]{{4}})")
_ID: Final = re.compile(r"[0-9a-f]{16}")


class Scope(StrEnum):
    """What a key may be used for. What its account may do beyond that, it may not."""

    READ = "read"  # whatever the account may read
    METRICS = "metrics"  # /metrics of a restricted chain


class Fault(Enum):
    """What is wrong with a credential, or with a code."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    CODE_UNKNOWN = "code-unknown"  # never made, used, expired, or guessed at too often
    GUESSES_EXHAUSTED = "guesses-exhausted"  # the process takes no more codes for a minute


class BadCredential(FujieError):
    """A credential or code does not hold. Says nothing of what was sent."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key or session as it is stored: for whom, what for, until when; never its secret."""

    id: Annotated[str, Meta(pattern=_ID.pattern)]
    account: AccountName
    scopes: tuple[Scope, ...]
    created_ms: TimeMs
    expires_at_ms: TimeMs
    revoked_ms: TimeMs | None
    secret_sha256: Digest


class _Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    account: AccountName
    expires_at_ms: TimeMs
    wrong_guesses: int
    secret_sha256: Digest


class Issued(NamedTuple):
    """A new key or session, with the one copy of what its bearer shows."""

    token: str
    credential: Credential


class IssuedCode(NamedTuple):
    """A new code, with the one copy of its text."""

    code: str
    account: str
    expires_at_ms: int


class Credentials:
    """The access folder of a node. Any thread and any process may call any method; what returned is durable.

    Every method may raise :class:`OperationalError` for a folder that cannot be read or written.
    """

    def __init__(self, folder: Path, clock_ms: Callable[[], int] | None = None) -> None:
        """``folder`` is made with the first file. ``clock_ms``: wall-clock time; expiry here is not the ledger's."""
        self._folder = folder
        self._clock_ms = clock_ms or _wall_clock_ms
        self._wrong_guesses: list[int] = []

    def new_key(self, account: str, scopes: Sequence[Scope], days: int) -> Issued:
        """Make an API key of ``account`` for 1 to ``KEY_DAYS_MAX`` days."""
        if not 1 <= days <= KEY_DAYS_MAX:
            raise OperationalError(f"A key cannot last {days} days.", f"Choose 1 to {KEY_DAYS_MAX} days.")
        with locked(self._folder):
            issued = self._issue("k", account, scopes, days * DAY_MS)
        log.info("API key %s of %s was made", issued.credential.id, account)
        return issued

    def keys(self) -> list[Credential]:
        """Return every key, the oldest first; also those that expired or were revoked."""
        paths = sorted((self._folder / "keys").glob("*.json"))
        found = [credential for path in paths if (credential := _read(path, Credential)) is not None]
        return sorted(found, key=lambda credential: (credential.created_ms, credential.id))

    def revoke_key(self, identifier: str) -> Credential | None:
        """Revoke a key by its id, at once and for ever; None where there is no such key."""
        if _ID.fullmatch(identifier) is None:
            return None
        path = self._path("k", identifier)
        with locked(self._folder):
            found = _read(path, Credential)
            if found is None:
                return None
            if found.revoked_ms is None:
                found = msgspec.structs.replace(found, revoked_ms=self._clock_ms())
                _write(path, found)
        log.info("API key %s of %s is revoked", found.id, found.account)
        return found

    def new_code(self, account: str) -> IssuedCode:
        """Make a one-time code with which a person signs in as ``account`` within ten minutes."""
        identifier, secret = _letters(4), _letters(8)
        now_ms = self._clock_ms()
        code = _Code(
            account=account, expires_at_ms=now_ms + CODE_MS, wrong_guesses=0, secret_sha256=_hash(identifier + secret)
        )
        with locked(self._folder):
            self._sweep(now_ms)
            _write(self._code_path(identifier), code)
        log.info("a code to sign in as %s was made", account)
        return IssuedCode(f"{identifier}-{secret[:4]}-{secret[4:]}", account, code.expires_at_ms)

    def redeem(self, text: str) -> Issued:
        """Turn a code into a session; the code is gone then, whichever process was first.

        Raises :class:`BadCredential`: CODE_UNKNOWN where there is no such id, then GUESSES_EXHAUSTED, then CODE_UNKNOWN
        for a wrong guess.
        """
        now_ms = self._clock_ms()
        match = _CODE.fullmatch(text.strip().upper())
        if match is None or _read(self._code_path(match[1]), _Code) is None:
            log.debug("a code to sign in that there is not was refused")
            raise BadCredential(Fault.CODE_UNKNOWN)
        self._wrong_guesses = [guess for guess in self._wrong_guesses if guess > now_ms - 60_000]
        if len(self._wrong_guesses) >= GUESSES_PER_MINUTE_MAX:
            raise BadCredential(Fault.GUESSES_EXHAUSTED)
        with locked(self._folder):
            account = self._consume(match[1], match[2] + match[3], now_ms)
            if account is not None:
                issued = self._issue("s", account, (Scope.READ,), SESSION_MS)
                log.info("signed in as %s, session %s", account, issued.credential.id)
                return issued
        self._wrong_guesses.append(now_ms)
        log.warning("a wrong guess at a code to sign in was refused")
        if len(self._wrong_guesses) >= GUESSES_PER_MINUTE_MAX:
            log.warning("%d wrong guesses within a minute: no code is taken for a while", GUESSES_PER_MINUTE_MAX)
        raise BadCredential(Fault.CODE_UNKNOWN)

    def find(self, token: str) -> Credential:
        """Return the key or session that ``token`` shows. Raises :class:`BadCredential`: UNKNOWN, REVOKED, EXPIRED."""
        match = _TOKEN.fullmatch(token)
        found = None if match is None else _read(self._path(match[1], match[2]), Credential)
        if match is None or found is None:
            log.debug("a credential that was never made was refused")
            raise BadCredential(Fault.UNKNOWN)
        fault = None
        if not hmac.compare_digest(found.secret_sha256, _hash(match[3])):
            fault = Fault.UNKNOWN
        elif found.revoked_ms is not None:
            fault = Fault.REVOKED
        elif found.expires_at_ms <= self._clock_ms():
            fault = Fault.EXPIRED
        if fault is not None:
            log.warning("the credential %s was refused: %s", found.id, fault.value)
            raise BadCredential(fault)
        return found

    def end_session(self, token: str) -> None:
        """Remove the session that ``token`` shows; a key stays. Raises as :meth:`find`."""
        found = self.find(token)
        if not is_session(token):
            raise BadCredential(Fault.UNKNOWN)
        with locked(self._folder):
            remove_private(self._path("s", found.id))

    # -- inside

    def _issue(self, kind: str, account: str, scopes: Sequence[Scope], lasts_ms: int) -> Issued:
        now_ms = self._clock_ms()
        identifier, secret = secrets.token_hex(8), secrets.token_hex(32)
        credential = Credential(
            id=identifier,
            account=account,
            scopes=tuple(sorted(set(scopes))),
            created_ms=now_ms,
            expires_at_ms=now_ms + lasts_ms,
            revoked_ms=None,
            secret_sha256=_hash(secret),
        )
        _write(self._path(kind, identifier), credential)
        return Issued(f"fj{kind}_{identifier}_{secret}", credential)

    def _consume(self, identifier: str, secret: str, now_ms: int) -> str | None:
        """Return the account of a code and remove it, or count a wrong guess. The caller holds the lock."""
        path = self._code_path(identifier)
        code = _read(path, _Code)
        if code is None:
            return None
        right = hmac.compare_digest(code.secret_sha256, _hash(identifier + secret))
        if right or code.expires_at_ms <= now_ms or code.wrong_guesses + 1 >= CODE_GUESSES_MAX:
            remove_private(path)
        else:
            _write(path, msgspec.structs.replace(code, wrong_guesses=code.wrong_guesses + 1))
        return code.account if right and code.expires_at_ms > now_ms else None

    def _sweep(self, now_ms: int) -> None:
        """Remove sessions and codes that expired, and all but the youngest codes. The caller holds the lock."""
        for path in (self._folder / "sessions").glob("*.json"):
            session = _read(path, Credential)
            if session is not None and session.expires_at_ms <= now_ms:
                remove_private(path)
        codes = [
            (code.expires_at_ms, path)
            for path in (self._folder / "codes").glob("*.json")
            if (code := _read(path, _Code)) is not None
        ]
        young = sorted(codes, reverse=True)[: CODES_MAX - 1]
        for expires_at_ms, path in codes:
            if expires_at_ms <= now_ms or (expires_at_ms, path) not in young:
                remove_private(path)

    def _path(self, kind: str, identifier: str) -> Path:
        return self._folder / ("keys" if kind == "k" else "sessions") / f"{identifier}.json"

    def _code_path(self, identifier: str) -> Path:
        return self._folder / "codes" / f"{identifier}.json"


def is_session(token: str) -> bool:
    """Tell whether a token is that of a session, by its form."""
    return token.startswith("fjs_")


def _hash(secret: str) -> bytes:
    return sha256(b"fujie access " + secret.encode()).digest()


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _read(path: Path, kind: type[S]) -> S | None:
    data = read_private(path)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise OperationalError(f"{path} is damaged.", "Remove it, and make a new key or code.") from None


def _write(path: Path, value: msgspec.Struct) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000
