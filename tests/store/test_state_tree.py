"""The state tree: equal to one built from scratch whatever came before, and every root of the window proven."""

import threading
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.merkle_state import (
    LEAF_BYTES,
    bucket_number,
    empty_digests,
    key_hash,
    value_digest,
    verify_exclusion,
    verify_inclusion,
)
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import Table
from fujie.store.state_tree import StagedTree, StateTree, pack_leaf, stored_value_digest, unpack_leaf
from tests.store.faults import Fault, FaultyStore
from tests.store.kinds import KINDS, OPENERS, memory_store

DEPTH = 4  # sixteen buckets, so that a few dozen keys share them
SALT = bytes(range(32))

# Paths of a small alphabet, so that random blocks insert, change and remove the same ones again and again.
PATHS = [b"account/%d" % number for number in range(40)]
blocks = st.lists(
    st.dictionaries(st.sampled_from(PATHS), st.none() | st.binary(max_size=3), max_size=15), min_size=1, max_size=10
)
Block = dict[bytes, bytes | None]
State = dict[bytes, bytes]  # path -> record


def naive_root(state: State, depth: int = DEPTH) -> bytes:
    """The root straight from the definition in docs/spec/04-proofs.md, with no code in common."""
    buckets: list[list[bytes]] = [[] for _ in range(1 << depth)]
    for path, record in state.items():
        key = sha256(b"\x20" + path).digest()
        value = sha256(b"\x21\x20" + SALT + record).digest()
        bits = "".join(f"{byte:08b}" for byte in key)
        buckets[int(bits[:depth], 2)].append(key + value)
    row = [sha256(b"\x22" + b"".join(sorted(bucket))).digest() for bucket in buckets]
    while len(row) > 1:
        row = [sha256(b"\x23" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
    return row[0]


def stage(tree: StateTree, block: Block) -> StagedTree:
    return tree.stage({key_hash(path): None if new is None else value_digest(SALT, new) for path, new in block.items()})


def batch_of(staged: StagedTree, block: Block) -> WriteBatch:
    batch = WriteBatch()
    staged.write_into(batch)
    for path, record in block.items():
        batch.put_many(Table.STATE, {key_hash(path): None if record is None else pack_leaf(path, SALT, record)})
    return batch


def run(tree: StateTree, store: Store, block: Block) -> None:
    """One block as the executor runs it."""
    staged = stage(tree, block)
    store.commit(batch_of(staged, block))
    tree.apply(staged)


def changed(state: State, block: Block) -> State:
    merged = {**state, **block}
    return {path: record for path, record in merged.items() if record is not None}


def check_proofs(tree: StateTree, root: bytes, state: State) -> None:
    for path in PATHS:
        proof = tree.prove(key_hash(path), root)
        if path in state:
            verify_inclusion(root, tree.depth, path, SALT, state[path], proof)
            with pytest.raises(VerificationError, match="state-leaf"):
                verify_exclusion(root, tree.depth, path, proof)
        else:
            verify_exclusion(root, tree.depth, path, proof)


@pytest.mark.parametrize("depth", [4, 5, 8, 18])
def test_an_empty_tree_has_the_default_root(depth):
    tree = StateTree(memory_store(), depth)
    assert tree.root == empty_digests(depth)[depth]
    assert tree.roots() == [tree.root]
    proof = tree.prove(key_hash(b"x"))
    assert (proof.leaves, proof.siblings, len(proof.present)) == (b"", b"", (depth + 7) // 8)
    verify_exclusion(tree.root, depth, b"x", proof)


@pytest.mark.parametrize("depth", [-1, 0, 3, 25])
def test_refuses_a_depth_out_of_bounds(depth):
    with pytest.raises(OperationalError, match="depth of 4 to 24"):
        StateTree(memory_store(), depth)


@pytest.mark.parametrize("depth", [4, 7, 12])
def test_equals_the_definition(depth):
    store = memory_store()
    tree = StateTree(store, depth)
    state = {path: path[::-1] for path in PATHS}
    run(tree, store, dict(state))
    assert tree.root == naive_root(state, depth)
    check_proofs(tree, tree.root, state)


@given(blocks=blocks, cache_bytes=st.sampled_from([0, 900, 2**20]))
@settings(max_examples=60, deadline=None)
def test_any_history_gives_the_tree_of_its_state_and_past_roots_prove(blocks: list[Block], cache_bytes: int):
    store = memory_store()
    tree = StateTree(store, DEPTH, window=4, cache_bytes=cache_bytes)
    state: State = {}
    history = [(tree.root, state)]
    for block in blocks:
        run(tree, store, block)
        state = changed(state, block)
        assert tree.root == naive_root(state)
        if tree.root != history[-1][0]:
            history.append((tree.root, state))
        assert tree._cache.size_bytes <= max(cache_bytes, 0)
    assert tree.roots() == [root for root, _ in history[: -(4 + 2) : -1]]
    for root, past in history[-5:]:
        check_proofs(tree, root, past)
    for root, _ in history[:-5]:
        if root not in tree.roots():
            with pytest.raises(OperationalError, match="not among the last"):
                tree.prove(key_hash(b"x"), root)


@given(blocks=blocks, data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_restart_gives_the_same_tree(blocks: list[Block], data: st.DataObject):
    store = memory_store()
    tree = StateTree(store, DEPTH)
    state: State = {}
    for block in blocks:
        if data.draw(st.booleans()):
            tree = StateTree(store, DEPTH)
        run(tree, store, block)
        state = changed(state, block)
    again = StateTree(store, DEPTH)
    assert bytes(again._nodes) == bytes(tree._nodes)
    assert again.root == naive_root(state)
    assert again.warm() == len(again._cache.buckets)
    # What is cached after warming is the whole state, exactly counted.
    assert sum(map(len, again._cache.buckets.values())) == LEAF_BYTES * len(state)
    assert again._cache.size_bytes == sum(len(bucket) + 160 for bucket in again._cache.buckets.values())
    check_proofs(again, again.root, state)


@given(blocks=blocks, abandoned=blocks)
@settings(max_examples=40, deadline=None)
def test_readers_see_nothing_of_a_staged_block_until_it_is_applied(blocks: list[Block], abandoned: list[Block]):
    store = memory_store()
    tree = StateTree(store, DEPTH, cache_bytes=0)
    state: State = {}
    for block in blocks:
        run(tree, store, block)
        state = changed(state, block)
    root, roots, nodes = tree.root, tree.roots(), bytes(tree._nodes)
    for block in abandoned:
        staged = stage(tree, block)
        assert staged.root == naive_root(changed(state, block))
        assert (tree.root, tree.roots()) == (root, roots)
        check_proofs(tree, root, state)
        tree.discard(staged)
        assert bytes(tree._nodes) == nodes
        check_proofs(tree, root, state)
    # And between the commit and apply, when the store is one block ahead of the readers.
    last = abandoned[-1]
    staged = stage(tree, last)
    store.commit(batch_of(staged, last))
    check_proofs(tree, root, state)
    tree.apply(staged)
    check_proofs(tree, tree.root, changed(state, last))


def test_one_tree_is_staged_at_a_time():
    tree = StateTree(memory_store(), DEPTH)
    first = stage(tree, {b"a": b"1"})
    with pytest.raises(RuntimeError, match="neither applied nor discarded"):
        stage(tree, {b"a": b"2"})
    tree.discard(first)
    tree.discard(first)
    with pytest.raises(RuntimeError, match="staged last"):
        tree.apply(first)
    second = stage(tree, {b"a": b"2"})
    tree.discard(first)  # says nothing about the second
    tree.apply(second)
    with pytest.raises(RuntimeError, match="staged last"):
        tree.apply(second)
    assert tree.root == naive_root({b"a": b"2"})


def test_a_block_without_changes_adds_no_root():
    store = memory_store()
    tree = StateTree(store, DEPTH)
    run(tree, store, {b"a": b"1"})
    before = tree.roots()
    run(tree, store, {})
    run(tree, store, {b"a": b"1"})
    run(tree, store, {b"never there": None})
    assert tree.roots() == before


def test_an_exception_in_the_middle_of_a_stage_leaves_the_tree_as_it_was(monkeypatch):
    store = memory_store()
    tree = StateTree(store, DEPTH)
    state: State = dict.fromkeys(PATHS, b"1")
    run(tree, store, dict(state))
    nodes = bytes(tree._nodes)
    block: Block = dict.fromkeys(PATHS, b"2")
    calls = 0
    fails_at = 0

    class Interrupted(BaseException):
        pass

    def hasher(data):
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise Interrupted
        return sha256(data)

    monkeypatch.setattr("fujie.store.state_tree.sha256", hasher)
    monkeypatch.setattr("fujie.store.tree_nodes.sha256", hasher)
    tree.discard(stage(tree, block))
    hashes = calls
    assert hashes > 15
    for fails_at in range(1, hashes + 1):  # noqa: B007 # hasher reads it
        calls = 0
        with pytest.raises(Interrupted):
            stage(tree, block)
        assert bytes(tree._nodes) == nodes
        assert tree.root == naive_root(state)
        check_proofs(tree, tree.root, state)
    fails_at = 0
    assert stage(tree, block).root == naive_root(dict.fromkeys(PATHS, b"2"))


def test_evicts_in_rounds_and_rebuilds_what_it_needs():
    store = memory_store()
    tree = StateTree(store, 8, cache_bytes=10_000)
    state: State = {}
    for number in range(40):
        block: Block = {b"%d/%d" % (number, other): b"%d" % other for other in range(20)}
        block |= dict.fromkeys(list(state)[::7], b"%d" % number)
        run(tree, store, block)
        state = changed(state, block)
        assert tree._cache.size_bytes <= 10_000
        assert tree._cache.size_bytes == sum(len(bucket) + 160 for bucket in tree._cache.buckets.values())
    assert tree.root == naive_root(state, 8)
    for path, record in state.items():
        verify_inclusion(tree.root, 8, path, SALT, record, tree.prove(key_hash(path)))


def test_warms_no_further_than_its_bound():
    store = memory_store()
    run(StateTree(store, 8), store, {b"%d" % number: b"x" for number in range(500)})
    tree = StateTree(store, 8, cache_bytes=5_000)
    assert 0 < tree.warm() < 50
    assert tree._cache.size_bytes <= 5_000


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_a_store_that_contradicts_the_tree_is_found_out(damage):
    store = memory_store()
    run(StateTree(store, DEPTH), store, dict.fromkeys(PATHS, b"1"))
    victim = key_hash(PATHS[0])
    batch = WriteBatch()
    if damage == "changed":
        batch.put(Table.STATE, victim, pack_leaf(PATHS[0], SALT, b"2"))
    elif damage == "missing":
        batch.delete(Table.STATE, victim)
    else:
        batch.put(Table.STATE, victim[:31] + bytes((victim[31] ^ 1,)), pack_leaf(b"x", b"", b"2"))
    store.commit(batch)
    tree = StateTree(store, DEPTH)
    nodes = bytes(tree._nodes)
    with pytest.raises(OperationalError, match="digest in the tree"):
        tree.prove(victim)
    with pytest.raises(OperationalError, match="digest in the tree"):
        stage(tree, {PATHS[0]: b"3"})
    with pytest.raises(OperationalError, match="digest in the tree"):
        tree.warm()
    assert bytes(tree._nodes) == nodes


@pytest.mark.parametrize(("key", "value"), [(bytes(3), bytes(32)), (b"\0\0\0\x10", bytes(32)), (bytes(4), bytes(31))])
def test_refuses_bucket_digests_of_another_depth_or_shape(key, value):
    store = memory_store()
    batch = WriteBatch()
    batch.put(Table.BUCKETS, key, value)
    store.commit(batch)
    with pytest.raises(OperationalError, match="does not belong"):
        StateTree(store, DEPTH)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("number", range(4))
def test_after_any_fault_the_tree_is_that_of_the_last_whole_block(kind, fault: Fault, number: int, tmp_path: Path):
    blocks: list[Block] = [
        {**dict.fromkeys(PATHS[height * 5 : height * 5 + 15], b"%d" % height), PATHS[0]: None if height % 2 else b"x"}
        for height in range(4)
    ]
    store = FaultyStore(OPENERS[kind](tmp_path), {number: fault})
    tree = StateTree(store, DEPTH)
    states: list[State] = [{}]
    for block in blocks:
        states.append(changed(states[-1], block))
    for block in blocks[:number]:
        run(tree, store, block)
    with pytest.raises(OperationalError, match=fault):
        run(tree, store, blocks[number])
    assert tree.root == naive_root(states[number])  # readers never saw the block that failed
    store.close()
    again = OPENERS[kind](tmp_path)
    height = number + (fault == "persisted")
    tree = StateTree(again, DEPTH)
    assert tree.root == naive_root(states[height])
    for block in blocks[height:]:
        run(tree, again, block)
    assert tree.root == naive_root(states[4])
    check_proofs(tree, tree.root, states[4])
    again.close()


@pytest.mark.parametrize("kind", KINDS)
def test_proofs_from_other_threads_hold_while_blocks_commit(kind, tmp_path):
    store = OPENERS[kind](tmp_path)
    tree = StateTree(store, 6, window=3, cache_bytes=2_000)
    records = {tree.root: b""}
    stop = threading.Event()
    failures: list[BaseException] = []
    proofs = [0]

    def read() -> None:
        try:
            while not stop.is_set():
                for root in tree.roots():
                    for path in PATHS[::9]:
                        try:
                            proof = tree.prove(key_hash(path), root)
                        except OperationalError:
                            continue  # the root has left the window meanwhile
                        if records[root]:
                            verify_inclusion(root, 6, path, SALT, records[root], proof)
                        else:
                            verify_exclusion(root, 6, path, proof)
                        proofs[0] += 1
        except BaseException as error:  # noqa: BLE001 # the main thread reports it
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    height = 0
    while not failures and (height < 60 or proofs[0] < 300):
        height += 1
        block: Block = dict.fromkeys(PATHS, b"%d" % height)
        staged = stage(tree, block)
        if height % 3 == 0:
            tree.discard(staged)
            staged = stage(tree, block)
        records[staged.root] = b"%d" % height
        store.commit(batch_of(staged, block))
        tree.apply(staged)
    stop.set()
    for reader in readers:
        reader.join()
    store.close()
    assert failures == []


@given(path=st.binary(max_size=300), salt=st.sampled_from([b"", SALT]), record=st.binary(max_size=300))
def test_a_packed_leaf_unpacks_and_keeps_its_digest(path, salt, record):
    stored = pack_leaf(path, salt, record)
    assert unpack_leaf(stored) == (path, salt, record)
    assert stored_value_digest(stored) == value_digest(salt, record)


def test_buckets_take_the_first_bits_of_a_key_hash():
    assert bucket_number(b"\xff" * 32, 4) == 15
    assert bucket_number(b"\x80" + bytes(31), 18) == 1 << 17
    assert bucket_number(b"\xff" * 32, 24) == 2**24 - 1
    assert bucket_number(b"\x00\x00\x00\xff" + bytes(28), 24) == 0
