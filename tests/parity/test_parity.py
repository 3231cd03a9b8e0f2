"""One recorded sequence of (height, time, transactions, misbehaviour) gives one sequence of app hashes and receipts.

Bare machine, embedded engine, the ABCI application and a real CometBFT differ in who decides, and in nothing else.
"""

import base64
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import VerifiedBlock
from fujie.engine.admission import verify_transaction
from fujie.engine.cometbft.consensus import Block
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import Genesis, chain_id
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.queries import MembershipReason, MisbehaviourQuery
from fujie.modules.membership.records import SetValidator, Validator
from fujie.proof.bundle import Absent, Present, encode_bundle, verify
from fujie.proof.comet_json import read_time
from fujie.proof.header import BlockID, PartSetHeader
from fujie.proof.light_block import decode_light_block
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_address
from fujie.proof.vote import BlockIDFlag, Commit, CommitSig, commit_sign_bytes
from tests import world
from tests.abci.replaying import by_the_application, by_the_bare_machine, recorded
from tests.engine.bare import Result
from tests.engine.recorded import gained, gaining
from tests.parity.one_node import SECONDS_MAX, OneNode, one_node, soon_ms, wait
from tests.world import KINDS, ROOT, VALIDATOR, Kind, Signing, allocate, funded, holder, pay

PRECOMMIT = 2


def receipts_by_height(executor: Executor) -> list[list[bytes]]:
    """The receipts of every block of a chain, as they stand in its log."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for entry in executor.entries(0, executor.head.log_size):
        found[entry.height].append(entry.receipt)
    return [found[height] for height in range(1, executor.head.height + 1)]


def by_the_executor(blocks: Sequence[Block], kind: Kind, folder: Path, genesis: Genesis | None = None) -> list[Result]:
    """Carry a sequence out in the three steps of the embedded engine, back to back."""
    folder.mkdir()
    store = world.open_kind(kind, folder)
    found(store, genesis or funded())
    executor = Executor(store)
    results = []
    for block in blocks:
        transactions = tuple(verify_transaction(raw) for raw in block.transactions)
        verified = VerifiedBlock(executor.chain_id, block.height, block.time_ms, transactions, block.misbehaviour)
        executor.commit(executor.stage(verified, executor.apply(verified)))
        receipts = receipts_by_height(executor)[-1]
        codes = [receipt.code for transaction in transactions if (receipt := executor.receipt_of(transaction.id))]
        results.append(Result(executor.head.app_hash, receipts, codes))
    assert world.findings(store) == []
    store.close()
    return results


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_with_misbehaviour_gives_the_same_on_machine_executor_and_application(
    kind: Kind, tmp_path: Path
) -> None:
    blocks = list(recorded())
    bare = by_the_bare_machine(blocks)
    assert by_the_application(blocks, kind, tmp_path / "abci") == bare
    executed = by_the_executor(blocks, kind, tmp_path / "executor")
    assert [each[:2] for each in executed] == [each[:2] for each in bare]
    told = sum(len(block.misbehaviour) for block in blocks)
    assert told > 5
    silent = by_the_bare_machine([block._replace(misbehaviour=()) for block in blocks])
    assert [each.receipts for each in silent] == [each.receipts for each in bare]
    assert silent[-1].app_hash != bare[-1].app_hash


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_that_gains_a_room_gives_the_same_on_machine_executor_and_application(
    kind: Kind, tmp_path: Path
) -> None:
    steps = enumerate(gaining(Signing(chain_id(gained()))), 1)
    blocks = [Block(height, time_ms, tuple(raws)) for height, (time_ms, raws) in steps]
    bare = by_the_bare_machine(blocks, gained())
    assert by_the_application(blocks, kind, tmp_path / "abci", gained()) == bare
    executed = by_the_executor(blocks, kind, tmp_path / "executor", gained())
    assert [each[:2] for each in executed] == [each[:2] for each in bare]
    not_yet, unreadable, again = (
        MembershipReason.ROOM_NOT_IN_FORCE,
        MembershipReason.FOUNDING_UNREADABLE,
        MembershipReason.ROOM_FOUNDED_ALREADY,
    )
    inactive = TransactionReason.ROOM_NOT_ACTIVE
    assert [each.codes for each in bare] == [
        [0, 0, 0],
        [0, 0, not_yet],
        [inactive],
        [],
        [0, 0, unreadable, inactive],
        [0, inactive],  # it takes operations from the block after
        [0, 0, again, 0],
        [0, 0],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_embedded_engine_decides_gives_the_same_on_machine_and_application(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "embedded").mkdir()
    with world.running(kind, tmp_path / "embedded") as engine:
        signing = Signing(engine.chain_id)
        for raws in submissions(signing, world.EXPIRES_MS):
            outcomes = engine.submit(raws).result(SECONDS_MAX)
            engine.wait_proven(outcomes[-1].log_index or 0, SECONDS_MAX)
        executor = engine.executor
        blocks = []
        for height in range(1, executor.head.height + 1):
            header, _, stored, _ = world.load_block(executor, height)
            entries = executor.entries(stored.first_index, stored.first_index + stored.transactions)
            blocks.append(Block(height, header.time_ms, tuple(entry.transaction for entry in entries)))
        receipts, signed, head = receipts_by_height(executor), world.app_hashes(executor), executor.head
    bare = by_the_bare_machine(blocks)
    assert [each.receipts for each in bare] == receipts
    assert [each.app_hash for each in bare] == [*signed[1:], head.app_hash]
    assert by_the_application(blocks, kind, tmp_path / "abci") == bare
    assert sum(len(block.transactions) for block in blocks) > 50


@pytest.mark.go
@pytest.mark.slow
def test_what_a_real_cometbft_decides_gives_the_same_on_machine_and_application(tmp_path: Path) -> None:
    with one_node() as node:
        with node.open() as engine:
            for raws in submissions(node.signing, soon_ms()):
                engine.submit(raws).result(SECONDS_MAX)
        with node.open() as engine:  # which replays nothing, and goes on
            again = [node.pay(n % 4, (n + 1) % 4, n) for n in range(1, 30)]
            outcomes = engine.submit(again).result(SECONDS_MAX)
            assert {outcome.code for outcome in outcomes} == {0}
            accuse(node, at=2)
            engine.submit([node.pay(0, 1)]).result(SECONDS_MAX)
            key = MisbehaviourQuery(validator_address(VALIDATOR.public_key)).key()
            wait(lambda: engine.read(key) is not None)
            record = engine.read(key)
            wait(lambda: engine.block(engine.executor.head.height) is not None)
            nobody = MisbehaviourQuery(bytes(20)).key()
            bundle = engine.prove([key, nobody])
            blocks = node.decided(engine)
            executor = engine.executor
            receipts = receipts_by_height(executor)[: len(blocks)]
            signed = world.app_hashes(executor)[: len(blocks)]
    bare = by_the_bare_machine(blocks)
    assert [each.receipts for each in bare] == receipts
    assert [each.app_hash for each in bare][: len(signed) - 1] == signed[1:]
    assert by_the_application(blocks, "rocks", tmp_path / "abci") == bare
    assert sum(len(block.transactions) for block in blocks) > 80
    [act] = [act for block in blocks for act in block.misbehaviour]
    signed_by = decode_light_block(
        bundle.light_block
    ).header.validators_hash.hex()  # its power has changed since block 1
    trust = TrustRoot(chain_id=bundle.chain_id, validators_hash=signed_by, state_tree_depth=world.DEPTH)
    present, absent = verify(encode_bundle(bundle), trust).items
    assert isinstance(present, Present)
    assert isinstance(absent, Absent)
    assert (present.path, absent.path) == (key.path, nobody.path)
    assert record is not None
    assert present.record == encode(record.record)
    found_record: Any = record.record
    assert (found_record.count, found_record.first) == (1, act)
    assert found_record.validator == Validator(VALIDATOR.public_key, 12, "world")


def submissions(signing: Signing, expires_at_ms: int) -> list[list[bytes]]:
    """What a client submits: all rooms, successes, refusals, repeats, votes; the validator's power changes."""

    def sign(operation: Any, *signers: Any) -> bytes:
        return signing.sign(operation, *signers, expires_at_ms=expires_at_ms)

    first = [sign(pay(n % 4, (n + 1) % 4, n + 1), holder(n % 4)) for n in range(40)]
    proposal, *votes = decision(signing, SetValidator(VALIDATOR.public_key, 12, "world"), expires_at_ms)
    return [
        first[:1],
        first[1:],
        [sign([pay(0, 1), pay(0, 2, 10**12)], holder(0)), sign(pay(1, 2, 10**12), holder(1)), first[3]],
        [sign(allocate(str(1_300 + n)), ROOT) for n in range(5)] + [sign(allocate("1300"), ROOT)],
        [proposal],
        votes,
        [sign(pay(n % 4, (n + 2) % 4, 3), holder(n % 4)) for n in range(10)],
    ]


