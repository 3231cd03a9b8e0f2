"""The server answers every connection in order, one connection does not wait for another, and a failure ends it."""

import socket
import stat
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.cometbft import abci, connection
from fujie.engine.cometbft.framing import FRAME_BYTES_MAX, frame
from fujie.engine.cometbft.handler import Answer
from fujie.engine.cometbft.server import CONNECTIONS_MAX, AbciServer
from fujie.engine.cometbft.socket_file import PATH_BYTES_MAX
from fujie.proof.wire import encode_varint
from tests.abci.client import GIVE_UP_S, AbciClient, AbciConnection, ApplicationFailedError, connected
from tests.abci.echo import CODE_REFUSED, RAISES, REFUSED, EchoApplication

SOON_S = 0.2  # for what must not come: it has not come by then
FLUSH = abci.Request(flush=abci.RequestFlush())


class Failures:
    """What the owner of a server was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, BaseException]] = []
        self.first = threading.Event()

    def __call__(self, request: str, error: BaseException) -> None:
        self.told.append((request, error))
        self.first.set()


class PromisingApplication(EchoApplication):
    """Answers CheckTx when the test says so, or at once after :meth:`keep_all`."""

    def __init__(self) -> None:
        super().__init__()
        self.patient = True
        self.promised: list[Future[Sequence[abci.ResponseCheckTx]]] = []
        self.asked = threading.Semaphore(0)

    def check_tx(self, requests: Sequence[abci.RequestCheckTx], /) -> Answer[Sequence[abci.ResponseCheckTx]]:
        self.batches.append(len(requests))
        self.promised.append(Future())
        self.asked.release()
        if not self.patient:
            self.promised[-1].set_result([abci.ResponseCheckTx()] * len(requests))
        return self.promised[-1]

    def keep_all(self) -> None:
        """Keep what is promised, and what will be."""
        self.patient = False
        for promise, size in zip(self.promised[:], self.batches, strict=False):
            if not promise.done():
                promise.set_result([abci.ResponseCheckTx()] * size)


@pytest.fixture
def application() -> Iterator[EchoApplication]:
    made = EchoApplication()
    yield made
    made.close()


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def server(application: EchoApplication, failures: Failures, tmp_path: Path) -> Iterator[AbciServer]:
    made = AbciServer(application, tmp_path / "abci.sock", failures)
    yield made
    made.close()


@pytest.fixture
def client(server: AbciServer) -> Iterator[AbciClient]:
    with connected(server.path) as made:
        yield made


@pytest.fixture
def promising(failures: Failures, tmp_path: Path) -> Iterator[tuple[PromisingApplication, AbciServer, AbciClient]]:
    application = PromisingApplication()
    server = AbciServer(application, tmp_path / "abci.sock", failures)
    with connected(server.path) as client:
        yield application, server, client
    server.close()
    application.close()


def check(transaction: bytes) -> abci.Request:
    return abci.Request(check_tx=abci.RequestCheckTx(tx=transaction))


def block(height: int, transactions: list[bytes]) -> abci.RequestFinalizeBlock:
    return abci.RequestFinalizeBlock(height=height, txs=transactions, time=abci.Timestamp(seconds=1_700_000_000))


# -- answers


def test_every_request_of_abci_is_answered_with_its_own_kind(client):
    assert client.query.echo("你好") == "你好"
    assert client.query.info().data == "echo"
    assert client.query.query(abci.RequestQuery(data=b"key")).key == b"key"
    assert client.consensus.init_chain(abci.RequestInitChain(chain_id="c")).app_hash == bytes(32)
    assert client.consensus.prepare_proposal(abci.RequestPrepareProposal(txs=[b"a", b"b"])).txs == [b"a", b"b"]
    accept = abci.ResponseProcessProposal.ACCEPT
    assert client.consensus.process_proposal(abci.RequestProcessProposal(txs=[b"a"])).status == accept
    assert client.consensus.extend_vote(abci.RequestExtendVote(hash=b"h")).vote_extension == b"h"
    reject = abci.ResponseVerifyVoteExtension.REJECT
    assert client.consensus.verify_vote_extension(abci.RequestVerifyVoteExtension(hash=b"h")).status == reject
    results = client.consensus.finalize_block(block(1, [b"a", b"b"])).tx_results
    assert [result.data for result in results] == [b"a", b"b"]
    assert client.consensus.commit().retain_height == 0
    assert client.query.info().last_block_height == 1
    assert [snapshot.height for snapshot in client.snapshot.list_snapshots()] == [1]
    offered = client.snapshot.offer_snapshot(abci.RequestOfferSnapshot(app_hash=b"h"))
    assert offered.result == abci.ResponseOfferSnapshot.REJECT
    assert len(client.snapshot.load_snapshot_chunk(abci.RequestLoadSnapshotChunk(height=1)).chunk) == 32
    applied = client.snapshot.apply_snapshot_chunk(abci.RequestApplySnapshotChunk(chunk=b"c"))
    assert applied.result == abci.ResponseApplySnapshotChunk.ABORT


def test_answers_are_the_bytes_that_a_whole_response_would_be(client, application):
    client.mempool.send([check(REFUSED), check(b"good"), FLUSH])
    client.query.send([abci.Request(info=abci.RequestInfo()), abci.Request(query=abci.RequestQuery(data=b"q"))])
    refused = abci.Response(check_tx=abci.ResponseCheckTx(code=CODE_REFUSED))
    written = [client.mempool.receive_message() for _ in range(3)]
    expected = [refused, abci.Response(check_tx=abci.ResponseCheckTx()), abci.Response(flush=abci.ResponseFlush())]
    assert written == [response.SerializeToString() for response in expected]
    info = abci.Response(info=application.info(abci.RequestInfo()))
    query = abci.Response(query=application.query(abci.RequestQuery(data=b"q")))
    assert client.query.receive_message() == info.SerializeToString()
    assert client.query.receive_message() == query.SerializeToString()


def test_many_transactions_in_flight_are_answered_each_in_its_place(client, application):
    transactions = [REFUSED if number % 3 == 0 else b"%d" % number for number in range(5_000)]
    codes = [answer.code for answer in client.mempool.check_tx(transactions)]
    assert codes == [CODE_REFUSED if number % 3 == 0 else 0 for number in range(5_000)]
    assert sum(application.batches) == 5_000
    assert max(application.batches) > 100


def test_a_batch_ends_at_its_bound(client, application, monkeypatch):
    monkeypatch.setattr(connection, "CHECK_BATCH_MAX", 7)
    assert len(client.mempool.check_tx([b"x"] * 100)) == 100
    assert max(application.batches) == 7


def test_a_flush_among_requests_is_answered_in_its_place(client):
    client.consensus.send([FLUSH, abci.Request(finalize_block=block(1, [])), FLUSH, FLUSH])
    kinds = [client.consensus.receive().WhichOneof("value") for _ in range(4)]
    assert kinds == ["flush", "finalize_block", "flush", "flush"]


def test_requests_sent_at_once_are_handed_over_one_after_the_other(client, application):
    blocks = [abci.Request(finalize_block=block(height, [b"%d" % height])) for height in range(1, 20)]
    commit = abci.Request(commit=abci.RequestCommit())
    client.consensus.send(request for each in blocks for request in (each, commit))
    kinds = [client.consensus.receive().WhichOneof("value") for _ in range(38)]
    assert kinds == application.calls == ["finalize_block", "commit"] * 19
    assert application.height == application.transactions == 19


def test_a_block_that_takes_long_holds_up_only_its_own_connection(client, application):
    application.may_finalize.clear()
    client.consensus.send([abci.Request(finalize_block=block(1, [b"a"])), FLUSH])
    assert client.consensus.nothing_comes(SOON_S)
    assert client.query.info().last_block_height == 0
    assert client.query.query(abci.RequestQuery(data=b"key")).key == b"key"
    assert [answer.code for answer in client.mempool.check_tx([b"a", REFUSED])] == [0, CODE_REFUSED]
    assert client.snapshot.list_snapshots()
    application.may_finalize.set()
    assert client.consensus.receive().HasField("finalize_block")
    assert client.consensus.receive().HasField("flush")


def test_batches_overlap_up_to_their_number_and_are_answered_in_order(promising):
    application, _, client = promising
    for number in range(5):
        client.mempool.send([check(b"%d" % number)] * (number + 1))
        if number < connection.BATCHES_UNDER_WAY:
            assert application.asked.acquire(timeout=GIVE_UP_S)
    assert client.mempool.nothing_comes(SOON_S)
    assert application.batches == [1, 2]
    application.promised[1].set_result([abci.ResponseCheckTx(code=2)] * 2)
    assert client.mempool.nothing_comes(SOON_S)
    application.promised[0].set_result([abci.ResponseCheckTx(code=1)])
    assert [client.mempool.receive().check_tx.code for _ in range(3)] == [1, 2, 2]
    assert application.asked.acquire(timeout=GIVE_UP_S)
    assert application.batches == [1, 2, 12]  # what had come meanwhile is one batch


# -- bounds


def test_an_application_that_does_not_answer_is_asked_no_more_and_read_no_further(promising):
    application, server, client = promising
    sending = threading.Thread(target=client.mempool.send, args=([check(bytes(1_000))] * 100_000,))
    sending.start()
    assert application.asked.acquire(timeout=GIVE_UP_S)
    assert client.mempool.nothing_comes(SOON_S)
    assert len(application.promised) <= connection.BATCHES_UNDER_WAY
    (served,) = [each for each in server._connections if each._requests]
    assert len(served._requests) < 2 * connection.REQUESTS_MAX
    assert served._request_bytes < 2 * connection.REQUEST_BYTES_MAX
    assert sending.is_alive()  # the rest waits in the sender
    application.keep_all()
    for _ in range(100_000):
        assert client.mempool.receive().HasField("check_tx")
    sending.join(GIVE_UP_S)
    assert not sending.is_alive()


def test_a_client_that_does_not_read_is_asked_for_no_more(client, application):
    asked = [abci.Request(query=abci.RequestQuery(data=bytes(1_000)))] * 20_000
    sending = threading.Thread(target=client.query.send, args=(asked,))
    sending.start()
    sending.join(SOON_S)
    assert sending.is_alive()
    assert len(application.calls) < 20_000
    assert client.snapshot.list_snapshots()  # the others are served
    for _ in asked:
        assert client.query.receive().query.key == bytes(1_000)
    sending.join(GIVE_UP_S)
    assert not sending.is_alive()


# -- what is not ABCI


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\xff" * 10, "no length of a message"),
        (encode_varint(FRAME_BYTES_MAX + 1), "the bound is"),
        (frame(b"\xff\xff\xff"), "no request of ABCI 2.0"),
        (frame(b"\x0a\x04\x0a\x02\xff\xff"), "no request of ABCI 2.0"),  # an echo of what is not UTF-8
        (frame(b""), "a kind that ABCI 2.0 lacks"),
        (frame(b"\xa2\x06\x00"), "a kind that ABCI 2.0 lacks"),  # field 100
    ],
)
def test_what_is_not_abci_ends_its_connection_by_name_and_no_other(client, server, failures, data, named):
    client.mempool.send_bytes(data)
    assert named in client.mempool.receive().exception.error
    with pytest.raises(EOFError):
        client.mempool.receive()
    assert client.query.info().data == "echo"
    assert server.failure is None
    assert failures.told == []


def test_a_torn_message_is_not_answered_and_ends_its_connection(client, server, caplog):
    client.mempool.send_bytes(
        frame(check(b"whole").SerializeToString()) + frame(check(b"torn").SerializeToString())[:4]
    )
    assert client.mempool.receive().HasField("check_tx")
    client.mempool._socket.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        client.mempool.receive()
    assert "too early" in caplog.text
    assert client.query.info().data == "echo"


# -- failure


def test_an_application_that_raises_at_once_fails_the_connection_and_tells_the_owner(client, server, failures):
    assert [answer.code for answer in client.mempool.check_tx([b"good"])] == [0]
    with pytest.raises(ApplicationFailedError, match="ValueError at check_tx") as caught:
        client.mempool.check_tx([RAISES])
    assert "42" not in str(caught.value)
    assert failures.first.wait(GIVE_UP_S)
    ((request, error),) = failures.told
    assert (request, type(error)) == ("check_tx", ValueError)
    assert server.failure is error


def test_an_application_that_raises_later_fails_the_connection_and_tells_the_owner(client, server, failures):
    class Broken:
        height = 1

    client.consensus.send([abci.Request(finalize_block=block(1, []))])
    assert client.consensus.receive().HasField("finalize_block")
    server._handler._next = Broken()
    client.consensus.send([abci.Request(commit=abci.RequestCommit()), FLUSH, abci.Request(info=abci.RequestInfo())])
    assert client.consensus.receive().exception.error.startswith("TypeError at commit")
    with pytest.raises(EOFError):
        client.consensus.receive()
    assert failures.first.wait(GIVE_UP_S)
    assert [request for request, _ in failures.told] == ["commit"]


def test_after_a_failure_nobody_else_is_served(client, server, failures):
    with pytest.raises(ApplicationFailedError):
        client.mempool.check_tx([RAISES])
    late = AbciConnection(server.path)
    with pytest.raises((EOFError, ConnectionError)):
        late.info()
    late.close()


@pytest.mark.parametrize(
    "answer",
    [None, [], [abci.ResponseCheckTx()] * 2, [abci.ResponseInfo()], abci.ResponseCheckTx()],
    ids=["none", "too few", "too many", "another kind", "no list"],
)
def test_an_answer_that_is_none_is_a_failure(promising, failures, answer):
    application, _, client = promising
    client.mempool.send([check(b"a")])
    assert application.asked.acquire(timeout=GIVE_UP_S)
    application.promised[0].set_result(answer)
    assert client.mempool.receive().exception.error.startswith("TypeError at check_tx")
    assert failures.first.wait(GIVE_UP_S)


def test_a_promise_that_is_taken_back_is_a_failure(promising, failures):
    application, _, client = promising
    client.mempool.send([check(b"a")])
    assert application.asked.acquire(timeout=GIVE_UP_S)
    assert application.promised[0].cancel()
    assert client.mempool.receive().exception.error.startswith("CancelledError at check_tx")
    assert failures.first.wait(GIVE_UP_S)


def test_an_answer_after_its_connection_is_gone_is_thrown_away(client, server, application, failures):
    application.may_finalize.clear()
    client.consensus.send([abci.Request(finalize_block=block(1, [b"a"]))])
    assert client.consensus.nothing_comes(SOON_S)
    client.close()
    application.may_finalize.set()
    with connected(server.path) as again:
        assert again.consensus.finalize_block(block(1, [b"b"])).tx_results[0].data == b"b"
        assert again.query.info().last_block_height == 0
    assert failures.told == []


# -- the socket, and the end


def test_the_socket_is_for_its_owner_alone(server):
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600


def test_what_a_dead_process_left_is_replaced(tmp_path, application, failures):
    path = tmp_path / "abci.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    server = AbciServer(application, path, failures)
    with connected(path) as client:
        assert client.query.info().data == "echo"
    server.close()


def test_a_socket_at_which_somebody_answers_is_left_alone(server, application, failures):
    with pytest.raises(OperationalError, match="Another process listens"):
        AbciServer(application, server.path, failures)
    with connected(server.path) as client:
        assert client.query.info().data == "echo"


def test_a_file_that_is_no_socket_is_left_alone(tmp_path, application, failures):
    path = tmp_path / "abci.sock"
    path.write_text("mine")
    with pytest.raises(OperationalError, match="not a socket"):
        AbciServer(application, path, failures)
    assert path.read_text() == "mine"


def test_a_path_that_is_too_long_is_refused_with_what_to_do(tmp_path, application, failures):
    path = tmp_path / ("x" * PATH_BYTES_MAX)
    with pytest.raises(OperationalError, match=f"takes {PATH_BYTES_MAX}") as caught:
        AbciServer(application, path, failures)
    assert "shorter path" in caught.value.do


def test_a_folder_that_is_missing_is_named(tmp_path, application, failures):
    with pytest.raises(OperationalError, match="No such file or directory"):
        AbciServer(application, tmp_path / "missing" / "abci.sock", failures)


def test_no_more_connections_are_served_than_the_bound(server):
    opened = [AbciConnection(server.path) for _ in range(CONNECTIONS_MAX)]
    for each in opened:
        each.info()
    one_more = AbciConnection(server.path)
    with pytest.raises((EOFError, ConnectionError)):
        one_more.info()
    opened.pop().close()
    for each in (one_more, *opened):
        each.close()


def test_closing_leaves_no_thread_no_connection_and_no_file(tmp_path, application, failures):
    before = threading.active_count()
    server = AbciServer(application, tmp_path / "abci.sock", failures)
    client = AbciClient(server.path)
    application.may_finalize.clear()
    client.consensus.send([abci.Request(finalize_block=block(1, []))])
    client.query.info()
    assert application.finalizes.wait(60)
    ledger_threads = 1
    server.close()
    server.close()
    for each in (client.consensus, client.query):
        with pytest.raises((EOFError, ConnectionError)):
            each.receive()
    client.close()
    assert server.connections == 0
    assert not server.path.exists()
    assert threading.active_count() == before + ledger_threads
    assert failures.told == []


def test_a_file_that_another_process_put_there_outlives_the_server(tmp_path, application, failures):
    server = AbciServer(application, tmp_path / "abci.sock", failures)
    server.path.unlink()
    other = AbciServer(application, server.path, failures)
    server.close()
    with connected(other.path) as client:
        assert client.query.info().data == "echo"
    other.close()
