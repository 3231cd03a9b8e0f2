import shutil
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from fujie.api.chain import light_block
from fujie.api.problems import Kind, Problem
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.hashing import version_digest
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import VerifiedBlock
from fujie.engine import executor as executor_module
from fujie.engine import snapshot_forms
from fujie.engine.admission import verify_transaction
from fujie.engine.executor import Executor
from fujie.machine.transition import apply_block
from fujie.modules.identity import state_keys as identity
from fujie.modules.identity.operations import UpdateRecord
from fujie.node import snapshot as node_snapshots
from fujie.node.check import check_folder
from fujie.node.folder import Folder
from fujie.node.founding import open_engine
from fujie.node.ledger import PREFIX, open_ledger
from fujie.node.snapshot import load_snapshot, save_snapshot
from fujie.proof.merkle_state import bucket_number, key_hash
from fujie.store import snapshot as snapshots
from fujie.store.state_tree import pack_leaf
from tests.lying_rows import CUT, STEPS, lie_of
from tests.unit.node.town import found_town, open_rows, signer_of

GAS = f"{PREFIX}.CITY.GAS"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A town, the last transaction on it, and its snapshot."""
    place = tmp_path_factory.mktemp("snapshot")
    home = place / "home"
    found_town(home)
    with open_ledger(home) as ledger:
        transaction = ledger.build([UpdateRecord(GAS, 3, "Warmth", (), b"", "")])
        ledger.submit_signed(transaction)
    file = place / "town.snapshot"
    save_snapshot(Folder(home), file)
    return home, file, transaction


@pytest.fixture
def loaded(saved, tmp_path):
    home, file, _ = saved
    folder = Folder(tmp_path / "loaded")
    load_snapshot(folder, file, Folder(home).trust())
    return folder


def test_loads_the_same_state(saved, loaded):
    first, second = open_rows(saved[0]), open_rows(loaded.home)
    one, two = Executor(first), Executor(second)
    assert one.head == two.head
    first.close()
    second.close()
    assert check_folder(loaded).findings == []


def test_loads_into_a_store_of_the_other_kind(saved, tmp_path):
    folder = Folder(tmp_path / "rocks")
    load_snapshot(folder, saved[1], Folder(saved[0]).trust(), "rocks")
    assert check_folder(folder).findings == []
    save_snapshot(folder, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved[1].read_bytes()


def test_the_next_block_applies_identically(saved, loaded):
    first, second = open_rows(saved[0]), open_rows(loaded.home)
    one, two = Executor(first), Executor(second)
    with open_ledger(saved[0].parent / "signer") as other:  # any key: a refused transaction is a result as well
        raw = other.build([UpdateRecord(GAS, 4, "Other", (), b"", "")])
    time_ms = one.head.time_ms + 1
    block = VerifiedBlock(one.chain_id, one.head.height + 1, time_ms, (verify_transaction(raw),))
    assert apply_block(one.live, block).receipts == apply_block(two.live, block).receipts
    staged = [executor.stage(block, executor.apply(block)).head for executor in (one, two)]
    assert staged[0] == staged[1]
    first.close()
    second.close()


def test_goes_on_after_loading(saved, loaded):
    shutil.copytree(saved[0] / "keys", loaded.home / "keys")
    with open_ledger(loaded.home) as ledger:
        before: Any = ledger.resolve(GAS).record
        ledger.update(GAS, name="Heat")
        after: Any = ledger.resolve(GAS).record
    assert (before.name, after.name, after.standing.number) == ("Warmth", "Heat", 5)
    assert check_folder(loaded).findings == []


def test_refuses_a_transaction_that_was_carried_out_before(saved, loaded):
    engine = open_engine(loaded, signer_of(saved[0]))
    before = engine.head.log_size
    [outcome] = engine.submit([saved[2]]).result()
    assert outcome.receipt is not None, "the first receipt answers a repeat"
    assert (outcome.code, engine.head.log_size) == (0, before)
    repeated = engine.dry_run(saved[2])
    assert repeated.code == TransactionReason.TRANSACTION_REPEATED
    leaf: Any = engine.read(identity.identity(GAS))
    assert leaf.record.standing.number == 4
    engine.close()


def test_an_interrupted_save_leaves_nothing(saved, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshots, "_chunks", fail)
    with pytest.raises(KeyboardInterrupt):
        save_snapshot(Folder(saved[0]), tmp_path / "half.snapshot")
    assert list(tmp_path.iterdir()) == []


def test_never_takes_the_place_of_a_file(saved):
    with pytest.raises(OperationalError, match="exists already"):
        save_snapshot(Folder(saved[0]), saved[1])


def test_refuses_a_folder_that_is_not_empty(saved):
    with pytest.raises(OperationalError, match="is not empty"):
        load_snapshot(Folder(saved[0]), saved[1], Folder(saved[0]).trust())


def test_refuses_the_trust_root_of_another_chain(saved, tmp_path):
    found_town(tmp_path / "other")
    with pytest.raises(VerificationError) as caught:
        load_snapshot(Folder(tmp_path / "loaded"), saved[1], Folder(tmp_path / "other").trust())
    assert caught.value.step == "chain-id"
    assert list((tmp_path / "loaded").iterdir()) == [], "nothing half-loaded stays"


def test_refuses_every_changed_or_missing_byte(saved, tmp_path):
    data = saved[1].read_bytes()
    trust = Folder(saved[0]).trust()
    for place in range(0, len(data), len(data) // 40):
        for spoiled in (data[:place], data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]):
            file = tmp_path / "spoiled"
            file.write_bytes(spoiled)
            with pytest.raises(VerificationError):
                load_snapshot(Folder(tmp_path / "loaded"), file, trust)


@pytest.mark.parametrize("prefix", [b"g", b"s", b"v", b"t", b"e"])
def test_refuses_a_row_that_was_changed_and_hashed_again(saved, tmp_path, monkeypatch, prefix):
    """The frames' digests guard against accidents; against a liar stand the roots."""
    chunks = snapshots._chunks

    def lying(*given):
        for chunk in chunks(*given):
            rows = list(chunk.rows)
            if chunk.prefix == prefix:
                key, value = rows[-1]
                rows[-1] = (key, value[:-1] + bytes([value[-1] ^ 1]))
            yield snapshots.Rows(chunk.prefix, tuple(rows))

    monkeypatch.setattr(snapshots, "_chunks", lying)
    save_snapshot(Folder(saved[0]), tmp_path / "lie")
    with pytest.raises(VerificationError):
        load_snapshot(Folder(tmp_path / "loaded"), tmp_path / "lie", Folder(saved[0]).trust())