def decision(signing: Signing, action: SetValidator, expires_at_ms: int) -> list[bytes]:
    """A proposal and the votes for it that expire at a time."""
    identifier = world.nonce(9_000_000)
    return [
        signing.sign(Propose("root", identifier, action, expires_at_ms), ROOT, expires_at_ms=expires_at_ms),
        signing.sign(Vote("root", identifier), ROOT, expires_at_ms=expires_at_ms),
        signing.sign(Vote("central-bank", identifier), *world.BANK[:2], expires_at_ms=expires_at_ms),
    ]


def accuse(node: OneNode, at: int) -> None:
    """Prove to CometBFT that the validator signed two blocks at a height: with its key, we sign two that there are not."""
    time = node.ask("block", height=str(at))["block"]["header"]["time"]
    votes = [_vote(node.signing.chain_id, at, time, bytes((digit,)) * 32) for digit in (1, 2)]
    value = {
        "vote_a": votes[0],
        "vote_b": votes[1],
        "TotalVotingPower": "10",
        "ValidatorPower": "10",
        "Timestamp": time,
    }
    node.ask("broadcast_evidence", evidence={"type": "tendermint/DuplicateVoteEvidence", "value": value})


def _vote(chain_id: str, height: int, time: str, block_hash: bytes) -> dict[str, Any]:
    address = validator_address(VALIDATOR.public_key)
    block_id = BlockID(block_hash, PartSetHeader(1, block_hash))
    unsigned = CommitSig(BlockIDFlag.COMMIT, address, read_time(time), b"")
    signature = VALIDATOR.sign(commit_sign_bytes(chain_id, Commit(height, 0, block_id, (unsigned,)), 0))
    return {
        "type": PRECOMMIT,
        "height": str(height),
        "round": 0,
        "block_id": {"hash": block_hash.hex().upper(), "parts": {"total": 1, "hash": block_hash.hex().upper()}},
        "timestamp": time,
        "validator_address": address.hex().upper(),
        "validator_index": 0,
        "signature": base64.b64encode(signature).decode(),
    }
