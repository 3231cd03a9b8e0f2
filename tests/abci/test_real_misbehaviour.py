"""Validators that break the protocol of a real CometBFT: the chain records who did what, and mirrors follow it through."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fujie.core.errors import OperationalError, VerificationError
from fujie.core.misbehaviour import MisbehaviourKind
from fujie.core.signing import Signer
from fujie.engine.cometbft.engine import CometEngine
from fujie.engine.cometbft.rpc import Rpc
from fujie.modules.membership import state_keys
from fujie.modules.membership.records import MisbehaviourRecord
from fujie.node import report_evidence
from fujie.node.folder import Folder
from fujie.proof.bundle import Present
from fujie.proof.commit import sign_commit
from fujie.proof.evidence import encode_evidence, result_file
from fujie.proof.header import BlockID, header_hash
from fujie.proof.light import shortened
from fujie.proof.light_attack import encode_attack
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_address
from tests.abci.validators import OTHER, made, vote
from tests.engine.mirroring import EngineSource, mirroring
from tests.light.tampering import changed
from tests.parity.one_node import OneNode, wait
from tests.world import VALIDATOR, trust_of

pytestmark = [pytest.mark.go, pytest.mark.slow]

POWER = 4  # of the validator that runs twice; the first one has more than two thirds without it


class Scene(NamedTuple):
    """A chain of two validators, of which the second signs with one key in two homes; and the node of the first."""

    node: OneNode
    engine: CometEngine
    folder: Folder

    @property
    def trust(self) -> TrustRoot:
        return trust_of(self.engine)  # type: ignore[arg-type]  # any engine has an executor

    def record(self, signer: Signer) -> MisbehaviourRecord | None:
        leaf = self.engine.read(state_keys.misbehaviour(validator_address(signer.public_key)))
        return None if leaf is None else leaf.record  # type: ignore[return-value]  # what stands at that key

    def pay(self) -> None:
        """Have a block made."""
        assert self.engine.submit([self.node.pay(0, 1)]).result(300)[0].code == 0

    def light_block(self, height: int) -> LightBlock:
        found = self.engine.light_block(height)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        node, first = stack.enter_context(made("first", VALIDATOR, []))
        engine = stack.enter_context(node.open())
        vote(node, engine, POWER)
        for name in ("twin", "other twin"):
            twin, _ = stack.enter_context(made(name, OTHER, [first]))
            stack.enter_context(twin.open())
        yield Scene(node, engine, Folder(tmp_path_factory.mktemp("node")))


@pytest.fixture
def reporting(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The data folder of the scene is that of its node."""
    monkeypatch.setattr(report_evidence, "comet_rpc", lambda _folder: Rpc(scene.node.paths.rpc))
    monkeypatch.setattr(report_evidence, "holder", lambda _folder: 1)
    return scene


def test_a_validator_that_signs_twice_is_on_record_and_mirrors_follow(scene: Scene) -> None:
    def recorded() -> bool:
        scene.pay()
        return scene.record(OTHER) is not None

    wait(recorded)
    address = validator_address(OTHER.public_key)
    [item] = scene.engine.prove([state_keys.misbehaviour(address)]).items
    assert isinstance(item, Present)
    record = state_keys.MISBEHAVIOUR.decode(item.record)
    assert (record.address, record.first.kind, record.first.power) == (address, MisbehaviourKind.DUPLICATE_VOTE, POWER)
    with mirroring(EngineSource(scene.engine)) as twin:
        twin.catch_up()
        assert twin.engine.failure is None
        twin.engine.start()
        scene.pay()  # so that a later block proves the one with the evidence
        twin.wait(lambda engine: engine.read(state_keys.misbehaviour(address)) is not None)
        held = [twin.engine.block(each) for each in range(1, twin.engine.head.height + 1)]
        assert any(block is not None and block.evidence for block in held)


def forged(scene: Scene, height: int, **fields: Any) -> LightBlock:
    """A block that the first validator signs beside the one of the chain; it has more than two thirds of the power."""
    own = scene.light_block(height)
    header = changed(own.header, **fields)
    block_id = BlockID(header_hash(header), own.commit.block_id.part_set_header)
    commit = sign_commit(header.chain_id, header, block_id, own.validators, [VALIDATOR.seed], header.time_ms)
    return LightBlock(header, changed(commit, round=own.commit.round), own.validators)


def attack(scene: Scene, height: int, theirs: LightBlock) -> bytes:
    """The file that a light client keeps."""
    path = shortened([scene.light_block(each) for each in range(1, height)])
    return encode_attack(path, [scene.light_block(height)], [theirs])


@pytest.mark.parametrize("kind", ["equivocation", "lunatic"])
def test_evidence_of_an_attack_on_light_clients_is_reported_and_recorded(kind: str, reporting: Scene) -> None:
    scene = reporting
    height = scene.engine.head.height - 2
    assert len(scene.light_block(height).validators.validators) == 2
    assert scene.light_block(height).commit.round == 0
    before = scene.record(VALIDATOR)
    own = scene.light_block(height).header
    fields = {"time_ns": own.time_ns + 1} if kind == "equivocation" else {"app_hash": b"\x07" * 32}
    data = attack(scene, height, forged(scene, height, **fields))
    taken = report_evidence.report(scene.folder, data, scene.trust)
    assert [each.address for each in taken.accused] == [validator_address(VALIDATOR.public_key)]

    def recorded() -> bool:
        scene.pay()
        found = scene.record(VALIDATOR)
        return found is not None and (before is None or found.count > before.count)

    wait(recorded)
    record = scene.record(VALIDATOR)
    assert record is not None
    assert record.newest[-1].kind == MisbehaviourKind.LIGHT_CLIENT_ATTACK
    assert record.newest[-1].height == (height if kind == "equivocation" else height - 1)
    with mirroring(EngineSource(scene.engine)) as twin:
        twin.catch_up()
        assert twin.engine.failure is None
    assert report_evidence.report(scene.folder, data, scene.trust) == taken
    scene.pay()
    scene.pay()
    assert scene.record(VALIDATOR) == record


def test_reports_nothing_that_the_chain_cannot_hold_anybody_to_account_for(reporting: Scene) -> None:
    scene = reporting
    height = scene.engine.head.height - 2
    own, following = scene.light_block(height), scene.light_block(height + 1)
    path = shortened([scene.light_block(each) for each in range(1, height)])
    wrong = result_file("app-hash", b"\x07" * 32, own, [], following, path)
    unsigned = forged(scene, height, time_ns=own.header.time_ns + 2)
    entries = tuple(changed(entry, signature=entry.signature[::-1]) for entry in unsigned.commit.signatures)
    spoiled = changed(unsigned, commit=changed(unsigned.commit, signatures=entries))
    for data, step in (
        (encode_evidence(wrong), "evidence-"),
        (attack(scene, height, spoiled), "commit-signature"),
        (b"{}", "evidence-form"),
    ):
        with pytest.raises(VerificationError, match=step):
            report_evidence.report(scene.folder, data, scene.trust)


def test_says_where_to_go_when_no_node_runs(scene: Scene, tmp_path: Path) -> None:
    height = scene.engine.head.height - 2
    own = scene.light_block(height).header
    data = attack(scene, height, forged(scene, height, time_ns=own.time_ns + 3))
    with pytest.raises(OperationalError, match="No node runs"):
        report_evidence.report(Folder(tmp_path), data, scene.trust)
