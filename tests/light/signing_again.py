"""A second block in the place of one, signed by validators who break the protocol, for tests of attacks."""

from typing import Any

from fujie.core.signing import Signer
from fujie.proof.header import header_hash
from fujie.proof.light_block import LightBlock
from fujie.proof.vote import ABSENT, BlockIDFlag, Commit, CommitSig, VoteTemplate
from tests.light.embedded_chain import seed_of
from tests.light.tampering import changed

NAMES_MAX = 100


def signed_again(
    block: LightBlock, signers: tuple[int, ...] | None = None, round_: int = 0, **fields: Any
) -> LightBlock:
    """Another header in the place of a block, signed in ``round_`` by ``signers``: all validators but the last by default."""
    header = changed(block.header, **fields)
    block_id = changed(block.commit.block_id, hash=header_hash(header))
    time_ns = header.time_ns + 1
    message = VoteTemplate(header.chain_id, header.height, round_, block_id).sign_bytes(time_ns)
    keys = {signer.public_key: signer for signer in map(Signer, map(seed_of, signers or range(1, NAMES_MAX)))}
    entries = []
    for place, (validator, address) in enumerate(
        zip(block.validators.validators, block.validators.addresses, strict=True)
    ):
        signer = keys.get(validator.public_key)
        silent = signer is None or (signers is None and place == len(block.validators.validators) - 1)
        entries.append(
            ABSENT
            if signer is None or silent
            else CommitSig(BlockIDFlag.COMMIT, address, time_ns, signer.sign(message))
        )
    return LightBlock(header, Commit(header.height, round_, block_id, tuple(entries)), block.validators)
