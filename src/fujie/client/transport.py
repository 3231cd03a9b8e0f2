"""What carries a client's bytes to a node and the answers back. A transport is not trusted: it may lose, repeat and lie.

Two implementations: :class:`fujie.client.http.HttpTransport` over HTTP and ``fujie.node.transport.LocalTransport`` in
process. Both move canonical bytes only; what they mean is for ``client.verifier`` to find out.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from fujie.core.transaction import ChainId
from fujie.core.units import Height, TimeMs
from fujie.modules.membership.records import ROOMS_MAX, RoomName, RuleNumber


class TransportOutcome(NamedTuple):
    """What the node says became of one transaction; nothing of it is verified yet.

    With ``receipt`` (canonical bytes) the ledger carried it out or refused it, durably, at ``height``, and
    ``log_index`` is its place in the log. Without, it was turned away with reason number ``code`` and nothing of it is stored;
    ``transaction_id`` may then be empty.
    """

    transaction_id: bytes
    code: int
    receipt: bytes | None
    height: int | None
    log_index: int | None


class ComingRules(msgspec.Struct, frozen=True):
    """A version of a room's rules that is in force from a height on; ``known``: whether the node has it."""

    room: RoomName
    version: RuleNumber
    from_height: Height
    known: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself: its chain, height and block time of its newest block, when that was decided (0: it does not
    say), and the rules that are decided and not in force yet, at most so many as a chain may have. Further fields are ignored.

    It is a hint, for choosing an expiry and for people; nothing is ever proven with it.
    """

    chain_id: ChainId
    height: Height
    time_ms: TimeMs
    decided_ms: TimeMs = 0
    coming: Annotated[tuple[ComingRules, ...], Meta(max_length=ROOMS_MAX)] = ()


class Transport(Protocol):
    """Concurrent: any thread may call any method. Retried by the implementation where that is safe: submitting the same
    bytes twice is, because the ledger answers with the first receipt. Nothing here is durable.

    Every method raises :class:`OperationalError` when the node cannot be reached, turns the request away or answers what
    cannot be read; ``Refused`` where a rule of reading refuses (``core.reasons.ReadReason``).
    """

    @property
    def name(self) -> str:
        """What people call the node, such as its URL; it holds no secret."""
        ...

    def submit(self, transactions: Sequence[bytes]) -> list[TransportOutcome]:
        """Submit canonical signed transactions (at most ``SUBMIT_BATCH_MAX``); return one outcome for each, in order."""
        ...

    def dry_run(self, transaction: bytes) -> TransportOutcome:
        """Have a signed transaction carried out and forgotten; the receipt says what would happen now."""
        ...

    def read(self, queries: Sequence[bytes], grant: bytes | None = None, time_ms: int | None = None) -> bytes:
        """Return the canonical bundle for canonical queries (1 to ``BULK_ITEMS_MAX``), one item for each, in order.

        ``grant`` is a signed read grant. With ``time_ms`` each record comes with the old versions that reach back to it.
        """
        ...

    def receipt(self, transaction_id: bytes) -> bytes | None:
        """Return the canonical bundle that proves the receipt of a transaction (32-byte id), or None if unknown.

        Waits, within the transport's time limit, for the block that proves it.
        """
        ...

    def light_block(self, height: int | None) -> bytes | None:
        """Return the canonical light block at ``height`` (from 1), or the newest for None; None where there is none."""
        ...

    def last_of(self, validators_hash: bytes) -> bytes | None:
        """Return the canonical light block that the validators with this hash (32 bytes) signed last before others did, or
        the newest one where they still sign; None where the node does not know it.
        """
        ...

    def status(self) -> Status:
        """Return where the node stands."""
        ...

    def close(self) -> None:
        """Free what the transport holds. Idempotent."""
        ...
