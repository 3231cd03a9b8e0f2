"""The event stream on a running node: resume, live events, bounds, and clients that do not keep up."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from fujie.api import streams
from fujie.api.explorer import transaction_page
from fujie.api.serving import Settings
from fujie.core.room import Operation
from fujie.engine.embedded import EmbeddedEngine
from fujie.modules.currency.operations import Pay, Return
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.records import SuspendAccount, Visibility
from fujie.reader.access import Access
from fujie.reader.credentials import Scope
from tests.e2e.http_node import (
    ANNA,
    AUDITOR,
    BANK,
    INSTRUMENT,
    SECONDS_MAX,
    WALLETS,
    Node,
    open_chain,
    project,
    running,
    serving,
)
from tests.e2e.http_readers import grant_of


class Event(NamedTuple):
    id: str
    kind: str
    data: dict[str, Any]


def pay(engine: EmbeddedEngine, count: int = 1) -> None:
    node = Node("", engine)
    raw = [node.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 1)], ANNA) for _ in range(count)]
    assert not any(outcome.code for outcome in engine.submit(raw).result(SECONDS_MAX))


def events_of(answer: httpx.Response) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


@contextmanager
def stream(url: str, query: str = "", **headers: str) -> Iterator[httpx.Response]:
    with httpx.stream("GET", f"{url}/events{query}", headers=headers, timeout=SECONDS_MAX) as answer:
        yield answer


def until_head(node: Node, query: str = "?after=0.0", **headers: str) -> list[Event]:
    """All events up to the block that is the newest when the last of them comes."""
    found = []
    with stream(node.url, query, **headers) as answer:
        assert answer.status_code == 200, answer.read()
        for event in events_of(answer):
            found.append(event)
            head = node.engine.head
            if event.id == f"{head.height}.{head.log_size}":
                return found
    raise AssertionError("the stream ended")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain")) as made:
        yield made


def test_history_is_told_from_the_first_block_in_the_order_of_the_ledger(node: Node) -> None:
    pay(node.engine, 300)  # more than the pump reads at a time
    told = until_head(node)
    heights = [event.data["height"] for event in told if event.kind == "block"]
    indices = [event.data["index"] for event in told if event.kind == "transaction"]
    assert heights == list(range(1, node.engine.head.height + 1))
    assert indices == list(range(node.engine.head.log_size))
    assert len({event.id for event in told}) == len(told)
    announced = 0
    for event in told:
        if event.kind == "block":
            announced = event.data["height"]
        else:
            assert event.data["height"] == announced
            assert event.id == f"{announced}.{event.data['index'] + 1}"


def test_whoever_resumes_from_any_event_misses_nothing_and_sees_nothing_twice(node: Node) -> None:
    pay(node.engine, 3)
    told = until_head(node)
    for place in range(0, len(told) - 1, max(1, len(told) // 12)):
        resumed = until_head(node, "", **{"last-event-id": told[place].id})
        assert resumed == told[place + 1 :]


def test_the_header_of_a_browser_that_comes_back_counts_before_the_address(node: Node) -> None:
    told = until_head(node)
    assert until_head(node, "?after=0.0", **{"last-event-id": told[-3].id}) == told[-2:]


@pytest.mark.parametrize("streams_before", [0, 3])
def test_live_events_follow_history_without_gap(node: Node, streams_before: int) -> None:
    """Also where others are served already, while blocks are made all the time."""
    stop = threading.Event()

    def keep_paying() -> None:
        while not stop.is_set():
            pay(node.engine, 2)

    with ExitStack() as others:
        for _ in range(streams_before):
            next(events_of(others.enter_context(stream(node.url, "?after=0.0"))))
        payer = threading.Thread(target=keep_paying)
        payer.start()
        try:
            wanted = node.engine.head.log_size + 200
            indices, heights = [], []
            with stream(node.url, "?after=0.0") as answer:
                for event in events_of(answer):
                    if event.kind == "transaction":
                        indices.append(event.data["index"])
                    else:
                        heights.append(event.data["height"])
                    if indices and indices[-1] >= wanted:
                        break
        finally:
            stop.set()
            payer.join(SECONDS_MAX)
    assert indices == list(range(wanted + 1))
    assert heights == list(range(1, len(heights) + 1))


def test_a_stream_without_an_id_begins_now(node: Node) -> None:
    before = node.engine.head
    with stream(node.url) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 1000"  # the stream has joined, or will with what comes
        pay(node.engine)
        first = next(line for line in lines if line.startswith("id: "))
    assert int(first[4:].partition(".")[0]) > before.height


def test_an_event_has_the_members_of_a_row_of_the_list(tmp_path: Path) -> None:
    asked: tuple[list[Operation], ...] = (
        [Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 5)],
        [Return(WALLETS["anna"], INSTRUMENT, 5)],
        [Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 7), Return(WALLETS["anna"], INSTRUMENT, 5)],
    )
    with running(tmp_path / "chain") as node:
        for operations in asked:
            node.engine.submit([node.sign(operations, ANNA)]).result(SECONDS_MAX)
        told = [event.data for event in until_head(node) if event.kind == "transaction"]
        lists = project(node.engine, tmp_path / "projection.sqlite")
        rows = lists.transactions(None, 200).rows
        lists.close()
    assert told[::-1] == [msgspec.to_builtins(transaction_page(row)) for row in rows]
    anna, ben = (f"wallet/{WALLETS[name].hex()}" for name in ("anna", "ben"))
    assert [(each["payer"], each["payee"], each["postings"]) for each in told[-3:]] == [
        (anna, ben, 2),
        (anna, "vault/institution", 2),
        (anna, ben, 4),
    ]


def test_filters_leave_blocks_and_pick_transactions(node: Node) -> None:
    told = until_head(node, "?after=0.0&operation=pay")
    assert {tuple(event.data["operations"]) for event in told if event.kind == "transaction"} == {("pay",)}
    told = until_head(node, "?after=0.0&party=id/ZZ.156.1301")
    assert all("id/ZZ.156.1301" in event.data["parties"] for event in told if event.kind == "transaction")
    assert sum(event.kind == "transaction" for event in told) == 2  # allocated and updated
    assert sum(event.kind == "block" for event in told) == node.engine.head.height


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ("?after=x", 400, "MALFORMED"),
        ("?after=1.1&after=2.2", 400, "MALFORMED"),
        ("?after=01.0", 400, "MALFORMED"),
        ("?since=1.0", 400, "MALFORMED"),
        ("?party=anna", 400, "MALFORMED"),
        ("?after=0.1", 404, "EVENT_ABSENT"),
        ("?after=2.999999", 404, "EVENT_ABSENT"),
        ("?after=99999.0", 404, "EVENT_ABSENT"),
        ("?operation=pey", 400, "OPERATION_UNKNOWN"),
    ],
)
def test_an_id_that_no_event_had_is_a_problem(node: Node, query: str, status: int, name: str) -> None:
    with stream(node.url, query) as answer:
        answer.read()
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{name}")


def test_an_id_beyond_the_newest_block_is_a_problem_after_a_while(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RESUME_WAIT_S", 0.1)
    newest = node.engine.head.height
    with stream(node.url, f"?after={newest + 500}.0") as answer:
        answer.read()
        assert answer.json()["type"] == "/problems/EVENT_ABSENT"
        assert f"The newest event has the id {newest}." in answer.json()["detail"]


def test_no_more_streams_are_open_than_the_node_serves(tmp_path: Path) -> None:
    with running(tmp_path, settings=Settings(streams_max=2)) as node:
        with stream(node.url) as one, stream(node.url) as two:
            assert (one.status_code, two.status_code) == (200, 200)
            with stream(node.url) as third:
                third.read()
                assert (third.status_code, third.json()["type"]) == (503, "/problems/STREAMS_FULL")
                assert int(third.headers["retry-after"]) > 0
        for _ in range(1_000):  # the places are free again as soon as the node has seen the others go
            with stream(node.url) as again:
                if again.status_code == 200:
                    break
        else:
            raise AssertionError("a place was never freed")


def test_a_quiet_stream_has_heartbeats(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    with stream(node.url) as answer:
        assert any(line == ":" or line == ": " for line in answer.iter_lines())


def test_a_client_that_takes_nothing_is_dropped_and_the_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BUFFER_BYTES_MAX", 65_536)
    with running(tmp_path) as node:
        url = httpx.URL(node.url)
        slow = socket.create_connection((url.host, url.port or 0), timeout=SECONDS_MAX)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        slow.recv(1)
        with stream(node.url) as quick:
            events = events_of(quick)
            while b'fujie_streams_dropped_total{reader="0"} 1.0' not in httpx.get(node.url + "/metrics").content:
                pay(node.engine, 500)
                size = node.engine.head.log_size
                next(event for event in events if event.kind == "transaction" and event.data["index"] == size - 1)
        slow.close()


def test_a_stream_ends_when_its_key_is_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHECK_S", 0.0)
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    access = Access(tmp_path / "access")
    assert access.credentials is not None
    issued = access.credentials.new_key("auditor", [Scope.READ], 1)
    with running(tmp_path / "chain", Visibility.RESTRICTED, access=access) as node:
        with stream(node.url, "?after=0.0", authorization=f"Bearer {issued.token}") as answer:
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            access.credentials.revoke_key(issued.credential.id)
            for _ in lines:  # ends by itself
                pass
        with stream(node.url, authorization=f"Bearer {issued.token}") as answer:
            assert answer.status_code == 401


def suspend(engine: EmbeddedEngine, account: str) -> None:
    """Have the one governor of the chain suspend an account."""
    deadline_ms = engine.head.time_ms + 3_600_000
    for operation in (
        Propose("central-bank", bytes(16), SuspendAccount(account), deadline_ms),
        Vote("central-bank", bytes(16)),
    ):
        assert engine.submit([Node("", engine).sign([operation], BANK)]).result(SECONDS_MAX)[0].code == 0


def make_old(engine: EmbeddedEngine, expires_at_ms: int) -> None:
    """Make blocks until their time has come to ``expires_at_ms``."""
    while engine.head.time_ms < expires_at_ms:
        pay(engine)


@pytest.mark.parametrize("end", ["grant expires", "session is ended", "account is suspended"])
def test_a_stream_ends_with_whatever_opened_it_and_tells_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(streams, "CHECK_S", 0.0)
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    access = Access(tmp_path / "access")
    kept = access.credentials
    assert kept is not None
    with running(tmp_path / "chain", Visibility.RESTRICTED, access=access) as node:
        engine = node.engine
        session = kept.redeem(kept.new_code("auditor").code)
        shown = "Bearer " + session.token
        if end == "grant expires":
            pay(engine)  # time of the ledger moves with its blocks alone
            shown = grant_of(node, "account/auditor", AUDITOR, 2_000)
        with stream(node.url, "?after=0.0", authorization=shown) as answer:
            assert answer.status_code == 200, answer.read()
            told = events_of(answer)
            next(told)
            if end == "grant expires":
                make_old(engine, engine.head.time_ms + 2_000)
            elif end == "session is ended":
                kept.end_session(session.token)
            else:
                suspend(engine, "auditor")
            over = engine.head
            engine.wait_proven(over.log_size - 1, SECONDS_MAX)
            pay(engine, 3)
            assert all(event.data["height"] <= over.height + 1 for event in told if event.kind == "transaction")
        with stream(node.url, authorization=shown) as answer:
            assert answer.status_code in (401, 403)


def test_a_stopping_node_ends_its_streams_at_once(tmp_path: Path) -> None:
    engine = open_chain(tmp_path)
    with ExitStack() as opened:
        with serving(engine) as node:
            answers = [opened.enter_context(stream(node.url)) for _ in range(5)]
        for answer in answers:  # the server has ended, and each stream came to its proper end
            assert b"".join(answer.iter_bytes()).startswith(b"retry: 1000\n\n")
    engine.close()


def test_five_hundred_streams_have_every_event(tmp_path: Path) -> None:
    """One encoding serves all of them; each gets all of it."""
    engine = open_chain(tmp_path)
    with serving(engine) as node, ExitStack() as opened:
        url = httpx.URL(node.url)
        sockets = []
        for _ in range(500):
            one = opened.enter_context(socket.create_connection((url.host, url.port or 0), timeout=SECONDS_MAX))
            one.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            sockets.append(one)
        received = [bytearray() for _ in sockets]
        for one, data in zip(sockets, received, strict=True):
            while b"retry: 1000" not in data:
                data.extend(one.recv(65_536))
        pay(engine, 20)
        last = engine.head.log_size - 1
        for one, data in zip(sockets, received, strict=True):
            while b'"index":%d,' % last not in data:
                chunk = one.recv(65_536)
                assert chunk
                data.extend(chunk)
            assert data.count(b"event: transaction") == 20
    engine.close()
