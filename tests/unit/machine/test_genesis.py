"""Genesis: what a chain begins with, how its name commits to it, and the way from a chain back to a genesis."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, Refused, VerificationError
from fujie.core.limits import TRANSACTION_BYTES_MAX
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import Genesis, GenesisLeaf, chain_id, compose, export, load
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import LimitEntry
from fujie.modules.membership.reasons import MembershipReason
from fujie.store.layout import Table
from fujie.store.sqlite import SqliteStore
from tests import world
from tests.world import KINDS, ROOT, START_MS, Kind, MemoryChain, Signing, allocate, funded, leaves_of, parts, running


def replaced(genesis: Genesis, **changes: Any) -> Genesis:
    return msgspec.structs.replace(genesis, **changes)


def with_leaf(genesis: Genesis, at: str, **changes: Any) -> Genesis:
    """The genesis with fields of the leaf ``at`` a path replaced, in the order that its paths then have."""
    leaves = [msgspec.structs.replace(leaf, **changes) if leaf.path == at else leaf for leaf in genesis.leaves]
    return replaced(genesis, leaves=tuple(sorted(leaves, key=lambda leaf: leaf.path)))


def without_leaf(genesis: Genesis, path: str) -> Genesis:
    return replaced(genesis, leaves=tuple(leaf for leaf in genesis.leaves if leaf.path != path))


def rich_genesis() -> Genesis:
    """A genesis with old versions in its archive as well: that of a chain on which a record was rewritten."""
    chain = MemoryChain(funded())
    chain.carry_out(*chain.signing.decide(world.membership_action(), 1))
    assert chain.archive
    return chain.export()


# The name.


def test_the_chain_id_commits_to_every_byte_of_the_genesis() -> None:
    genesis = rich_genesis()
    data = encode(genesis)
    own = chain_id(genesis)
    for position in range(len(data)):
        for flip in (0x01, 0x80):
            changed = data[:position] + bytes((data[position] ^ flip,)) + data[position + 1 :]
            try:
                other = load(changed)
            except VerificationError:
                continue  # no genesis any more
            assert chain_id(other) != own, f"byte {position}"


def test_the_chain_id_fits_a_transaction_and_a_header() -> None:
    longest = "a" * 17
    name = chain_id(compose(longest, START_MS, parts()))
    assert name.startswith(f"{longest}-")
    assert len(name) == 50
    assert len(Signing(name).pay(0, 1)) < TRANSACTION_BYTES_MAX


def test_composing_twice_gives_the_same_bytes() -> None:
    assert encode(compose("world", START_MS, parts())) == encode(compose("world", START_MS, parts()))


# There and back.


@pytest.mark.parametrize("kind", KINDS)
def test_a_founded_chain_exports_the_genesis_it_was_founded_with(kind: Kind, tmp_path: Path) -> None:
    for number, genesis in enumerate((world.composed(), funded(), rich_genesis())):
        (folder := tmp_path / str(number)).mkdir()
        store = world.open_kind(kind, folder)
        found(store, genesis)
        again = export(genesis.name, genesis.time_ms, leaves_of(store), (old for _, old in store.scan(Table.VERSIONS)))
        assert encode(again) == encode(genesis)
        assert load(store.get(Table.GENESIS, b"genesis") or b"") == genesis
        store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_running_chain_exports_a_genesis_from_which_another_begins(kind: Kind, tmp_path: Path) -> None:
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    with running(kind, first) as engine:
        signing = Signing(engine.chain_id)
        raws = [signing.pay(0, 1, 10), signing.pay(1, 2, 20), signing.sign(allocate("1301"), ROOT)]
        raws += signing.decide(world.membership_action(), 1)
        assert [outcome.code for outcome in engine.submit(raws).result(300)] == [0] * len(raws)
        store = engine.executor.store
        before = list(leaves_of(store))
        genesis = export("next", engine.head.time_ms, before, (old for _, old in store.scan(Table.VERSIONS)))
        state_root = engine.head.state_root
        old_chain = engine.chain_id
    assert load(encode(genesis)) == genesis

    with running(kind, second, genesis) as engine:
        assert engine.chain_id != old_chain
        assert engine.head.log_size == 0
        assert engine.head.state_root == state_root
        assert list(leaves_of(engine.executor.store)) == before
        assert world.findings(engine.executor.store) == []
        signing = Signing(engine.chain_id, first_nonce=5_000)
        assert engine.submit([signing.pay(2, 3, 20)]).result(300)[0].code == 0
        assert world.balance_minor(engine.executor, 3) == world.FUNDS_MINOR + 20
        # What was signed for the old chain is worth nothing on the new one.
        assert engine.submit([raws[0]]).result(300)[0].receipt is None


def test_a_store_is_founded_once() -> None:
    store = SqliteStore.open(None)
    found(store, funded())
    with pytest.raises(OperationalError, match="holds a chain already"):
        found(store, world.composed())
    assert Executor(store).chain_id == chain_id(funded())
    store.close()


# Bad ones.


def test_refuses_a_genesis_that_breaks_a_rule_of_a_room() -> None:
    with pytest.raises(Refused) as refusal:
        compose("world", START_MS, parts(governance_threshold=3))
    assert refusal.value.reason is MembershipReason.TOO_FEW_GOVERNORS_WOULD_REMAIN
    late = [LimitEntry(START_MS + 1, None, None, None, None)]
    with pytest.raises(Refused) as refusal:
        compose("world", START_MS, parts(limits=late))
    assert refusal.value.reason is CurrencyReason.LIMITS_NOT_IN_FORCE


def test_refuses_a_room_that_this_installation_lacks() -> None:
    record = parts(["membership"])[0][1]
    with pytest.raises(OperationalError, match="no room 'tenancy'"):
        compose("world", START_MS, [*parts(), ("tenancy", record)])


PARAMETERS = "membership/parameters"
BALANCE = f"currency/balance/{world.wallet_id(0).hex()}/CNY"

BAD: dict[str, tuple[Callable[[Genesis], bytes], str]] = {
    "nothing": (lambda _: b"", "decode"),
    "half of it": (lambda g: encode(g)[: len(encode(g)) // 2], "decode"),
    "more than it": (lambda g: encode(g) + b"\x00", "decode"),
    "another type": (lambda g: encode(g.leaves[0]), "decode"),
    "another version": (lambda g: encode(g).replace(b"\x95\x01", b"\x95\x02", 1), "decode"),
    "a name with capitals": (lambda g: encode(replaced(g, name="World")), "decode"),
    "a name that is too long": (lambda g: encode(replaced(g, name="a" * 18)), "decode"),
    "a time before 1970": (lambda g: encode(replaced(g, time_ms=-1)), "decode"),
    "leaves in another order": (lambda g: encode(replaced(g, leaves=g.leaves[::-1])), "genesis-order"),
    "a leaf twice": (lambda g: encode(replaced(g, leaves=(g.leaves[0], *g.leaves))), "genesis-order"),
    "old versions in another order": (lambda g: encode(replaced(g, archive=(b"b", b"a"))), "genesis-order"),
    "an old version twice": (lambda g: encode(replaced(g, archive=(b"a", b"a"))), "genesis-order"),
    "a short salt": (lambda g: encode(with_leaf(g, BALANCE, salt=bytes(31))), "genesis-salt"),
    "a path of no room": (lambda g: encode(with_leaf(g, BALANCE, path="zoo/lion")), "decode"),
    "a record of another path": (lambda g: encode(with_leaf(g, BALANCE, record=g.leaves[-1].record)), "decode"),
    "a record with a byte too many": (
        lambda g: encode(with_leaf(g, BALANCE, record=g.leaves[0].record + b"\0")),
        "decode",
    ),
    "no leaves": (lambda g: encode(replaced(g, leaves=())), "genesis-membership"),
    "no parameters": (lambda g: encode(without_leaf(g, PARAMETERS)), "genesis-membership"),
    "no validators": (lambda g: encode(without_leaf(g, "membership/validators")), "genesis-membership"),
    "no rooms": (lambda g: encode(without_leaf(g, "membership/rooms")), "genesis-membership"),
    "no governors": (lambda g: encode(without_leaf(g, "membership/governors")), "genesis-membership"),
}


@pytest.mark.parametrize("what", BAD)
def test_refuses_a_genesis_file_with(what: str) -> None:
    make, step = BAD[what]
    data = make(funded())
    assert data != encode(funded()), "the row changes nothing"
    with pytest.raises(VerificationError) as refusal:
        load(data)
    assert refusal.value.step == step


def test_accepts_the_genesis_files_that_the_table_of_bad_ones_begins_with() -> None:
    assert load(encode(funded())) == funded()
    assert all(isinstance(leaf, GenesisLeaf) for leaf in funded().leaves)
