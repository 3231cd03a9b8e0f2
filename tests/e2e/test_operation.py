"""Operating a node: its configuration, its logs and what they never hold, the doctor beside it."""

import base64
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from fujie.modules.currency.operations import Pay
from tests.e2e.cli_node import FUJIE, START_S, CliNode, free_port
from tests.e2e.http_node import ANNA, INSTRUMENT, WALLETS, running
from tests.e2e.mirror_node import about_blocks, lying_proxy

pytestmark = pytest.mark.slow

PASSPHRASE = "seven brown horses under one old bridge"
API_KEY = "fk_c2VjcmV0LWtleS10aGF0LWlzLW5vbmU"
BEARER = "bearer-token-of-nobody-in-particular-0123456789"
GRANT = base64.urlsafe_b64encode(b"grant of nobody in particular" * 4).decode().rstrip("=")
CODE = "code-that-nobody-was-given-77"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = CliNode(tmp_path_factory.mktemp("operation"))
    node.home.mkdir(mode=0o755)
    (node.home / "fujie.toml").write_text(
        '[log]\nlevel = "debug"\nformat = "json"\n\n[http]\nreaders = 2\n', encoding="utf-8"
    )
    node.start()
    yield node
    if node.process is not None:
        node.stop()


def request(node, method, path, body=None, headers=()):
    asked = urllib.request.Request(f"http://127.0.0.1:{node.port}{path}", body, dict(headers), method=method)
    try:
        with urllib.request.urlopen(asked, timeout=START_S) as answer:
            return answer.status, answer.read(200_000)
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_configuration_is_read_and_says_where_it_comes_from(node):
    shown = node.json("config", "show")["values"]
    assert shown["http.port"]["from"] == "environment"
    assert (shown["http.readers"]["value"], shown["http.readers"]["from"]) == (2, "file")
    assert shown["http.readers"]["where"].endswith("fujie.toml, line 6")
    assert {path.name for path in (node.home / "log").glob("*.log")} >= {"node.log", "reader-1.log", "reader-2.log"}


def test_a_mistyped_configuration_stops_everything_before_it_begins(node, tmp_path):
    (tmp_path / "fujie.toml").write_text("[http]\nprot = 9000\n")
    shown = node.run("--home", str(tmp_path), "up", code=1)
    assert "fujie.toml, line 2" in shown
    assert "Did you mean port?" in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fujie.toml"]
    assert "Did you mean port?" in node.run("--home", str(tmp_path), "config", "check", code=1)


def test_a_commented_file_is_written_once(node, tmp_path):
    home = str(tmp_path / "new")
    node.run("--home", home, "config", "init")
    assert "exists already" in node.run("--home", home, "config", "init", code=1)
    assert node.json("--home", home, "config", "check")["exposed"] is False
    assert "speaks no TLS" in node.run("--home", home, "config", "check", FUJIE_HTTP_HOST="0.0.0.0")
    assert "Did you mean http.hosts?" in node.run("config", "explain", "http.hots", code=2)
    assert "FUJIE_PORT" in node.run("config", "explain", "http.port")


def test_levels_are_set_in_every_process_while_the_node_runs(node):
    wait_until(lambda: set(node.json("log", "level")["levels"]) == {"node", "projector", "reader-1", "reader-2"})
    before = node.json("log", "level")["levels"]
    after = node.json("log", "level", "fujie.node", "error")["levels"]
    assert all(levels["fujie.node"] == "error" for levels in after.values())
    node.run("log", "level", "fujie.node", "inherit")
    assert node.json("log", "level")["levels"] == before
    assert "no logger" in node.run("log", "level", "fujie.nowhere", "debug", code=1)
    assert "Did you mean debug?" in node.run("log", "level", "debgu", code=2)


