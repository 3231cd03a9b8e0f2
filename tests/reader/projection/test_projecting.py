"""Keeping a projection up with a ledger that moves, building it anew, and telling how far it is."""

import contextlib
import json
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fujie.cli.app import app
from fujie.core.errors import OperationalError
from fujie.engine.embedded import EmbeddedEngine
from fujie.node import projecting
from fujie.node.folder import Folder
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.projection import Projection
from fujie.reader.projection.rows import ProjectionUnavailable
from fujie.reader.projection.schema import FILE_NAME, REBUILD_NAME
from fujie.reader.projection.source import EngineSource
from tests import world
from tests.reader.projection.files import catch_up, content
from tests.reader.projection.histories import History

GIVE_UP_S = 60.0


class Moving(EngineSource):
    """The engine in this process, as a source that can be waited for."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        super().__init__(engine)
        self.failing = 0

    def wait(self, height: int, timeout_s: float) -> bool:
        time.sleep(min(timeout_s, 0.01))
        return self.head.height > height

    def rows(self, table, start, end, limit):
        if self.failing:
            self.failing -= 1
            raise OperationalError("The disk is full.", "Make room.")
        return super().rows(table, start, end, limit)


def eventually(happens):
    """Wait until ``happens()``; nothing is measured by it."""
    give_up = time.monotonic() + GIVE_UP_S
    while not happens():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


@contextlib.contextmanager
def projecting_of(home: Path, source: Moving):
    """Run the loop of the projector in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=projecting.project, args=(home, source, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(GIVE_UP_S)
    assert not thread.is_alive()


def is_complete(lists: Lists, engine: EmbeddedEngine) -> bool:
    with contextlib.suppress(ProjectionUnavailable):
        return lists.position().log_size == engine.head.log_size
    return False


def test_lists_follow_the_ledger_are_built_anew_when_asked_and_survive_deletion(tmp_path, monkeypatch):
    monkeypatch.setattr(projecting, "BACK_OFF_S", (0.01,))
    with world.running("memory", tmp_path) as engine:
        source, lists = Moving(engine), Lists.open(tmp_path / FILE_NAME)
        history = History(engine, 1)
        history.run(30)
        with projecting_of(tmp_path, source):
            eventually(lambda: is_complete(lists, engine))
            history.run(30)
            eventually(lambda: is_complete(lists, engine))
            before = (tmp_path / FILE_NAME).stat().st_ino, (tmp_path / FILE_NAME).stat().st_ctime_ns
            (tmp_path / REBUILD_NAME).touch()
            eventually(lambda: not (tmp_path / REBUILD_NAME).exists())
            eventually(lambda: is_complete(lists, engine))
            after = (tmp_path / FILE_NAME).stat()
            assert (after.st_ino, after.st_ctime_ns) != before
            (tmp_path / FILE_NAME).unlink()
            eventually(lambda: is_complete(lists, engine))
            source.failing = 3
            history.run(30)
            eventually(lambda: is_complete(lists, engine))
        lists.close()
        whole = tmp_path / "whole" / FILE_NAME
        whole.parent.mkdir()
        catch_up(whole, engine)
        assert content(tmp_path / FILE_NAME) == content(whole)


def test_a_fault_is_logged_tried_again_and_never_ends_the_loop(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(projecting, "BACK_OFF_S", (0.01,))
    genuine, calls = Projection.advance, 0

    def sometimes(projection, source, *more):
        nonlocal calls
        calls += 1
        if calls < 4:
            raise ZeroDivisionError
        return genuine(projection, source, *more)

    monkeypatch.setattr(Projection, "advance", sometimes)
    with world.running("memory", tmp_path) as engine:
        History(engine, 2).run(10)
        lists = Lists.open(tmp_path / FILE_NAME)
        with projecting_of(tmp_path, Moving(engine)):
            eventually(lambda: is_complete(lists, engine))
        lists.close()
    assert caplog.text.count("stand still by a fault") == 3


@pytest.fixture
def folder(tmp_path):
    """A data folder at rest, with a history."""
    home = Folder(tmp_path / "home")
    home.write_description("sqlite", "plain")
    home.chain.mkdir()
    with world.running("sqlite", home.chain) as engine:
        History(engine, 3).run(60)
    return home


class Told:
    """A progress that counts, and may interrupt."""

    def __init__(self, interrupts: bool = False) -> None:
        self.total = self.done = 0
        self.interrupts = interrupts

    def start(self, total):
        self.total = total

    def advance(self, group, count):
        self.done += count
        if self.interrupts:
            raise KeyboardInterrupt


def test_a_folder_at_rest_is_laid_out_with_progress(folder):
    told = Told()
    done = projecting.rebuild(folder, told)
    assert (done.asked, done.log_entries) == (False, told.total)
    assert told.done == told.total > 60
    before = content(folder.home / FILE_NAME)
    (folder.home / REBUILD_NAME).touch()
    projecting.rebuild(folder)
    assert content(folder.home / FILE_NAME) == before
    assert not (folder.home / REBUILD_NAME).exists(), "what was asked for is done"


def test_an_interrupted_rebuild_leaves_what_the_node_goes_on_with(folder, tmp_path):
    projecting.rebuild(folder)
    whole = content(folder.home / FILE_NAME)
    with pytest.raises(KeyboardInterrupt):
        projecting.rebuild(folder, Told(interrupts=True))
    with world.running("sqlite", folder.chain) as engine:
        catch_up(folder.home / FILE_NAME, engine)
        [blocks, position] = (whole[name] for name in ("transactions", "postings"))
    now = content(folder.home / FILE_NAME)
    assert (now["transactions"], now["postings"]) == (blocks, position)


def test_a_projector_that_runs_is_asked(folder):
    with Projection(folder.home / FILE_NAME, "chain"):
        assert projecting.rebuild(folder).asked
        assert projecting.status(folder).running
    assert (folder.home / REBUILD_NAME).exists()
    assert not projecting.status(folder).running


def run(folder, *arguments):
    return CliRunner().invoke(app, ["--home", str(folder.home), "projection", *arguments])


def test_the_commands_say_how_far_it_is(folder):
    with world.running("sqlite", folder.chain) as engine:
        entries = engine.head.log_size
    before = json.loads(run(folder, "status", "--json").stdout)
    assert (before["present"], before["log_size"], before["ledger_log_size"]) == (False, None, entries)
    built = json.loads(run(folder, "rebuild", "--json").stdout)
    assert (built["asked"], built["log_entries"]) == (False, entries)
    after = json.loads(run(folder, "status", "--json").stdout)
    assert (after["present"], after["log_size"], after["behind"], after["running"]) == (True, entries, 0, False)
    with Projection(folder.home / FILE_NAME, after["chain_id"]):
        assert json.loads(run(folder, "rebuild", "--json").stdout)["asked"] is True


def test_a_folder_without_a_chain_is_refused(tmp_path):
    nothing = Folder(tmp_path)
    for verb in (projecting.rebuild, projecting.status):
        with pytest.raises(OperationalError, match="no data folder"):
            verb(nothing)
