"""The state one block back, after a restart: read and proven under the header of the newest block, on every kind of store."""

from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.state import Key
from fujie.core.transaction import VerifiedBlock
from fujie.engine.executor import Executor, Head, found
from fujie.engine.mirror_blocks import Verifier, arrived
from fujie.engine.one_back import keep_one_back, look_back, one_back_in
from fujie.engine.proving import Proven, prove_keys, read_leaf
from fujie.engine.stored_block import light_block_at, put_block
from fujie.modules.currency import state_keys as currency_keys
from fujie.proof import bundle
from fujie.proof.block import encode_result, results_hash
from fujie.proof.bundle import Present
from fujie.proof.light_block import encode_light_block
from fujie.reader.picture import first_picture, settled_height
from fujie.store.base import Store
from fujie.store.following import Moments
from fujie.store.layout import Table
from fujie.store.opening import StoreKind
from tests.engine.several import SeveralChain
from tests.store.faults import FaultyStore
from tests.world import INSTRUMENT, ON_DISK, VALIDATOR, Kind, open_kind, wallet_id

NEW_WALLET = 9


def town() -> SeveralChain:
    """Blocks one after another that pay, open, refuse, and do nothing."""
    chain = SeveralChain([VALIDATOR])
    for number in range(4):
        chain.make([chain.signing.pay(0, 1, 5), chain.signing.pay(1, 0, 2)][: number + 1])
    chain.make()
    chain.make([chain.signing.pay(0, 1, 10**9)])  # refused, and charged
    chain.make([chain.signing.pay(2, 0, 1)])
    return chain


CHAIN = town()
TRUST = CHAIN.trust()
KEYS: list[Key[Any]] = [currency_keys.balance(wallet_id(number), INSTRUMENT) for number in (0, 1, 2, NEW_WALLET)]


def carry_out(executor: Executor, height: int) -> None:
    """Carry out a block as the CometBFT engine does, and commit it."""
    block = arrived(executor.chain_id, height, *CHAIN.items[height - 1], Verifier(use_worker=False))
    before = executor.head
    header = block.block.header
    verified = VerifiedBlock(executor.chain_id, height, header.time_ms, block.transactions, block.misbehaviour)
    result = executor.apply(verified)
    staged = executor.stage(verified, result)
    keep_one_back(executor, staged)
    put_block(
        staged.batch,
        block.block,
        results_hash=results_hash([encode_result(receipt.code) for receipt in result.receipts]),
        first_index=before.log_size,
        transactions=len(result.receipts),
    )
    try:
        executor.commit(staged)
    except BaseException:
        executor.discard(staged)
        raise


def founded(kind: Kind, folder: Path) -> Store:
    store = open_kind(kind, folder)
    found(store, CHAIN.genesis)
    return store


def records(executor: Executor, head: Head) -> list[Any]:
    return [executor.leaf_under(key, head.state_root) for key in KEYS]


def require_proves(executor: Executor, before: Head, then: list[Any]) -> None:
    """The newest header proves the state before its block, and all of it reads as it was."""
    light_block = light_block_at(executor.store.get, executor.head.height)
    assert light_block is not None
    assert light_block.header.app_hash == before.app_hash
    proven = Proven(encode_light_block(light_block), before)
    found = prove_keys(executor, lambda: proven, KEYS)
    verified = bundle.verify(encode(found), TRUST)
    for item, key, leaf in zip(verified.items, KEYS, then, strict=True):
        assert read_leaf(executor, lambda: proven, key) == leaf
        assert (item.record if isinstance(item, Present) else None) == (None if leaf is None else encode(leaf.record))


@pytest.mark.parametrize("kind", ON_DISK)
def test_after_a_restart_at_every_height_the_state_before_the_newest_block_is_proven(
    kind: Kind, tmp_path: Path
) -> None:
    store = founded(kind, tmp_path)
    for height in range(1, CHAIN.height() + 1):
        executor = Executor(store)
        before = executor.head
        then = records(executor, before)
        carry_out(executor, height)
        after, now = executor.head, records(executor, executor.head)
        store.close()
        store = open_kind(kind, tmp_path)
        executor = Executor(store)
        past = look_back(executor)
        if after.app_hash == before.app_hash:
            assert past is None
            continue
        assert past == before
        require_proves(executor, before, then)
        assert executor.head == after
        assert records(executor, after) == now
    store.close()


def test_goes_on_after_it_has_looked_back(tmp_path: Path) -> None:
    store = founded("sqlite", tmp_path)
    app_hash = b""
    for height in range(1, CHAIN.height() + 1):
        executor = Executor(store, cached_bucket_bytes=1)  # nothing stays in memory
        look_back(executor)
        before, then = executor.head, records(executor, executor.head)
        carry_out(executor, height)
        if executor.head.app_hash != before.app_hash:
            require_proves(executor, before, then)
        app_hash = executor.head.app_hash
    assert app_hash == CHAIN.bare.app_hash
    store.close()


@pytest.mark.parametrize("kind", ON_DISK)
@pytest.mark.parametrize("fault", ["lost", "persisted"])
def test_a_crash_leaves_either_block_with_what_it_replaced(kind: Kind, fault: Any, tmp_path: Path) -> None:
    for height in range(1, 4):
        place = tmp_path / str(height)
        place.mkdir()
        store = founded(kind, place)
        executor = Executor(FaultyStore(store, {height - 1: fault}))
        heads, thens = [executor.head], [records(executor, executor.head)]
        for number in range(1, height):
            carry_out(executor, number)
            heads.append(executor.head)
            thens.append(records(executor, executor.head))
        with pytest.raises(OperationalError):
            carry_out(executor, height)
        store.close()
        store = open_kind(kind, place)
        executor = Executor(store)
        past = look_back(executor)
        stands = height if fault == "persisted" else height - 1
        assert executor.head.height == stands
        if stands:
            assert past == heads[stands - 1]
            require_proves(executor, heads[stands - 1], thens[stands - 1])
        store.close()


@pytest.mark.parametrize("kind", ["sqlite", "rocks"])
def test_a_reader_begins_with_the_state_before_the_newest_block(kind: StoreKind, tmp_path: Path) -> None:
    store = founded(kind, tmp_path)
    executor = Executor(store)
    carry_out(executor, 1)
    before = executor.head
    stored = [store.get(Table.STATE, key.hash) for key in KEYS]
    carry_out(executor, 2)
    newest = light_block_at(store.get, 2)
    assert newest is not None
    moments = Moments(kind, tmp_path, tmp_path / "run")
    moment = moments.newest()
    picture = first_picture(moment, encode_light_block(newest))
    assert picture is not None
    assert (picture.head, picture.proven.head, settled_height(picture)) == (executor.head, before, 1)
    assert [picture.settled.get(Table.STATE, key.hash) for key in KEYS] == stored
    assert [picture.newest.get(Table.STATE, key.hash) for key in KEYS] != stored
    tables = (Table.STATE, Table.BUCKETS)
    assert all(list(picture.newest.scan(table)) == list(store.scan(table)) for table in tables)
    moment.close()
    moments.close()
    store.close()


def test_what_an_older_block_replaced_is_of_no_use(tmp_path: Path) -> None:
    store = founded("sqlite", tmp_path)
    executor = Executor(store)
    for height in range(1, 6):
        carry_out(executor, height)
    assert CHAIN.items[4][1] == []
    assert one_back_in(store.get, 5) is None
    assert one_back_in(store.get, 4) is not None
    store.close()
