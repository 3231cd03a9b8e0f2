import shutil
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.hashing import app_hash, version_digest
from fujie.core.signing import Signer
from fujie.engine.executor import HEAD, LOG_ENTRY
from fujie.engine.stored_block import STORED_BLOCK
from fujie.machine.genesis import load as load_genesis
from fujie.modules.catalog import RECEIPT
from fujie.modules.currency import state_keys as currency
from fujie.modules.identity import state_keys as identity
from fujie.modules.membership import state_keys as membership
from fujie.node.check import check_folder
from fujie.node.folder import Folder
from fujie.node.founding import found_chain
from fujie.node.ledger import INSTRUMENT, PREFIX, open_ledger, owner_genesis
from fujie.store.base import WriteBatch
from fujie.store.layout import META_HEAD, Table, number_key
from fujie.store.state_tree import StateTree, stored_value_digest
from fujie.store.transaction_log import tile_key
from tests.unit.node.town import found_town, open_rows, put, record_row, row

GAS = identity.identity(f"{PREFIX}.CITY.GAS")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    home = tmp_path_factory.mktemp("town") / "home"
    return home, found_town(home)


@pytest.fixture
def home(town, tmp_path):
    """A copy of the town to spoil."""
    return shutil.copytree(town[0], tmp_path / "home")


def found_in(home):
    report = check_folder(Folder(home))
    return {finding.invariant for finding in report.findings}, report


def flip(data: bytes, place: int = -1) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("store", ["sqlite", "rocks"])
def test_finds_nothing_wrong_in_what_a_node_wrote(tmp_path, store):
    found_town(tmp_path, store)
    report = check_folder(Folder(tmp_path))
    assert (report.findings, report.proven) == ([], True)
    assert report.records > 20
    assert (report.old_versions, report.entries) == (2, 7)
    assert report.height == report.blocks > 7


def test_finds_nothing_wrong_in_a_chain_that_was_founded_and_never_started(tmp_path):
    validator = Signer(b"v" * 32).public_key
    found_chain(Folder(tmp_path), "sqlite", "plain", "town", owner_genesis(validator, validator))
    report = check_folder(Folder(tmp_path))
    assert (report.findings, report.proven, report.height) == ([], False, 0)


def test_checks_beside_a_running_node(home):
    with open_ledger(home) as ledger:
        assert check_folder(Folder(home)).findings == []
        ledger.update(GAS.path.removeprefix("identity/id/"), name="Heat")
        assert check_folder(Folder(home)).findings == []


def test_finds_a_flipped_byte_in_a_record(home):
    put(home, Table.STATE, GAS.hash, flip(row(home, Table.STATE, GAS.hash), 40))
    names, report = found_in(home)
    assert "state-root" in names
    assert any(finding.path.startswith("identity/") or "state/" in finding.path for finding in report.findings)


def test_finds_bytes_that_are_no_canonical_record(home):
    stored = row(home, Table.STATE, GAS.hash)
    put(home, Table.STATE, GAS.hash, stored + b"\x00")
    names, report = found_in(home)
    assert {"record-is-canonical", "state-root"} <= names
    assert ("record-is-canonical", GAS.path) in {(f.invariant, f.path) for f in report.findings}


def test_finds_a_changed_balance_though_the_tree_was_hashed_again(town, home):
    """Whoever owns the disk can make the tree fit; the signed header and the supply still tell."""
    key = currency.balance(town[1], INSTRUMENT)
    stored = record_row(home, key, amount_minor=60_000)
    store = open_rows(home)
    head = HEAD.decode(store.get(Table.META, META_HEAD) or b"")
    tree = StateTree(store, 18)
    staged = tree.stage({key.hash: stored_value_digest(stored)})
    batch = WriteBatch()
    staged.write_into(batch)
    batch.put(Table.STATE, key.hash, stored)
    forged = replace(head, state_root=staged.root, app_hash=app_hash(staged.root, head.log_root, head.log_size))
    batch.put(Table.META, META_HEAD, encode(forged))
    store.commit(batch)
    store.close()
    names, report = found_in(home)
    assert names == {"head-is-signed", "supply-is-held"}
    assert report.found == 2


def test_finds_a_missing_log_entry(home):
    put(home, Table.LOG_ENTRIES, number_key(3), None)
    names, report = found_in(home)
    assert "log-entry-is-kept" in names
    assert "log/3" in {finding.path for finding in report.findings}


