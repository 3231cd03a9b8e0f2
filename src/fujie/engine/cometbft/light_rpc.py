"""What CometBFT's light client asks while a node begins from a snapshot, answered on a Unix socket of this node.

CometBFT asks ``commit``, ``validators`` and ``consensus_params`` of two nodes. Their RPC is closed to others, so the answers
are made here of light blocks from elsewhere: nodes of Fujie, which the node layer asks. CometBFT verifies what it is told,
all but the priorities by which validators take turns, which no header commits to.

Source: CometBFT 0.38, ``openapi.yaml`` of its RPC; ``light/provider/http``, whose words tell what is absent from what fails.
"""

import logging
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, Final

import msgspec

from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.cometbft.home import consensus_params
from fujie.engine.cometbft.rpc import VALIDATORS_A_PAGE
from fujie.proof.comet_evidence import write_signed_header, write_validators
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import ValidatorSet, validator_set_hash

REQUEST_BYTES_MAX: Final = 4_096
INVALID: Final = -32_600
FAILED: Final = -32_603

log = logging.getLogger(__name__)

Source = Callable[[int | None], LightBlock | None]
"""Returns the light block at a height, or the newest one; None for a height that there is not."""

Number = str | int | None


class _Params(msgspec.Struct, frozen=True):
    height: Number = None
    page: Number = None
    per_page: Number = None


class _Call(msgspec.Struct, frozen=True):
    id: int | str
    method: str
    params: _Params = _Params()


class Turns:
    """By which priorities validators take turns, by height, as far as this node was told. Any thread."""

    def __init__(self) -> None:
        self._known: dict[int, ValidatorSet] = {}

    def contradict(self, told: dict[int, ValidatorSet]) -> bool:
        """Tell whether something else was told before."""
        return any(self._known.get(height, validators) != validators for height, validators in told.items())

    def learn(self, told: dict[int, ValidatorSet]) -> bool:
        """Remember what contradicts nothing, and return whether all of it was known."""
        known = told.keys() <= self._known.keys()
        self._known |= told
        return known

    def forget(self) -> None:
        """Forget all of it: who told something false first is not to be believed for ever."""
        self._known = {}

    def of(self, block: LightBlock) -> ValidatorSet:
        """Return the validators of a block, with the priorities that were told for it if they are for the same set."""
        told = self._known.get(block.header.height)
        same = told is not None and validator_set_hash(told) == block.header.validators_hash
        return told if told is not None and same else block.validators


class _Server(ThreadingUnixStreamServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Put into the log what went wrong with one connection; CometBFT hangs up on an answer that takes long."""
        error = sys.exception()
        if isinstance(error, ConnectionError):
            log.info("who asked for a light block did not wait for it: %s", error)
        else:
            log.error("a light block was not answered", exc_info=error)


class LightRpc:
    """Answers at a socket of its own, in threads of its own, from one source."""

    def __init__(self, path: Path, source: Source, turns: Turns) -> None:
        """Listen at ``path``, whose folder is for this user alone. Raises :class:`OperationalError`."""
        asking = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                size = int(length) if length.isascii() and length.isdigit() else 0
                body = asking.answer(self.rfile.read(min(size, REQUEST_BYTES_MAX)))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing: what is asked is in CometBFT's log."""

        self._source = source
        self._turns = turns
        self.url = f"unix://{path}"
        try:
            self._server = _Server(str(path), Handler)
        except OSError as error:
            raise OperationalError(
                f"The socket {path} cannot be made: {error.strerror}.", "Check the folder and who may write to it."
            ) from error
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, name="fujie-light-rpc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop. Idempotent."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: bytes) -> bytes:
        """Return the answer to one call of JSON-RPC."""
        try:
            call = msgspec.json.decode(request, type=_Call)
            height, page, size = (
                _number(each) for each in (call.params.height, call.params.page, call.params.per_page)
            )
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
            return _failure(-1, INVALID, "this is no call that is answered here")
        if call.method not in ("commit", "validators", "consensus_params"):
            return _failure(call.id, INVALID, f"{call.method[:40]!r} is not answered here")
        try:
            block = self._source(height)
        except (OperationalError, VerificationError) as error:
            log.info("a light block is not to be had: %s", error)
            return _failure(call.id, FAILED, f"Timeout exceeded: {error}")
        if block is None:
            return _failure(call.id, FAILED, f"height {height} must be less than or equal to the newest one")
        if call.method == "commit":
            result: Any = {"signed_header": write_signed_header(block), "canonical": True}
        elif call.method == "consensus_params":
            result = {"block_height": str(block.header.height), "consensus_params": consensus_params()}
        else:
            listed = write_validators(self._turns.of(block))
            size = min(max(size or VALIDATORS_A_PAGE, 1), VALIDATORS_A_PAGE)
            first = (max(page or 1, 1) - 1) * size
            part = listed[first : first + size]
            result = {
                "block_height": str(block.header.height),
                "validators": part,
                "count": str(len(part)),
                "total": str(len(listed)),
            }
        return msgspec.json.encode({"jsonrpc": "2.0", "id": call.id, "result": result})


def _number(value: Number) -> int | None:
    return None if value is None else int(value)


def _failure(call: int | str, code: int, what: str) -> bytes:
    error = {"code": code, "message": "Not answered", "data": what}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": call, "error": error})
