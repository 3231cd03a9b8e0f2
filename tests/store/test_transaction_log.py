"""The transaction log: equal to RFC 9162 written down naively, at every size and across restarts."""

from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fujie.core.errors import OperationalError
from fujie.proof.merkle_log import verify_log_consistency, verify_log_inclusion
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import Table
from fujie.store.transaction_log import TransactionLog, tile_key
from tests.store.faults import Fault, FaultyStore
from tests.store.kinds import KINDS, OPENERS, memory_store
from tests.unit.proof.naive_log import naive_consistency, naive_path, naive_root


def entry(number: int) -> bytes:
    return sha256(b"%d" % number).digest()


ENTRIES = [entry(number) for number in range(70_000)]


def append(log: TransactionLog, store: Store, count: int) -> None:
    staged = log.stage(ENTRIES[log.size : log.size + count])
    batch = WriteBatch()
    staged.write_into(batch)
    store.commit(batch)
    log.apply(staged)


def filled(size: int, tiles_cached: int = 512) -> TransactionLog:
    store = memory_store()
    log = TransactionLog(store, tiles_cached)
    append(log, store, size)
    return log


def test_an_empty_log_has_the_hash_of_nothing():
    log = filled(0)
    assert (log.size, log.root, log.root_at(0)) == (0, sha256(b"").digest(), sha256(b"").digest())
    assert log.prove_consistency(0, 0).path == b""
    with pytest.raises(OperationalError):
        log.prove_inclusion(0, 0)


def test_every_proof_of_a_small_log_is_that_of_the_rfc():
    log = filled(40)
    for size in range(41):
        root = naive_root(ENTRIES[:size])
        assert log.root_at(size) == root
        for index in range(size):
            proof = log.prove_inclusion(index, size)
            assert proof.path == b"".join(naive_path(index, ENTRIES[:size]))
            verify_log_inclusion(root, size, ENTRIES[index], proof)
        for old_size in range(size + 1):
            consistency = log.prove_consistency(old_size, size)
            assert consistency.path == b"".join(naive_consistency(old_size, ENTRIES[:size]))
            verify_log_consistency(naive_root(ENTRIES[:old_size]), old_size, root, size, consistency)


EDGES = [1, 2, 255, 256, 257, 511, 512, 513, 1_000, 65_535, 65_536, 65_537, 66_000]


@pytest.mark.parametrize("tiles_cached", [1, 512])
def test_proofs_hold_around_the_edges_of_tiles(tiles_cached):
    log = filled(66_000, tiles_cached)
    roots = {size: log.root_at(size) for size in EDGES}
    for size in (1, 256, 257, 1_000):
        assert roots[size] == naive_root(ENTRIES[:size])
    assert log.root == roots[66_000] == naive_root(ENTRIES[:66_000])
    for size in EDGES:
        for index in {0, size // 3, size // 2, size - 1} | {edge - 1 for edge in EDGES if edge < size}:
            verify_log_inclusion(roots[size], size, ENTRIES[index], log.prove_inclusion(index, size))
        for old_size in EDGES:
            if old_size <= size:
                proof = log.prove_consistency(old_size, size)
                verify_log_consistency(roots[old_size], old_size, roots[size], size, proof)
    assert len(log._full) <= tiles_cached


@given(
    counts=st.lists(st.sampled_from([0, 1, 2, 3, 100, 255, 256, 257, 600]), max_size=8),
    restarts=st.lists(st.booleans(), min_size=8, max_size=8),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_any_way_to_append_gives_the_same_log(counts, restarts, data):
    store = memory_store()
    log = TransactionLog(store)
    for count, restart in zip(counts, restarts, strict=False):
        append(log, store, count)
        if restart:
            size, root = log.size, log.root
            log = TransactionLog(store, tiles_cached=1)
            assert (log.size, log.root) == (size, root)
    assert log.size == sum(counts)
    assert log.root == log.root_at(log.size) == naive_root(ENTRIES[: log.size])
    once = memory_store()
    append(TransactionLog(once), once, sum(counts))
    assert list(once.scan(Table.LOG_TILES)) == list(store.scan(Table.LOG_TILES))
    if log.size:
        size = data.draw(st.integers(1, log.size))
        index = data.draw(st.integers(0, size - 1))
        verify_log_inclusion(naive_root(ENTRIES[:size]), size, ENTRIES[index], log.prove_inclusion(index, size))


def test_tiles_hold_full_rows_and_their_roots_stand_above():
    store = memory_store()
    append(TransactionLog(store), store, 2 * 256 + 3)
    tiles = dict(store.scan(Table.LOG_TILES))
    assert {key: len(value) // 32 for key, value in tiles.items()} == {
        tile_key(0, 0): 256,
        tile_key(0, 1): 256,
        tile_key(0, 2): 3,
        tile_key(1, 0): 2,
    }
    assert tiles[tile_key(0, 2)][:32] == sha256(b"\x00" + ENTRIES[512]).digest()
    assert tiles[tile_key(1, 0)] == naive_root(ENTRIES[:256]) + naive_root(ENTRIES[256:512])


def test_readers_see_nothing_of_a_staged_log_until_it_is_applied():
    store = memory_store()
    log = TransactionLog(store)
    append(log, store, 300)
    root = log.root
    staged = log.stage(ENTRIES[300:900])
    abandoned = log.stage(ENTRIES[:5])
    assert (log.size, log.root, log.root_at(300)) == (300, root, root)
    with pytest.raises(OperationalError, match="has 300 entries"):
        log.root_at(301)
    log.apply(staged)
    assert (log.size, log.root) == (900, naive_root(ENTRIES[:900]))
    with pytest.raises(RuntimeError):
        log.apply(abandoned)


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 11), (0, -1)])
def test_refuses_to_prove_what_is_not_there(index, size):
    with pytest.raises(OperationalError):
        filled(10).prove_inclusion(index, size)


@pytest.mark.parametrize(("old_size", "new_size"), [(-1, 5), (6, 5), (5, 11)])
def test_refuses_to_relate_sizes_that_do_not_follow(old_size, new_size):
    with pytest.raises(OperationalError):
        filled(10).prove_consistency(old_size, new_size)


def test_says_that_a_tile_is_damaged():
    store = memory_store()
    append(TransactionLog(store), store, 600)
    batch = WriteBatch()
    batch.delete(Table.LOG_TILES, tile_key(0, 0))
    store.commit(batch)
    log = TransactionLog(store)
    with pytest.raises(OperationalError, match="Tile 0 of level 0"):
        log.prove_inclusion(3, 600)
    batch.put(Table.LOG_TILES, tile_key(0, 2), bytes(33))
    store.commit(batch)
    with pytest.raises(OperationalError, match="Tile 2 of level 0"):
        TransactionLog(store)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("number", range(3))
def test_after_any_fault_the_log_is_that_of_the_last_whole_block(kind, fault: Fault, number: int, tmp_path: Path):
    sizes = [0, 200, 500, 800]
    store = FaultyStore(OPENERS[kind](tmp_path), {number: fault})
    log = TransactionLog(store)
    for size, after in pairwise(sizes[: number + 1]):
        append(log, store, after - size)
    with pytest.raises(OperationalError, match=fault):
        append(log, store, sizes[number + 1] - sizes[number])
    assert log.size == sizes[number]
    store.close()
    again = OPENERS[kind](tmp_path)
    log = TransactionLog(again)
    assert log.size == sizes[number + (fault == "persisted")]
    append(log, again, 800 - log.size)
    assert log.root == naive_root(ENTRIES[:800])
    again.close()
