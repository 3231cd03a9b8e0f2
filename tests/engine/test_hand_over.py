"""The embedded engine ends where others go on: its last block announces them, and nobody else makes one after it."""

from pathlib import Path

import pytest

from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor
from fujie.engine.stored_block import pivot_in
from fujie.modules.membership.records import SetValidator
from fujie.proof.block import make_block_id
from fujie.proof.commit import sign_commit
from fujie.proof.header import make_header
from fujie.proof.light import verify_follows
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from fujie.proof.vote import EMPTY_COMMIT
from tests import world
from tests.world import ON_DISK, VALIDATOR, Kind, Signing, load_block, open_kind, running

OTHERS = [world.signer(f"validator {number}") for number in range(3)]


def voted(signing: Signing) -> list[bytes]:
    """The transactions that put three validators in the place of the one."""
    actions = [SetValidator(each.public_key, 5, "world") for each in OTHERS]
    actions.append(SetValidator(VALIDATOR.public_key, 0, "world"))
    return [raw for number, action in enumerate(actions) for raw in signing.decide(action, number)]


@pytest.mark.parametrize("kind", ON_DISK)
def test_the_last_block_is_empty_and_announces_the_validators_of_the_state(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id)
        for raw in voted(signing):
            assert engine.submit([raw]).result(300)[0].code == 0
        assert engine.submit([signing.pay(0, 1)]).result(300)[0].code == 0
        head = engine.hand_over()
        assert engine.head == head
        with pytest.raises(OperationalError, match="stopped"):
            engine.hand_over()
    store = open_kind(kind, tmp_path)
    try:
        executor = Executor(store)
        header, _, stored, _ = load_block(executor, head.height)
        assert executor.head == head
        assert stored.transactions == 0
        assert header.app_hash == head.app_hash
        those = ValidatorSet.of(Validator(each.public_key, 5) for each in OTHERS)
        assert header.next_validators_hash == validator_set_hash(those) != header.validators_hash
        assert pivot_in(store.get, header.validators_hash) == head.height
    finally:
        store.close()


@pytest.mark.parametrize("kind", ON_DISK)
def test_no_embedded_engine_goes_on_after_it(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        height = engine.hand_over().height
    store = open_kind(kind, tmp_path)
    try:
        executor = Executor(store)
        with pytest.raises(OperationalError, match=f"handed over to its validators at block {height}"):
            EmbeddedEngine(executor, VALIDATOR, worker=False)
        assert executor.head.height == height
    finally:
        store.close()


def test_whoever_believes_the_last_block_believes_the_next_one_of_those_it_announces(tmp_path: Path) -> None:
    with running("sqlite", tmp_path) as engine:
        for raw in voted(Signing(engine.chain_id)):
            engine.submit([raw]).result(300)
        head = engine.hand_over()
    store = open_kind("sqlite", tmp_path)
    try:
        last = load_block(Executor(store), head.height)
    finally:
        store.close()
    those = ValidatorSet.of(Validator(each.public_key, 5) for each in OTHERS)
    old = ValidatorSet.of([Validator(VALIDATOR.public_key, 10)])

    def following(validators: ValidatorSet, seeds: list[bytes]) -> LightBlock:
        header = make_header(
            chain_id=last.header.chain_id,
            height=head.height + 1,
            time_ms=head.time_ms + 1,
            last_block_id=last.commit.block_id,
            last_commit_hash=last.header.last_commit_hash,
            data_hash=last.header.data_hash,
            validators_hash=validator_set_hash(validators),
            next_validators_hash=validator_set_hash(validators),
            consensus_hash=last.header.consensus_hash,
            app_hash=head.app_hash,
            last_results_hash=last.header.last_results_hash,
            proposer_address=validators.addresses[0],
        )
        block_id = make_block_id(header, [], EMPTY_COMMIT)
        return LightBlock(
            header,
            sign_commit(header.chain_id, header, block_id, validators, seeds, time_ms=header.time_ms),
            validators,
        )

    verify_follows(last.header, old, following(those, [each.seed for each in OTHERS]))
    with pytest.raises(VerificationError, match="light-announced"):
        verify_follows(last.header, old, following(old, [VALIDATOR.seed]))