@pytest.mark.parametrize("prefix", [b"g", b"s", b"t", b"e"])
def test_refuses_a_snapshot_that_lacks_rows(saved, tmp_path, monkeypatch, prefix):
    chunks = snapshots._chunks
    monkeypatch.setattr(snapshots, "_chunks", lambda *given: (one for one in chunks(*given) if one.prefix != prefix))
    save_snapshot(Folder(saved[0]), tmp_path / "short")
    with pytest.raises(VerificationError):
        load_snapshot(Folder(tmp_path / "loaded"), tmp_path / "short", Folder(saved[0]).trust())


def planted_leaf(rows, depth):
    """A made-up leaf that shares the bucket of a real one, which is folded after it and takes its place in the tree."""
    buckets = {bucket_number(key, depth) for key, _ in rows[1:]}
    paths = (b"identity/id/ZZ.156.%d" % number for number in count())
    path = next(path for path in paths if bucket_number(key_hash(path), depth) in buckets)
    return key_hash(path), pack_leaf(path, b"", b"made up")


@pytest.mark.parametrize("prefix", [b"s", b"t"])
def test_refuses_rows_that_stand_under_no_root(saved, tmp_path, monkeypatch, prefix):
    chunks = snapshots._chunks
    depth = Folder(saved[0]).trust().state_tree_depth

    def lying(*given):
        for chunk in chunks(*given):
            if chunk.prefix == prefix == b"t":
                yield snapshots.Rows(prefix, (*chunk.rows, (b"\x09" + bytes(8), bytes(32))))
            elif chunk.prefix == prefix == b"s":
                planted = planted_leaf(chunk.rows, depth)
                yield snapshots.Rows(prefix, (planted,))
                record = b"an old version"
                yield snapshots.Rows(b"v", ((version_digest(record), record),))
                yield chunk
            else:
                yield chunk

    monkeypatch.setattr(snapshots, "_chunks", lying)
    save_snapshot(Folder(saved[0]), tmp_path / "lie")
    with pytest.raises(VerificationError):
        load_snapshot(Folder(tmp_path / "loaded"), tmp_path / "lie", Folder(saved[0]).trust())