def test_finds_a_header_signature_that_is_not_the_validators(home):
    stored = STORED_BLOCK.decode(row(home, Table.BLOCKS, number_key(5)))
    put(home, Table.BLOCKS, number_key(5), encode(replace(stored, commit=flip(stored.commit))))
    names, report = found_in(home)
    assert "block-is-signed" in names
    assert "blocks/5" in {finding.path for finding in report.findings}


def _receipt_of_another_code(data):
    entry = LOG_ENTRY.decode(data)
    receipt = replace(RECEIPT.decode(entry.receipt), code=3001)
    return encode(replace(entry, receipt=encode(receipt)))


PLANTED: dict[str, tuple[Table, Any, Callable[[bytes], Any], set[str]]] = {
    "a record that is gone": (Table.STATE, GAS.hash, lambda _: None, {"state-root", "bucket-digest"}),
    "a row that is cut off": (Table.STATE, GAS.hash, lambda data: data[:2], {"leaf-is-whole", "state-root"}),
    "a record under another key": (
        Table.STATE,
        flip(GAS.hash),
        lambda _: b"\x00\x0bidentity/xx\x00\x00",
        {"leaf-at-its-key", "record-is-canonical"},
    ),
    "parameters of another kind": (
        Table.STATE,
        membership.PARAMETERS_KEY.hash,
        lambda data: flip(data),
        {"state-root", "bucket-digest"},
    ),
    "a bucket digest": (Table.BUCKETS, "first", flip, {"bucket-digest"}),
    "an old version that is gone": (Table.VERSIONS, "first", lambda _: None, {"old-version-is-kept"}),
    "an old version that changed": (
        Table.VERSIONS,
        "first",
        flip,
        {"old-version-at-its-digest"},
    ),
    "a block that is gone": (Table.BLOCKS, number_key(6), lambda _: None, {"block-is-kept"}),
    "a block that does not read": (Table.BLOCKS, number_key(6), lambda data: data[:9], {"block-is-canonical"}),
    "a receipt that says otherwise": (
        Table.LOG_ENTRIES,
        number_key(2),
        _receipt_of_another_code,
        {"log-entry-in-the-tree", "block-hangs-together"},
    ),
    "a log entry that does not read": (Table.LOG_ENTRIES, number_key(2), lambda _: b"\x90", {"log-entry-is-canonical"}),
    "a log entry too many": (Table.LOG_ENTRIES, number_key(99), lambda _: b"\x90", {"log-entry-is-kept"}),
    "a tile of the log": (Table.LOG_TILES, tile_key(0, 0), flip, {"log-tile", "log-entry-in-the-tree"}),
    "an id that leads nowhere": (Table.TRANSACTION_INDEX, "first", lambda _: number_key(77), {"transaction-is-found"}),
    "validators that are gone": (Table.VALIDATORS, "first", lambda _: None, {"validators-are-kept"}),
    "a head that does not read": (Table.META, META_HEAD, lambda data: data[:-1], {"head-is-canonical"}),
    "a genesis of another chain": (
        Table.GENESIS,
        b"genesis",
        lambda data: encode(replace(load_genesis(data), time_ms=1)),
        {"genesis-of-the-chain"},
    ),
    "another format": (Table.META, b"format", lambda _: b"2", {"format"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_finds_what_was_planted(home, name):
    table, key, change, expected = PLANTED[name]
    store = open_rows(home)
    if key == "first":
        key, value = next(store.scan(table))
    else:
        value = store.get(table, key) or b""
    store.close()
    put(home, table, key, change(value))
    names, _ = found_in(home)
    assert expected <= names, names


def test_finds_a_trust_root_of_other_validators(home):
    folder = Folder(home)
    folder.write_trust(replace(folder.trust(), validators_hash="00" * 32))
    assert "trust-root" in found_in(home)[0]


def test_refuses_a_folder_without_chain(tmp_path):
    with pytest.raises(OperationalError, match="There is no data folder"):
        check_folder(Folder(tmp_path))


def test_knows_old_versions_by_their_digest(home):
    store = open_rows(home)
    versions = dict(store.scan(Table.VERSIONS))
    store.close()
    assert all(version_digest(data) == digest for digest, data in versions.items())
