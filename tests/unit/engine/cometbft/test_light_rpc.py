"""What CometBFT's light client is told over a socket of ours: read back by what reads CometBFT's own answers."""

import logging
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fujie.core.errors import OperationalError
from fujie.engine.cometbft.home import consensus_params
from fujie.engine.cometbft.light_rpc import LightRpc, Turns
from fujie.engine.cometbft.rpc import Rpc, Unanswered
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import ValidatorSet
from tests.light.embedded_chain import make_chain

GIVE_UP_S = 60
POWERS = {name: name for name in range(1, 251)}  # three pages
BLOCKS = make_chain([POWERS, POWERS, {1: 1}])


class Served:
    def __init__(self, folder: Path) -> None:
        self.turns = Turns()
        self.path = folder / "light.sock"
        self.rpc = LightRpc(self.path, self.source, self.turns)
        self.reader = Rpc(self.path)

    def source(self, height: int | None) -> LightBlock | None:
        if height == 99:
            raise OperationalError("No node answers.", "Wait.")
        wanted = len(BLOCKS) if height is None else height
        return BLOCKS[wanted - 1] if 1 <= wanted <= len(BLOCKS) else None

    def post(self, content: bytes) -> Any:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.path)), base_url="http://light") as client:
            return client.post("/", content=content).json()

    def call(self, method: str, **params: Any) -> Any:
        return self.post(
            (f'{{"jsonrpc": "2.0", "id": 7, "method": "{method}", "params": {params}}}').replace("'", '"').encode()
        )


@pytest.fixture
def served() -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="fujie-test-"))
    made = Served(folder)
    yield made
    made.reader.close()
    made.rpc.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("height", [1, 2, 3])
def test_headers_and_validators_read_back(served: Served, height: int) -> None:
    block = BLOCKS[height - 1]
    assert served.reader.signed_header(height) == (block.header, block.commit)
    assert served.reader.validators(height).validators == block.validators.validators


def test_answers_the_newest_where_no_height_is_named_and_the_id_that_was_asked(served: Served) -> None:
    answer = served.call("commit")
    assert answer["id"] == 7
    assert answer["result"]["signed_header"]["header"]["height"] == "3"
    answer = served.call("consensus_params", height="2")
    assert answer["result"] == {"block_height": "2", "consensus_params": consensus_params()}


def test_tells_the_turns_that_it_learnt_and_only_for_the_same_validators(served: Served) -> None:
    told = ValidatorSet.of([replace(each, proposer_priority=-5) for each in BLOCKS[0].validators.validators])
    assert served.turns.learn({1: told, 3: told}) is False
    assert served.turns.learn({1: told, 3: told}) is True
    assert served.reader.validators(1).validators == told.validators
    assert served.reader.validators(2).validators == BLOCKS[1].validators.validators
    assert served.reader.validators(3).validators == BLOCKS[2].validators.validators


@pytest.mark.parametrize(
    ("height", "words"), [(4, "height 4 must be less than or equal to"), (99, "Timeout exceeded: No node answers.")]
)
def test_says_in_cometbfts_words_why_there_is_no_answer(served: Served, height: int, words: str) -> None:
    with pytest.raises(Unanswered, match=words):
        served.reader.signed_header(height)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"id": 1}',
        b'{"id": 1, "method": "commit", "params": {"height": "x"}}',
        b'{"id": 1, "method": "broadcast_tx_async", "params": {}}',
        b'{"id": 1, "method": "dump_consensus_state"}',
    ],
)
def test_refuses_whatever_else_is_asked(served: Served, content: bytes) -> None:
    assert served.post(content)["error"]["code"] < 0
    assert served.reader.signed_header(1)[0] == BLOCKS[0].header, "and answers the next one"


def test_says_in_the_log_alone_that_somebody_did_not_wait_for_an_answer(
    served: Served, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    asked, hung_up = threading.Event(), threading.Event()
    honest = served.rpc._source

    def slow(height: int | None) -> LightBlock | None:
        asked.set()
        assert hung_up.wait(GIVE_UP_S)
        return honest(height)

    served.rpc._source = slow
    body = b'{"id": 7, "method": "validators", "params": {"height": "1"}}'
    with socket.socket(socket.AF_UNIX) as impatient:
        impatient.connect(str(served.path))
        impatient.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert asked.wait(GIVE_UP_S)
    with caplog.at_level(logging.INFO):
        hung_up.set()
        give_up = time.monotonic() + GIVE_UP_S
        while "did not wait for it" not in caplog.text:
            assert time.monotonic() < give_up
            time.sleep(0.01)
    assert "Traceback" not in caplog.text + capfd.readouterr().err
    assert served.reader.signed_header(1)[0] == BLOCKS[0].header, "and answers the next one"


def test_says_so_where_the_socket_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="cannot be made"):
        LightRpc(tmp_path / "missing" / "light.sock", lambda _: None, Turns())
