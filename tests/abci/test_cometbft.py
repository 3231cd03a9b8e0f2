"""A real CometBFT makes blocks on our server, stops, starts, replays; every byte it sends is one that we know."""

import base64
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fujie.engine.cometbft import abci
from fujie.engine.cometbft.server import AbciServer
from tests.abci.comet_node import GIVE_UP_S, CometNode, make_home, running
from tests.abci.echo import CODE_REFUSED, POWER, REFUSED, EchoApplication
from tests.abci.recording import Recording

pytestmark = [pytest.mark.go, pytest.mark.slow]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets, with the home of a chain in ``home``."""
    path = Path(tempfile.mkdtemp(prefix="fujie-abci-"))
    yield path
    shutil.rmtree(path)


def no_failure(request: str, error: BaseException) -> None:
    raise AssertionError(f"the application failed at {request}") from error


def submit(node: CometNode, transaction: bytes) -> int:
    """Return the code of CheckTx."""
    code: int = node.ask("broadcast_tx_sync", tx=base64.b64encode(transaction).decode())["code"]
    return code


def carry_out(node: CometNode, application: EchoApplication, transactions: list[bytes]) -> None:
    """Have transactions carried out, and wait until a block proves them."""
    wanted = application.transactions + len(transactions)
    assert [submit(node, transaction) for transaction in transactions] == [0] * len(transactions)
    node.wait(lambda: application.transactions == wanted and node.height() >= application.height)


def test_makes_blocks_stops_and_goes_on(folder: Path) -> None:
    make_home(folder / "home")
    heights = []
    made = 0
    for number in range(3):
        application = EchoApplication(folder / "echo.json")
        server = AbciServer(application, folder / "abci.sock", no_failure)
        with running(folder / "home", server.path) as node:
            assert server.connections == 4
            carry_out(node, application, [b"run %d, transaction %d" % (number, each) for each in range(20)])
            assert submit(node, REFUSED) == CODE_REFUSED
            heights.append(node.height())
        server.close()
        application.close()
        assert server.failure is None
        assert application.calls.count("init_chain") == (number == 0)
        made = application.transactions
    assert heights == sorted(set(heights))
    assert made == 60


def test_an_application_that_lost_everything_is_brought_to_the_same_state(folder: Path) -> None:
    make_home(folder / "home")
    first = EchoApplication()
    server = AbciServer(first, folder / "abci.sock", no_failure)
    with running(folder / "home", server.path) as node:
        for number in range(3):
            carry_out(node, first, [b"%d" % number, b"again %d" % number])
    server.close()
    first.close()
    second = EchoApplication()
    server = AbciServer(second, folder / "abci.sock", no_failure)
    with running(folder / "home", server.path) as node:
        node.wait(lambda: second.height >= first.height)
        assert second.transactions == first.transactions
        assert second.app_hash == first.app_hash
        replayed = ["finalize_block", "commit"] * first.height
        assert second.calls[: 2 + len(replayed)] == ["info", "init_chain", *replayed]
        carry_out(node, second, [b"and on"])
    server.close()
    second.close()


def test_every_message_of_cometbft_is_known_to_the_byte(folder: Path) -> None:
    make_home(folder / "home", vote_extensions_from=1)
    application = EchoApplication()
    server = AbciServer(application, folder / "abci.sock", no_failure)
    recording = Recording(folder / "front.sock", server.path)
    with running(folder / "home", folder / "front.sock") as node:
        carry_out(node, application, [b"%d" % number for number in range(50)])
        carry_out(node, application, [POWER + b"25"])
        carry_out(node, application, [b"later"])
        node.wait(lambda: validator_powers(node) == [25])
        queried = node.ask("abci_query", path="/there", data=b"key".hex(), height="1", prove=True)
        assert base64.b64decode(queried["response"]["value"]) == application.app_hash
        sent = node.ask("broadcast_tx_commit", tx=base64.b64encode(b"the last").decode())
        assert base64.b64decode(sent["tx_result"]["data"]) == b"the last"
    server.close()
    application.close()
    recording.close()
    seen = set()
    for came, answered in recording.messages():
        requests = [abci.Request.FromString(message) for message in came]
        assert [request.SerializeToString() for request in requests] == came
        kinds = [request.WhichOneof("value") for request in requests]
        answers = [abci.Response.FromString(message).WhichOneof("value") for message in answered]
        assert answers == kinds[: len(answers)]
        seen.update({frozenset(kinds) - {"flush", None}})
    assert seen == {
        frozenset(),  # the connection for snapshots
        frozenset({"check_tx"}),
        frozenset({"info", "query"}),
        frozenset(
            {"init_chain", "prepare_proposal", "process_proposal", "extend_vote", "finalize_block", "commit"},
        ),
    }


def validator_powers(node: CometNode) -> list[int]:
    """Return the powers of the newest validators."""
    found: list[dict[str, Any]] = node.ask("validators")["validators"]
    return [int(each["voting_power"]) for each in found]


def test_an_application_that_fails_at_a_block_stops_cometbft(folder: Path) -> None:
    class Failing(EchoApplication):
        def _finalize(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
            if request.txs:
                raise OSError("the disk is full")
            return super()._finalize(request)

    make_home(folder / "home")
    told: list[tuple[str, BaseException]] = []
    heard = threading.Event()

    def failed(request: str, error: BaseException) -> None:
        told.append((request, error))
        heard.set()

    application = Failing()
    server = AbciServer(application, folder / "abci.sock", failed)
    with running(folder / "home", server.path) as node:
        assert submit(node, b"a") == 0
        assert heard.wait(GIVE_UP_S)
        node.process.wait(GIVE_UP_S)
    server.close()
    application.close()
    assert [(request, str(error)) for request, error in told] == [("finalize_block", "the disk is full")]
