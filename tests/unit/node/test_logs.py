import json
import logging
import resource
import threading

import pytest

from fujie.core.errors import OperationalError
from fujie.node import logs
from fujie.node.config_keys import Log
from fujie.node.folder import Folder
from fujie.node.log_files import Follower, Selection, newest_entries
from fujie.node.logs import Entry, TextLines, apply_level, levels, start_logging, text_of
from fujie.reader.credentials import Credentials, Scope

HOSTILE = 'ann\n2026-01-01T00:00:00.000Z ERROR   node fujie.x: forged\r\x1b[2J\u202e\u2028\x85"end'


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(autouse=True)
def _logging_as_it_was(monkeypatch):
    root, own = logging.getLogger(), logging.getLogger("fujie")
    handlers, level, own_level = list(root.handlers), root.level, own.level
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    logging.captureWarnings(False)
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    own.setLevel(own_level)


def written(folder, process="node"):
    return (folder.log.parent / f"{process}.log").read_text("utf-8")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_record_is_one_line_whatever_it_carries(folder, form):
    start_logging(folder, "node", Log(format=form))
    logging.getLogger("fujie.test").warning("hello %s", HOSTILE, extra={"height": 7, "who": HOSTILE})
    lines = written(folder).splitlines()
    assert len(lines) == 1
    assert written(folder).count("\n") == 1
    assert not set(written(folder)[:-1]) & set("\r\x1b\u202e\u2028\x85\n")
    [entry] = newest_entries(folder, Selection(), 10)
    assert (entry.level, entry.process, entry.logger) == ("warning", "node", "fujie.test")
    assert "\\n2026-01-01" in entry.message
    if form == "json":
        assert json.loads(lines[0])["extra"]["height"] == 7


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_belongs_to_its_record_and_forges_none(folder, form):
    start_logging(folder, "node", Log(format=form))
    log = logging.getLogger("fujie.test")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("it failed")
    log.info("after")
    first, second = newest_entries(folder, Selection(), 10)
    assert first.message == "it failed"
    assert first.traceback[0] == "Traceback (most recent call last):"
    assert any("ValueError: ann" in line for line in first.traceback)
    assert second.message == "after"
    assert "\x1b" not in written(folder)
    assert "fujie.x" not in {entry.logger for entry in (first, second)}


def test_endless_messages_and_tracebacks_are_cut(folder):
    start_logging(folder, "node", Log(format="json"))
    deep: Exception = ValueError("x" * 100_000)
    for _ in range(300):
        deep, cause = RuntimeError("and so"), deep
        deep.__cause__ = cause
    logging.getLogger("fujie.test").error("y" * 100_000, exc_info=deep)
    [entry] = newest_entries(folder, Selection(), 10)
    assert entry.message.endswith("(cut)")
    assert len(entry.traceback) == logs.TRACEBACK_LINES_MAX + 1
    assert len(written(folder)) < 50_000


def test_wrong_arguments_of_a_record_do_not_lose_it():
    record = logging.LogRecord("fujie.test", logging.INFO, __file__, 1, "%d pieces", ("no number",), None)
    assert "%d pieces (its arguments do not fit: TypeError)" in TextLines("node").format(record)


def test_a_credential_in_an_error_is_not_written(folder):
    start_logging(folder, "node", Log(level="debug"))
    log = logging.getLogger("fujie.test")
    log.error("headers {'authorization': 'Bearer abcdefgh12345678'}", extra={"said": "Fujie-Grant AAAABBBBCCCC"})
    try:
        raise OSError("Authorization: bearer zyxwvuts87654321")
    except OSError:
        log.exception("sent")
    shown = written(folder)
    assert not any(secret in shown for secret in ("abcdefgh", "AAAABBBB", "zyxwvuts"))
    assert shown.count("(not logged)") == 4  # the message, the field, the line of source and the error


def test_a_key_or_session_is_not_written_wherever_it_stands_and_its_number_is(folder, tmp_path):
    credentials = Credentials(tmp_path / "access")
    key = credentials.new_key("auditor", (Scope.READ,), 1)
    session = credentials.redeem(credentials.new_code("auditor").code)
    start_logging(folder, "node", Log(level="debug"))
    log = logging.getLogger("fujie.test")
    log.error("asked with %s", {"cookie": f"session={session.token}; x"}, extra={"path": f"/me/{key.token}"})
    try:
        raise ValueError(f"{key.token}{session.token}")
    except ValueError:
        log.exception("sent")
    shown = written(folder)
    for issued in (key, session):
        secret = issued.token.rpartition("_")[2]
        assert not any(secret[at : at + 8] in shown for at in range(0, len(secret), 8))
        assert issued.credential.id in shown


