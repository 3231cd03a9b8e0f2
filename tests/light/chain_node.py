"""A node in memory whose chain has other validators from some height on, and answers with proof: for tests of clients."""

from collections.abc import Mapping, Sequence

from fujie.client.transport import Status, TransportOutcome
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.hashing import app_hash
from fujie.proof.bundle import Bundle
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from tests.light.embedded_chain import INTERVAL_MS, make_chain, set_of
from tests.light.memory_provider import last_signed
from tests.light.tampering import changed


def chain_over(
    bundle: Bundle, powers_by_height: Sequence[Mapping[int, int]], *, interval_ms: int = INTERVAL_MS
) -> list[LightBlock]:
    """A chain of headers that all commit to what ``bundle`` opens, by the validators of each height."""
    commitment = app_hash(bundle.state_root, bundle.log_root, bundle.log_size)
    return make_chain(powers_by_height, chain_id=bundle.chain_id, app_hash=commitment, interval_ms=interval_ms)


def under(bundle: Bundle, block: LightBlock) -> bytes:
    """``bundle`` under another header that commits to the same."""
    return encode(changed(bundle, light_block=encode_light_block(block)))


def root_over(bundle: Bundle, powers: Mapping[int, int], *, depth: int, trust_period_ms: int) -> TrustRoot:
    """The trust root of such a chain with these validators."""
    return TrustRoot(
        chain_id=bundle.chain_id,
        validators_hash=validator_set_hash(set_of(powers)).hex(),
        state_tree_depth=depth,
        trust_period_ms=trust_period_ms,
    )


class ChainNode:
    """Implements ``Transport``: every answer is ``bundle`` under the block at ``height``. Counts what it is asked.

    ``silent`` keeps its light blocks back; ``told`` is answered instead, and ``told_last`` as where validators signed last,
    which it cannot say unless it ``tells``.
    """

    name = "a node in memory"

    def __init__(self, bundle: Bundle, blocks: Sequence[LightBlock], height: int) -> None:
        self.bundle = bundle
        self.blocks = {block.header.height: block for block in blocks}
        self.height = height
        self.silent = False
        self.tells = True
        self.told: bytes | None = None
        self.told_last: LightBlock | None = None
        self.light_blocks_asked: list[int | None] = []

    @property
    def newest(self) -> LightBlock:
        return self.blocks[self.height]

    def submit(self, transactions: Sequence[bytes]) -> list[TransportOutcome]:
        raise OperationalError("This node takes nothing.", "Ask another.")

    def dry_run(self, transaction: bytes) -> TransportOutcome:
        raise OperationalError("This node takes nothing.", "Ask another.")

    def read(self, queries: Sequence[bytes], grant: bytes | None = None, time_ms: int | None = None) -> bytes:
        return self.told or under(self.bundle, self.newest)

    def receipt(self, transaction_id: bytes) -> bytes | None:
        return under(self.bundle, self.newest)

    def light_block(self, height: int | None) -> bytes | None:
        self.light_blocks_asked.append(height)
        if self.silent:
            raise OperationalError("The node keeps its blocks back.", "Ask another.")
        wanted = self.height if height is None else height
        known = self.blocks.get(wanted) if wanted <= self.height else None
        return None if known is None else encode_light_block(known)

    def last_of(self, validators_hash: bytes) -> bytes | None:
        if self.silent:
            raise OperationalError("The node keeps its blocks back.", "Ask another.")
        if self.told_last is not None:
            return encode_light_block(self.told_last)
        known = [block for height, block in self.blocks.items() if height <= self.height]
        found = last_signed(known, validators_hash) if self.tells else None
        return None if found is None else encode_light_block(found)

    def status(self) -> Status:
        header = self.newest.header
        return Status(chain_id=header.chain_id, height=header.height, time_ms=header.time_ms)

    def close(self) -> None:
        """Nothing to free."""
