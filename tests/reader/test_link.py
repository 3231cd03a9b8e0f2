"""The link keeps to its bounds: whoever is slow, dead or speaks nonsense harms nobody else."""

import logging
import os
import resource
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.limits import OPERATIONS_MAX, PENDING_BYTES_MAX, PENDING_TRANSACTIONS_MAX
from fujie.core.reasons import TransactionReason
from fujie.engine.base import Outcome
from fujie.engine.link import address, messages
from fujie.engine.link.connection import Connection, Requests, ask
from fujie.engine.link.messages import FRAME_BYTES_MAX, LinkError
from tests.reader.ledgers import GIVE_UP_S, NEVER, Program, caught_up, eventually, linked, replicated
from tests.world import ON_DISK, Kind, Signing, holder
from tests.world import pay as payment

NONSENSE = [
    b"",
    b"\xff",
    b"GET / HTTP/1.1\r\n\r\n",
    (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
    b"\0\0\0\x01\xc1",
    b"\0\0\0\x03\x91\xa1x",
    messages.frame(messages.AskStatus(1)),
    messages.frame(messages.Hello(messages.PROTOCOL + 1)),
    messages.frame(messages.Hello(messages.PROTOCOL)) * 2,
    messages.frame(messages.Hello(messages.PROTOCOL)) + b"\0\0\0\x05\x00",
    messages.frame(messages.Hello(messages.PROTOCOL)) + b"\0\0\0\x02\x93\xa6",
]


@contextmanager
def raw(home: Path) -> Iterator[socket.socket]:
    with closing(address.connect(home, GIVE_UP_S)) as connection:
        yield connection


@pytest.mark.parametrize("sent", NONSENSE, ids=range(len(NONSENSE)))
def test_cuts_whoever_does_not_keep_to_the_protocol_and_serves_the_others(sent: bytes, tmp_path: Path) -> None:
    with linked("sqlite", tmp_path) as (engine, link), replicated(tmp_path) as replica:
        signing = Signing(engine.chain_id)
        with raw(tmp_path) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        assert replica.submit([signing.pay(0, 1)]).result(GIVE_UP_S)[0].code == 0
        caught_up(replica, engine)
        assert link.followers == 1


def test_a_frame_that_announces_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path), raw(tmp_path) as connection:
        connection.sendall(messages.frame(messages.Hello(messages.PROTOCOL)))
        connection.sendall(b"\xff\xff\xff\xff")
        while connection.recv(65_536):
            pass
    with pytest.raises(LinkError, match="does not fit"):
        messages.frame(messages.DryRun(1, bytes(FRAME_BYTES_MAX)))


def test_is_for_the_owner_of_the_folder_alone(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path):
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "run" / "node.sock").stat().st_mode) == 0o600


def test_works_in_a_folder_whose_path_is_longer_than_that_of_a_socket(tmp_path: Path) -> None:
    home = tmp_path / ("a" * 120) / ("b" * 120)
    home.mkdir(parents=True)
    with linked("sqlite", home) as (engine, _), replicated(home) as replica:
        caught_up(replica, engine)