def test_a_full_disk_stops_nothing_and_the_log_says_later_that_records_are_missing(folder, capsys):
    start_logging(folder, "node", Log())
    log = logging.getLogger("fujie.test")
    log.info("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(written(folder)), hard))  # what is longer cannot be written
    try:
        for _ in range(3):
            log.info("lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.info("after")
    log.info("later")
    shown = written(folder)
    assert shown.count("up to 3 records are missing above") == 1
    assert shown.index("before") < shown.index("after") < shown.index("are missing") < shown.index("later")
    assert capsys.readouterr() == ("", "")


def test_libraries_are_held_at_warning_whatever_is_set(folder):
    start_logging(folder, "node", Log(level="debug"))
    logging.getLogger("httpcore.http11").debug("headers")
    logging.getLogger("httpx").info("request")
    logging.getLogger("httpx").warning("a warning")
    logging.getLogger("fujie.test").debug("ours")
    assert [entry.message for entry in newest_entries(folder, Selection(), 10)] == ["a warning", "ours"]


def test_levels_change_and_are_taken_back_while_the_program_runs(folder):
    start_logging(folder, "node", Log())
    log = logging.getLogger("fujie.test.levels")
    log.debug("one")
    apply_level("fujie.test.levels", "debug")
    log.debug("two")
    assert levels()["fujie.test.levels"] == "debug"
    apply_level("fujie.test.levels", "inherit")
    log.debug("three")
    assert "fujie.test.levels" not in levels()
    apply_level("fujie", "error")
    log.warning("four")
    assert levels()["fujie"] == "error"
    assert [entry.message for entry in newest_entries(folder, Selection(), 10)] == ["two"]


@pytest.mark.parametrize(
    ("logger", "level", "said"),
    [
        ("fujie", "debgu", "no level 'debgu'. Did you mean debug?"),
        ("fujie", "inherit", "nothing above fujie"),
        ("fujie.node.logz", "debug", "no logger 'fujie.node.logz'"),
        ("fujie.node/logs", "debug", "no logger 'fujie.node/logs'"),
        ("fujie..node", "debug", "no logger 'fujie..node'"),
        ("httpx", "debug", "no logger 'httpx'"),
        ("", "debug", "no logger ''"),
    ],
)
def test_refuses_a_logger_or_level_that_does_not_exist(logger, level, said):
    before = levels()
    with pytest.raises(OperationalError) as caught:
        apply_level(logger, level)
    assert said in str(caught.value)
    assert levels() == before


def test_a_module_that_is_not_loaded_yet_takes_a_level(folder):
    start_logging(folder, "node", Log())
    name = "fujie.proof.wire"  # which logs nothing, so that no logger of its name is made
    assert name not in logging.getLogger().manager.loggerDict
    try:
        apply_level(name, "debug")
        assert levels() == {"fujie": "info", name: "debug"}
    finally:
        apply_level(name, "inherit")
    assert levels() == {"fujie": "info"}


def test_a_thread_that_ends_by_an_error_is_logged_and_not_printed(folder, capsys):
    start_logging(folder, "node", Log())

    def fails():
        raise ValueError("in a thread")

    thread = threading.Thread(target=fails, name="works")
    thread.start()
    thread.join()
    [entry] = newest_entries(folder, Selection(), 10)
    assert entry.message == "the thread works ended"
    assert "ValueError: in a thread" in entry.traceback
    assert capsys.readouterr().err == ""


def test_each_process_has_its_file_and_they_are_read_in_the_order_of_time(folder):
    start_logging(folder, "node", Log())
    logging.getLogger("fujie.test").info("first")
    start_logging(folder, "reader-1", Log(format="json"))
    logging.getLogger("fujie.test").error("second")
    start_logging(folder, "node", Log())
    logging.getLogger("fujie.test").info("third")
    entries = newest_entries(folder, Selection(), 10)
    assert [entry.process for entry in sorted(entries, key=lambda entry: entry.message)] == ["node", "reader-1", "node"]
    assert [entry.ts for entry in entries] == sorted(entry.ts for entry in entries)
    assert [entry.message for entry in newest_entries(folder, Selection("reader-1"), 10)] == ["second"]
    assert [entry.message for entry in newest_entries(folder, Selection(None, "warning"), 10)] == ["second"]
    assert len(newest_entries(folder, Selection(), 2)) == 2
    with pytest.raises(OperationalError, match="There are those of node, reader-1"):
        newest_entries(folder, Selection("projector"), 10)


def test_what_is_added_is_followed_across_a_rotation_and_into_a_new_process(folder, monkeypatch):
    monkeypatch.setattr(logs, "LOG_BYTES_MAX", 400)
    start_logging(folder, "node", Log())
    log = logging.getLogger("fujie.test")
    log.info("before")
    follower = Follower(folder, Selection())
    try:
        assert follower.poll() == []
        seen = []
        for number in range(30):
            log.info("number %d", number)
            seen += follower.poll()
        assert [entry.message for entry in seen] == [f"number {number}" for number in range(30)]
        assert (folder.log.parent / "node.log.1").exists()
        start_logging(folder, "reader-1", Log())
        log.info("from a new process")
        assert [entry.process for entry in follower.poll()] == ["reader-1"]
        with (folder.log.parent / "reader-1.log").open("a") as file:
            file.write(text_of(Entry("2026-11-22T00:00:00.000Z", "info", "fujie.x", "reader-1", "half a line"))[:-4])
            file.flush()
            assert follower.poll() == []
            file.write("line\n")
            file.flush()
        assert [entry.message for entry in follower.poll()] == ["half a line"]
    finally:
        follower.close()


def test_lines_that_no_node_wrote_do_no_harm(folder):
    folder.log.parent.mkdir()
    odd = b'\xff\xfe\x1b[2J\n{"ts": 1}\n{\n' + b"{" * 100_000 + b"\n    indented\n\n"
    (folder.log.parent / "node.log").write_bytes(odd)
    entries = newest_entries(folder, Selection(), 10)
    assert entries
    assert not any("\x1b" in text_of(entry) for entry in entries)
    forged = Entry("x\x1b", "info\n", "a", "b", "m\x1b[2J", {"e\n": "\x1b"}, ("t\x1b",))
    (folder.log.parent / "node.log").write_bytes(
        json.dumps({name: getattr(forged, name) for name in Entry.__struct_fields__}).encode()
    )
    [entry] = newest_entries(folder, Selection(), 10)
    assert "\x1b" not in text_of(entry)


def test_a_folder_without_logs_says_so(folder):
    with pytest.raises(OperationalError, match="There is no log in"):
        newest_entries(folder, Selection(), 10)


def test_a_log_that_cannot_be_written_is_told_at_the_start(folder):
    (folder.log.parent / "node.log").mkdir(parents=True)
    with pytest.raises(OperationalError, match="cannot be written"):
        start_logging(folder, "node", Log())


def test_what_cometbft_writes_is_read_beside_the_rest(folder):
    """Its lines are JSON of another form; what it writes before it has a logger, or when it panics, is plain text."""
    folder.log.parent.mkdir(parents=True, exist_ok=True)
    line = {
        "_msg": "committed\x1b[31m state",
        "level": "error",
        "module": "state",
        "ts": "2026-11-22T23:40:14.172345Z",
        "height": 7,
    }
    text = "\n".join((json.dumps(line), json.dumps(line | {"ts": "2026-11-22T23:40:15Z"}), '{"_msg": 1}', "panic: no"))
    folder.log.with_name("cometbft.log").write_text(text + "\n")
    plain, other, first, second = newest_entries(folder, Selection("cometbft"), 10)
    assert [plain.message, other.message] == ['{"_msg": 1}', "panic: no"]
    assert (first.ts, first.level, first.logger, first.process) == (
        "2026-11-22T23:40:14.172Z",
        "error",
        "state",
        "cometbft",
    )
    assert (first.message, first.extra, second.ts) == (
        "committed\\x1b[31m state",
        {"height": 7},
        "2026-11-22T23:40:15.000Z",
    )
