"""A bench for the rules of a room: a state in memory, blocks of one transaction, and nothing of machine or engine.

It obeys the real protocol: operations run on the real overlays, signers are real keys, time moves forward. What it leaves
out is what the machine adds: expiry, repeats, rule schedule, receipts. Unlike in the machine, the charge of a refused
operation is dropped as well, so that a refusal leaves the state byte for byte as it was.
"""

from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
import pytest

from fujie.core.context import Context
from fujie.core.encoding import Record, encode
from fujie.core.errors import Reason, Refused
from fujie.core.finding import Finding, InvariantChecker
from fujie.core.misbehaviour import Misbehaviour
from fujie.core.policy import KeyPolicy, threshold
from fujie.core.room import Event, Operation, Room
from fujie.core.signing import Signer
from fujie.core.state import BlockOverlay, Key, Leaf, Overlay, T

CHAIN_ID = "bench"
GENESIS_MS = 1_750_000_000_000  # 2025-06-15 15:06:40 UTC
STEP_MS = 1_000  # between two blocks of the bench


def key_pair(number: int) -> Signer:
    """The key pair with this number, the same in every run."""
    return Signer(sha256(b"bench key %d" % number).digest())


def keys(count: int, first: int = 0) -> list[Signer]:
    """``count`` key pairs, numbered from ``first``."""
    return [key_pair(first + number) for number in range(count)]


def policy_of(signers: Collection[Signer], needed: int = 0) -> KeyPolicy:
    """The policy under which ``needed`` (0: all) of ``signers`` must sign."""
    return threshold(needed or len(signers), [signer.public_key for signer in signers])


class Bench:
    """A state in memory that implements StateRead, and a clock. ``height`` and ``time_ms`` are those of the last block."""

    def __init__(self) -> None:
        self.height = 0
        self.time_ms = GENESIS_MS
        self.blocks = 0
        self._leaves: dict[str, tuple[Key[Any], Leaf]] = {}
        self._archive: dict[bytes, bytes] = {}

    # StateRead.

    def leaf(self, key: Key[T]) -> Leaf | None:
        found = self._leaves.get(key.path)
        return None if found is None else found[1]

    def get(self, key: Key[T]) -> T | None:
        found = self._leaves.get(key.path)
        return None if found is None else found[1].record  # type: ignore[return-value]  # a path has one type

    def archived(self, version: bytes) -> bytes | None:
        return self._archive.get(version)

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        return False

    # Blocks.

    def found(self, room: Room, part: Record) -> None:
        """Write the genesis of ``room``. Raises ``Refused`` unchanged and then leaves the state as it was."""
        context = Context(CHAIN_ID, 0, GENESIS_MS, bytes(32), bytes(16), frozenset())
        block = BlockOverlay(self)
        overlay = Overlay(block)
        room.genesis(overlay, context, part)
        overlay.merge(context.nonce)
        self._keep(block)

    def run(
        self,
        room: Room,
        *operations: Operation,
        signers: Collection[Signer] = (),
        time_ms: int | None = None,
        height: int | None = None,
    ) -> Event:
        """Carry out one transaction in a block of its own and return the event of its last operation.

        The block is one higher and one second later than the last, unless ``height`` or ``time_ms`` say otherwise.
        Raises ``Refused`` unchanged and then leaves the state as it was.
        """
        return self.run_all(room, *operations, signers=signers, time_ms=time_ms, height=height)[-1]

    def run_all(
        self,
        room: Room,
        *operations: Operation,
        signers: Collection[Signer] = (),
        time_ms: int | None = None,
        height: int | None = None,
    ) -> list[Event]:
        """As :meth:`run`, and return the events of all operations."""
        self.blocks += 1
        self.height = self.height + 1 if height is None else height
        self.time_ms = self.time_ms + STEP_MS if time_ms is None else time_ms
        context = self.context(signers)
        block = BlockOverlay(self)
        overlay = Overlay(block)
        events = []
        for position, operation in enumerate(operations):
            handler = room.handlers[type(operation)]
            handler.authorise(overlay, context, operation)
            if position == 0:
                # As the machine does: whoever authorises the first operation is charged for all of them.
                handler.charge(overlay, context, operation, len(operations))
            events.append(handler.transition(overlay, context, operation))
        overlay.merge(context.nonce)
        self._keep(block)
        return events

    def tell(self, room: Room, *acts: Misbehaviour) -> None:
        """Let ``room`` begin a block that tells of misbehaviour, without transactions."""
        assert room.begin_block is not None
        block = BlockOverlay(self)
        overlay = Overlay(block)
        room.begin_block(overlay, acts)
        overlay.merge(b"")
        self._keep(block)

    def context(self, signers: Collection[Signer] = ()) -> Context:
        """The context of the block in hand; nonce and id differ from block to block and are the same in every run."""
        nonce = sha256(b"bench nonce %d" % self.blocks).digest()
        signed_by = frozenset(signer.public_key for signer in signers)
        return Context(CHAIN_ID, self.height, self.time_ms, sha256(nonce).digest(), nonce[:16], signed_by)

    def overlay(self) -> Overlay:
        """An overlay whose writes nobody keeps: to call a function of a room on."""
        return Overlay(BlockOverlay(self))

    # Looking and tampering.

    def leaves(self) -> Iterator[tuple[str, Record]]:
        """Path and record of every leaf, by path."""
        for path, (_key, leaf) in sorted(self._leaves.items()):
            yield path, leaf.record

    def image(self) -> dict[str, bytes]:
        """Every leaf and every old version as bytes: equal images are equal states."""
        image = {path: leaf.salt + encode(leaf.record) for path, (_key, leaf) in self._leaves.items()}
        image |= {version.hex(): data for version, data in self._archive.items()}
        return image

    def plant(self, key: Key[T], record: T) -> None:
        """Set a leaf past every rule."""
        self._leaves[key.path] = (key, Leaf(record, bytes(32) if key.salted else b""))

    def uproot(self, key: Key[T]) -> None:
        """Remove a leaf past every rule."""
        del self._leaves[key.path]

    def refuses(
        self,
        reason: Reason,
        room: Room,
        *operations: Operation,
        signers: Collection[Signer] = (),
        time_ms: int | None = None,
        height: int | None = None,
    ) -> None:
        """Assert that the transaction is refused for ``reason`` and leaves the state byte for byte as it was."""
        before = self.image()
        with pytest.raises(Refused) as refusal:
            self.run(room, *operations, signers=signers, time_ms=time_ms, height=height)
        assert refusal.value.reason is reason, f"{refusal.value} instead of {reason.name}"
        assert self.image() == before, "a refused operation changed the state"

    def check(self, *checkers: InvariantChecker) -> list[Finding]:
        """Show every leaf to ``checkers`` and return what they find."""
        for path, record in self.leaves():
            for checker in checkers:
                checker.see(path, record)
        return [finding for checker in checkers for finding in checker.findings()]

    def _keep(self, block: BlockOverlay) -> None:
        self._leaves.update(block.leaves)
        self._archive.update(block.archive)
        for path, (key, leaf) in block.leaves.items():
            # A record that its own codec would not take back must never have been written.
            assert key.codec.decode(encode(leaf.record)) == leaf.record, path