def test_what_a_killed_node_left_is_replaced(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path):
        pass
    stale = address.listen(tmp_path)
    stale.close()
    with pytest.raises(LinkError, match="No node runs"):
        Connection(tmp_path)
    with linked("sqlite", tmp_path) as (engine, _), replicated(tmp_path) as replica:
        caught_up(replica, engine)


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_follower_that_reads_nothing_is_cut_off_and_the_ledger_goes_on(kind: Kind, tmp_path: Path) -> None:
    with linked(kind, tmp_path, queue_bytes_max=20_000) as (engine, link):
        signing = Signing(engine.chain_id)
        slow = Connection(tmp_path)
        slow.send(messages.Follow(0, "slow"))
        eventually(lambda: link.followers == 1, "following")
        blocks = 0
        while link.followers:
            engine.submit([signing.pay(0, 1) for _ in range(100)]).result(GIVE_UP_S)
            blocks += 1
            assert blocks < 1_000, "it is never cut off"
        slow.close()
        assert engine.submit([signing.pay(0, 1)]).result(GIVE_UP_S)[0].code == 0


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_stopped_reader_is_cut_off_and_recovers_when_it_goes_on(kind: Kind, tmp_path: Path) -> None:
    with linked(kind, tmp_path, queue_bytes_max=20_000) as (engine, link):
        signing = Signing(engine.chain_id)
        reader = Program("reader", str(tmp_path))
        try:
            assert int(reader.line()) >= 1
            reader.process.send_signal(signal.SIGSTOP)
            blocks = 0
            while link.followers:
                engine.submit([signing.pay(0, 1) for _ in range(100)]).result(GIVE_UP_S)
                blocks += 1
                assert blocks < 1_000, "it is never cut off"
            height = engine.head.height
            reader.process.send_signal(signal.SIGCONT)
            while int(reader.line()) < height:
                pass
            eventually(lambda: link.followers == 1, "following again")
        finally:
            reader.kill()


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_reader_outlives_a_killed_ledger_and_follows_the_next(kind: Kind, tmp_path: Path) -> None:
    ledger = Program("ledger", kind, str(tmp_path))
    try:
        assert ledger.line() == "ready"
        assert int(ledger.line()) > 0
        with replicated(tmp_path, limits=NEVER) as replica:
            for _ in range(3):
                height = replica.head.height
                eventually(lambda height=height: replica.head.height > height + 5, "following")  # type: ignore[misc]
                ledger.kill()
                eventually(lambda: not replica.connected, "losing the ledger")
                stood = replica.head.height
                assert replica.block(stood) is not None
                ledger = Program("ledger", kind, str(tmp_path))
                assert ledger.line() == "ready"
                eventually(lambda: replica.connected, "following again")
                assert replica.head.height >= stood
    finally:
        ledger.kill()


def test_a_killed_reader_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    with linked("rocks", tmp_path) as (engine, link):
        signing = Signing(engine.chain_id)
        for _ in range(3):
            reader = Program("reader", str(tmp_path))
            assert int(reader.line()) >= 1
            done = engine.submit([signing.pay(0, 1) for _ in range(50)])
            reader.kill()
            assert {outcome.code for outcome in done.result(GIVE_UP_S)} == {0}
            eventually(lambda: link.followers == 0, "hearing of its end")
        with replicated(tmp_path) as replica:
            caught_up(replica, engine)
            # What the killed ones left is cleaned up by the next.
            assert len([place for place in (tmp_path / "run").iterdir() if place.is_dir()]) == 1


def test_commands_ask_and_set_log_levels_everywhere(tmp_path: Path) -> None:
    logger = logging.getLogger("fujie.tests.link")
    with linked("sqlite", tmp_path) as (engine, link), replicated(tmp_path):
        eventually(lambda: link.followers == 1)
        status = ask(tmp_path, messages.AskStatus(1))
        assert isinstance(status, messages.LedgerStatus)
        assert (status.chain_id, status.followers, status.failure) == (engine.chain_id, 1, None)
        levels = ask(tmp_path, messages.SetLogLevel(2, logger.name, "debug"))
        assert isinstance(levels, messages.LogLevels)
        assert logger.level == logging.DEBUG
        with pytest.raises(OperationalError, match="no level"):
            ask(tmp_path, messages.SetLogLevel(3, logger.name, "loud"))
        assert isinstance(ask(tmp_path, messages.AskLogLevels(4)), messages.LogLevels)
    logger.setLevel(logging.NOTSET)


def test_a_ledger_hands_over_when_it_is_asked_to_and_only_where_it_can(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path), pytest.raises(OperationalError, match="no embedded ledger"):
        ask(tmp_path, messages.HandOver(1))
    asked = threading.Event()
    with linked("sqlite", tmp_path, hand_over=asked.set):
        assert isinstance(ask(tmp_path, messages.HandOver(1)), messages.LedgerStatus)
        assert asked.wait(GIVE_UP_S)


def test_requests_go_on_over_a_new_connection(tmp_path: Path) -> None:
    requests = Requests(tmp_path)
    try:
        for _ in range(2):
            with linked("sqlite", tmp_path) as (engine, _):
                signing = Signing(engine.chain_id, first_nonce=1_000 * engine.head.height)
                assert requests.submit([signing.pay(0, 1)]).result(GIVE_UP_S)[0].code == 0
            eventually(lambda: requests._connection is None, "losing the connection")
    finally:
        requests.close()
    with pytest.raises(LinkError, match="closed"):
        requests.submit([b"x"])


