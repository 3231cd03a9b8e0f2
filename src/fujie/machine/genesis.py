"""Genesis: the state that a chain begins with, and the name that commits to it (docs/spec/03-state.md,
"Genesis and chain id").

A genesis is a list of leaves, so that founding a chain from what people wrote down (:func:`compose`), exporting a
running one (:func:`export`) and starting from either are the same thing. The chain id is the chosen name and 128 bits
of the genesis' digest: whoever pins the chain id has pinned every rule, key and parameter that the chain began with.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta

from fujie.core.context import Context
from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.hashing import DIGEST_BYTES, TAG_GENESIS, ZERO_DIGEST, digest, version_digest
from fujie.core.state import BlockOverlay, Key, Leaf, Overlay
from fujie.core.units import TimeMs
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.modules.catalog import codec_of
from fujie.modules.membership.state_keys import GOVERNORS_KEY, PARAMETERS_KEY, ROOMS_KEY, VALIDATORS_KEY

R = TypeVar("R", bound=Record)

GENESIS_NONCE: Final = bytes(16)  # the salts of leaves that genesis itself creates come from seeds, never from this

_NEEDED: Final = frozenset(key.path for key in (GOVERNORS_KEY, PARAMETERS_KEY, ROOMS_KEY, VALIDATORS_KEY))

ChainName = Annotated[str, Meta(min_length=1, max_length=17, pattern=r"\A[a-z][a-z0-9-]*\Z")]


class GenesisLeaf(Record, tag=1):
    """One record of the first state: its path, its salt (32 bytes or none) and its canonical bytes."""

    path: Annotated[str, Meta(min_length=1, max_length=400)]
    salt: Annotated[bytes, Meta(max_length=32)]
    record: bytes


class Genesis(Record, tag=1):
    """What a chain begins with. ``leaves`` ascend by path; ``archive`` holds old versions that records refer to."""

    name: ChainName
    time_ms: TimeMs
    leaves: tuple[GenesisLeaf, ...]
    archive: tuple[bytes, ...]


GENESIS: Final[Codec[Genesis]] = Codec(Genesis)


class _Nothing:
    """The state before the first."""

    def leaf(self, key: Key[Any]) -> Leaf | None:
        """Nothing stands anywhere."""
        return None

    def get(self, key: Key[Any]) -> None:
        """Nothing stands anywhere."""
        return

    def archived(self, version: bytes) -> bytes | None:
        """Nothing was replaced."""
        return None

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        """Nothing was carried out."""
        return False


def chain_id(genesis: Genesis) -> str:
    """Return the chain id: the name, a hyphen and the first 128 bits of the genesis' digest in hexadecimal."""
    return f"{genesis.name}-{digest(TAG_GENESIS, encode(genesis)).hex()[:32]}"


def compose(name: str, time_ms: int, parts: Iterable[tuple[str, Record]], schedule: Schedule = SCHEDULE) -> Genesis:
    """Return the genesis in which each room named in ``parts`` is founded with its own genesis record.

    ``membership`` comes first and says, among its parts, which rooms run. Raises ``Refused`` with the room's reason
    when a part breaks a rule, and :class:`OperationalError` for a room that this installation lacks.
    """
    overlay = BlockOverlay(_Nothing())
    context = Context("", 0, time_ms, ZERO_DIGEST, GENESIS_NONCE, frozenset())
    for room_name, part in parts:
        versions = schedule.rooms.get(room_name)
        if versions is None:
            raise OperationalError(
                f"This installation of Fujie has no room '{room_name}'.", f"It has {', '.join(sorted(schedule.rooms))}."
            )
        state = Overlay(overlay)
        versions[min(versions)].genesis(state, context, part)
        state.merge(GENESIS_NONCE)
    return export(
        name,
        time_ms,
        ((path, leaf.salt, encode(leaf.record)) for path, (_, leaf) in overlay.leaves.items()),
        overlay.archive.values(),
    )


def export(
    name: str, time_ms: int, leaves: Iterable[tuple[str, bytes, bytes]], archive: Iterable[bytes] = ()
) -> Genesis:
    """Return the genesis of a chain that begins with these (path, salt, record bytes) and old versions."""
    ordered = tuple(GenesisLeaf(*leaf) for leaf in sorted(leaves))
    return Genesis(name, time_ms, ordered, tuple(sorted(archive)))


def load(data: bytes) -> Genesis:
    """Return the genesis of canonical bytes.

    Raises :class:`VerificationError`, with the steps ``decode``: bytes that are no genesis; ``genesis-order``: leaves not
    ascending; ``genesis-salt``: a salt that is neither empty nor 32 bytes; ``decode`` again: a record that is not the
    canonical one of its path; ``genesis-membership``: a record is missing without which no chain runs.
    """
    genesis = GENESIS.decode(data)
    paths = [leaf.path for leaf in genesis.leaves]
    if paths != sorted(set(paths)) or list(genesis.archive) != sorted(set(genesis.archive)):
        raise VerificationError("genesis-order", "leaves or old versions do not ascend")
    for leaf in genesis.leaves:
        if len(leaf.salt) not in (0, DIGEST_BYTES):
            raise VerificationError("genesis-salt", f"the salt of {leaf.path} has {len(leaf.salt)} bytes")
        codec_of(leaf.path).decode(leaf.record)
    if missing := _NEEDED.difference(paths):
        raise VerificationError("genesis-membership", f"without {', '.join(sorted(missing))} no chain runs")
    return genesis


def founded(genesis: Genesis) -> Iterator[tuple[Key[Any], Leaf]]:
    """Yield (key, leaf) of the first state, by path ascending."""
    for leaf in genesis.leaves:
        codec = codec_of(leaf.path)
        key: Key[Any] = Key(leaf.path, codec, bool(leaf.salt))
        yield key, Leaf(codec.decode(leaf.record), leaf.salt)


def founding_record(genesis: Genesis, key: Key[R]) -> R:
    """Return the record at ``key`` in the first state.

    Raises :class:`VerificationError` with the step ``genesis-membership`` where there is none; one that :func:`load`
    returned has the parameters, validators, governors and rooms.
    """
    for leaf in genesis.leaves:
        if leaf.path == key.path:
            return key.codec.decode_trusted(leaf.record)
    raise VerificationError("genesis-membership", f"without {key.path} no chain runs")


def founded_archive(genesis: Genesis) -> dict[bytes, bytes]:
    """Return the old versions of the first state: digest → canonical bytes."""
    return {version_digest(data): data for data in genesis.archive}
