"""What a mirror makes of a block, and whether the next header signs the same."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fujie.core.state import Key, Leaf
from fujie.core.transaction import VerifiedBlock
from fujie.engine.embedded import validator_set
from fujie.engine.executor import Executor, Staged
from fujie.engine.mirror_blocks import Arrived, Deviation
from fujie.modules.membership import queries as membership
from fujie.modules.membership.records import Validators
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.proof.block import encode_result, results_hash
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import validator_set_hash


class Results(NamedTuple):
    """What the header after a block must sign, 32 bytes each. ``voted``: the validators that the state has after it."""

    app_hash: bytes
    results_hash: bytes
    voted: bytes


class Executed(NamedTuple):
    """A block that was carried out and is not committed."""

    staged: Staged
    gives: Results


def carry_out(executor: Executor, block: Arrived) -> Executed:
    """Carry a block out on the committed state; it is then committed or discarded."""
    header = block.block.header
    verified = VerifiedBlock(executor.chain_id, header.height, header.time_ms, block.transactions, block.misbehaviour)
    result = executor.apply(verified)
    results = results_hash([encode_result(receipt.code) for receipt in result.receipts])
    voted = voted_validators_hash(executor.live, result.changes)
    staged = executor.stage(verified, result)
    return Executed(staged, Results(staged.head.app_hash, results, voted))


def deviation(block: LightBlock, ours: Results) -> Deviation | None:
    """Return what the header of ``block`` signs otherwise than ``ours``, of the block before; None where it is the same.

    Steps, in order: ``app-hash``, ``results-hash``; ``validators-change``, where it announces others than were voted for. The
    one validator of the embedded engine may announce itself until the chain is handed over.
    """
    header = block.header
    for step, what, own, theirs in (
        ("app-hash", "another app hash", ours.app_hash, header.app_hash),
        ("results-hash", "other results", ours.results_hash, header.last_results_hash),
    ):
        if own != theirs:
            said = f"carried out here, it gives {what} than the next header signs"
            return Deviation(step, header.height - 1, said, own, theirs)
    announced, alone = header.next_validators_hash, len(block.validators.validators) == 1
    if announced != ours.voted and not (alone and announced == header.validators_hash):
        said = "it announces other validators than those who were voted for"
        return Deviation("validators-change", header.height, said, ours.voted, announced)
    return None


def voted_validators_hash(
    state: membership.Readable, changes: Mapping[str, tuple[Key[Any], Leaf]] | None = None
) -> bytes:
    """Return the 32-byte hash of the validators of ``state`` after ``changes``: those of the block after the next one."""
    changed = (changes or {}).get(VALIDATORS_KEY.path)
    voted = membership.validators(state) if changed is None else changed[1].record
    assert isinstance(voted, Validators), "validators stand at the key of the validators"
    return validator_set_hash(validator_set(voted.members))