def test_outcomes_longer_than_a_frame_come_in_pieces_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 13_000
    requests = Requests(tmp_path)
    try:
        with linked("sqlite", tmp_path) as (engine, _):
            signing = Signing(engine.chain_id)
            raw = signing.sign([payment(0, 1)] * OPERATIONS_MAX, holder(0))
            [long] = requests.submit([raw]).result(GIVE_UP_S)
            assert long.code == 0
            assert count * len(encode(long.receipt)) > FRAME_BYTES_MAX
            answer = [Outcome(long.transaction_id, 0, long.receipt, place) for place in range(count)]
            done: Future[list[Outcome]] = Future()
            done.set_result(answer)
            monkeypatch.setattr(engine, "submit", lambda _transactions: done)
            assert requests.submit([b"x"] * count).result(GIVE_UP_S) == answer
            monkeypatch.undo()
            assert requests.submit([raw]).result(GIVE_UP_S) == [long]
            assert (requests._count, requests._bytes, requests._waiting) == (0, 0, {})
    finally:
        requests.close()


def test_the_largest_batch_is_answered(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path) as (engine, _), replicated(tmp_path) as replica:
        signing = Signing(engine.chain_id)
        raw = signing.sign([payment(0, 1)] * OPERATIONS_MAX, holder(0))
        count = PENDING_BYTES_MAX // len(raw)
        outcomes = replica.submit([raw] * count).result(GIVE_UP_S)
        assert len(outcomes) == count
        assert outcomes[0].code == 0
        assert all(outcome == outcomes[0] for outcome in outcomes)
        refused = replica.submit([raw] * (count + 1)).result(GIVE_UP_S)
        assert {outcome.code for outcome in refused} == {TransactionReason.ADMISSION_QUEUE_FULL}


def test_whoever_does_not_take_its_outcomes_cannot_submit_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with linked("sqlite", tmp_path) as (engine, _), closing(Connection(tmp_path)) as connection:
        signing = Signing(engine.chain_id)
        never: Future[list[Outcome]] = Future()
        with monkeypatch.context() as patched:
            patched.setattr(engine, "submit", lambda _transactions: never)
            connection.send(messages.Submit(1, [b"x"] * PENDING_TRANSACTIONS_MAX))
            connection.send(messages.Submit(2, [b"x"]))
            answer = connection.receive(GIVE_UP_S)
        assert isinstance(answer, messages.Failed)
        assert (answer.number, answer.what) == (2, "Too many outcomes wait to be taken.")
        never.set_exception(OperationalError("It was not to be.", "Try again."))
        answer = connection.receive(GIVE_UP_S)
        assert isinstance(answer, messages.Failed)
        assert answer.number == 1
        connection.send(messages.Submit(3, [signing.pay(0, 1)]))
        answer = connection.receive(GIVE_UP_S)
        assert isinstance(answer, messages.Outcomes)
        assert (answer.number, answer.more, len(answer.rows)) == (3, False, 1)


def test_a_node_that_stands_still_is_named_as_such(tmp_path: Path) -> None:
    with closing(address.listen(tmp_path)), pytest.raises(LinkError, match="did not answer in time"):
        ask(tmp_path, messages.AskStatus(1), timeout_s=0.1)


def test_requests_go_on_when_there_are_files_to_open_again(tmp_path: Path) -> None:
    requests = Requests(tmp_path)
    try:
        with linked("sqlite", tmp_path) as (engine, _):
            signing = Signing(engine.chain_id)
            with spent_descriptors(), pytest.raises(LinkError, match="cannot be reached"):
                requests.submit([signing.pay(0, 1)]).result(GIVE_UP_S)
            assert requests.submit([signing.pay(0, 1)]).result(GIVE_UP_S)[0].code == 0
    finally:
        requests.close()


@contextmanager
def spent_descriptors() -> Iterator[None]:
    """Let this process open no file for as long as the block lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open("rb") as lowest:  # every number below is in use
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno(), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
