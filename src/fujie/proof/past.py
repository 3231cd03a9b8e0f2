"""The past of a record, proven from its present (docs/spec/04-proofs.md, "The past").

The record that stands in state today leads back through its whole history: each version names the digest of the one
before it and of one further back (``core.versions``). A proof of the past is therefore a list of old versions, each
reached by one link of its predecessor in the list, and needs no old root and no validator set of long ago.

Version n is in force at T when it stands since T or before and version n + 1, if there is one, since after T. So the
last link of a path is never a leap: it leads from n + 1 to n, and both are shown.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from fujie.core.encoding import Codec, Record
from fujie.core.errors import DecodeError, OperationalError, VerificationError
from fujie.core.hashing import version_digest
from fujie.core.limits import VERSION_PATH_MAX
from fujie.core.versions import Standing, skip_target

V = TypeVar("V", bound=Record)

STEPS: Final = (
    "past-length",
    "past-standing",
    "past-needless",
    "past-link",
    "past-decode",
    "past-number",
    "past-created",
    "past-time",
    "past-subject",
    "past-incomplete",
)
"""The names of the steps at which a proof of the past can fail."""


def in_force(
    current: V, older: Sequence[bytes], time_ms: int, codec: Codec[V], subject: Callable[[V], Any] | None = None
) -> V | None:
    """Return the version of a record that was in force at ``time_ms``, or None when it did not exist then.

    ``current`` is the record that stands under today's root; ``older`` the canonical bytes of the old versions on the
    way, newest first, at most ``VERSION_PATH_MAX``. With the time of the block that wrote a version, that version is in
    force; of several written at one time the last is. The caller owes that ``current`` is proven under a root it trusts,
    and that ``time_ms`` does not lie after that root. A time before a record was first written proves its absence;
    absence under today's root proves absence at every time, since records with a history are never deleted.

    ``subject`` takes from a record what never changes (its identifier); where given, every version must agree on it.

    Steps, in order:

    1. ``past-length``: more versions than a path may have.
    2. ``past-standing``: the current record contradicts itself (numbers from 1, links where there is something before,
       creation no later than the version).
    3. For each version of the path: ``past-needless`` (the answer was reached before it), ``past-link`` (neither link
       of its predecessor leads to these bytes), ``past-decode`` (no record of this type), ``past-number`` (another
       number than the link leads to), ``past-created`` (another creation than its predecessor), ``past-time`` (it stands
       since later than its predecessor, or before its creation), ``past-standing`` again, ``past-subject``, and
       ``past-incomplete`` (a leap over the version that would show when this one was replaced).
    4. ``past-incomplete``: the path ends before the version in force.

    Raises :class:`VerificationError` with the name of the step.
    """
    if len(older) > VERSION_PATH_MAX:
        raise VerificationError("past-length", f"{len(older)} old versions; a path has at most {VERSION_PATH_MAX}")
    record = current
    standing = _standing(record)
    _check_standing(standing)
    absent = standing.created_ms > time_ms
    for data in older:
        if absent or standing.since_ms <= time_ms:
            raise VerificationError("past-needless", f"version {standing.number} answers; nothing is to follow it")
        number = _linked(standing, data)
        record = _decode(data, codec)
        before = _standing(record)
        _check_link(standing, before, number)
        if subject is not None and subject(record) != subject(current):
            raise VerificationError("past-subject", f"version {number} is about something else")
        if before.since_ms <= time_ms and number != standing.number - 1:
            raise VerificationError("past-incomplete", f"version {number + 1} is not shown, so {number} may have ended")
        standing = before
    if absent:
        return None
    if standing.since_ms > time_ms:
        raise VerificationError("past-incomplete", f"version {standing.number} was not in force yet")
    return record


def path_to(current: V, time_ms: int, fetch: Callable[[bytes], bytes | None], codec: Codec[V]) -> list[bytes]:
    """Return the shortest path from ``current`` to the version in force at ``time_ms``, as :func:`in_force` takes it.

    ``fetch`` returns the bytes of an old version by digest, or None. The path is empty when ``current`` answers, also
    by its creation. Leaping as far as the answer allows is shortest, because leaps never cross one another.

    Raises :class:`OperationalError` when ``fetch`` lacks a version that a record links to.
    """
    standing = _standing(current)
    path: list[bytes] = []
    if standing.created_ms > time_ms:
        return path
    while standing.since_ms > time_ms:
        data, before = _fetched(standing.skip or standing.previous, fetch, codec)
        if before.since_ms <= time_ms and before.number != standing.number - 1:
            data, before = _fetched(standing.previous, fetch, codec)
        path.append(data)
        standing = before
    return path


def _standing(record: Record) -> Standing:
    standing: Standing = record.standing  # type: ignore[attr-defined]  # V is a Record with a history
    return standing


def _check_standing(standing: Standing) -> None:
    """Raise ``past-standing`` when a standing contradicts itself."""
    number = standing.number
    created = (standing.created_height, standing.created_ms)
    since = (standing.since_height, standing.since_ms)
    if number < 1 or created[0] > since[0] or created[1] > since[1]:
        raise VerificationError("past-standing", "a number below 1, or a creation after the version")
    if bool(standing.previous) != (number > 1) or bool(standing.skip) != (skip_target(number) > 0):
        raise VerificationError("past-standing", f"version {number} has a link too many or too few")
    if number == 1 and created != since:
        raise VerificationError("past-standing", "version 1 stands since its creation")


def _linked(standing: Standing, data: bytes) -> int:
    """Return the number that ``data`` must have, by the link of ``standing`` that leads to it. Raises ``past-link``."""
    version = version_digest(data)
    if version == standing.previous:
        return standing.number - 1
    if version == standing.skip:
        return skip_target(standing.number)
    raise VerificationError("past-link", f"no link of version {standing.number} leads to the next one of the path")


def _decode(data: bytes, codec: Codec[V]) -> V:
    """Return the record of an old version. Raises ``past-decode``."""
    try:
        return codec.decode(data)
    except DecodeError as error:
        raise VerificationError("past-decode", error.detail) from None


def _check_link(after: Standing, before: Standing, number: int) -> None:
    """Raise ``past-number``, ``past-created``, ``past-time`` or ``past-standing`` when a link leads to a wrong place."""
    if before.number != number:
        raise VerificationError("past-number", f"a link to version {number} leads to version {before.number}")
    if (before.created_height, before.created_ms) != (after.created_height, after.created_ms):
        raise VerificationError("past-created", f"versions {number} and {after.number} disagree about the creation")
    if before.since_ms > after.since_ms or before.since_height > after.since_height:
        raise VerificationError("past-time", f"version {number} stands since later than version {after.number}")
    _check_standing(before)


def _fetched(version: bytes, fetch: Callable[[bytes], bytes | None], codec: Codec[V]) -> tuple[bytes, Standing]:
    data = fetch(version)
    if data is None:
        raise OperationalError(
            f"The old version {version.hex()} of a record is missing.", "Restore the archive from a snapshot or a peer."
        )
    return data, _standing(codec.decode_trusted(data))
