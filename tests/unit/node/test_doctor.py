"""Every fault is made for real, in a folder that a node has written, and has to be named."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fujie.client.client import named
from fujie.client.keys import create_key
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.engine.executor import HEAD
from fujie.engine.stored_block import STORED_BLOCK
from fujie.modules.membership.records import ActivateRules
from fujie.node.config_keys import keys
from fujie.node.doctor import examine_folder
from fujie.node.doctor.files import CHECKS as FILE_CHECKS
from fujie.node.doctor.machine import file_system_of, listener_of, no_listening, package_findings
from fujie.node.doctor.report import Check, Verdict, examine, ok
from fujie.node.doctor.scene import Scene
from fujie.node.folder import Folder
from fujie.node.keyring import log_key
from fujie.node.ledger import OWNER, PREFIX, open_ledger
from fujie.reader.projection.schema import FILE_NAME, SCHEMA, connect_to_write, create_tables
from fujie.store.layout import META_FORMAT, META_HEAD, Table, number_key
from tests.unit.node.town import found_town, put, row

OLD_S = 3_600
LOW_PORT = 80
UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    home = tmp_path_factory.mktemp("town") / "home"
    found_town(home)
    return home


@pytest.fixture
def home(town, tmp_path):
    """A copy of the town to spoil."""
    return shutil.copytree(town, tmp_path / "home")


@pytest.fixture(autouse=True)
def _a_free_port(monkeypatch):
    for key in keys().values():
        monkeypatch.delenv(key.variable, raising=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FUJIE_PORT", str(probe.getsockname()[1]))


def look(home, verdict=None):
    """Return name -> findings of one verdict, or of all."""
    findings, _ = examine_folder(Folder(home))
    found: dict[str, list[Any]] = {}
    for finding in findings:
        if verdict is None or finding.verdict == verdict:
            found.setdefault(finding.check, []).append(finding)
    return found


def failure(home, check):
    """Return the one failure, which is of ``check``, with what to do about it."""
    found = look(home, Verdict.FAIL)
    assert list(found) == [check], found
    [finding] = found[check]
    assert finding.do
    return f"{finding.found} {finding.do}"


def warning(home, check):
    """Return the one warning, which is of ``check``; nothing fails."""
    assert look(home, Verdict.FAIL) == {}
    found = look(home, Verdict.WARN)
    assert list(found) == [check], found
    [finding] = found[check]
    assert finding.do
    return f"{finding.found} {finding.do}"


def content(home):
    return {
        path: (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(home.rglob("*"))
    }


def test_a_healthy_folder_has_no_finding_and_stays_as_it_is(home):
    before = content(home)
    assert look(home, Verdict.FAIL) == look(home, Verdict.WARN) == {}
    assert content(home) == before


def test_a_running_ledger_is_no_fault_and_is_named(home):
    with open_ledger(home):
        found = look(home)
        assert f"process {os.getpid()}" in found["lock"][0].found
        assert look(home, Verdict.FAIL) == {}
        assert found["store"][0].verdict is Verdict.OK
        # It may be a node of `fujie up` that begins.
        assert look(home, Verdict.WARN) == {}
        os.utime(home / "chain" / "lock", (time.time() - OLD_S, time.time() - OLD_S))
        # No node of `fujie up`: there is neither a socket nor a port.
        assert set(look(home, Verdict.WARN)) == {"socket", "port", "projection"}


def test_warns_of_rules_that_are_decided_and_not_installed_and_fails_at_their_height(home):
    with open_ledger(home) as ledger:
        height = ledger.status().height + 14
        decide_rules(ledger, ActivateRules("currency", 2, height))
    said = warning(home, "rules")
    assert f"From block {height} on" in said
    assert "install a version of Fujie that knows them" in said
    with open_ledger(home) as ledger, contextlib.suppress(OperationalError):
        for number in range(20):
            ledger.allocate(PREFIX, named(f"N{number}", "department", "One of many"))
    said = failure(home, "rules")
    assert "version 2 of the rules of 'currency', which this installation of Fujie does not know" in said
    assert "Install a version of Fujie that does" in said


def test_says_which_known_rules_come_into_force(home):
    with open_ledger(home) as ledger:
        decide_rules(ledger, ActivateRules("currency", 0, ledger.status().height + 500))
    [finding] = look(home)["rules"]
    assert finding.verdict is Verdict.OK
    assert "currency stops in 49" in finding.found


def decide_rules(ledger, action):
    identifier = ledger.propose(OWNER, action, time.time_ns() // 1_000_000 + OLD_S * 1_000)
    ledger.vote(OWNER, identifier)


def test_a_node_that_starts_after_a_long_rest_is_no_fault(home):
    from fujie.node.doctor import chain

    clock = [each for each in chain.CHECKS if each.name == "clock"]
    later = time.time_ns() // 1_000_000 + 30 * 86_400_000
    with open_ledger(home):
        os.utime(home / "chain" / "lock", (later / 1_000, later / 1_000))
        [starting] = examine(clock, Scene(Folder(home), now_ms=later))
    assert starting.verdict is Verdict.OK
    assert "just begun" in starting.found


def test_a_mirror_without_news_is_told_to_look_at_its_source(home):
    from fujie.node.doctor import chain

    clock = [each for each in chain.CHECKS if each.name == "clock"]
    (home / "mirror.json").write_text("{}")
    with open_ledger(home):
        [waiting] = examine(clock, Scene(Folder(home), now_ms=time.time_ns() // 1_000_000 + 3_600_000))
    assert waiting.verdict is Verdict.WARN
    assert "source" in waiting.found


def test_a_mirror_needs_no_key_also_when_it_forgot_its_source(home):
    described = home / "node.json"
    described.write_text(described.read_text().replace('"plain"', '"mirror"'))
    (home / "keys" / "validator.key").unlink()
    assert "mirrors nothing yet" in failure(home, "mirror")


def test_names_the_evidence_that_a_mirror_met_and_how_it_is_checked(home):
    (home / "mirror.json").write_text('{"format": "fujie-mirror-1", "source": "http://127.0.0.1:1"}')
    (home / "evidence").mkdir()
    for name in ("fork-x-7-0.json", "fork-x-8-0.json", "result-x-9-0.json"):
        (home / "evidence" / name).write_text("{}")
    forks, result = look(home, Verdict.FAIL)["mirror"]
    assert "two blocks of one height: evidence/fork-x-7-0.json, evidence/fork-x-8-0.json." in forks.found
    assert "another result of a block than it has here: evidence/result-x-9-0.json." in result.found
    assert f"fujie verify {home / 'evidence' / 'result-x-9-0.json'}" in result.do


def test_a_projection_that_has_moved_on_beside_a_busy_node_is_no_fault(home):
    from fujie.node.doctor import processes

    scene = Scene(Folder(home))
    with open_ledger(home):
        stored = scene.stored
        older = stored._replace(head=replace(stored.head, log_size=stored.head.log_size - 3))
        scene.__dict__["stored"] = older  # as it was read a moment before
        projection(home, log_size=stored.head.log_size)
        [finding] = [each for each in examine(processes.CHECKS, scene) if each.check == "projection"]
    assert finding.verdict is Verdict.OK, finding


def test_names_a_restricted_chain_that_others_may_read(home):
    assert home.stat().st_mode & 0o077 == 0, "as it is made"
    home.chmod(0o755)
    assert "not public" in warning(home, "secrets")
    home.chmod(0o750)
    assert "chmod 700" in warning(home, "secrets")


def test_a_running_store_of_kind_rocks_is_left_alone(tmp_path):
    found_town(tmp_path, "rocks")
    assert look(tmp_path, Verdict.FAIL) == {}
    with open_ledger(tmp_path):
        assert look(tmp_path)["store"][0].verdict is Verdict.SKIP


# The folder.


def test_names_a_folder_that_is_missing_or_none(tmp_path):
    assert "There is no folder" in failure(tmp_path / "nowhere", "folder")
    (tmp_path / "file").write_text("")
    assert "is a file" in failure(tmp_path / "file", "folder")


def test_names_an_empty_folder(tmp_path):
    tmp_path.chmod(0o755)
    assert "Start one with `fujie up`" in failure(tmp_path, "description")


def test_names_a_folder_that_others_may_write(home):
    home.chmod(0o777)
    assert "chmod go-w" in failure(home, "folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_names_files_of_another_user(home):
    os.chown(home / "chain" / "store.sqlite", 12_345, 12_345)
    said = failure(home, "ownership")
    assert "chain/store.sqlite" in said
    assert "chown -R" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_names_a_folder_that_this_user_may_not_read(tmp_path):
    tmp_path.chmod(0o700)
    assert "may not be read by this user" in as_another_user(lambda: look(tmp_path, Verdict.FAIL))


def as_another_user(ask: Callable[[], object]) -> str:
    """What ``ask`` returns in a process of a user without rights, as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # another user for a moment; nothing else may run in here
        try:
            os.setuid(65_534)
            os.write(writing, str(ask()).encode()[:4_000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "r") as said:
        text = said.read()
    os.waitpid(child, 0)
    return text


def test_names_secrets_that_others_may_read(home):
    (home / "keys" / "validator.key").chmod(0o644)
    [finding] = look(home, Verdict.FAIL)["secrets"]
    assert "keys/validator.key" in finding.found
    assert "chmod 600" in finding.do


def test_names_folders_that_others_may_look_into(home):
    (home / "keys").chmod(0o755)
    assert "chmod 700" in warning(home, "secrets")


def test_names_a_configuration_that_cannot_be_meant(home):
    (home / "fujie.toml").write_text("[http]\nprot = 1\n")
    assert "Did you mean port?" in failure(home, "configuration")
    (home / "fujie.toml").write_text('[http]\nhost = "0.0.0.0"\n')
    assert "speaks no TLS" in warning(home, "configuration")


def test_names_a_disk_without_room(home):
    free = os.statvfs(home).f_bavail * os.statvfs(home).f_frsize

    def space(least):
        [finding] = examine(
            [each for each in FILE_CHECKS if each.name == "space"], Scene(Folder(home), free_bytes_least=least)
        )
        return finding

    assert space(free * 2).verdict is Verdict.FAIL
    assert "Make room" in space(free * 2).do
    assert space(free // 2).verdict is Verdict.WARN


def test_names_what_interrupted_writes_left(home):
    left = home / "keys" / ".validator.key.0123456789abcdef"
    left.write_bytes(b"")
    assert look(home, Verdict.WARN) == {}  # it may be a write in hand
    os.utime(left, (time.time() - OLD_S,) * 2)
    (home / ".chain.01234567").mkdir()
    os.utime(home / ".chain.01234567", (time.time() - OLD_S,) * 2)
    said = warning(home, "leftovers")
    assert "keys/.validator.key.0123456789abcdef" in said
    assert ".chain.01234567" in said


def test_names_a_log_folder_that_grows_without_bound(home):
    (home / "log").mkdir()
    with (home / "log" / "other").open("wb") as file:
        file.truncate(2 << 30)  # it has holes and takes no room
    assert "2.0 GiB" in warning(home, "logs")


def test_names_an_old_snapshot(home):
    snapshot = home / "monday"
    snapshot.write_bytes(b"fujie-snapshot-1\n and more")
    assert "0 days old" in look(home)["snapshots"][0].found
    os.utime(snapshot, (time.time() - 40 * 86_400,) * 2)
    assert "monday is 40 days old" in warning(home, "snapshots")


# The chain.


def test_names_a_description_that_does_not_read(home):
    (home / "node.json").write_text("{")
    assert "is not the description" in failure(home, "description")


def test_names_a_trust_root_that_is_missing_or_damaged(home):
    (home / "trust.json").write_text("{}")
    assert "is no trust root" in failure(home, "trust root")
    (home / "trust.json").unlink()
    assert "There is no trust root" in failure(home, "trust root")


def test_names_a_trust_root_of_another_chain(home, tmp_path):
    open_ledger(tmp_path / "other").close()
    shutil.copy(tmp_path / "other" / "trust.json", home / "trust.json")
    found = look(home, Verdict.FAIL)
    assert "The trust root is of" in found["genesis"][0].found


def test_names_a_trust_root_with_other_validators(home):
    folder = Folder(home)
    folder.write_trust(replace(folder.trust(), validators_hash="00" * 32))
    assert "names other validators" in failure(home, "genesis")


def test_names_a_store_that_does_not_open(home):
    (home / "chain" / "store.sqlite").write_bytes(b"no database" * 1_000)
    assert "does not read" in failure(home, "store")


def test_names_a_store_that_is_missing(home):
    (home / "chain" / "store.sqlite").unlink()
    assert "There is no store" in failure(home, "store")


def test_names_a_store_of_the_other_kind(home):
    (home / "chain" / "store.rocks").mkdir()
    assert "one of the other kind" in failure(home, "store")


def test_names_a_store_without_its_package(tmp_path, monkeypatch):
    found_town(tmp_path, "rocks")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "rocksdict is not installed" in look(tmp_path, Verdict.FAIL)["store"][0].found


def test_names_a_format_of_another_version(home):
    put(home, Table.META, META_FORMAT, b"999")
    assert "a format" in failure(home, "store")


def test_names_an_interrupted_founding(home):
    put(home, Table.META, META_HEAD, None)
    assert "was interrupted" in failure(home, "store")


def test_names_a_head_that_does_not_hang_together(home):
    head = HEAD.decode(row(home, Table.META, META_HEAD))
    put(home, Table.META, META_HEAD, encode(replace(head, state_root=bytes(32))))
    said = failure(home, "newest block")
    assert "not that of its own roots" in said
    assert "fujie check" in said


def test_names_a_newest_block_that_is_missing(home):
    head = HEAD.decode(row(home, Table.META, META_HEAD))
    put(home, Table.BLOCKS, number_key(head.height), None)
    assert f"The newest block ({head.height}) is missing" in failure(home, "newest block")


def test_names_a_newest_log_entry_that_is_missing(home):
    head = HEAD.decode(row(home, Table.META, META_HEAD))
    put(home, Table.LOG_ENTRIES, number_key(head.log_size - 1), None)
    assert "The newest log entry" in failure(home, "newest block")


def test_names_a_signature_that_is_not_the_validators(home):
    key = number_key(HEAD.decode(row(home, Table.META, META_HEAD)).height)
    stored = STORED_BLOCK.decode(row(home, Table.BLOCKS, key))
    put(home, Table.BLOCKS, key, encode(replace(stored, commit=stored.commit[:-1] + bytes([stored.commit[-1] ^ 1]))))
    assert "not signed as it should be" in failure(home, "newest block")


def test_names_a_validator_key_that_is_missing_or_another(home, tmp_path):
    open_ledger(tmp_path / "other").close()
    shutil.copy(tmp_path / "other" / "keys" / "validator.key", home / "keys" / "validator.key")
    assert "not the key that the chain was founded with" in failure(home, "validator key")
    (home / "keys" / "validator.key").unlink()
    assert "There is no keys/validator.key" in failure(home, "validator key")


def test_names_a_log_key_that_does_not_open(home):
    assert "none yet" in look(home)["log key"][0].found
    log_key(Folder(home))
    assert "signs checkpoints" in look(home)["log key"][0].found
    path = home / "keys" / "log.key"
    path.write_text(path.read_text()[:100])
    assert "move it away" in failure(home, "log key")
    path.unlink()
    create_key(path, "a passphrase that nobody types at a node", label="log")
    assert "move it away" in failure(home, "log key")


def test_names_a_clock_that_is_behind_the_chain(home):
    scene = Scene(Folder(home), now_ms=1_000_000_000_000)
    from fujie.node.doctor import chain

    [finding] = examine([each for each in chain.CHECKS if each.name == "clock"], scene)
    assert finding.verdict is Verdict.FAIL
    assert "in the future of this machine's clock" in finding.found


def test_names_a_node_that_makes_no_blocks_and_a_chain_that_rests(home):
    from fujie.node.doctor import chain

    clock = [each for each in chain.CHECKS if each.name == "clock"]
    later = time.time_ns() // 1_000_000 + 30 * 86_400_000
    [resting] = examine(clock, Scene(Folder(home), now_ms=later))
    assert (resting.verdict, "30 days old" in resting.found) == (Verdict.WARN, True)
    with open_ledger(home):
        [stuck] = examine(clock, Scene(Folder(home), now_ms=later))
    assert stuck.verdict is Verdict.FAIL
    assert "A node runs" in stuck.found


def test_a_lock_of_a_process_that_was_killed_needs_no_cleaning(home):
    program = "import sys, time; from fujie.node.ledger import open_ledger; open_ledger(sys.argv[1]); print('open', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    assert f"process {process.pid} (python" in look(home)["lock"][0].found
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    found = look(home)["lock"][0]
    assert found.verdict is Verdict.OK
    assert f"process {process.pid}, which has ended" in found.found
    assert look(home, Verdict.FAIL) == {}


# The processes beside it.


def test_names_a_socket_that_a_killed_node_left(home):
    (home / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(home / "run" / "node.sock"))
    assert "left by a node that was killed" in warning(home, "socket")
    with open_ledger(home):
        assert "does not answer" in look(home, Verdict.FAIL)["socket"][0].found


def test_names_what_stands_in_the_sockets_place(home):
    (home / "run").mkdir(mode=0o700)
    (home / "run" / "node.sock").write_text("")
    assert "is no socket" in failure(home, "socket")


def projection(home, chain_id=None, schema=SCHEMA, log_size=0):
    connection = connect_to_write(home / FILE_NAME)
    create_tables(connection, chain_id or Folder(home).trust().chain_id)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(schema),))
    connection.execute("UPDATE position SET log_size = ?", (log_size,))
    connection.close()


def test_names_a_projection_of_another_version_chain_or_future(home):
    projection(home)
    assert "7 behind" in look(home)["projection"][0].found
    for fault, said, verdict in (
        ({"schema": 999}, "tables of another version", Verdict.WARN),
        ({"chain_id": "other-chain"}, "is of another chain", Verdict.FAIL),
        ({"log_size": 1_000}, "993 log entries ahead of the chain", Verdict.FAIL),
    ):
        (home / FILE_NAME).unlink()
        projection(home, **fault)
        [finding] = look(home, verdict)["projection"]
        assert said in finding.found
        assert finding.do


def test_names_a_projection_that_is_damaged(home):
    (home / FILE_NAME).write_bytes(b"no database" * 1_000)
    said = failure(home, "projection")
    assert "does not read" in said
    assert "fujie projection rebuild" in said


# The machine.


def test_names_a_port_that_another_program_uses(home, monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setenv("FUJIE_PORT", str(port))
        assert f"process {os.getpid()}" in listener_of(port)
        assert f"in use by process {os.getpid()}" in failure(home, "port")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_names_a_host_that_is_not_this_machine(host, home):
    (home / "fujie.toml").write_text(f'[http]\nhost = "{host}"\n')
    [finding] = look(home, Verdict.FAIL)["port"]
    assert f"{host} is no address of this machine" in finding.found
    assert "http.host" in finding.do


@pytest.mark.skipif(
    os.geteuid() != 0 or int(UNPRIVILEGED.read_text()) <= LOW_PORT, reason="anyone may listen at low ports here"
)
def test_names_a_port_that_this_user_may_not_listen_at():
    assert no_listening("127.0.0.1", 0) is None
    said = as_another_user(lambda: no_listening("127.0.0.1", LOW_PORT))
    assert f"may not listen at port {LOW_PORT}" in said


def test_names_a_folder_in_memory():
    place = Path("/dev/shm") / f"fujie-doctor-{os.getpid()}"
    if not place.parent.is_dir() or file_system_of(place.parent, Path("/proc/self/mountinfo").read_text()) != "tmpfs":
        pytest.skip("this machine has no file system in memory")
    open_ledger(place).close()
    try:
        assert "gone when the machine stops" in warning(place, "file system")
    finally:
        shutil.rmtree(place)


def test_reads_which_file_system_a_path_lies_on():
    mounts = (
        "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "30 22 0:44 / /srv/my\\040data rw - nfs4 host:/x rw\n"
        "31 22 0:45 / /srv/my\\040data/inner rw shared:3 - tmpfs none rw\n"
        "broken line\n"
    )
    for path, kind in (("/srv/other", "ext4"), ("/srv/my data/x", "nfs4"), ("/srv/my data/inner/y", "tmpfs")):
        assert file_system_of(Path(path), mounts) == kind
    assert file_system_of(Path("/x"), "") == ""


def test_names_packages_that_are_missing_or_of_another_version():
    versions = {"msgspec": "0.1.0", "httpx": "1.0"}
    pins = ["msgspec==0.22.0", "httpx==1.0", "rocksdict==0.3.29", 'furo==1.0; extra == "test"', "uvloop>=0.2"]
    said = list(package_findings(pins, versions.get))
    assert [(each.verdict, each.found.split(" ")[0:3]) for each in said] == [
        (Verdict.WARN, ["msgspec", "0.1.0", "is"]),
        (Verdict.FAIL, ["The", "package", "rocksdict"]),
    ]


def test_names_a_limit_of_open_files_that_is_too_low(home):
    program = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600)); from pathlib import Path; from tests.unit.node.test_doctor import warning; print(warning(Path(sys.argv[1]), 'open files'))"
    done = subprocess.run([sys.executable, "-c", program, str(home)], capture_output=True, text=True, cwd=Path.cwd())
    assert "may have 600 files open" in done.stdout, done.stderr
    assert "LimitNOFILE" in done.stdout


def test_a_check_that_fails_by_itself_does_not_end_the_others():
    def breaks(_scene):
        raise KeyError("x")

    findings = examine([Check("one", "", breaks), Check("two", "", lambda _: [ok("fine")])], None)
    assert [finding.verdict for finding in findings] == [Verdict.FAIL, Verdict.OK]
    assert "KeyError" in findings[0].found
