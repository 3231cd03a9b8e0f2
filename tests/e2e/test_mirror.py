"""Mirrors over HTTP: equal to their node, also under load; a source that lies in bytes or breaks HTTP is named."""

import json
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fujie.client.client import Client
from fujie.client.http import HttpTransport
from fujie.client.replication import REPLICATION_TYPE, ReplicationSource
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.mirror_blocks import Deviation, SourceTrouble
from fujie.modules.currency.operations import Pay
from fujie.modules.membership.queries import Visibility
from fujie.node.check import check_folder
from fujie.node.config import Config
from fujie.node.folder import Folder
from fujie.node.founding import found_from, trust_root
from fujie.node.mirror import SILENT_MS, news, open_mirror, read_api_key
from fujie.node.mirror_file import read_source, write_source
from fujie.node.snapshot import load_snapshot, save_snapshot
from fujie.proof.evidence import SignedResult, SignedTwice, verify_evidence
from fujie.proof.light_block import decode_light_block
from fujie.proof.trust import decode_trust, encode_trust
from fujie.reader.access import Access
from fujie.reader.credentials import Credentials, Scope
from tests.e2e.http_node import ABSENT, ANNA, CITY, INSTRUMENT, VALIDATOR, WALLETS, Node, allocate, running
from tests.e2e.lying_server import Answer, truth
from tests.e2e.mirror_node import Items, LyingProxy, about_blocks, lying_proxy, mirrored, opened
from tests.engine.forked_blocks import later, signed_anew
from tests.engine.mirroring import rows

SECONDS_MAX = 300


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with running(tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture
def proxy(node):
    with lying_proxy(node.url) as proxy:
        yield proxy


def pay(node: Node, count: int = 1, amount_minor: int = 1) -> list[bytes]:
    """Pay, and return the ids of the payments."""
    raws = [node.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, amount_minor)], ANNA) for _ in range(count)]
    outcomes = node.engine.submit(raws).result(SECONDS_MAX)
    assert not any(outcome.code for outcome in outcomes)
    return [outcome.transaction_id for outcome in outcomes]


def caught_up(twin: Any, node: Node) -> bool:
    return bool(twin.engine.head == node.engine.head)


def wait(what) -> None:
    give_up = time.monotonic() + SECONDS_MAX
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.01)


# --- The same chain, the same answers.


def test_answers_as_its_node_does_and_a_client_verifies_it(node, tmp_path):
    ids = pay(node, 5)
    with mirrored(tmp_path / "mirror", node.url) as twin:
        wait(lambda: caught_up(twin, node))
        assert rows(twin.engine) == rows(node.engine)
        pages = ["/blocks/1", "/blocks/latest", f"/ids/{CITY}", f"/ids/{ABSENT}", f"/ids/{CITY}.fujie", "/genesis"]
        pages += [f"/receipts/{identifier.hex()}" for identifier in ids]
        pages += ["/replication/1?limit=500", "/log/tile/0/000.p/5", "/log/tile/entries/000.p/5"]
        for page in pages:
            ours, theirs = httpx.get(twin.url + page), httpx.get(node.url + page)
            assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content), page
        with Client(HttpTransport(twin.url), node.trust, [ANNA]) as client:
            now = client.resolve(CITY).record
            assert now is not None
            assert now.name == "Shijiazhuang City"
            assert client.resolve(ABSENT).record is None
            then = client.resolve(CITY, at_ms=now.standing.created_ms).record
            assert then is not None
            assert then.name == "Shijiazhuang"
            proven = client.receipt(ids[0])
            assert proven is not None
            assert proven.receipt.code == 0


def test_takes_no_transactions_and_says_who_does(node, tmp_path):
    with mirrored(tmp_path, node.url) as twin:
        raw = node.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 1)], ANNA)
        body = encode([raw])
        headers = {"content-type": "application/vnd.fujie.transactions+msgpack", "accept": "application/json"}
        refused = httpx.post(twin.url + "/transactions", content=body, headers=headers)
        assert refused.status_code == 403
        problem = refused.json()
        assert problem["type"] == "/problems/MIRROR_READ_ONLY"
        assert node.url in problem["detail"]
        rehearsed = httpx.post(twin.url + "/dry-run", content=body, headers=headers).json()
        assert rehearsed["code"] == 0
        assert rehearsed["receipt"]["authorised"]
        assert httpx.get(twin.url + "/status").json()["mirror"]["source"] == node.url
        assert httpx.get(node.url + "/status").json()["mirror"] is None


