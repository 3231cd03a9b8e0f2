"""Chains in which some blocks have votes that count for CometBFT alone, and a source that shows them."""

from collections.abc import Callable, Collection

from fujie.core.signing import Signer
from fujie.modules.membership.records import SetValidator
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from fujie.proof.vote import BlockIDFlag, VoteTemplate
from tests import world
from tests.engine.several import Item, SeveralChain
from tests.light.tampering import odd_signature, with_entry
from tests.world import VALIDATOR

OTHERS = [world.signer(f"validator {number}") for number in range(4)]
JOIN = [SetValidator(each.public_key, 10, "world") for each in OTHERS]
LEAVE = SetValidator(VALIDATOR.public_key, 0, "world")

_SIGNERS: dict[bytes, Signer] = {each.public_key: each for each in (VALIDATOR, *OTHERS)}


def odd(light: LightBlock) -> LightBlock:
    """The block with the first signature that it shows made one that CometBFT alone counts."""
    commit = light.commit
    index = next(number for number, each in enumerate(commit.signatures) if each.flag == BlockIDFlag.COMMIT)
    message = VoteTemplate(light.header.chain_id, commit.height, commit.round, commit.block_id).sign_bytes(
        commit.signatures[index].time_ns
    )
    seed = _SIGNERS[light.validators.validators[index].public_key].seed
    return with_entry(light, index, signature=odd_signature(seed, message))


def odd_item(item: Item) -> Item:
    return encode_light_block(odd(decode_light_block(item[0]))), item[1], item[2]


def four_validators() -> SeveralChain:
    """A chain on which four validators joined, and the first one left."""
    chain = SeveralChain([VALIDATOR, *OTHERS])
    chain.vote(*JOIN)
    chain.vote(LEAVE)
    return chain


def trust_in(chain: SeveralChain) -> TrustRoot:
    """A trust root of the validators of its newest block."""
    return TrustRoot(
        chain_id=chain.bare.chain_id,
        validators_hash=validator_set_hash(chain.lights[-1].validators).hex(),
        state_tree_depth=world.DEPTH,
    )


class Shown:
    """Implements ``engine.mirror_blocks.Source``: ``items``, up to ``newest``. ``on_asked`` gets each height before it answers."""

    def __init__(self, items: list[Item]) -> None:
        self.url = "http://source.invalid"
        self.items = items
        self.newest = len(items)
        self.on_asked: Callable[[int], None] = lambda height: None

    def blocks(self, height: int, wait_ms: int, limit: int) -> list[Item]:
        self.on_asked(height)
        return self.items[height - 1 : min(height - 1 + limit, self.newest)]

    def height(self) -> int:
        return self.newest

    def close(self) -> None:
        pass


def shown(chain: SeveralChain, odd_heights: Collection[int]) -> Shown:
    """The blocks of ``chain``, with odd votes at these heights."""
    return Shown([odd_item(item) if height in odd_heights else item for height, item in enumerate(chain.items, 1)])
