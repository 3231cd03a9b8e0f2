"""GET /log/…: the transaction log as tiles with a signed checkpoint, as clients of other logs read it.

The log may be read by anyone, on a restricted chain too. An entry is a commitment of 32 bytes, salted by what only the
parties of a transaction know: who has no transaction can tell neither what an entry is nor whom it concerns, only that the
log never loses or changes one. How many transactions there are shows in every header besides.

Everything is cut to the newest proven log, the one that the checkpoint names: a tile is served once all its entries stand
under a signed header, and then never changes.

Source: c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint.
"""

import asyncio
import re
from typing import Final, NamedTuple

from litestar import Response

from fujie.api.problems import Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving
from fujie.core.hashing import DIGEST_BYTES
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.base import Served
from fujie.engine.executor import LogEntry, log_commitment, log_salt
from fujie.modules.catalog import TRANSACTION
from fujie.proof.checkpoint import CheckpointSigner
from fujie.proof.merkle_log import LOG_SIZE_MAX

TILE_WIDTH: Final = 256
LEVEL_MAX: Final = 63
TEXT: Final = "text/plain"  # the framework adds the charset, utf-8
BYTES: Final = "application/octet-stream"
IMMUTABLE: Final = "public, max-age=31536000, immutable"  # a year; a tile that exists never changes
FRESH: Final = "no-cache"

# As many groups as the longest number has: LOG_SIZE_MAX has 19 digits.
_LEVEL: Final = re.compile(r"(0|[1-9][0-9]?)/(.*)")
_NUMBER: Final = re.compile(r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class Tile(NamedTuple):
    """Which part of the log a path names. ``width`` is 256 for a full tile, less for one that was cut short."""

    number: int
    width: int


async def checkpoint(serving: Serving, request: AnyRequest) -> Answer:
    """Return the signed checkpoint of the newest proven log. Problems: CHECKPOINT_OFF."""
    head = serving.engine.proven.head
    return _answer(_signer(serving).sign(head.log_size, head.log_root), TEXT, FRESH)


async def verifier_key(serving: Serving, request: AnyRequest) -> Answer:
    """Return the key that verifies this node's checkpoints, as log clients are told it. Problems: CHECKPOINT_OFF.

    Whoever relies on it has it from the node's operator: a server that lies about the log would lie about the key.
    """
    return _answer(_signer(serving).key.encode().encode() + b"\n", TEXT, FRESH)


async def tile(serving: Serving, request: AnyRequest) -> Answer:
    """Return nodes of the log's tree, 32 bytes each: ``/log/tile/<level>/<number>[.p/<width>]``.

    Problems, in order: MALFORMED (no path of a tile), TILE_ABSENT (the proven log is not that long).
    """
    found = _LEVEL.fullmatch(_path(request))
    if found is None or int(found[1]) > LEVEL_MAX:
        raise _malformed()
    level, wanted = int(found[1]), parse_tile(found[2])
    stored = serving.engine.log_tile(level, wanted.number) if _is_proven(serving.engine, level, wanted) else None
    if stored is None or len(stored) < wanted.width * DIGEST_BYTES:
        raise Problem(Kind.TILE_ABSENT)
    return _answer(stored[: wanted.width * DIGEST_BYTES], BYTES, IMMUTABLE)


async def entries(serving: Serving, request: AnyRequest) -> Answer:
    """Return entries of the log, each with its length before it: ``/log/tile/entries/<number>[.p/<width>]``.

    Problems, in order: MALFORMED (no path of a bundle), TILE_ABSENT (the proven log is not that long, or the node was
    loaded from a snapshot and has no entries before that).
    """
    wanted = parse_tile(_path(request))
    found: list[LogEntry] = []
    first = wanted.number * TILE_WIDTH
    if _is_proven(serving.engine, 0, wanted):
        found = await asyncio.to_thread(serving.engine.entries, first, first + wanted.width)
    if len(found) != wanted.width:
        raise Problem(Kind.TILE_ABSENT)
    return _answer(await asyncio.to_thread(encode_bundle, found), BYTES, IMMUTABLE)


def parse_tile(path: str) -> Tile:
    """Return which tile ``<number>[.p/<width>]`` names; the number in groups of three digits, all but the last with x.

    Raises :class:`Problem` MALFORMED, also for a number with needless groups: one tile has one address.
    """
    found = _NUMBER.fullmatch(path)
    if found is None:
        raise _malformed()
    groups = found[1].split("/")
    number = int("".join(groups).replace("x", ""))
    width = TILE_WIDTH if found[2] is None else int(found[2])
    if (len(groups) > 1 and groups[0] == "x000") or number > LOG_SIZE_MAX or width > TILE_WIDTH or found[2] == "256":
        raise _malformed()
    return Tile(number, width)


def encode_bundle(found: list[LogEntry]) -> bytes:
    """Return log entries as a bundle: the commitments that the log hashes, each after its length of two bytes."""
    length = DIGEST_BYTES.to_bytes(2, "big")
    return b"".join([length + commitment_of(entry) for entry in found])


def commitment_of(entry: LogEntry) -> bytes:
    """Return the 32-byte commitment of a transaction and its receipt."""
    body = SIGNED_TRANSACTION.decode_trusted(entry.transaction).body
    identifier = transaction_id(body)
    return log_commitment(log_salt(TRANSACTION.decode_trusted(body).nonce, identifier), identifier, entry.receipt)


def _is_proven(engine: Served, level: int, wanted: Tile) -> bool:
    """Tell whether every entry below ``wanted`` stands in the newest proven log."""
    end: int = (wanted.number * TILE_WIDTH + wanted.width) * TILE_WIDTH**level
    return end <= engine.proven.head.log_size


def _signer(serving: Serving) -> CheckpointSigner:
    signer = serving.checkpoints
    if signer is None:
        raise Problem(Kind.CHECKPOINT_OFF)
    assert isinstance(signer, CheckpointSigner), "the node gives its own"
    return signer


def _path(request: AnyRequest) -> str:
    return str(request.path_params["tile"]).removeprefix("/")


def _malformed() -> Problem:
    return Problem(Kind.MALFORMED, "A tile is named as in 0/x001/234 or, with fewer than 256 nodes, 0/x001/234.p/17.")


def _answer(body: bytes, media_type: str, cache_control: str) -> Answer:
    headers = {"x-content-type-options": "nosniff", "cache-control": cache_control}
    return Response(body, status_code=200, media_type=media_type, headers=headers)
