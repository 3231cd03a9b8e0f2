"""Mirrors of chains whose validators come, go and misbehave, and of one that grew out of the embedded engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fujie.core.errors import VerificationError
from fujie.engine.mirror_blocks import Deviation
from fujie.modules.membership import state_keys
from fujie.modules.membership.records import SetValidator
from fujie.proof.bundle import Present
from fujie.proof.evidence import ResultFile, SignedResult, SignedTwice, encode_evidence, verify_evidence
from fujie.proof.light_block import decode_light_block
from fujie.proof.validators import validator_address
from fujie.store.layout import Table
from tests import world
from tests.engine.mirroring import Mirror, mirroring
from tests.engine.several import Item, SeveralChain, item_of, voted_twice
from tests.light.tampering import changed
from tests.world import ON_DISK, VALIDATOR, Kind

OTHERS = [world.signer(f"validator {number}") for number in range(4)]
JOIN = [SetValidator(each.public_key, 10, "world") for each in OTHERS]
LEAVE = SetValidator(VALIDATOR.public_key, 0, "world")


def made(*, embedded: bool = False) -> SeveralChain:
    """A chain on which four validators joined and the first one left."""
    chain = SeveralChain([VALIDATOR, *OTHERS], embedded=embedded)
    chain.make([chain.signing.pay(0, 1, 5)])
    chain.vote(*JOIN)
    chain.vote(LEAVE)
    return chain


@pytest.fixture(scope="module")
def chain() -> SeveralChain:
    return made()


def after_change(chain: SeveralChain) -> int:
    """The first height that others signed than the first validators."""
    return next(each.header.height for each in chain.lights if len(each.validators.validators) > 1)


def caught_up(chain: SeveralChain, twin: Mirror) -> None:
    twin.catch_up()
    assert twin.engine.failure is None, twin.engine.failure
    assert twin.engine.head.height == chain.height()


def test_follows_validators_that_come_and_go(chain: SeveralChain) -> None:
    assert {len(each.validators.validators) for each in chain.lights} == {1, 2, 3, 4, 5}
    with mirroring(chain, genesis=chain.genesis) as twin:
        caught_up(chain, twin)
        assert twin.engine.head.app_hash == chain.bare.app_hash
        assert [twin.engine.light_block(each.header.height) for each in chain.lights] == chain.lights
        assert not twin.evidence


@pytest.mark.parametrize("kind", ON_DISK)
def test_goes_on_after_a_restart_at_every_height(kind: Kind, chain: SeveralChain, tmp_path: Path) -> None:
    short = SeveralChain([VALIDATOR, *OTHERS])
    reached = b""
    for item in chain.items:
        short.items.append(item)
        with mirroring(short, kind, tmp_path, genesis=chain.genesis) as twin:
            twin.catch_up()
            assert twin.engine.failure is None
            assert twin.engine.head.height in (len(short.items), len(short.items) - 1)
            reached = twin.engine.executor.head.app_hash
    assert reached == chain.bare.app_hash


def test_carries_blocks_with_misbehaviour_out_to_the_same_state() -> None:
    chain = made()
    acts = [voted_twice(OTHERS[1], chain.height()), voted_twice(OTHERS[2], chain.height())]
    chain.make([chain.signing.pay(0, 1, 7)], acts)
    chain.make((), [voted_twice(OTHERS[1], chain.height())])
    chain.make()
    with mirroring(chain, genesis=chain.genesis) as twin:
        caught_up(chain, twin)
        assert twin.engine.head.app_hash == chain.bare.app_hash
        address = validator_address(OTHERS[1].public_key)
        [item] = twin.engine.prove([state_keys.misbehaviour(address)]).items
        assert isinstance(item, Present)
        assert state_keys.MISBEHAVIOUR.decode(item.record).count == 2
        held = twin.engine.block(chain.height() - 2)
        assert held is not None
        assert list(held.evidence) == acts


def test_follows_a_chain_that_grew_out_of_the_embedded_engine() -> None:
    chain = made(embedded=True)
    assert {len(each.validators.validators) for each in chain.lights} == {1}
    chain.grow()
    first = chain.height() + 1
    chain.make([chain.signing.pay(0, 1, 3)])
    chain.make()
    assert len(chain.lights[first - 1].validators.validators) == 4
    assert not chain.lights[first - 1].header.last_block_id.hash
    with mirroring(chain, genesis=chain.genesis) as twin:
        caught_up(chain, twin)
        assert twin.engine.head.app_hash == chain.bare.app_hash


# --- Lies about the block after those of `chain`, and of what follows on them.


def strangers(chain: SeveralChain) -> Item:
    """Signed by the validators that left."""
    light, _ = chain.signed()
    old = chain.lights[0].validators
    header = changed(light.header, validators_hash=chain.lights[0].header.validators_hash)
    return item_of(chain.commit(header, old)[0])


def with_evidence(shown: Callable[[list[bytes]], list[bytes]]) -> Callable[[SeveralChain], Item]:
    def lie(chain: SeveralChain) -> Item:
        acts = [voted_twice(OTHERS[1], chain.height())]
        return item_of(chain.signed((), acts)[0], (), shown(acts))

    return lie


def signed_with(**fields: Any) -> Callable[[SeveralChain], Item]:
    return lambda chain: item_of(chain.signed(**fields)[0])


LIES: dict[str, tuple[str, Callable[[SeveralChain], Item]]] = {
    "a block of validators that have left": ("block-validators", strangers),
    "validators for whom nobody voted": ("validators-change", signed_with(next_validators_hash=b"\x05" * 32)),
    "validators that have left, announced again": (
        "validators-change",
        lambda chain: signed_with(next_validators_hash=chain.lights[0].header.validators_hash)(chain),
    ),
    "evidence that is kept back": ("block-evidence", with_evidence(lambda _: [])),
    "evidence twice": ("block-evidence", with_evidence(lambda acts: acts * 2)),
    "evidence against somebody else": ("block-evidence", with_evidence(lambda _: [voted_twice(OTHERS[3], 2)])),
    "evidence that is none": ("block-evidence", with_evidence(lambda _: [b"\x0a\x01x", b""])),
    "a block that names none before it": (
        "block-parent",
        lambda chain: signed_with(last_block_id=chain.lights[0].header.last_block_id)(chain),
    ),
    "another app hash": ("app-hash", signed_with(app_hash=b"\x07" * 32)),
    "other results": ("results-hash", signed_with(last_results_hash=b"\x07" * 32)),
}


@pytest.mark.parametrize("what", LIES)
def test_stops_at(what: str, chain: SeveralChain) -> None:
    step, lie = LIES[what]
    honest = chain.height()
    liar = SeveralChain([VALIDATOR, *OTHERS])
    liar.items = [*chain.items, lie(chain)]
    with mirroring(liar, genesis=chain.genesis) as twin:
        twin.catch_up()
        failure = twin.engine.failure
        assert isinstance(failure, Deviation)
        assert (failure.step, twin.engine.head.height) == (step, honest)
        found = [verify_evidence(encode_evidence(file), chain.trust()) for file in twin.evidence]
        assert [type(each) for each in found] == ([SignedResult] if step in ("app-hash", "results-hash") else [])


def test_evidence_of_a_fork_among_later_validators_is_checked_with_the_first_trust_root(chain: SeveralChain) -> None:
    source = SeveralChain([VALIDATOR, *OTHERS])
    source.items = list(chain.items)
    with mirroring(source, genesis=chain.genesis) as twin:
        caught_up(chain, twin)
        last = chain.lights[-1]
        theirs, _ = chain.commit(changed(last.header, time_ns=last.header.time_ns + 1), last.validators)
        source.items[-1] = item_of(theirs)
        twin.catch_up()
        assert isinstance(twin.engine.failure, Deviation)
        assert twin.engine.failure.step == "fork"
        [file] = twin.evidence
        assert len(file.path) >= 2
        found = verify_evidence(encode_evidence(file), chain.trust())
        assert isinstance(found, SignedTwice)
        assert found.height == chain.height()
        for path, step in (
            ((), "validators"),
            (file.path[1:], "validators"),
            (file.path[:-1], "evidence-height"),
            ((file.path[0], file.path[-1]), "light-trust"),
        ):
            with pytest.raises(VerificationError) as refused:
                verify_evidence(encode_evidence(changed(file, path=path)), chain.trust())
            assert refused.value.step == step


def test_evidence_of_a_wrong_result_holds_the_misbehaviour_that_it_takes_to_carry_the_block_out() -> None:
    chain = made()
    acts = [voted_twice(OTHERS[1], 3)]
    chain.make([chain.signing.pay(0, 1)], acts)
    chain.make(app_hash=b"\x07" * 32)
    with mirroring(chain, genesis=chain.genesis) as twin:
        twin.catch_up()
        [file] = twin.evidence
        assert isinstance(file, ResultFile)
        assert [bytes.fromhex(text) for text in file.evidence] == acts
        assert isinstance(verify_evidence(encode_evidence(file), chain.trust()), SignedResult)
        for told in ((), (voted_twice(OTHERS[2], 3).hex(),)):
            with pytest.raises(VerificationError, match="evidence-data"):
                verify_evidence(encode_evidence(changed(file, evidence=told)), chain.trust())


def test_the_rows_of_a_block_with_evidence_hang_together(tmp_path: Path) -> None:
    chain = made()
    chain.make((), [voted_twice(OTHERS[1], 3)])
    chain.make()
    with mirroring(chain, "sqlite", tmp_path, genesis=chain.genesis) as twin:
        caught_up(chain, twin)
        [(key, row)] = twin.engine.executor.store.scan(Table.EVIDENCE)
        assert int.from_bytes(key, "big") == chain.height() - 1
        assert voted_twice(OTHERS[1], 3) in row
        assert decode_light_block(chain.items[-1][0]) == twin.engine.light_block(chain.height())