@pytest.mark.parametrize("lie", STEPS)
def test_refuses_rows_that_do_not_add_up(saved, tmp_path, monkeypatch, lie):
    """Every leaf, entry and tile is under its root; what no root covers must follow from them."""
    chunks = snapshots._chunks
    manifest = snapshots.manifest_of(saved[1])
    if lie == CUT:
        manifest = replace(manifest, first_index=manifest.log_size - 1)
    monkeypatch.setattr(snapshots, "_chunks", lambda *given: lie_of(lie, chunks(*given)))
    store = open_rows(saved[0])
    snapshots.save(store, manifest, tmp_path / "lie")
    store.close()
    with pytest.raises(VerificationError) as caught:
        load_snapshot(Folder(tmp_path / "loaded"), tmp_path / "lie", Folder(saved[0]).trust())
    assert caught.value.step == STEPS[lie]
    assert list((tmp_path / "loaded").iterdir()) == []


def loaded_short(saved, tmp_path, monkeypatch):
    """A folder loaded from a snapshot with the newest entry alone, taken while no id had to be remembered."""
    folder = Folder(tmp_path / "loaded")
    with monkeypatch.context() as patched:
        for module in (executor_module, snapshot_forms):
            patched.setattr(module, "longest_window_ms", lambda *_: 0)
        save_snapshot(Folder(saved[0]), tmp_path / "short")
        manifest = load_snapshot(folder, tmp_path / "short", Folder(saved[0]).trust())
        assert manifest.first_index == manifest.log_size - 1
    return folder, manifest


def test_loads_without_the_entries_that_may_be_forgotten_and_opens_when_the_window_grows(saved, tmp_path, monkeypatch):
    folder, manifest = loaded_short(saved, tmp_path, monkeypatch)
    assert check_folder(folder).findings == []
    store = open_rows(folder.home)
    assert Executor(store).head.log_size == manifest.log_size
    store.close()


def test_after_the_window_grew_a_folder_that_lacks_entries_says_so_and_who_has_them(saved, tmp_path, monkeypatch):
    folder, manifest = loaded_short(saved, tmp_path, monkeypatch)
    with pytest.raises(OperationalError) as error:
        save_snapshot(folder, tmp_path / "again")
    assert f"with the log entries from {manifest.first_index:,} on, and by a vote since then" in error.value.what
    assert "a node that has them" in error.value.do
    assert not (tmp_path / "again").exists()


def test_refuses_a_window_without_any_entry(saved, tmp_path):
    manifest = snapshots.manifest_of(saved[1])
    store = open_rows(saved[0])
    snapshots.save(store, replace(manifest, first_index=manifest.log_size), tmp_path / "lie")
    store.close()
    with pytest.raises(VerificationError) as caught:
        load_snapshot(Folder(tmp_path / "loaded"), tmp_path / "lie", Folder(saved[0]).trust())
    assert caught.value.step == "snapshot-window"


def test_puts_nothing_in_place_that_a_node_does_not_open(saved, tmp_path, monkeypatch):
    def failing(_store):
        raise OperationalError("It does not open.", "Look why.")

    monkeypatch.setattr(node_snapshots, "Executor", failing)
    with pytest.raises(OperationalError, match="does not open"):
        load_snapshot(Folder(tmp_path / "loaded"), saved[1], Folder(saved[0]).trust())
    assert list((tmp_path / "loaded").iterdir()) == []


def test_a_loaded_folder_says_which_blocks_it_does_not_have(saved, loaded):
    engine = open_engine(loaded, signer_of(saved[0]))
    try:
        assert light_block(engine, engine.head.height).header.height == engine.head.height
        with pytest.raises(Problem) as problem:
            light_block(engine, 1)
        assert problem.value.kind is Kind.BLOCK_ABSENT
    finally:
        engine.close()
