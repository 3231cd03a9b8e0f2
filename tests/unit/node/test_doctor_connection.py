"""Every fault of a connection is made for real: by a node, by a server that lies, by a port that is closed."""

import email.utils
import socket
import time

import msgspec
import pytest
from msgspec.structs import replace

from fujie.client.heads import HeadMemory, SeenHead
from fujie.client.http import BUNDLE_TYPE, JSON_TYPE, PROBLEM_TYPE
from fujie.client.verifier import Verifier
from fujie.core.encoding import encode
from fujie.modules.membership.queries import ParametersQuery
from fujie.node.doctor import examine_connection
from fujie.node.doctor.connection_checks import proxy_finding
from fujie.node.doctor.mirroring import BEHIND_BLOCKS, distance
from fujie.node.doctor.report import Verdict
from fujie.node.folder import Folder
from fujie.node.transport import LocalTransport
from tests.e2e import lying_server
from tests.e2e.http_node import open_chain, serving
from tests.e2e.lying_server import Answer


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = open_chain(tmp_path_factory.mktemp("chain") / "chain")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def node(engine):
    with serving(engine) as node:
        yield node


@pytest.fixture
def liar(engine):
    with lying_server.serving(LocalTransport(engine)) as server:
        server.lie = told("", b"")
        yield server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def look(url, trust, folder=None):
    return {finding.check: finding for finding in examine_connection(url, trust, folder)}


def failures(found):
    return [name for name, finding in found.items() if finding.verdict is Verdict.FAIL]


def failure(found, check):
    assert failures(found) == [check], found
    assert found[check].do
    return f"{found[check].found} {found[check].do}"


IN_ORDER = {
    "/health/ready": Answer(200, JSON_TYPE, b"{}"),
    "/statistics": Answer(200, JSON_TYPE, b'{"projection": {"log_size": 1, "behind": 0, "enabled": true}}'),
    "/events": Answer(200, "text/event-stream", b": hello\n\n"),
}


