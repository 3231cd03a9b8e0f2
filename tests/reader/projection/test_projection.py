"""What goes in: a projection of a random history is what a naive reading gives, however it came to be."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.modules.catalog import EVENTS, OPERATIONS
from fujie.reader.parties import CONCERNED
from fujie.reader.projection import postings, projection, schema
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.projection import Projection
from fujie.reader.projection.source import EngineSource, FolderSource
from fujie.reader.projection.touched import TOUCHED
from fujie.store.reading import open_for_reading
from tests import world
from tests.reader.projection.files import catch_up, content, follow
from tests.reader.projection.histories import History, naive_transactions

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def small_segments(monkeypatch):
    """Stretches of 32 log entries, so that a short history fills some."""
    for module in (schema, postings):
        monkeypatch.setattr(module, "SEGMENT", 32)


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("seed", range(4))
def test_rebuilding_gives_what_following_gave(tmp_path, seed):
    followed, rebuilt, odd = (tmp_path / name / "projection.sqlite" for name in ("followed", "rebuilt", "odd"))
    for path in (followed, rebuilt, odd):
        path.parent.mkdir()
    with world.running("memory", tmp_path) as engine:
        history = History(engine, seed)
        for _ in range(8):
            history.run(25)
            catch_up(followed, engine)
        catch_up(rebuilt, engine)
        catch_up(odd, engine, at_once=7)
    assert content(rebuilt) == content(followed)
    assert content(odd) == content(followed)
    assert len(content(followed)["segments"]) > 3


@pytest.mark.usefixtures("small_segments")
def test_deleted_and_built_anew_it_is_the_same_file_byte_for_byte(tmp_path):
    path = tmp_path / "projection.sqlite"
    with world.running("memory", tmp_path) as engine:
        History(engine, 13).run(120)
        catch_up(path, engine, at_once=50)
        first = path.read_bytes()
        schema.remove_files(path)
        catch_up(path, engine, at_once=50)
    assert path.read_bytes() == first


def test_every_operation_and_event_of_the_catalog_is_known():
    assert set(CONCERNED) == set(OPERATIONS)
    assert set(TOUCHED) == set(EVENTS)


class Interrupted(Exception):
    pass


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("where", ["write_transactions", "Entities", "next_batch"])
def test_a_batch_that_fails_leaves_nothing_behind(tmp_path, monkeypatch, where):
    path, whole = tmp_path / "projection.sqlite", tmp_path / "whole" / "projection.sqlite"
    whole.parent.mkdir()
    with world.running("memory", tmp_path) as engine:
        History(engine, 5).run(150)
        catch_up(whole, engine)
        genuine = getattr(projection, where)
        calls = 0

        def failing(*arguments):
            nonlocal calls
            calls += 1
            done = genuine(*arguments)
            if calls % 2:
                raise Interrupted
            return done

        monkeypatch.setattr(projection, where, failing)
        failures = 0
        with Projection(path, engine.chain_id) as written:
            more = True
            while more:
                before = (written.height, written.log_size)
                try:
                    more = written.advance(EngineSource(engine), 10)
                except Interrupted:
                    failures += 1
                    assert (written.height, written.log_size) == before
    assert failures > 5
    assert content(path) == content(whole)


def test_killed_at_any_moment_it_goes_on_where_it_stood(tmp_path):
    home, whole = tmp_path / "home", tmp_path / "whole" / "projection.sqlite"
    home.mkdir()
    whole.parent.mkdir()
    with world.running("sqlite", home) as engine:
        history = History(engine, 6)
        history.run(400)
        catch_up(whole, engine)
    path = home / "projection.sqlite"
    program = (
        "import sys; from pathlib import Path; from fujie.reader.projection.projection import Projection;"
        "from fujie.reader.projection.source import FolderSource; from fujie.store.reading import open_for_reading;"
        "home = Path(sys.argv[1]); source = FolderSource(open_for_reading('sqlite', home));"
        "projection = Projection(home / 'projection.sqlite', source.chain_id); print('begun', flush=True)\n"
        "while projection.advance(source, 3): pass\n"
    )
    for pause_s in (0.0, 0.01, 0.02, 0.03, 0.05):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(home)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "src"},
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(pause_s)
            child.send_signal(signal.SIGKILL)
    store = open_for_reading("sqlite", home)
    with contextlib.closing(store):
        source = FolderSource(store)
        with Projection(path, source.chain_id) as resumed:
            follow(resumed, source)
    assert content(path) == content(whole)


def test_a_folder_at_rest_gives_what_the_engine_gave(tmp_path):
    home, other = tmp_path / "home", tmp_path / "other" / "projection.sqlite"
    home.mkdir()
    other.parent.mkdir()
    with world.running("sqlite", home) as engine:
        History(engine, 7).run(60)
        catch_up(home / "projection.sqlite", engine)
    store = open_for_reading("sqlite", home)
    with contextlib.closing(store):
        source = FolderSource(store)
        with Projection(other, source.chain_id) as rebuilt:
            follow(rebuilt, source)
    assert content(other) == content(home / "projection.sqlite")


def test_another_chain_or_version_is_built_anew(tmp_path, caplog, monkeypatch):
    path = tmp_path / "projection.sqlite"
    with world.running("memory", tmp_path) as engine:
        History(engine, 8).run(30)
        catch_up(path, engine)
        expected = content(path)
        other = world.with_quota(500)
    with world.running("memory", tmp_path, other) as engine:
        catch_up(path, engine)
        assert Lists.open(path).statistics().transactions == 0
        assert "another version or chain" in caplog.text
    with world.running("memory", tmp_path) as engine:
        History(engine, 8).run(30)
        catch_up(path, engine)
        assert content(path) == expected
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
        catch_up(path, engine)
    assert content(path) == expected


def test_a_ledger_that_was_restored_from_a_backup_is_laid_out_anew(tmp_path, caplog):
    path = tmp_path / "projection.sqlite"
    with world.running("memory", tmp_path) as engine:
        History(engine, 9).run(40)
        catch_up(path, engine)
    with world.running("memory", tmp_path) as engine:  # the same chain, with another past
        History(engine, 10).run(80)
        catch_up(path, engine)
        rows = Lists.open(path).transactions(None, 200).rows
        assert [row.transaction_id for row in rows] == [row["transaction_id"] for row in naive_transactions(engine)][
            :200
        ]
    assert "built anew" in caplog.text


def test_what_is_no_database_is_built_anew(tmp_path, caplog):
    path = tmp_path / "projection.sqlite"
    path.write_bytes(b"no database at all" * 1_000)
    with world.running("memory", tmp_path) as engine:
        History(engine, 11).run(20)
        catch_up(path, engine)
        assert Lists.open(path).position().log_size == engine.head.log_size
    assert "does not read" in caplog.text


def test_two_processes_cannot_write_one_projection(tmp_path):
    path = tmp_path / "projection.sqlite"
    with Projection(path, "chain"), pytest.raises(OperationalError, match="another process"):
        Projection(path, "chain")
    Projection(path, "chain").close()


def test_a_file_deleted_under_the_writer_is_noticed(tmp_path):
    path = tmp_path / "projection.sqlite"
    with world.running("memory", tmp_path) as engine:
        History(engine, 12).run(20)
        with Projection(path, engine.chain_id) as written:
            follow(written, EngineSource(engine))
            seen = [written.lost]
            path.unlink()
            seen.append(written.lost)
            written.restart()
            follow(written, EngineSource(engine))
            assert [*seen, written.lost] == [False, True, False]
        assert Lists.open(path).position().log_size == engine.head.log_size
