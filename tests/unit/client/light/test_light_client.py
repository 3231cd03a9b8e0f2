"""The light client against nodes in memory: it believes the chain, and neither liars nor the silent lead it astray."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.client.light.client import LightClient
from fujie.client.light.detector import DivergenceError
from fujie.client.light.provider import HeightAbsent, TooFar
from fujie.client.light.store import LightStore
from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.header import header_hash
from fujie.proof.light import Expired, Root, TrustedHeader, verify
from fujie.proof.light_attack import Kind, check_evidence
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from tests.light.embedded_chain import CHAIN_ID, INTERVAL_MS, START_MS, make_chain, set_of
from tests.light.memory_provider import MemoryProvider
from tests.light.signing_again import signed_again
from tests.light.tampering import changed, renumbered, with_odd_signature, without

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
TURNOVER = [{name: 10, name + 1: 10, name + 2: 10, name + 3: 10} for name in range(1, 30)]
SETS = [
    dict.fromkeys(range(4 * place, 4 * place + 4), 10)
    for place, long in enumerate((20, 10, 20, 10), 1)
    for _ in range(long)
]
"""Four sets of validators, none of whom stays when the next ones come: at heights 21, 31 and 51."""
PERIOD_MS = 10_000_000


def pin(block: LightBlock) -> TrustedHeader:
    return TrustedHeader(CHAIN_ID, block.header.height, header_hash(block.header), PERIOD_MS)


def root_of(block: LightBlock) -> TrustRoot:
    validators = validator_set_hash(block.validators).hex()
    return TrustRoot(chain_id=CHAIN_ID, validators_hash=validators, state_tree_depth=4, trust_period_ms=PERIOD_MS)


class Misleading(MemoryProvider):
    def last_of(self, validators_hash: bytes) -> LightBlock:
        return self.blocks[35]


class Clock:
    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def after(blocks: Sequence[LightBlock]) -> Clock:
    return Clock(blocks[-1].header.time_ms + INTERVAL_MS)


def client_of(
    blocks: Sequence[LightBlock], root: Root | None = None, witnesses: Sequence[MemoryProvider] = (), **options: Any
) -> LightClient:
    primary = MemoryProvider("primary", blocks)
    return LightClient(root or pin(blocks[0]), primary, witnesses, clock=after(blocks), **options)


def test_believes_the_newest_header_by_skipping():
    blocks = make_chain([FOUR] * 200)
    client = client_of(blocks)
    assert client.newest() == blocks[-1]
    assert asked(client) == [1, None]


def asked(client: LightClient) -> list[int | None]:
    primary = client.primary
    assert isinstance(primary, MemoryProvider)
    return primary.asked


def test_halves_the_way_where_validators_change():
    blocks = make_chain(TURNOVER)
    client = client_of(blocks)
    assert client.at(29) == blocks[28]
    assert 3 < len(asked(client)) <= 29
    for height in range(1, 30):
        assert client.at(height) == blocks[height - 1]


def test_sequential_asks_for_every_header():
    blocks = make_chain([FOUR] * 12)
    client = client_of(blocks, sequential=True)
    assert client.at(12) == blocks[11]
    assert sorted(height or 0 for height in asked(client)) == list(range(1, 13))


def test_goes_back_by_hashes():
    blocks = make_chain(TURNOVER[:12])
    blocks[4] = without(blocks[4], 0, 1, 2)  # nobody needs these signatures
    client = client_of(blocks, pin(blocks[9]))
    assert client.at(5).header == blocks[4].header
    assert client.at(3) == blocks[2]
    assert asked(client) == [10, 9, 8, 7, 6, 5, 4, 3]


def test_does_not_go_further_than_it_was_allowed():
    blocks = make_chain([FOUR] * 40)
    for sequential in (False, True):
        client = client_of(blocks, pin(blocks[29]), fetches_max=5, sequential=sequential)
        with pytest.raises(TooFar, match="more than 5 light blocks"):
            client.at(2)
    with pytest.raises(TooFar):
        client_of(blocks, sequential=True, fetches_max=5).at(10)
    with pytest.raises(TooFar):
        client_of(make_chain(TURNOVER), fetches_max=2).at(29)


def test_a_height_that_is_not_there_is_said_so():
    blocks = make_chain([FOUR] * 4)
    with pytest.raises(HeightAbsent, match="no block at height 9"):
        client_of(blocks).at(9)


def test_a_trust_root_finds_the_newest_header_of_its_validators():
    blocks = make_chain([FOUR] * 20)
    client = client_of(blocks, root_of(blocks[0]))
    assert client.newest() == blocks[-1]
    assert asked(client) == [None, None]


def test_an_old_trust_root_finds_the_last_header_of_its_validators_and_goes_on():
    blocks = make_chain([FOUR] * 13 + TURNOVER[1:20])
    store = LightStore()
    client = client_of(blocks, root_of(blocks[0]), store=store)
    assert client.newest() == blocks[-1]
    assert store.heights()[0] == 13


def test_an_old_trust_root_finds_the_oldest_header_of_a_node_that_began_with_a_snapshot():
    blocks = make_chain([FOUR] * 13 + TURNOVER[1:20])
    for first in (5, 13):
        store = LightStore()
        client = client_of(blocks[first - 1 :], root_of(blocks[0]), store=store)
        assert client.newest() == blocks[-1]
        assert store.heights()[0] == 13
    with pytest.raises(OperationalError, match="begins with block 15, which others signed"):
        client_of(blocks[14:], root_of(blocks[0])).newest()


def test_a_trust_root_of_any_time_begins_with_the_last_header_of_its_validators():
    blocks = make_chain(SETS)
    for place, (first, last) in enumerate([(1, 20), (21, 30), (31, 50), (51, 60)]):
        store = LightStore()
        primary = MemoryProvider("primary", blocks, tells=True)
        client = LightClient(root_of(blocks[first - 1]), primary, store=store, clock=after(blocks))
        assert client.newest() == blocks[-1]
        assert store.heights()[0] == last, place
        assert client.at(last + 1 if last < 60 else 40).header.height


def test_a_trust_root_that_came_and_went_needs_a_node_that_can_say_where():
    blocks = make_chain(SETS)
    mute, telling = MemoryProvider("mute", blocks), MemoryProvider("telling", blocks, tells=True)
    root = root_of(blocks[25])
    with pytest.raises(VerificationError, match="height 1 has other validators"):
        LightClient(root, mute, clock=after(blocks)).newest()
    client = LightClient(root, mute, [telling], clock=after(blocks))
    assert client.newest() == blocks[-1]
    assert client.primary is telling


def test_a_node_that_shows_a_block_of_others_for_those_of_the_root_is_replaced():
    blocks = make_chain(SETS)
    liar, honest = Misleading("liar", blocks), MemoryProvider("honest", blocks, tells=True)
    root = root_of(blocks[25])
    with pytest.raises(VerificationError, match="height 35 has other validators") as error:
        LightClient(root, liar, clock=after(blocks)).newest()
    assert error.value.step == "validators"
    client = LightClient(root, liar, [honest], clock=after(blocks))
    assert client.newest() == blocks[-1]
    assert (client.primary, client.witnesses) == (honest, ())


def test_a_trust_root_whose_validators_stopped_too_long_ago_must_be_pinned_anew():
    blocks = make_chain(SETS)
    clock = Clock(blocks[29].header.time_ms + PERIOD_MS)
    with pytest.raises(Expired):
        LightClient(root_of(blocks[25]), MemoryProvider("node", blocks, tells=True), clock=clock).newest()


def test_goes_over_changes_that_a_node_kept_of_what_was_before_its_snapshot():
    blocks = make_chain(SETS)
    kept = [blocks[height - 1] for height in (20, 21, 30, 31, 50, 51, *range(55, 61))]
    for first in (1, 21, 31, 51):
        store = LightStore()
        primary = MemoryProvider("primary", kept, tells=True)
        client = LightClient(root_of(blocks[first - 1]), primary, store=store, clock=after(blocks))
        assert client.newest() == blocks[-1]
    mute = MemoryProvider("mute", kept)
    with pytest.raises(OperationalError):
        LightClient(root_of(blocks[0]), mute, clock=after(blocks)).newest()


def test_a_trust_root_of_another_chain_or_of_nobody_is_of_no_use():
    blocks = make_chain([FOUR] * 5)
    with pytest.raises(VerificationError, match="validators"):
        client_of(blocks, root_of(make_chain([{9: 1}])[0])).newest()
    wrong = client_of(blocks, root_of(make_chain([{9: 1}])[0]))
    with pytest.raises(VerificationError):
        wrong.newest()
    assert asked(wrong) == [None, 1]
    pruned = MemoryProvider("primary", blocks[2:])
    with pytest.raises(OperationalError, match="Pin a newer trust root"):
        LightClient(root_of(make_chain([{9: 1}])[0]), pruned, clock=after(blocks)).newest()


def test_a_pinned_header_must_be_the_one_that_is_answered():
    blocks = make_chain([FOUR] * 5)
    with pytest.raises(VerificationError, match="light-root"):
        client_of(blocks, pin(blocks[2])._replace(header_hash=bytes(32))).newest()


def test_nothing_is_believed_after_the_trust_period():
    blocks = make_chain([FOUR] * 9)
    clock = Clock(START_MS + 10 * INTERVAL_MS)
    client = LightClient(pin(blocks[1]), MemoryProvider("primary", blocks), clock=clock)
    assert client.at(4) == blocks[3]
    clock.now_ms = blocks[3].header.time_ms + PERIOD_MS
    with pytest.raises(Expired):
        client.newest()
    with pytest.raises(Expired):
        client.at(7)
    assert client.at(3) == blocks[2], "the past stays: a hash leads there from what was believed in time"


def test_a_header_from_the_future_is_not_believed():
    blocks = make_chain([FOUR] * 40)
    clock = Clock(START_MS)
    with pytest.raises(VerificationError, match="light-future"):
        LightClient(pin(blocks[0]), MemoryProvider("primary", blocks), clock=clock).newest()
    with pytest.raises(VerificationError, match="light-future"):
        LightClient(pin(blocks[39]), MemoryProvider("primary", blocks), clock=clock).newest()


# -- nodes that fail


def test_a_silent_primary_is_replaced_by_a_witness_and_becomes_the_last():
    blocks = make_chain([FOUR] * 6)
    first, second, third = (MemoryProvider(name, blocks) for name in ("first", "second", "third"))
    first.gone = True
    client = LightClient(pin(blocks[0]), first, [second, third], clock=after(blocks))
    assert client.newest() == blocks[-1]
    assert [client.primary, *client.witnesses] == [second, third, first]


def test_a_primary_that_lies_is_replaced_and_not_asked_again():
    blocks = make_chain([FOUR] * 6)
    liar = MemoryProvider("liar", [*blocks[:5], renumbered(blocks[5])])
    honest = MemoryProvider("honest", blocks)
    client = LightClient(pin(blocks[0]), liar, [honest], clock=after(blocks))
    assert client.newest() == blocks[-1]
    assert (client.primary, client.witnesses) == (honest, ())


def test_a_primary_that_answers_another_height_is_replaced():
    blocks = make_chain([FOUR] * 6)
    liar, honest = MemoryProvider("liar", blocks), MemoryProvider("honest", blocks)
    liar.blocks[4] = blocks[2]
    client = LightClient(pin(blocks[0]), liar, [honest], clock=after(blocks))
    assert client.at(4) == blocks[3]
    assert client.primary is honest


def test_when_nobody_answers_the_last_word_is_told():
    blocks = make_chain([FOUR] * 6)
    nodes = [MemoryProvider(name, blocks) for name in ("first", "second")]
    for node in nodes:
        node.gone = True
    with pytest.raises(OperationalError, match="does not answer"):
        LightClient(pin(blocks[0]), nodes[0], nodes[1:], clock=after(blocks)).newest()


def test_a_primary_without_the_way_to_its_newest_block_is_replaced():
    blocks = make_chain(TURNOVER)
    holes, whole = MemoryProvider("holes", [blocks[0], blocks[-1]]), MemoryProvider("whole", blocks)
    client = LightClient(pin(blocks[0]), holes, [whole], clock=after(blocks))
    assert client.newest() == blocks[-1]
    assert client.primary is whole


def test_a_primary_that_is_behind_takes_nothing_back():
    blocks = make_chain([FOUR] * 6)
    node = MemoryProvider("node", blocks)
    client = LightClient(pin(blocks[0]), node, clock=after(blocks))
    assert client.newest() == blocks[5]
    del node.blocks[6], node.blocks[5]
    assert client.newest() == blocks[5]


def test_another_commit_of_the_same_header_serves_where_one_has_an_odd_signature():
    blocks = make_chain([FOUR] * 6)
    odd = without(with_odd_signature(blocks[5], 1), first_place_but(blocks[5], 1))
    witness = MemoryProvider("witness", blocks)
    client = LightClient(pin(blocks[0]), MemoryProvider("primary", [*blocks[:5], odd]), [witness], clock=after(blocks))
    assert client.newest() == blocks[5]
    assert client.primary is not witness, "an odd signature is no lie"


def first_place_but(block: LightBlock, name: int) -> int:
    mine = set_of({name: 1}).addresses[0]
    return next(place for place, address in enumerate(block.validators.addresses) if address != mine)


def test_the_next_block_serves_where_no_other_commit_does():
    blocks = make_chain([FOUR] * 6)
    blocks[4] = without(with_odd_signature(blocks[4], 1), first_place_but(blocks[4], 1))
    client = client_of(blocks)
    assert client.at(5).header == blocks[4].header
    with pytest.raises(VerificationError, match="commit-signature"):
        client_of(blocks[:5]).at(5)


def test_the_next_block_serves_on_the_way_as_well():
    blocks = make_chain(TURNOVER)
    honest = MemoryProvider("honest", blocks)
    assert LightClient(pin(blocks[0]), honest, clock=after(blocks)).newest() == blocks[-1]
    way = sorted({height for height in honest.asked if height is not None and 1 < height < len(blocks)})
    assert len(way) > 3
    for height in way:
        name, odd = min(TURNOVER[height - 1]), list(blocks)
        odd[height - 1] = without(
            with_odd_signature(blocks[height - 1], name), first_place_but(blocks[height - 1], name)
        )
        with pytest.raises(VerificationError, match="commit-signature"):
            client_of(odd[:height]).newest()
        assert client_of(odd).newest() == blocks[-1]


# -- witnesses


def fork(blocks: Sequence[LightBlock], height: int, **fields: Any) -> list[LightBlock]:
    """The chain as attackers would show it: another block at ``height``, signed by three of four, and nothing after."""
    return [*blocks[: height - 1], signed_again(blocks[height - 1], **fields)]


def test_a_witness_that_lags_or_is_silent_is_no_conflict():
    blocks = make_chain([FOUR] * 6)
    lags, silent = MemoryProvider("lags", blocks[:4]), MemoryProvider("silent", blocks)
    silent.gone = True
    client = client_of(blocks, witnesses=[lags, silent])
    assert client.newest() == blocks[5]
    assert client.witnesses == (lags, silent)


def test_a_witness_that_cannot_show_what_it_says_is_not_asked_again():
    blocks = make_chain([FOUR] * 6)
    forger = MemoryProvider("forger", [*blocks[:5], renumbered(blocks[5])])
    stranger = MemoryProvider("stranger", make_chain([{7: 1}] * 6))
    honest = MemoryProvider("honest", blocks)
    client = client_of(blocks, witnesses=[forger, stranger, honest])
    assert client.newest() == blocks[5]
    assert client.witnesses == (honest,)


@pytest.mark.parametrize(
    ("fields", "kind"), [({"app_hash": bytes(32)}, Kind.LUNATIC), ({"data_hash": bytes(32)}, Kind.EQUIVOCATION)]
)
@pytest.mark.parametrize("liar", ["primary", "witness"])
def test_two_signed_chains_stop_the_client_with_evidence(fields: dict[str, Any], kind: Kind, liar: str, tmp_path: Path):
    blocks = make_chain([FOUR] * 8)
    other = fork(blocks, 8, **fields)
    first, second = (other, blocks) if liar == "primary" else (blocks, other)
    store = LightStore(tmp_path / "light")
    client = LightClient(
        root_of(blocks[0]),
        MemoryProvider("first", first[:4]),
        [MemoryProvider("second", second)],
        store=store,
        clock=after(blocks),
    )
    client.newest()
    primary = client.primary
    assert isinstance(primary, MemoryProvider)
    primary.blocks.update({block.header.height: block for block in first})
    with pytest.raises(DivergenceError) as found:
        client.newest()
    assert store.heights() == [4], "nothing of it is believed"
    assert found.value.path is not None
    data = found.value.path.read_bytes()
    assert data == found.value.evidence
    attack = check_evidence(data, root_of(blocks[0]))
    assert attack == found.value.attack
    assert attack.common is not None
    assert (attack.kind, attack.common.height) == (kind, 4)
    assert {header_hash(header) for header in attack.headers} == {
        header_hash(block.header) for block in (first[-1], second[-1])
    }
    assert len(attack.both) == 3


def test_a_witness_that_lacks_the_common_header_shows_the_attack_all_the_same():
    blocks = make_chain([FOUR] * 8)
    lied_to = fork(blocks, 8, app_hash=bytes(32))
    snapshot = MemoryProvider("began with a snapshot", blocks[6:])
    client = client_of(lied_to, witnesses=[snapshot])
    with pytest.raises(DivergenceError) as found:
        client.newest()
    assert check_evidence(found.value.evidence, pin(blocks[0])) == found.value.attack


def test_evidence_goes_over_headers_that_the_witness_lacks():
    blocks = make_chain(TURNOVER[:12])
    lied_to = fork(blocks, 12, app_hash=bytes(32))
    client = client_of(lied_to, witnesses=[MemoryProvider("gap", [blocks[0], *blocks[7:]])], sequential=True)
    with pytest.raises(DivergenceError) as found:
        client.newest()
    assert found.value.attack.common == blocks[10].header
    assert check_evidence(found.value.evidence, pin(blocks[0])) == found.value.attack


def test_a_signed_header_that_cannot_be_traced_stops_the_client():
    blocks = make_chain(TURNOVER[:12])
    lied_to = fork(blocks, 12, app_hash=bytes(32))
    snapshot = MemoryProvider("began with a snapshot", blocks[11:])
    client = client_of(lied_to, witnesses=[snapshot])
    assert client.at(11) == blocks[10]
    client = client_of(lied_to, witnesses=[snapshot])
    with pytest.raises(VerificationError, match="began with a snapshot") as found:
        client.newest()
    assert found.value.step == "light-conflict"
    assert client.witnesses == (snapshot,)
    with pytest.raises(VerificationError, match="light-conflict"):
        client.newest()


def test_a_forged_header_of_a_witness_without_older_ones_is_no_conflict():
    blocks = make_chain(TURNOVER[:12])
    client = client_of(blocks, witnesses=[MemoryProvider("forger", [renumbered(blocks[11])])])
    assert client.newest() == blocks[11]
    assert client.witnesses == ()


def test_validators_who_signed_two_first_headers_are_found_at_first_sight(tmp_path: Path):
    blocks = make_chain([FOUR] * 5)
    root = root_of(blocks[0])
    forger = MemoryProvider("forger", [*blocks[:4], renumbered(blocks[4])])
    client = client_of(blocks, root, [forger, MemoryProvider("lags", blocks[:4])])
    assert client.newest() == blocks[4]
    assert [witness.name for witness in client.witnesses] == ["lags"]
    other = MemoryProvider("other", fork(blocks, 5, data_hash=bytes(32)))
    with pytest.raises(DivergenceError) as found:
        client_of(blocks, root, [other], store=LightStore(tmp_path / "light")).newest()
    assert found.value.path is not None
    attack = check_evidence(found.value.path.read_bytes(), root)
    assert attack == found.value.attack
    assert (attack.kind, attack.common, len(attack.both)) == (Kind.EQUIVOCATION, None, 3)
    with pytest.raises(VerificationError, match="evidence-root"):
        check_evidence(found.value.evidence, pin(blocks[4]))


def test_evidence_holds_where_validators_changed_on_the_way():
    blocks = make_chain(TURNOVER[:20])
    rng = random.Random(7)
    for height in rng.sample(range(5, 20), 6):
        other = fork(blocks, height, app_hash=bytes(32))
        client = LightClient(
            root_of(blocks[0]),
            MemoryProvider("first", blocks[:height]),
            [MemoryProvider("second", other)],
            clock=after(blocks),
        )
        with pytest.raises(DivergenceError) as found:
            client.at(height)
        assert check_evidence(found.value.evidence, root_of(blocks[0])) == found.value.attack


def test_a_later_time_at_a_lower_height_is_an_attack():
    blocks = make_chain([FOUR] * 8)
    late = signed_again(blocks[5], time_ns=blocks[7].header.time_ns)
    client = client_of(blocks, witnesses=[MemoryProvider("witness", [*blocks[:5], late])])
    with pytest.raises(DivergenceError) as found:
        client.newest()
    assert found.value.attack.kind == Kind.LUNATIC
    assert check_evidence(found.value.evidence, pin(blocks[0])) == found.value.attack


def test_a_primary_that_denies_what_is_believed_is_an_attack_or_a_liar():
    blocks = make_chain([FOUR] * 8)
    node, honest = MemoryProvider("node", blocks[:6]), MemoryProvider("honest", blocks)
    client = LightClient(pin(blocks[0]), node, [honest], clock=after(blocks))
    assert client.newest() == blocks[5]
    node.blocks[6] = renumbered(blocks[5])
    assert client.newest() == blocks[7]
    assert client.primary is honest
    honest.blocks = {block.header.height: block for block in fork(blocks, 8, data_hash=bytes(32))}
    with pytest.raises(DivergenceError):
        client.newest()


def test_evidence_that_cannot_be_kept_is_told_all_the_same(tmp_path: Path):
    blocks = make_chain([FOUR] * 5)
    (tmp_path / "file").write_text("")
    client = client_of(
        blocks,
        witnesses=[MemoryProvider("witness", fork(blocks, 5, data_hash=bytes(32)))],
        evidence=tmp_path / "file",
    )
    with pytest.raises(DivergenceError) as found:
        client.newest()
    assert found.value.path is None
    assert check_evidence(found.value.evidence, pin(blocks[0])).kind == Kind.EQUIVOCATION


# -- skipping and walking agree


@st.composite
def chains(draw: st.DrawFn) -> list[LightBlock]:
    """Chains whose validators come and go, sometimes all at once, with powers that matter."""
    length = draw(st.integers(2, 12))
    rng = random.Random(draw(st.integers(0, 2**32)))
    powers = {name: rng.randint(1, 20) for name in range(1, rng.randint(2, 6))}
    sets = []
    for _ in range(length):
        sets.append(dict(powers))
        if rng.random() < 0.4:
            for _ in range(rng.randint(1, 3)):
                powers[rng.randint(1, 12)] = rng.randint(1, 20)
            while len(powers) > 6:
                del powers[rng.choice(sorted(powers))]
    return make_chain(sets)


@given(chains(), st.integers(1, 12), st.integers(1, 12))
def test_skipping_and_walking_believe_the_same(blocks: list[LightBlock], start: int, target: int):
    start, target = min(start, len(blocks)), min(target, len(blocks))
    skipping = client_of(blocks, pin(blocks[start - 1]))
    walking = client_of(blocks, pin(blocks[start - 1]), sequential=True)
    assert skipping.at(target) == walking.at(target) == blocks[target - 1]


@given(chains(), st.integers(0, 11), st.sampled_from(["power", "header", "validators"]))
def test_skipping_and_walking_refuse_the_same_target(blocks: list[LightBlock], place: int, what: str):
    place = 1 + place % (len(blocks) - 1)
    if what == "power":
        blocks[place] = without(blocks[place], *range(len(blocks[place].validators.validators)))
    elif what == "header":
        blocks[place] = renumbered(blocks[place])
    else:
        blocks[place] = changed(blocks[place], validators=set_of({40: 1}))
    for sequential in (False, True):
        with pytest.raises(VerificationError) as refused:
            client_of(blocks[: place + 1], sequential=sequential).newest()
        assert not isinstance(refused.value, Expired)


@given(chains())
def test_what_is_skipped_to_would_have_been_walked_to(blocks: list[LightBlock]):
    store = LightStore()
    client_of(blocks, store=store).newest()
    believed = [store.at(height) for height in store.heights()]
    for before, block in pairwise(believed):
        assert before is not None
        assert block is not None
        verify(before.header, before.validators, block, after(blocks)())
