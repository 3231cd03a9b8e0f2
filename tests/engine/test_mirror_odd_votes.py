"""Mirrors of a chain with blocks whose votes count for CometBFT alone: they go on, prove nothing with these, and are not lied to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.engine import mirror
from fujie.engine.mirror_blocks import Deviation, SourceTrouble
from fujie.modules.currency import state_keys as currency_keys
from fujie.node import snapshot
from fujie.node.check import check_store
from fujie.proof import bundle
from fujie.proof.block import data_hash
from fujie.proof.header import Header
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.named import NAMED_MAX, is_signed
from fujie.proof.validators import validator_set_hash
from tests.engine.mirroring import Mirror, mirroring
from tests.engine.odd_votes import Shown, four_validators, odd, odd_item, shown, trust_in
from tests.engine.several import Item, SeveralChain, item_of
from tests.light.tampering import changed
from tests.world import INSTRUMENT, wallet_id

BALANCE = currency_keys.balance(wallet_id(0), INSTRUMENT)


def made() -> SeveralChain:
    """Four validators; from :data:`FIRST` on blocks with and without payments."""
    chain = four_validators()
    for number in range(8):
        chain.make([chain.signing.pay(0, 1, number + 1)] if number % 3 != 2 else ())
    chain.make()
    chain.make()
    return chain


CHAIN = made()
END = CHAIN.height()
FIRST = END - 9  # pays; so do all up to END - 2 but the third and the sixth


def proven_height(engine: mirror.MirrorEngine) -> int:
    return decode_light_block(engine.proven.light_block).header.height


def require_proves(engine: mirror.MirrorEngine) -> None:
    """What is served as proven is proven to others."""
    found = bundle.verify(encode(engine.prove([BALANCE])), trust_in(CHAIN))
    assert found.header.app_hash == engine.proven.head.app_hash


@pytest.mark.parametrize("at_a_time", [1, 2, 200])
@pytest.mark.parametrize(
    "places",
    [[0], [2], [5], [0, 1], [2, 3], [1, 2], [0, 1, 2, 3, 4, 5, 6], [0, 2, 4, 6]],
    ids=lambda places: ",".join(map(str, places)),
)
def test_follows_a_chain_and_proves_nothing_with_blocks_whose_votes_count_for_cometbft_alone(
    places: list[int], at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BLOCKS_AT_A_TIME", at_a_time)
    heights = {FIRST + place for place in places}
    source = shown(CHAIN, heights)
    assert not any(is_signed(CHAIN.bare.chain_id, decode_light_block(source.items[each - 1][0])) for each in heights)
    proven: list[int] = []
    with mirroring(source, genesis=CHAIN.genesis) as twin:
        engine = twin.engine

        def look() -> None:
            proven.append(proven_height(engine))
            if engine.head.height >= FIRST:
                require_proves(engine)

        engine.subscribe(look)
        twin.catch_up()
        assert engine.failure is None, engine.failure
        assert (engine.head.height, engine.head.app_hash) == (END, CHAIN.bare.app_hash)
        assert heights.isdisjoint(proven)
        assert proven == sorted(proven)
        assert [engine.light_block(height) for height in heights] == [
            decode_light_block(source.items[height - 1][0]) for height in heights
        ]
        assert check_store(engine.executor.store, CHAIN.trust()).findings == []
    assert not twin.evidence


@pytest.mark.parametrize("stop", [1, 2])
@pytest.mark.parametrize("first", [0, 2], ids=["a payment", "an empty block"])
def test_a_mirror_that_stops_among_such_blocks_serves_what_is_proven_and_goes_on(
    first: int, stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BLOCKS_AT_A_TIME", 1)
    heights = [FIRST + first + number for number in range(3)]
    source = shown(CHAIN, heights)
    asked: list[int] = []

    def away(height: int) -> None:
        asked.append(height)
        if asked.count(heights[stop]) > 1:  # the first time is to see whether the one before is named
            raise OperationalError("The source is away.", "Wait.")

    source.on_asked = away
    with mirroring(source, "sqlite", tmp_path, genesis=CHAIN.genesis) as twin:
        twin.catch_up()
        assert isinstance(twin.engine.trouble, SourceTrouble)
        assert twin.engine.failure is None
        assert proven_height(twin.engine) == FIRST + first - 1
        require_proves(twin.engine)
        report = check_store(twin.engine.executor.store, CHAIN.trust())
        stands = (first, stop) == (0, 1)  # the newest block that is stored is empty and signed
        assert (report.findings, report.proven) == ([], stands)
        assert (snapshot._manifest(twin.engine.executor.store, False) is not None) is stands
    source.on_asked = lambda height: None
    with mirroring(source, "sqlite", tmp_path, genesis=CHAIN.genesis) as twin:
        assert twin.engine.proves is stands
        twin.catch_up()
        assert twin.engine.failure is None
        assert twin.engine.head.app_hash == CHAIN.bare.app_hash
        require_proves(twin.engine)


def test_a_block_that_was_named_proves_nothing_after_a_restart_either(tmp_path: Path) -> None:
    place = FIRST  # pays, and the one after it as well
    source = shown(CHAIN, [place])
    source.newest = place + 1
    for _ in range(2):
        with mirroring(source, "sqlite", tmp_path, genesis=CHAIN.genesis) as twin:
            twin.catch_up()
            assert twin.engine.head.height == place
            assert proven_height(twin.engine) == place + 1, "the block that names it proves what it gave"
            require_proves(twin.engine)
            assert check_store(twin.engine.executor.store, CHAIN.trust()).findings == []


# --- Lies.


def strangers_after(chain: SeveralChain) -> list[Item]:
    """A block that too few signed announces a stranger, who signs the one after it."""
    theirs = chain.lights[0].validators
    light, _ = chain.signed(next_validators_hash=validator_set_hash(theirs))
    header = following(light, validators_hash=validator_set_hash(theirs))
    return [item_of(odd(light)), item_of(chain.commit(header, theirs)[0])]


def following(light: LightBlock, **fields: Any) -> Header:
    """The header of an empty block that names ``light``."""
    header = light.header
    height, time_ns = header.height + 1, header.time_ns + 1_000_000
    made = changed(header, height=height, time_ns=time_ns, last_block_id=light.commit.block_id)
    return changed(made, data_hash=data_hash([]), **fields)


def another(chain: SeveralChain, **fields: Any) -> Item:
    return item_of(odd(chain.signed(**fields)[0]))


def unnamed(chain: SeveralChain) -> list[Item]:
    """Another block than the one that the signed one after it names."""
    fork = another(chain, app_hash=b"\x07" * 32)
    chain.make()
    chain.make()
    return [fork, chain.items[-1]]


def at_the_end(chain: SeveralChain) -> list[Item]:
    return [another(chain)]


def too_many(chain: SeveralChain) -> list[Item]:
    made = [odd_item(chain.make()) for _ in range(NAMED_MAX + 1)]
    return [*made, chain.make()]


def as_many_as_are_allowed(chain: SeveralChain) -> list[Item]:
    made = [odd_item(chain.make()) for _ in range(NAMED_MAX)]
    return [*made, chain.make()]


def spoilt(chain: SeveralChain) -> list[Item]:
    """The signed block that names it does not hold by itself."""
    first = odd_item(chain.make())
    block = decode_light_block(chain.make()[0])
    return [first, (encode_light_block(changed(block, header=changed(block.header, app_hash=bytes(32)))), [], [])]


LIES: dict[str, tuple[str, Callable[[SeveralChain], list[Item]]]] = {
    "a block that no later one names": ("commit-signature", at_the_end),
    "one that strangers name": ("light-trust", strangers_after),
    "another one than the next one names": ("light-link", unnamed),
    "more in a row than are looked at": ("commit-signature", too_many),
    "a signed one that is damaged": ("header-hash", spoilt),
}


def lied_to(twin: Mirror, step: str) -> None:
    twin.catch_up()
    failure = twin.engine.failure
    assert isinstance(failure, Deviation)
    assert failure.step == step, failure
    assert not twin.evidence


@pytest.mark.parametrize("what", LIES)
def test_stops_before(what: str) -> None:
    step, lie = LIES[what]
    chain = four_validators()
    honest = chain.height()
    source = Shown([*chain.items, *lie(chain)])
    with mirroring(source, genesis=chain.genesis) as twin:
        lied_to(twin, step)
        assert (twin.engine.head.height, proven_height(twin.engine)) == (honest, honest)


def test_as_many_in_a_row_as_are_looked_at_are_followed() -> None:
    chain = four_validators()
    source = Shown([*chain.items, *as_many_as_are_allowed(chain)])
    with mirroring(source, genesis=chain.genesis) as twin:
        twin.catch_up()
        assert twin.engine.failure is None, twin.engine.failure
        assert twin.engine.head.height == len(source.items)


def test_another_block_of_a_height_that_too_few_signed_ends_it_without_evidence(tmp_path: Path) -> None:
    chain = four_validators()
    with mirroring(Shown(chain.items), "sqlite", tmp_path, genesis=chain.genesis) as twin:
        twin.catch_up()
    ours = chain.lights[-1]
    theirs, _ = chain.commit(changed(ours.header, time_ns=ours.header.time_ns + 1), ours.validators)
    names_it, _ = chain.commit(following(theirs), ours.validators)
    with mirroring(
        Shown([*chain.items[:-1], item_of(odd(theirs)), item_of(names_it)]), "sqlite", tmp_path, genesis=chain.genesis
    ) as twin:
        lied_to(twin, "fork")