class Member(NamedTuple):
    """An account to found: its organisation, who signs for it (all of them), its roles, its quota (0: default)."""

    organisation: str
    signers: Collection[Signer]
    roles: tuple[str, ...] = ()
    quota_per_minute: int = 0


def with_membership(members: Mapping[str, Member], *rooms: str, **parameters: Any) -> Bench:
    """A bench on which membership is founded with these accounts by name, their organisations, and ``rooms`` running.

    ``parameters`` replace default parameters by name. At least one member must be a governor.
    """
    # Imported here, so that a room can be worked on while membership is broken.
    from fujie.modules.membership import genesis
    from fujie.modules.membership.records import ParameterValues, Role, Validator
    from fujie.modules.membership.transitions import ROOM_V1

    organisations = sorted({member.organisation for member in members.values()})
    accounts = tuple(
        genesis.GenesisAccount(
            name,
            member.organisation,
            policy_of(member.signers),
            tuple(sorted(Role(role) for role in member.roles)),
            member.quota_per_minute,
        )
        for name, member in sorted(members.items())
    )
    values: ParameterValues = msgspec.structs.replace(genesis.DEFAULTS, **parameters)
    part = genesis.MembershipGenesis(
        values,
        tuple(genesis.GenesisOrganisation(name, name.title()) for name in organisations),
        accounts,
        (Validator(key_pair(9_999).public_key, 10, organisations[0]),),
        tuple(genesis.GenesisRule(room, 1) for room in sorted({"membership", *rooms})),
    )
    bench = Bench()
    bench.found(ROOM_V1, part)
    return bench


__all__ = [
    "CHAIN_ID",
    "GENESIS_MS",
    "STEP_MS",
    "Bench",
    "Member",
    "key_pair",
    "keys",
    "policy_of",
    "with_membership",
]