def test_the_logs_of_all_processes_are_shown_and_followed(node):
    records = node.json("log", "show", "--lines", "1000")["records"]
    assert any("serving" in record["message"] and record["process"] == "node" for record in records)
    assert node.json("log", "show", "--process", "node", "--level", "error")["records"] == []
    assert "There are those of" in node.run("log", "show", "--process", "nobody", code=1)
    follower = subprocess.Popen(
        [FUJIE, "log", "show", "--follow", "--lines", "1", "--process", "node"],
        env=node.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    assert "node" in follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    assert follower.wait(START_S) == 0
    follower.stdout.close()


def test_the_doctor_finds_nothing_wrong_beside_a_running_node(node):
    found = node.json("doctor")
    assert (found["failures"], {each["part"] for each in found["findings"]}) == (0, {"folder", "connection"}), found
    assert "chain" in node.run("doctor", "--all", "--url", f"http://127.0.0.1:{node.port}")
    assert "does not accept a connection" in node.run("doctor", "--url", "http://127.0.0.1:1", code=1)


def test_the_doctor_asks_the_node_of_the_folder_wherever_it_listens(node, tmp_path):
    """The configured port is that of another node: neither is that one called ours, nor ours called ill."""
    other = CliNode(tmp_path)
    other.run("init")
    own, other.port = other.port, free_port()
    other.environment["FUJIE_PORT"] = str(other.port)
    other.start("--port", str(other.port))
    try:
        found = json.loads(other.run("doctor", "--json", FUJIE_PORT=str(node.port)))
        assert found["failures"] == 0, found
        said = {(each["part"], each["check"]): each["found"] for each in found["findings"]}
        assert f"http://127.0.0.1:{other.port} is the node's" in said["folder", "port"]
        assert said["connection", "url"] == f"http://127.0.0.1:{other.port}"
        # Every command asks it too: a variable may be meant for another folder.
        shown = json.loads(other.run("status", "--json", FUJIE_PORT=str(node.port)))
        assert shown["url"] == f"http://127.0.0.1:{other.port}"
        assert own != other.port
    finally:
        other.stop()
    assert not (other.home / "run" / "url").exists()
    found = {
        each["check"]: each
        for each in json.loads(other.run("doctor", "--json", code=1, FUJIE_PORT=str(node.port)))["findings"]
    }
    assert "no node of this folder runs" in found["port"]["found"]


def test_a_damaged_log_key_is_named_once_and_before_anything_starts(tmp_path):
    broken = CliNode(tmp_path)
    broken.run("init")
    (broken.home / "keys" / "log.key").write_text("{")
    (broken.home / "keys" / "log.key").chmod(0o600)
    said = broken.run("up", code=1)
    assert "Traceback" not in said
    assert said.count("log.key") == 1
    assert "move it away" in said
    assert not list((broken.home / "log").glob("reader-*.log"))


def test_the_doctor_of_a_mirror_looks_at_its_source_and_says_why_it_stopped(tmp_path):
    twin = CliNode(tmp_path / "mirror")
    with running(tmp_path / "node") as source, lying_proxy(source.url) as proxy:
        with twin.log.open("w") as out:
            twin.process = subprocess.Popen(
                [FUJIE, "mirror", proxy.url], env=twin.environment, stdout=out, stderr=subprocess.STDOUT, text=True
            )
        try:
            wait_until(lambda: "Ctrl-C stops" in twin.log.read_text("utf-8"))
            pinned = twin.home / "mirror.json"  # the doctor asks the node itself: the proxy knows no POST and no stream
            pinned.write_text(pinned.read_text().replace(proxy.url, source.url))
            found = findings(twin)
            assert re.match(rf"ok of {source.url}; it runs, \d blocks? behind", found["folder", "mirror"][0])
            assert found["source", "node"] == ["ok it is a Fujie node"]
            proxy.lie = about_blocks(
                lambda _height, items: [(block, [*raws, b"x"], acts) for block, raws, acts in items]
            )
            pay = source.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 1)], ANNA)
            assert source.engine.submit([pay]).result(START_S)[0].code == 0
            wait_until(lambda: "stopped following" in twin.log.read_text("utf-8"))
            [stopped] = findings(twin, code=1)["folder", "mirror"]
            assert stopped.startswith("fail The mirror has stopped following")
            assert "block-data" in stopped
        finally:
            code = twin.stop()
    assert code == 5
    found = findings(twin, code=1)
    assert found["folder", "mirror"] == [f"ok of {source.url}; it does not run"]
    assert found["source", "port"][0].startswith("fail")
    (twin.home / "evidence").mkdir()
    (twin.home / "evidence" / "fork-x-7-0.json").write_text("{}")
    (twin.home / "mirror.json").write_text("{")
    evidence, damaged = findings(twin, code=1)["folder", "mirror"]
    assert "fail The validators signed two blocks of one height: evidence/fork-x-7-0.json" in evidence
    assert "mirror.json is damaged" in damaged


def wait_until(so):
    give_up = time.monotonic() + START_S
    while not so():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def findings(node, code=0):
    found: dict[tuple[str, str], list[str]] = {}
    for each in node.json("doctor", code=code)["findings"]:
        found.setdefault((each["part"], each["check"]), []).append(f"{each['verdict']} {each['found']}")
    return found


