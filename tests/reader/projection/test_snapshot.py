"""A folder that was loaded from a snapshot lacks the older blocks: lists hold what there is, and go on from there."""

import contextlib
import shutil

from fujie.client.client import named
from fujie.engine.embedded import EmbeddedEngine
from fujie.node import projecting
from fujie.node.folder import Folder
from fujie.node.ledger import PREFIX, open_ledger
from fujie.node.snapshot import load_snapshot, save_snapshot
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.schema import FILE_NAME
from tests.reader.projection.files import catch_up, content
from tests.reader.projection.walk import assert_lists_are_the_state
from tests.unit.node.town import found_town


def test_what_a_snapshot_brings_is_listed_and_followed(tmp_path):
    home, loaded = Folder(tmp_path / "home"), Folder(tmp_path / "loaded")
    found_town(home.home)
    projecting.rebuild(home)
    save_snapshot(home, tmp_path / "town.snapshot")
    load_snapshot(loaded, tmp_path / "town.snapshot", home.trust())
    projecting.rebuild(loaded)
    whole, rest = content(home.home / FILE_NAME), content(loaded.home / FILE_NAME)
    for table in ("identifiers", "aliases", "accounts", "organisations", "instruments", "words", "pairs"):
        assert rest[table] == whole[table], table
    with contextlib.closing(Lists.open(home.home / FILE_NAME)) as all_lists:
        wanted = all_lists.transactions(None, 200).rows
        wallets = {row.wallet for row in all_lists.wallets(None, 200)}
    with contextlib.closing(Lists.open(loaded.home / FILE_NAME)) as lists:
        found = lists.transactions(None, 200).rows
        assert facts(found) == facts(wanted[: len(found)])
        assert len(found) == lists.statistics().transactions > 0
        assert {row.wallet for row in lists.wallets(None, 200)} == wallets
        blocks = lists.blocks(None, 200)
        assert sum(block.transactions for block in blocks) == len(found)
        # The block of the snapshot itself came with it; of those before, their receipts tell what they do.
        carried = [block for block in blocks if block.transactions]
        assert {block.block_hash for block in carried} == {b""}
        assert blocks[0].block_hash != b""
        assert lists.transactions(None, 5, height=carried[0].height).rows == found[: carried[0].transactions][:5]
        shutil.copytree(home.home / "keys", loaded.home / "keys", dirs_exist_ok=True)
        with open_ledger(loaded.home) as ledger:
            later = ledger.allocate(PREFIX, named("LATER", "department", "Later"))
            engine = ledger.engine
            assert isinstance(engine, EmbeddedEngine)
            catch_up(loaded.home / FILE_NAME, engine)
            assert lists.position().height == engine.head.height
            assert lists.position().log_size == engine.head.log_size
            newest = lists.blocks(None, 1)[0]
            assert newest.block_hash != b""
            assert lists.names([later]) == {later: "Later"}
            assert_lists_are_the_state(lists, engine.executor.store)
            assert facts(lists.transactions(None, 200).rows[1:]) == facts(found)


def facts(rows):
    """Return rows with the parties as a set: they stand in the order in which the file met them."""
    return [(row.index, row.transaction_id, row.time_ms, row.operations, frozenset(row.parties)) for row in rows]