def test_follows_under_load_and_a_mirror_of_the_mirror_does_too(node, tmp_path):
    with mirrored(tmp_path / "1", node.url) as first, mirrored(tmp_path / "2", first.url) as second:
        threads = [threading.Thread(target=pay, args=(node, 100)) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            bundle = httpx.get(f"{second.url}/ids/{CITY}.fujie").content
            with Client(HttpTransport(second.url), node.trust) as client:
                assert client.resolve(CITY).record is not None
            assert bundle
        allocate(node.engine, 400)
        for twin in (first, second):
            wait(lambda twin=twin: caught_up(twin, node) or twin.engine.failure)
            assert rows(twin.engine) == rows(node.engine)


def test_a_mirrors_folder_passes_the_check_and_saves_a_snapshot(node, tmp_path):
    pay(node, 3)
    home = Folder(tmp_path / "mirror")
    with opened(home.home, node.url) as mirroring:
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
    report = check_folder(home)
    assert (report.found, report.proven) == (0, True)
    assert report.height == node.engine.head.height
    manifest, _ = save_snapshot(home, tmp_path / "file")
    assert load_snapshot(Folder(tmp_path / "loaded"), tmp_path / "file", home.trust()) == manifest


# --- What is trusted.


def test_pins_the_first_trust_root_it_is_told_and_says_so(node, tmp_path):
    with opened(tmp_path, node.url) as mirroring:
        assert mirroring.first_trust
        assert mirroring.trust == node.trust
    with opened(tmp_path, node.url) as mirroring:
        assert not mirroring.first_trust
    assert read_source(Folder(tmp_path)) == node.url


def test_says_whom_it_trusts_before_it_pins_anything(node, tmp_path):
    """A start that is broken off by then has told it; the next one finds the pinned root, and is silent."""
    told = []

    def broken_off(source, trust):
        assert not (tmp_path / "mirror").exists()
        told.append((source, trust))

    for _ in range(2):
        with opened(tmp_path / "mirror", node.url, on_first_trust=broken_off):
            pass
    assert told == [(node.url, node.trust)]


def test_keeps_a_given_trust_root_as_it_is(node, tmp_path):
    given = msgspec.structs.replace(node.trust, trust_period_ms=5)
    with opened(tmp_path, node.url, trust=given) as mirroring:
        assert not mirroring.first_trust
    assert Folder(tmp_path).trust() == given


def test_a_trust_root_that_lies_in_the_folder_counts_as_given(node, tmp_path):
    Folder(tmp_path).write_trust(node.trust)
    with opened(tmp_path, node.url) as mirroring:
        assert not mirroring.first_trust


@pytest.mark.parametrize("field", ["chain_id", "validators_hash", "state_tree_depth"])
def test_refuses_a_chain_that_is_not_that_of_the_trust_root_and_writes_nothing(field: str, node, tmp_path):
    other = {"chain_id": "other-" + "0" * 32, "validators_hash": "0" * 64, "state_tree_depth": 5}
    wrong = msgspec.structs.replace(node.trust, **{field: other[field]})
    with pytest.raises(OperationalError, match="trust root"), opened(tmp_path / "mirror", node.url, trust=wrong):
        pass
    assert not (tmp_path / "mirror").exists()


def test_refuses_another_trust_root_than_the_pinned_one(node, tmp_path):
    with opened(tmp_path, node.url):
        pass
    wrong = msgspec.structs.replace(node.trust, chain_id="other-" + "0" * 32)
    with pytest.raises(OperationalError, match="trust root"), opened(tmp_path, node.url, trust=wrong):
        pass


def test_refuses_a_folder_with_a_ledger_of_its_own(node, tmp_path):
    found_from(Folder(tmp_path), "sqlite", "plain", node.engine.genesis)
    with pytest.raises(OperationalError, match="ledger of its own"), opened(tmp_path, node.url):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_refuses_to_mirror_itself_and_remembers_what_it_mirrored(host, node, tmp_path):
    with opened(tmp_path, node.url):
        pass
    with pytest.raises(OperationalError, match="follow itself"):
        open_mirror(Folder(tmp_path), Config(), source=f"http://{host}:{Config().http.port}")
    assert read_source(Folder(tmp_path)) == node.url


def test_refuses_to_start_without_a_source(tmp_path):
    with pytest.raises(OperationalError, match="mirrors nothing yet"):
        open_mirror(Folder(tmp_path), Config())


def test_refuses_a_source_of_another_chain_after_a_restart_and_remembers_the_old_one(node, tmp_path, tmp_path_factory):
    with opened(tmp_path, node.url) as mirroring:
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
    with running(tmp_path_factory.mktemp("other")) as other:
        assert other.engine.chain_id != node.engine.chain_id
        with pytest.raises(OperationalError, match=other.engine.chain_id), opened(tmp_path, other.url):
            pass
    assert read_source(Folder(tmp_path)) == node.url


def test_another_source_of_the_same_chain_is_remembered_also_while_it_is_away(node, proxy, tmp_path):
    with opened(tmp_path, node.url):
        pass
    with opened(tmp_path, proxy.url):
        pass
    assert read_source(Folder(tmp_path)) == proxy.url
    with opened(tmp_path, "http://127.0.0.1:1"):
        pass
    assert read_source(Folder(tmp_path)) == "http://127.0.0.1:1"


def test_another_chain_in_the_place_of_the_source_is_named_and_what_was_verified_stays(
    node, tmp_path, tmp_path_factory
):
    with running(tmp_path_factory.mktemp("other")) as other:
        with opened(tmp_path, other.url) as mirroring:
            mirroring.engine.catch_up(lambda *_: None, lambda: False)
            head = mirroring.engine.head
        pay(node, 1)
        while node.engine.head.height < head.height:
            pay(node, 1)
        write_source(Folder(tmp_path), node.url)
        with opened(tmp_path, None) as mirroring:
            engine = mirroring.engine
            engine.catch_up(lambda *_: None, lambda: False)
            assert step_of(engine.failure) == "header-chain"
            assert engine.head == head


# --- Restricted chains.


def test_a_restricted_chain_is_shown_to_auditors_alone(tmp_path):
    with running(tmp_path / "node", Visibility.RESTRICTED) as node:
        answer = httpx.get(node.url + "/replication/1")
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/CREDENTIAL_REQUIRED")
        with pytest.raises(OperationalError, match=r"403.*API key of an auditor.*--api-key-file"):
            open_mirror(Folder(tmp_path / "mirror"), Config(), source=node.url)
        assert not (tmp_path / "mirror").exists()


def test_the_key_of_an_auditor_mirrors_a_restricted_chain_and_is_shown_nowhere(tmp_path, caplog):
    home = tmp_path / "access"
    key = Credentials(home).new_key("auditor", (Scope.READ,), 1).token
    with (
        running(tmp_path / "node", Visibility.RESTRICTED, access=Access(home)) as node,
        mirrored(tmp_path / "mirror", node.url, api_key=key) as twin,
    ):
        wait(lambda: caught_up(twin, node))
        assert rows(twin.engine) == rows(node.engine)
        assert httpx.get(twin.url + "/replication/1").status_code == 401
    assert key not in caplog.text
    assert all(key not in path.read_text("latin-1") for path in (tmp_path / "mirror").rglob("*") if path.is_file())


def test_an_api_key_is_read_from_a_file_and_never_told(tmp_path):
    path = tmp_path / "key"
    path.write_text("  secret-key\n")
    assert read_api_key(path) == "secret-key"
    path.write_text("secret key\n")
    with pytest.raises(OperationalError) as error:
        read_api_key(path)
    assert "secret" not in str(error.value)


# --- Lies over HTTP. What single blocks may say wrongly is in tests/engine/test_mirror.py.


def step_of(error: BaseException | None) -> str:
    assert isinstance(error, VerificationError), error
    return error.step


def catch_up(proxy: LyingProxy, folder: Path):
    """Catch up through the proxy; return what stopped or troubled the mirror, and how far it came."""
    with opened(folder, proxy.url) as mirroring:
        try:
            mirroring.engine.catch_up(lambda *_: None, lambda: False)
        except (SourceTrouble, VerificationError) as error:
            return error, mirroring.engine.head.height
        return mirroring.engine.failure or mirroring.engine.trouble, mirroring.engine.head.height


def test_a_changed_genesis_is_another_chain(node, proxy, tmp_path):
    genesis = msgspec.structs.replace(node.engine.genesis, time_ms=1)

    def lie(path: str, honest: Answer) -> Answer:
        return Answer(200, honest.content_type, encode(genesis)) if path == "/genesis" else honest

    proxy.lie = lie
    with pytest.raises(OperationalError, match="trust root"), opened(tmp_path / "1", proxy.url, trust=node.trust):
        pass
    error, height = catch_up(proxy, tmp_path / "2")  # taken at its word, its blocks are of another chain
    assert (step_of(error), height) == ("header-chain", 0)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\x94\x01"])
def test_a_genesis_that_is_none_is_refused(node, proxy, tmp_path, body):
    proxy.lie = lambda path, honest: Answer(200, honest.content_type, body) if path == "/genesis" else honest
    with pytest.raises(VerificationError), opened(tmp_path, proxy.url):
        pass


REPLIES = {
    "garbage": (Answer(200, "application/vnd.fujie.replication+msgpack", b"\xff" * 1_000), "decode"),
    "nothing at all": (Answer(200, "application/vnd.fujie.replication+msgpack", b""), "decode"),
    "depth": (Answer(200, "application/vnd.fujie.replication+msgpack", b"\x91" * 50_000), "decode"),
    "a truncated stream": (
        Answer(200, "application/vnd.fujie.replication+msgpack", b"\x91", announced=99),
        "as it should",
    ),
    "an endless stream": (Answer(200, "application/vnd.fujie.replication+msgpack", endless=True), "more than"),
    "another type": (Answer(200, "text/html", b"<html>"), "instead of"),
    "a redirect": (Answer(302, "text/html", headers=(("Location", "http://127.0.0.1:1/"),)), "elsewhere"),
    "packed bytes": (
        Answer(200, "application/vnd.fujie.replication+msgpack", b"x", headers=(("Content-Encoding", "gzip"),)),
        "packed",
    ),
    "an error": (Answer(500, "text/plain", b"oops"), "status 500"),
}


@pytest.mark.parametrize("what", REPLIES)
def test_names_an_answer_that_is_none(what: str, node, proxy, tmp_path):
    answer, told = REPLIES[what]
    with opened(tmp_path, node.url):
        pass
    proxy.lie = lambda path, honest: answer if path.startswith("/replication") else honest
    error, height = catch_up(proxy, tmp_path)
    assert told in str(error)
    assert height == 0
    proxy.lie = lambda _path, honest: honest
    error, height = catch_up(proxy, tmp_path)
    assert (error, height) == (None, node.engine.head.height)


def test_a_source_that_drips_is_given_up_and_not_waited_for(proxy):
    """Each byte comes in time, and the whole answer never does."""
    proxy.lie = lambda _path, _honest: Answer(200, REPLICATION_TYPE, endless=True, drip=True)
    source = ReplicationSource(proxy.url, answer_timeout_s=0.2)
    with closing(source), pytest.raises(OperationalError, match="too slowly"):
        source.blocks(1, 0, 1)


def test_a_fork_leaves_its_evidence_in_the_folder(node, proxy, tmp_path):
    pay(node)
    with opened(tmp_path, proxy.url) as mirroring:
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
        height = mirroring.engine.head.height

    def forked(asked: int, items: Items) -> Items:
        return [later(item, VALIDATOR) if asked + number == height else item for number, item in enumerate(items)]

    proxy.lie = about_blocks(forked)
    error, reached = catch_up(proxy, tmp_path)
    assert (step_of(error), reached) == ("fork", height)
    [path] = (tmp_path / "evidence").iterdir()
    assert path.name.startswith(f"fork-{node.engine.chain_id}-{height}-")
    proven = verify_evidence(path.read_bytes(), node.trust)
    assert isinstance(proven, SignedTwice)
    assert proven.height == height


def test_a_wrong_result_leaves_its_evidence_in_the_folder(node, proxy, tmp_path):
    """The validators sign a state that their transactions do not lead to: the block is kept, with both results."""
    pay(node)
    heights: list[int] = []

    def wrong(asked: int, items: Items) -> Items:
        for number, (_, raws, _) in enumerate(items[:-1]):
            if raws and not heights:
                heights.append(asked + number)
                items[number + 1] = signed_anew(items[number + 1], VALIDATOR, app_hash=bytes(32))
        return items

    proxy.lie = about_blocks(wrong)
    error, reached = catch_up(proxy, tmp_path)
    assert isinstance(error, Deviation)
    assert (error.step, [error.height], reached) == ("app-hash", heights, error.height - 1)
    [path] = (tmp_path / "evidence").iterdir()
    assert path.name.startswith(f"result-{node.engine.chain_id}-{error.height}-")
    proven = verify_evidence(path.read_bytes(), node.trust)
    assert isinstance(proven, SignedResult)
    assert (proven.height, proven.ours, proven.theirs) == (error.height, error.ours, bytes(32))
    assert proven.transactions > 0


def test_goes_on_serving_what_it_has_verified_when_the_source_begins_to_lie(node, proxy, tmp_path):
    with mirrored(tmp_path, proxy.url) as twin:
        before = httpx.get(f"{twin.url}/ids/{CITY}.fujie").content
        proxy.lie = about_blocks(lambda _height, items: [(block, [*raws, b"x"], acts) for block, raws, acts in items])
        height = twin.engine.head.height
        pay(node)
        wait(lambda: twin.engine.failure is not None)
        assert isinstance(twin.engine.failure, Deviation)
        assert twin.engine.failure.step == "block-data"
        # The next block; or the newest one again, where it asks anew after an answer that came too late.
        assert twin.engine.failure.height in (height, height + 1)
        assert httpx.get(f"{twin.url}/ids/{CITY}.fujie").content == before
        status = httpx.get(twin.url + "/status").json()
        assert status["height"] == height
        assert "block-data" in status["mirror"]["stopped"]
        assert httpx.get(twin.url + "/health/ready").json()["type"] == "/problems/NOT_READY"


def test_a_source_that_keeps_newer_blocks_back_contradicts_nothing_and_is_told_of(node, proxy, tmp_path):
    """An old head, shown again and again: only the clock tells."""
    with mirrored(tmp_path, proxy.url) as twin:
        head = twin.engine.head
        proxy.lie = about_blocks(lambda asked, items: items[: max(0, head.height + 1 - asked)])
        pay(node)
        wait(lambda: len(asked_after(proxy, head.height)) > 2)
        assert twin.engine.head == head
        assert news(twin.engine, head.time_ms + SILENT_MS) == ""
        said = news(twin.engine, head.time_ms + SILENT_MS + 1)
        assert f"no block after {head.height}" in said
        assert "Compare its height" in said
        proxy.lie = truth
        wait(lambda: twin.engine.head.height > head.height)
        assert news(twin.engine, twin.engine.head.time_ms + SILENT_MS) == ""


def asked_after(proxy: LyingProxy, height: int) -> list[str]:
    return [path for path in proxy.requests if path.startswith(f"/replication/{height + 1}?")]


def test_a_node_that_went_back_in_time_is_named(node, proxy, tmp_path):
    pay(node)
    with opened(tmp_path, node.url) as mirroring:
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
        height = mirroring.engine.head.height
    proxy.lie = about_blocks(lambda asked, items: items[: max(0, height - asked)])
    error, reached = catch_up(proxy, tmp_path)
    assert isinstance(error, SourceTrouble)
    assert f"has no block {height}" in str(error)
    assert reached == height


# --- The interface.


@pytest.mark.parametrize(
    "path",
    [
        "/replication/0",
        "/replication/-1",
        "/replication/x",
        "/replication/1?limit=0",
        "/replication/1?limit=501",
        "/replication/1?wait_ms=30001",
        "/replication/1?wait_ms=1.5",
        "/replication/1?more=1",
    ],
)
def test_refuses_a_question_that_is_not_well_formed(node, path):
    answer = httpx.get(node.url + path)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/MALFORMED")


def test_an_answer_has_as_many_blocks_as_are_asked_for_and_there(node):
    height = node.engine.head.height

    def count(path: str) -> int:
        return len(msgspec.msgpack.decode(httpx.get(node.url + path).content))

    assert count("/replication/1?limit=2") == 2
    assert count(f"/replication/{height}?limit=5") == 1
    assert count(f"/replication/{height + 1}") == 0
    assert count(f"/replication/{height + 1}?wait_ms=10") == 0
    assert count("/replication/9007199254740991") == 0


def test_an_answer_is_given_as_soon_as_there_is_a_block(node):
    height = node.engine.head.height + 1
    found: list[int] = []
    url = f"{node.url}/replication/{height}?wait_ms=30000"
    asking = threading.Thread(
        target=lambda: found.extend(
            decode_light_block(block).header.height
            for block, _, _ in msgspec.msgpack.decode(httpx.get(url, timeout=60).content)
        )
    )
    asking.start()
    pay(node)
    asking.join(SECONDS_MAX)
    assert found[0] == height


def test_every_file_of_a_mirror_is_as_the_page_says(node, tmp_path):
    with opened(tmp_path, node.url):
        pass
    assert json.loads((tmp_path / "mirror.json").read_text()) == {"format": "fujie-mirror-1", "source": node.url}
    assert json.loads((tmp_path / "node.json").read_text())["world"] == "mirror"
    assert decode_trust((tmp_path / "trust.json").read_bytes()) == trust_root(node.engine.genesis)
    assert encode_trust(node.trust) == (tmp_path / "trust.json").read_bytes()
    assert not (tmp_path / "keys" / "validator.key").exists()
