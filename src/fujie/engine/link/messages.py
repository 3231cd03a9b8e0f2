"""What travels over the link: frames of MessagePack, each with its length before it.

    frame     length (4 bytes, big endian) || message
    message   an array whose first element names its kind, as below

A connection begins with ``Hello`` and ``Welcome``. Requests carry a number that their answer repeats, so several may be
under way; one that is long comes in pieces. After ``Follow`` the ledger also sends, unasked: ``Block`` with its ``Rows``,
``Pulse``, ``LogLevel``, ``LetGo``, ``Probe``.
Both ends run the same release: the number of the protocol is compared and nothing is negotiated.
"""

from typing import Any, Final, dataclass_transform

import msgspec

from fujie.core.errors import OperationalError
from fujie.core.limits import PENDING_BYTES_MAX
from fujie.machine.schedule import ComingRules

PROTOCOL: Final = 2
LENGTH_BYTES: Final = 4
FRAME_BYTES_MAX: Final = PENDING_BYTES_MAX + 1_048_576  # as much as may wait for blocks, submitted at once
ROWS_PER_FRAME: Final = 2_048  # decoded in a millisecond or two, so that other threads get their turn


class LinkError(OperationalError):
    """The other end of the link is gone, or speaks otherwise."""


@dataclass_transform(frozen_default=True)  # msgspec hands "frozen" down to subclasses; a type checker must be told
class _Message(msgspec.Struct, array_like=True, frozen=True, gc=False):
    pass


class Hello(_Message, tag="hello"):
    """The first frame of whoever connects."""

    protocol: int


class Welcome(_Message, tag="welcome"):
    """The first frame of the ledger. ``head`` is canonical (``engine.executor.Head``), ``pid`` that of its process."""

    protocol: int
    pid: int
    chain_id: str
    store: str
    genesis_hash: bytes
    head: bytes
    light_block: bytes


class Submit(_Message, tag="submit"):
    """Signed transactions to carry out; answered with ``Outcomes``."""

    number: int
    transactions: list[bytes]


class DryRun(_Message, tag="dry-run"):
    """A signed transaction to carry out and forget; answered with ``Outcomes``."""

    number: int
    transaction: bytes


class Follow(_Message, tag="follow"):
    """Asks for every block from now on; answered with ``Following``. ``process`` is the name of whoever follows."""

    number: int
    process: str


class AskStatus(_Message, tag="ask-status"):
    """Asks how the ledger is; answered with ``LedgerStatus``."""

    number: int


class AskLogLevels(_Message, tag="ask-log-levels"):
    """Asks for the log levels of every process; answered with ``LogLevels``."""

    number: int


class SetLogLevel(_Message, tag="set-log-level"):
    """Sets the level of a logger here and in every follower; answered with ``LogLevels``."""

    number: int
    logger: str
    level: str


class HandOver(_Message, tag="hand-over"):
    """Asks an embedded ledger to make its last block and end; answered with ``LedgerStatus``, before it does."""

    number: int


class TellLogLevels(_Message, tag="tell-log-levels"):
    """A follower's own levels, by logger: sent when it begins, and after each ``LogLevel`` with that one's number.

    ``error`` says why the level could not be set there.
    """

    number: int
    levels: dict[str, str]
    error: str | None


class Alive(_Message, tag="alive"):
    """A follower's answer to ``Probe``: it takes what it is sent, and its own work goes on."""


class OutcomeRow(_Message):
    """An ``engine.base.Outcome``; the receipt in canonical bytes."""

    transaction_id: bytes
    code: int
    receipt: bytes | None
    log_index: int | None


class Outcomes(_Message, tag="outcomes"):
    """What became of each transaction, in order; with ``more``, another message of this number goes on with the rest."""

    number: int
    rows: list[OutcomeRow]
    more: bool = False


class Failed(_Message, tag="failed"):
    """A request that could not be answered: an ``OperationalError``."""

    number: int
    what: str
    do: str


class Following(_Message, tag="following"):
    """Every block after ``head`` will be sent. ``light_block`` holds the newest header there is."""

    number: int
    head: bytes
    light_block: bytes


class LedgerStatus(_Message, tag="status"):
    """How the ledger is. ``processes`` is what its node says of the processes beside it; ``lacking`` as of ``Served``."""

    number: int
    chain_id: str
    head: bytes
    pending: int
    failure: str | None
    followers: int
    processes: list[dict[str, Any]]
    lacking: tuple[ComingRules, ...]


class LogLevels(_Message, tag="log-levels"):
    """The levels by process and logger."""

    number: int
    levels: dict[str, dict[str, str]]


class Block(_Message, tag="block"):
    """A committed block; so many frames ``Rows`` follow. ``head`` is the one after it, canonical; ``signed`` as of ``feed``."""

    head: bytes
    light_block: bytes
    signed: bool
    frames: int


class Rows(_Message, tag="rows"):
    """Some rows that a block wrote; ``table`` is the one-byte prefix of ``store.layout``, None deletes."""

    table: bytes
    rows: dict[bytes, bytes | None]


class Pulse(_Message, tag="pulse"):
    """Sent to followers when it has changed: how much waits, what stopped the ledger, and ``lacking`` as of ``Served``."""

    pending: int
    failure: str | None
    lacking: tuple[ComingRules, ...]


class LogLevel(_Message, tag="log-level"):
    """Sent to followers: a logger shall have this level. Answered with ``TellLogLevels``."""

    number: int
    logger: str
    level: str


class LetGo(_Message, tag="let-go"):
    """Sent to followers: hold no read transaction on the store until a few blocks on, so that its log can begin anew."""


class Probe(_Message, tag="probe"):
    """Sent to followers now and then: answer with ``Alive``."""


Request = Hello | Submit | DryRun | Follow | AskStatus | AskLogLevels | SetLogLevel | HandOver | TellLogLevels | Alive
Answer = Outcomes | Failed | Following | LedgerStatus | LogLevels
News = Block | Rows | Pulse | LogLevel | LetGo | Probe
Reply = Welcome | Answer | News

_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(Reply)


def frame(message: Request | Reply) -> bytes:
    """Return ``message`` as a frame. Raises :class:`LinkError` for one beyond ``FRAME_BYTES_MAX``."""
    body = _encoder.encode(message)
    if len(body) > FRAME_BYTES_MAX:
        raise LinkError(f"A message of {len(body)} bytes does not fit the link.", "Send less at a time.")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def body_length(prefix: bytes) -> int:
    """Return the length that the first four bytes of a frame announce. Raises :class:`LinkError` beyond the bound."""
    length = int.from_bytes(prefix, "big")
    if length > FRAME_BYTES_MAX:
        raise LinkError(
            "A frame of the link is too long.", "Start the node again; its processes run different releases."
        )
    return length


def decode_request(body: bytes | bytearray) -> Request:
    """Return the request in a frame. Raises :class:`LinkError` for anything else."""
    try:
        request: Request = _requests.decode(body)
        return request
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise _malformed(error) from None


def decode_reply(body: bytes | bytearray) -> Reply:
    """Return what the ledger sent in a frame. Raises :class:`LinkError` for anything else."""
    try:
        reply: Reply = _replies.decode(body)
        return reply
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise _malformed(error) from None


def _malformed(error: Exception) -> LinkError:
    return LinkError(f"A frame of the link does not read: {error}.", "Stop the node and start it again.")
