"""What a node says of a snapshot that it offers to others: the roots, the chunks, and whose turn it is to propose.

    snapshot of ABCI    height, format, number of chunks, hash = digest of the metadata, metadata = :class:`Contents`
    chunks              the frames of ``store.snapshot.row_frames``, joined and cut every ``CHUNK_BYTES``

The same chain gives the same bytes at every node, so that one may serve what another offered. Nothing in it is believed: the
roots must be those of an app hash that the validators signed, and the rows must add up to the roots.
"""

from typing import Final

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import DecodeError, VerificationError
from fujie.core.hashing import DIGEST_BYTES, TAG_SNAPSHOT, app_hash, digest
from fujie.core.transaction import ChainId
from fujie.core.units import Count, Digest, Height
from fujie.engine.cometbft import abci
from fujie.proof.validators import ValidatorSet, decode_validator_set
from fujie.store.snapshot import Roots

FORMAT: Final = 1  # what ABCI calls the format of a snapshot
CHUNK_BYTES: Final = 4_194_304  # CometBFT carries at most 16,000,000, and asks again after seconds
CHUNKS_MAX: Final = 100_000  # CometBFT's own bound; 400 GB


class Contents(Record, tag=1):
    """The metadata of a snapshot of the state after block ``height``.

    ``chunks`` has a digest of 32 bytes for each. ``next_validators`` and ``later_validators`` are those of the two blocks
    after it with their priorities, by which CometBFT takes turns and for which nobody signs.
    """

    chain_id: ChainId
    height: Height
    state_root: Digest
    log_root: Digest
    log_size: Count
    first_index: Count
    size: Count
    chunks: bytes
    next_validators: bytes
    later_validators: bytes

    @property
    def app_hash(self) -> bytes:
        """The app hash (32 bytes) of the state."""
        return app_hash(self.state_root, self.log_root, self.log_size)

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return len(self.chunks) // DIGEST_BYTES

    def roots(self, state_tree_depth: int, time_ms: int) -> Roots:
        """Return what the rows must add up to; ``time_ms`` is that of the block."""
        return Roots(
            self.chain_id,
            state_tree_depth,
            self.height,
            time_ms,
            self.state_root,
            self.log_root,
            self.log_size,
            self.first_index,
        )

    def turns(self) -> dict[int, ValidatorSet]:
        """Return the validators with priorities, by height. Raises :class:`DecodeError`."""
        return {
            self.height + 1: decode_validator_set(self.next_validators),
            self.height + 2: decode_validator_set(self.later_validators),
        }

    def is_chunk(self, number: int, data: bytes) -> bool:
        """Tell whether ``data`` is chunk ``number``."""
        place = number * DIGEST_BYTES
        return chunk_digest(data) == self.chunks[place : place + DIGEST_BYTES]


_CONTENTS: Final[Codec[Contents]] = Codec(Contents)


def chunk_digest(data: bytes) -> bytes:
    """Return the 32-byte digest of a chunk."""
    return digest(TAG_SNAPSHOT, data)


def decode_contents(data: bytes) -> Contents:
    """Return the contents in canonical bytes. Raises :class:`DecodeError`, also where its numbers do not belong together."""
    contents = _CONTENTS.decode(data)
    wanted = -(-contents.size // CHUNK_BYTES)
    if len(contents.chunks) != wanted * DIGEST_BYTES or not 1 <= wanted <= CHUNKS_MAX:
        raise DecodeError("the contents of a snapshot have not as many chunks as bytes need")
    contents.turns()
    return contents


def offered(contents: Contents) -> abci.Snapshot:
    """Return a snapshot as ABCI lists it."""
    metadata = encode(contents)
    return abci.Snapshot(
        height=contents.height,
        format=FORMAT,
        chunks=contents.count,
        hash=digest(TAG_SNAPSHOT, metadata),
        metadata=metadata,
    )


def read_offer(snapshot: abci.Snapshot) -> Contents:
    """Return what is offered, if it hangs together. Raises :class:`VerificationError` (steps ``decode``, ``snapshot-offer``)."""
    contents = decode_contents(snapshot.metadata)
    told = (snapshot.height, snapshot.chunks, snapshot.hash)
    if told != (contents.height, contents.count, digest(TAG_SNAPSHOT, snapshot.metadata)):
        raise VerificationError("snapshot-offer", "its height, chunks or hash are not those of its contents")
    return contents