def test_no_secret_reaches_a_log_an_error_or_the_run_folder(node):
    """Secrets of every kind go through commands and requests at level debug; then everything that was written is read."""
    said = node.run("wallet", "new", "zelda", "--institution", "bank-east", FUJIE_PASSPHRASE=PASSPHRASE)
    said += node.run("pay", "alice", "shop", "7.31", FUJIE_PASSPHRASE=PASSPHRASE)
    said += node.run("key", "new", "robot", FUJIE_PASSPHRASE=PASSPHRASE)
    said += node.run("pay", "zelda", "shop", "1", code=1, FUJIE_PASSPHRASE="wrong " + PASSPHRASE)
    wallet = json.loads((node.home / "wallets" / "zelda.json").read_text())["wallet"]
    code = node.json("access", "code", "auditor")["code"]
    kind = [("Content-Type", "application/json")]
    session = json.loads(request(node, "POST", "/sessions", json.dumps({"code": code}).encode(), kind)[1])
    made = node.json("access", "key", "new", "bank-east", "--days", "1")
    secrets = [PASSPHRASE, API_KEY, BEARER, GRANT, CODE, code, session["token"], wallet, *_long_texts(made)]
    assert request(node, "GET", "/me", headers=[("Authorization", f"Bearer {made['key']}")])[0] == 200
    for authorization in (
        f"Bearer {API_KEY}",
        f"Bearer {made['key']}",
        made["key"],
        f"Bearer {BEARER}",
        f"Fujie-Grant {GRANT}",
        f"Basic {GRANT}",
        f"Bearer {session['token']}",
    ):
        for path in (
            "/me",
            "/events?after=x",
            "/transactions",
            f"/wallets/{wallet}",
            "/metrics",
            f"/{GRANT}?key={API_KEY}",
            f"/{made['key']}?after={session['token']}",
        ):
            request(node, "GET", path, headers=[("Authorization", authorization), ("Cookie", f"session={BEARER}")])
    for body in (
        json.dumps({"code": CODE}),
        "{",
        json.dumps({"token": BEARER, "passphrase": PASSPHRASE}),
        BEARER,
        json.dumps({"code": made["key"]}),
    ):
        for path in ("/sessions", "/transactions", "/read", "/dry-run", "/console/sign-in"):
            request(node, "POST", path, body.encode(), kind)
    said += node.run("doctor", "--all") + node.run("log", "show", "--lines", "1000")
    wait_for_records(node)
    written = {path: path.read_bytes() for path in _written(node)}
    written["what the commands printed"] = said.replace(
        wallet, "", 1
    ).encode()  # `wallet new` tells the id it was asked for
    written["what up printed"] = node.log.read_bytes()
    for secret in (*secrets, *_seeds(node)):
        for form in {secret.encode(), base64.b64encode(secret.encode())[:-4]}:
            holders = [str(place) for place, data in written.items() if form in data]
            assert holders == [], f"{secret[:12]}… stands in {holders}"
    assert any(path.name == "node.log" for path in written if not isinstance(path, str))


def wait_for_records(node):
    """Assert that every process has told what it did: a log that holds nothing holds no secret either."""
    wanted = {
        "node": (
            r"^block \d+: [1-9][\d,]* transactions?, [0-9.]+ ms$",
            r"^(reader-1|reader-2|projector) follows, from block",
        ),
        "reader-": (
            r"^POST /sessions: 20\d in [0-9.]+ ms$",
            r"^GET /wallets/\{wallet\}: 40\d in",
            r"^GET [^ /]*: 404 in",
            r"^signed in as auditor, session [0-9a-f]{16}$",
            r"^a code to sign in that there is not was refused$",
            r"^the ledger is followed, from block",
        ),
        "projector": (r"^lists have \d+ log entries, block \d+$",),
        "operator": (r"^API key [0-9a-f]{16} of bank-east was made$", r"^a code to sign in as auditor was made$"),
    }
    give_up = time.monotonic() + START_S
    missing: list[tuple[str, str]] = []
    while time.monotonic() < give_up:
        records = node.json("log", "show", "--lines", "5000")["records"]
        missing = [
            (process, pattern)
            for process, patterns in wanted.items()
            for pattern in patterns
            if not any(each["process"].startswith(process) and re.search(pattern, each["message"]) for each in records)
        ]
        if not missing:
            return
        time.sleep(0.2)
    raise AssertionError(missing)


def _written(node):
    for folder in (node.home / "log", node.home / "run"):
        yield from (path for path in folder.rglob("*") if path.is_file())


def _long_texts(made):
    """The secret in an answer: whatever is long and is not the name of something."""
    return [value for name, value in made.items() if isinstance(value, str) and name in ("key", "secret", "token")]


def _seeds(node):
    seeds = [(node.home / "demo" / "seed").read_text().strip()]
    for path in [*(node.home / "keys").glob("*.key"), *(node.home / "demo" / "keys").glob("*.key")]:
        secret = json.loads(path.read_text())["secret"]
        seeds += [
            value for value in secret.values() if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32,}", value)
        ]
    assert len(seeds) > 10
    found = [form for seed in seeds for form in (seed, base64.b64encode(bytes.fromhex(seed)).decode().rstrip("="))]
    return list(dict.fromkeys(found))


def test_every_line_of_the_logs_is_one_json_object(node):
    for path in (node.home / "log").glob("*.log"):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            assert {"ts", "level", "logger", "process", "message"} <= set(record)
            assert record["process"] == path.stem


def test_after_a_kill_the_doctor_says_what_was_left_and_the_next_start_goes_on(node):
    """Comes last: it kills the node."""
    assert node.process is not None
    os.killpg(node.process.pid, signal.SIGKILL)
    node.process.wait(START_S)
    node.process = None
    found = {each["check"]: each for each in node.json("doctor")["findings"]}
    assert "which has ended" in found["lock"]["found"]
    assert "left by a node that was killed" in found["socket"]["found"]
    assert "killed" in node.run("doctor")
    node.start()
    give_up = time.monotonic() + START_S
    while node.json("doctor")["failures"] and time.monotonic() < give_up:
        time.sleep(0.5)
    assert node.json("doctor")["failures"] == 0