def told(path, body, kind=JSON_TYPE, status=200, headers=()):
    """A lie: another answer to one path, while everything else is in order."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    lie = Answer(status, kind, data, headers)
    return lambda asked, honest: lie if asked == path else IN_ORDER.get(asked, honest)


def test_a_node_in_order_fails_at_nothing(node):
    found = look(node.url, node.trust)
    assert failures(found) == []
    for name in (
        "url",
        "proxy",
        "name",
        "port",
        "node",
        "version",
        "chain",
        "headers",
        "freshness",
        "clocks",
        "readiness",
    ):
        assert found[name].verdict is Verdict.OK, found[name]


def test_says_what_it_cannot_know_without_a_trust_root(node):
    found = look(node.url, None)
    assert (found["chain"].verdict, found["headers"].verdict) == (Verdict.SKIP, Verdict.SKIP)
    assert "--trust" in found["chain"].found


def test_names_a_url_with_a_password_and_does_not_repeat_it():
    for url in ("http://anna:correct-horse@127.0.0.1:9", "https://:correct-horse@[", "correct-horse@node"):
        findings = examine_connection(url, None)
        assert next(finding for finding in findings if finding.check == "url").verdict == "fail"
        assert "correct" not in str(findings)


def test_names_what_is_no_url():
    for wrong in ("", "ledger", "ftp://x", "http://", "http://\x00"):
        assert "is not a URL" in failure(look(wrong, None), "url")


def test_names_an_open_line_and_a_name_without_address():
    found = look("http://nowhere.invalid", None)
    assert found["url"].verdict is Verdict.WARN
    assert "stands for no address" in failure(found, "name")


def test_names_a_port_that_nobody_listens_at():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found = look(f"http://127.0.0.1:{probe.getsockname()[1]}", None)
    assert "does not accept a connection: Connection refused" in failure(found, "port")
    assert found["node"].verdict is Verdict.SKIP


def test_names_https_that_is_asked_of_a_plain_port(node):
    assert "GET /status gives no answer" in failure(look(node.url.replace("http", "https"), node.trust), "node")


def test_names_another_program_at_the_port(liar, node):
    liar.lie = told("/status", b"<html>", "text/html")
    assert "This is no Fujie node" in failure(look(liar.url, node.trust), "node")
    liar.lie = told("/status", b"", "text/html", 301, (("Location", "https://elsewhere.example/"),))
    assert "sends elsewhere: 'https://elsewhere.example/'" in failure(look(liar.url, node.trust), "node")
    liar.lie = told("/status", {"title": "Host is not allowed."}, PROBLEM_TYPE, 421)
    assert "http.hosts" in failure(look(liar.url, node.trust), "node")


def test_names_a_node_of_another_chain(node):
    found = look(node.url, replace(node.trust, chain_id="other-chain"))
    assert "serves town-" in found["chain"].found
    assert found["chain"].verdict is Verdict.FAIL
    assert "does not verify: chain-id" in found["headers"].found


def test_names_a_header_that_the_trust_root_does_not_bear_out(node):
    said = failure(look(node.url, replace(node.trust, validators_hash="00" * 32)), "headers")
    assert "does not verify: validators" in said
    assert "do not rely on its answers" in said


def test_names_a_node_that_gives_no_proof(liar, node):
    liar.lie = told("/read", b"no bundle", BUNDLE_TYPE)
    assert "does not verify: decode" in failure(look(liar.url, node.trust), "headers")
    liar.lie = told("/read", {"title": "No."}, PROBLEM_TYPE, 503)
    assert "gives no proof: status 503" in failure(look(liar.url, node.trust), "headers")


def test_names_a_chain_that_went_back_and_writes_nothing(node, tmp_path):
    folder = Folder(tmp_path)
    head = SeenHead(10_000, "11" * 32, 1)
    HeadMemory(tmp_path / "heads.json").observe(node.trust.chain_id, head, None, b"")
    before = (tmp_path / "heads.json").read_bytes()
    said = failure(look(node.url, node.trust, folder), "headers")
    assert "stale-head" in said
    assert "set back" in said
    assert [path.name for path in tmp_path.iterdir()] == ["heads.json"]
    assert (tmp_path / "heads.json").read_bytes() == before


def test_names_an_answer_that_is_too_old(liar, node, engine, monkeypatch):
    old = LocalTransport(engine).read([encode(ParametersQuery())])
    liar.lie = told("/read", old, BUNDLE_TYPE)
    assert failures(look(liar.url, node.trust)) == []
    real = time.time_ns
    monkeypatch.setattr(
        "fujie.node.doctor.connection.Verifier",
        lambda trust: Verifier(trust, lambda: real() // 1_000_000 + 3_600_000),
    )
    assert "does not verify: freshness" in failure(look(liar.url, node.trust), "headers")


def test_names_clocks_that_differ(liar, node, monkeypatch):
    def dated(seconds):
        date = email.utils.formatdate(time.time() + seconds, usegmt=True)
        monkeypatch.setattr(lying_server._Handler, "date_time_string", lambda _self: date)
        return look(liar.url, node.trust)

    assert "differ by 3" in failure(dated(3_600), "clocks")
    assert "differ by" in failure(dated(-3_600), "clocks")
    assert dated(6)["clocks"].verdict is Verdict.WARN


def test_names_a_node_that_is_not_ready_and_lists_that_lag(liar, node):
    liar.lie = told("/health/ready", {"title": "Not ready.", "detail": "The newest block is old."}, PROBLEM_TYPE, 503)
    assert "not ready (status 503). The newest block is old." in look(liar.url, node.trust)["readiness"].found
    liar.lie = told("/statistics", {"projection": {"log_size": 1, "behind": 50_000, "enabled": True}})
    found = look(liar.url, node.trust)["lists"]
    assert (found.verdict, "50,000 log entries behind" in found.found) == (Verdict.WARN, True)
    liar.lie = told("/statistics", {"projection": {"log_size": 0, "behind": 0, "enabled": False}})
    assert look(liar.url, node.trust)["lists"].found.startswith("switched off")


def test_names_event_streams_that_do_not_come(liar, node):
    liar.lie = told("/events", {"title": "No."}, PROBLEM_TYPE, 503)
    assert look(liar.url, node.trust)["events"].verdict is Verdict.WARN
    liar.lie = told("/events", b": hello\n\n", "text/event-stream")
    assert look(liar.url, node.trust)["events"].found == "events arrive"
    liar.lie = told("/events", {"title": "No."}, PROBLEM_TYPE, 401)
    assert "asks for a credential" in look(liar.url, node.trust)["events"].found


def test_names_another_version(liar, node):
    status = {"chain_id": node.trust.chain_id, "height": 1, "time_ms": 1, "version": "9.9.9"}
    liar.lie = told("/status", status)
    found = look(liar.url, node.trust)["version"]
    assert (found.verdict, "9.9.9" in found.found) == (Verdict.WARN, True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"chain_id": 3}', b"[" * 100_000])
def test_strange_answers_are_findings_and_no_faults(liar, node, body):
    for path in ("/status", "/statistics", "/health/ready", "/events", "/read"):
        for kind in (JSON_TYPE, BUNDLE_TYPE, "text/event-stream"):
            liar.lie = told(path, body, kind)
            assert not any("check itself failed" in finding.found for finding in look(liar.url, node.trust).values())


@pytest.mark.parametrize(
    ("host", "scheme", "environment", "verdict", "said"),
    [
        ("ledger.example.org", "https", {}, Verdict.OK, "none"),
        ("ledger.example.org", "https", {"HTTPS_PROXY": "http://u:secret@proxy:3128"}, Verdict.WARN, "proxy:3128"),
        ("ledger.example.org", "https", {"http_proxy": "http://proxy:3128"}, Verdict.OK, "none"),
        (
            "ledger.example.org",
            "https",
            {"all_proxy": "http://proxy", "no_proxy": ".example.org"},
            Verdict.OK,
            "but not for",
        ),
        ("127.0.0.1", "http", {"http_proxy": "http://proxy:3128"}, Verdict.WARN, "fujie does not, other programs do"),
        ("127.0.0.1", "http", {"http_proxy": "http://proxy", "NO_PROXY": "127.0.0.1"}, Verdict.OK, "but not for"),
    ],
)
def test_names_a_proxy_that_stands_between(host, scheme, environment, verdict, said):
    found = proxy_finding(host, scheme, environment)
    assert (found.verdict, said in found.found) == (verdict, True), found
    assert "secret" not in found.found + found.do


def test_says_how_far_a_mirror_is_behind_its_source(node):
    height = node.engine.head.height
    near, far, alone = (
        distance(node.url, height),
        distance(node.url, height - BEHIND_BLOCKS - 1),
        distance("http://127.0.0.1:1", height),
    )
    assert near.verdict is Verdict.OK
    assert "0 blocks behind" in near.found
    assert far.verdict is Verdict.WARN
    assert f"{BEHIND_BLOCKS + 1} blocks behind" in far.found
    assert alone.verdict is Verdict.WARN
    assert "does not answer" in alone.found
