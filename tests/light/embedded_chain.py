"""Chains of headers as the embedded engine makes them, for tests: one validator at first, other sets where asked."""

from collections.abc import Mapping, Sequence

from fujie.core.signing import public_key
from fujie.proof.block import data_hash, encode_result, make_block_id, results_hash
from fujie.proof.commit import sign_commit
from fujie.proof.header import NIL_BLOCK_ID, BlockID, Header, consensus_params_hash, make_header
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from fujie.proof.vote import EMPTY_COMMIT, commit_hash

CHAIN_ID = "embedded-test"
START_MS = 1_700_000_000_123
INTERVAL_MS = 700


def seed_of(name: int) -> bytes:
    """The seed of test validator ``name``."""
    return name.to_bytes(32, "big")


def set_of(powers: Mapping[int, int]) -> ValidatorSet:
    """The set of test validators by name and power."""
    return ValidatorSet.of(Validator(public_key(seed_of(name)), power) for name, power in powers.items())


def make_chain(
    powers_by_height: Sequence[Mapping[int, int]],
    *,
    announce: bool = True,
    chain_id: str = CHAIN_ID,
    app_hash: bytes | None = None,
    interval_ms: int = INTERVAL_MS,
) -> list[LightBlock]:
    """Return one light block per entry, from height 1: entry h-1 names the validators of height h, who all sign.

    ``announce=False`` leaves every ``next_validators_hash`` at the present set, as a forger would have to. With
    ``app_hash`` every header commits to the same state.
    """
    sets = [set_of(powers) for powers in powers_by_height]
    blocks: list[LightBlock] = []
    last_commit, last_block_id = EMPTY_COMMIT, NIL_BLOCK_ID
    for index, (powers, validators) in enumerate(zip(powers_by_height, sets, strict=True)):
        transactions = [b"%d.%d" % (index, number) * number for number in range(index * 3)]
        following = sets[min(index + 1, len(sets) - 1)] if announce else validators
        header = make_header(
            chain_id=chain_id,
            height=index + 1,
            time_ms=START_MS + index * interval_ms,
            last_block_id=last_block_id,
            last_commit_hash=commit_hash(last_commit),
            data_hash=data_hash(transactions),
            validators_hash=validator_set_hash(validators),
            next_validators_hash=validator_set_hash(following),
            consensus_hash=consensus_params_hash(4_194_304, -1),
            app_hash=index.to_bytes(32, "big") if app_hash is None else app_hash,
            last_results_hash=results_hash(encode_result(code) for code in range(index)),
            proposer_address=validators.addresses[0],
        )
        block_id = make_block_id(header, transactions, last_commit)
        blocks.append(_signed(header, block_id, powers))
        last_commit, last_block_id = blocks[-1].commit, block_id
    return blocks


def sign_anew(header: Header, powers: Mapping[int, int]) -> LightBlock:
    """Return the light block of an empty block with this header, which all of these validators sign."""
    return _signed(header, make_block_id(header, [], EMPTY_COMMIT), powers)


def _signed(header: Header, block_id: BlockID, powers: Mapping[int, int]) -> LightBlock:
    validators, seeds = set_of(powers), [seed_of(name) for name in powers]
    commit = sign_commit(header.chain_id, header, block_id, validators, seeds, header.time_ms + 1)
    return LightBlock(header, commit, validators)
