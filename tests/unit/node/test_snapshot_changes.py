"""A snapshot of a chain whose validators changed: it loads under the trust root of any of them, and leads them on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from fujie.cli.app import app
from fujie.client.light.client import LightClient
from fujie.core.errors import VerificationError
from fujie.core.hashing import app_hash
from fujie.core.limits import SNAPSHOT_PATH_MAX
from fujie.engine import pivots
from fujie.engine.executor import Executor
from fujie.engine.local_reads import LocalReads
from fujie.engine.pivots import Paths, changes_before, kept_changes
from fujie.node.check import check_folder, check_store
from fujie.node.folder import Folder
from fujie.node.snapshot import load_snapshot, replaced_ms, save_snapshot
from fujie.proof.light import verify_path, verify_root
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.trust import TrustRoot, encode_trust
from fujie.proof.validators import validator_set_hash
from fujie.store import snapshot as snapshots
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import META_CHANGE, META_PIVOT, Table, number_key
from fujie.store.opening import StoreKind
from fujie.store.snapshot import Manifest, manifest_of, save
from tests.light.embedded_chain import make_chain, set_of, sign_anew
from tests.light.memory_provider import MemoryProvider
from tests.light.tampering import renumbered
from tests.unit.node.town import found_town, open_rows

ALONE = {1: 10}
FOUR = {11: 10, 12: 10, 13: 10, 14: 10}
OTHERS = {21: 10, 22: 10, 23: 10}
HEIGHTS = [ALONE] * 5 + [FOUR] * 4 + [OTHERS] * 3
CHANGES = [5, 6, 9, 10]


class Changed(NamedTuple):
    """The snapshot of a town at the end of a chain that several sets of validators signed."""

    manifest: Manifest
    home: Path
    chain: list[LightBlock]

    def root(self, powers: dict[int, int]) -> TrustRoot:
        validators = validator_set_hash(set_of(powers)).hex()
        return replace(Folder(self.home).trust(), validators_hash=validators)

    def write(self, path: Path, blocks: Sequence[LightBlock]) -> Path:
        """Write the snapshot with these light blocks before the newest one."""
        manifest = replace_path(self.manifest, [encode_light_block(block) for block in blocks])
        store = open_rows(self.home)
        try:
            save(store, manifest, path)
        finally:
            store.close()
        return path


def replace_path(manifest: Manifest, path: Sequence[bytes]) -> Manifest:
    return replace(manifest, path=tuple(path))


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Changed:
    place = tmp_path_factory.mktemp("changed")
    found_town(place / "home")
    save_snapshot(Folder(place / "home"), place / "town.snapshot")
    found = manifest_of(place / "town.snapshot")
    assert found.path == ()
    roots = app_hash(found.state_root, found.log_root, found.log_size)
    chain = make_chain(HEIGHTS, chain_id=found.chain_id, app_hash=roots)
    empty = decode_light_block(found.light_block).header.data_hash
    chain[-1] = sign_anew(replace(chain[-1].header, data_hash=empty), OTHERS)
    return Changed(replace(found, light_block=encode_light_block(chain[-1])), place / "home", chain)


def of(changed: Changed, heights: Sequence[int]) -> list[LightBlock]:
    return [changed.chain[height - 1] for height in heights]


class Reads(LocalReads):
    def __init__(self, executor: Executor) -> None:
        super().__init__()
        self.executor = executor


@pytest.mark.parametrize("powers", [ALONE, FOUR, OTHERS])
@pytest.mark.parametrize("kind", ["sqlite", "rocks"])
def test_loads_under_every_root_and_leads_every_former_set_on(
    changed: Changed, tmp_path: Path, kind: StoreKind, powers: dict[int, int]
) -> None:
    file = changed.write(tmp_path / "file", of(changed, CHANGES))
    folder = Folder(tmp_path / "loaded")
    load_snapshot(folder, file, changed.root(powers), kind)
    assert [finding.invariant for finding in check_folder(folder).findings] == [
        "trust-root"
    ]  # it is not the town's own
    store = open_rows(folder.home)
    try:
        reads, newest = Reads(Executor(store)), changed.chain[-1]
        for since in (ALONE, FOUR):
            path = Paths(reads).to(newest, validator_set_hash(set_of(since)))
            assert path
            verify_root(changed.root(since), path[0])
            verify_path([*path, newest])
        assert [block.header.height for block in changes_before(store, newest)] == CHANGES
        kept = [block for height in range(1, 13) if (block := reads.light_block(height)) is not None]
        for since in (ALONE, FOUR):
            node = MemoryProvider("loaded", kept, tells=True)
            client = LightClient(changed.root(since), node, clock=lambda: newest.header.time_ms + 1_000)
            assert client.newest() == newest
        assert reads.block(5) is None, "of a block before the snapshot there is the light block alone"
        assert reads.light_block(5) == changed.chain[4]
        assert reads.light_block(4) is None
    finally:
        store.close()
    again = changed.write(tmp_path / "again", of(changed, CHANGES))
    assert again.read_bytes() == file.read_bytes()


def refused(changed: Changed, place: Path, blocks: Sequence[LightBlock], root: TrustRoot) -> str:
    """The step at which the snapshot with these light blocks is refused; nothing stays of it."""
    file = changed.write(place / "file", blocks)
    with pytest.raises(VerificationError) as caught:
        load_snapshot(Folder(place / "loaded"), file, root)
    assert list((place / "loaded").iterdir()) == []
    return caught.value.step


def test_refuses_a_root_that_it_does_not_lead_on_from(changed: Changed, tmp_path: Path) -> None:
    assert refused(changed, tmp_path, of(changed, CHANGES[2:]), changed.root(ALONE)) == "validators"


def test_refuses_a_gap(changed: Changed, tmp_path: Path) -> None:
    assert refused(changed, tmp_path, of(changed, [5, 6, 10]), changed.root(ALONE)) == "snapshot-path"


def test_refuses_a_forged_past(changed: Changed, tmp_path: Path) -> None:
    false = make_chain([{77: 10}] * 5 + [FOUR], chain_id=changed.manifest.chain_id)
    forged = [false[4], *of(changed, CHANGES[1:])]
    assert refused(changed, tmp_path, forged, changed.root(FOUR)) == "light-link"


def test_refuses_more_light_blocks_than_a_snapshot_takes(
    changed: Changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "many").mkdir()
    many = of(changed, CHANGES) * (SNAPSHOT_PATH_MAX // len(CHANGES)) + of(changed, CHANGES[:1])
    assert refused(changed, tmp_path / "many", many, changed.root(ALONE)) == "decode"
    monkeypatch.setattr(snapshots, "SNAPSHOT_PATH_BYTES_MAX", 1_000)
    assert refused(changed, tmp_path, of(changed, CHANGES), changed.root(ALONE)) == "snapshot-path"


def test_of_too_many_changes_the_newest_are_taken_along(
    changed: Changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = changed.write(tmp_path / "file", of(changed, CHANGES))
    folder = Folder(tmp_path / "loaded")
    load_snapshot(folder, file, changed.root(ALONE))
    store = open_rows(folder.home)
    monkeypatch.setattr(pivots, "SNAPSHOT_PATH_MAX", 3)
    assert [block.header.height for block in changes_before(store, changed.chain[-1])] == CHANGES[2:]
    store.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda changed, batch: batch.delete(Table.META, META_CHANGE + number_key(6)),
        lambda changed, batch: batch.put(Table.META, META_CHANGE + number_key(6), b"\x00"),
        lambda changed, batch: batch.put(Table.META, META_CHANGE + number_key(5), encode_light_block(changed.chain[3])),
        lambda changed, batch: batch.delete(Table.META, META_PIVOT + changed.chain[4].header.validators_hash),
    ],
)
def test_check_finds_a_change_that_was_damaged(
    changed: Changed, tmp_path: Path, damage: Callable[[Changed, WriteBatch], None]
) -> None:
    file = changed.write(tmp_path / "file", of(changed, CHANGES))
    folder = Folder(tmp_path / "loaded")
    load_snapshot(folder, file, changed.root(ALONE))
    store: Store = open_rows(folder.home)
    assert len(kept_changes(store)) == len(CHANGES)
    batch = WriteBatch()
    damage(changed, batch)
    store.commit(batch)
    store.close()
    found = [finding.invariant for finding in check_folder(folder).findings]
    assert "changes-lead-on" in found


def test_check_begins_under_the_trust_root(changed: Changed, tmp_path: Path) -> None:
    file = changed.write(tmp_path / "file", of(changed, CHANGES))
    folder = Folder(tmp_path / "loaded")
    load_snapshot(folder, file, changed.root(ALONE))
    store: Store = open_rows(folder.home)

    def found(powers: dict[int, int], light: Sequence[LightBlock] = ()) -> set[str]:
        return {finding.invariant for finding in check_store(store, changed.root(powers), light).findings} - {
            "trust-root"
        }

    assert found({99: 1}) == {"begins-under-the-root"}
    batch = WriteBatch()
    for height in CHANGES:
        batch.delete(Table.META, META_CHANGE + number_key(height))
    store.commit(batch)
    assert found(ALONE) == {"begins-under-the-root"}, "nothing leads from them any more"
    assert found(OTHERS) == set()
    # A mirror has what its light client believed instead, which is not believed for that.
    assert found(ALONE, changed.chain) == found(ALONE, of(changed, [5, 6, 9, 10, 11])) == set()
    assert found(ALONE, of(changed, [5, 6, 9])) == {"begins-under-the-root"}
    assert found(ALONE, of(changed, [10, 11])) == {"begins-under-the-root"}
    forged = [*of(changed, [5]), renumbered(changed.chain[5]), *of(changed, [9, 10])]
    assert found(ALONE, forged) == {"begins-under-the-root"}
    store.close()


def test_a_loaded_snapshot_says_since_when_others_sign_and_warns_beyond_the_trust_period(
    changed: Changed, tmp_path: Path
) -> None:
    file = changed.write(tmp_path / "file", of(changed, CHANGES))
    rows = [(ALONE, changed.chain[4].header.time_ms), (FOUR, changed.chain[8].header.time_ms), (OTHERS, None)]
    for number, (powers, replaced) in enumerate(rows):
        assert replaced_ms(manifest_of(file), changed.root(powers)) == replaced
        root = tmp_path / f"{number}.json"
        root.write_bytes(encode_trust(changed.root(powers)))
        words = ["--home", str(tmp_path / str(number)), "snapshot", "load", str(file), "--trust", str(root)]
        shown = CliRunner().invoke(app, words).output  # these blocks are of 2023
        assert ("Beware: the validators of the trust root signed last" in shown) is (replaced is not None)
        assert ("others than those of the trust root, since 2023-11-14" in shown) is (replaced is not None)
