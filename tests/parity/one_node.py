"""A chain of one validator on a real CometBFT: the engine as a node runs it, and what CometBFT itself says it decided."""

import base64
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from fujie.core.misbehaviour import Misbehaviour, MisbehaviourKind
from fujie.engine.cometbft import home
from fujie.engine.cometbft.consensus import Block
from fujie.engine.cometbft.engine import CometEngine
from fujie.engine.cometbft.process import Paths
from fujie.engine.executor import Executor, found
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.proof.comet_json import read_time
from fujie.proof.validators import Validator
from tests import world
from tests.world import VALIDATOR, Kind, Signing, funded, holder, pay

BINARY: Final = Path(__file__).resolve().parents[2] / ".tools" / "bin" / "cometbft"
LISTEN: Final = "127.0.0.1:0"
SECONDS_MAX: Final = 120.0  # after which a test gives up waiting; nothing is measured by it
EXPIRY_MS: Final = 300_000
NS_PER_MS: Final = 1_000_000


class OneNode:
    """A folder with a founded chain and a CometBFT home, and the engine on it while it is open."""

    def __init__(self, folder: Path, kind: Kind = "sqlite") -> None:
        """``folder`` must have a short path: sockets are made in it."""
        self.paths = Paths(
            BINARY, folder / "comet", folder / "abci.sock", folder / "rpc.sock", folder / "comet.log", LISTEN
        )
        self.kind: Kind = kind
        self._chain = folder / "chain"
        self._chain.mkdir()
        store = world.open_kind(kind, self._chain)
        found(store, funded())
        executor = Executor(store)
        self.signing = Signing(executor.chain_id)
        for part in ("config", "data"):
            (self.paths.home / part).mkdir(parents=True)
        files = {
            home.CONFIG_FILE: home.config_text(home.settings(self.paths.socket, self.paths.rpc, "one", LISTEN, [])),
            home.GENESIS_FILE: home.genesis_text(
                executor.chain_id,
                time.strftime("%Y-%m-%dT%H:%M:%S.001Z", time.gmtime(executor.head.time_ms // 1_000 + 1)),
                1,
                executor.head.app_hash,
                [Validator(VALIDATOR.public_key, 10)],
            ),
            home.NODE_KEY_FILE: home.node_key_text(world.signer("node")),
            home.VALIDATOR_KEY_FILE: home.validator_key_text(VALIDATOR),
            home.VALIDATOR_STATE_FILE: home.validator_state_text(),
        }
        for name, text in files.items():
            (self.paths.home / name).write_bytes(text)
        store.close()

    @contextmanager
    def open(self, schedule: Schedule = SCHEDULE, **options: Any) -> Iterator[CometEngine]:
        """Run the engine; any node may be its peer."""
        executor = Executor(world.open_kind(self.kind, self._chain), schedule)
        engine = CometEngine(executor, self.paths, worker=False, **{"is_peer": lambda _: True, **options})
        try:
            yield engine
        finally:
            engine.close()

    def pay(self, payer: int, payee: int, amount_minor: int = 1) -> bytes:
        """Return a signed payment that expires in some minutes."""
        return self.signing.sign(pay(payer, payee, amount_minor), holder(payer), expires_at_ms=soon_ms())

    def ask(self, method: str, **parameters: Any) -> Any:
        """Return the result of a call of CometBFT's RPC."""
        transport = httpx.HTTPTransport(uds=str(self.paths.rpc))
        with httpx.Client(transport=transport, base_url="http://cometbft", timeout=SECONDS_MAX) as client:
            call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
            answer = client.post("/", json=call).json()
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return answer["result"]

    def block(self, height: int) -> Block:
        """Return a block that CometBFT has decided, as it stands in CometBFT's own store."""
        told = self.ask("block", height=str(height))["block"]
        acts = [self._act(each) for each in told["evidence"]["evidence"]]
        raws = [base64.b64decode(raw) for raw in told["data"]["txs"]]
        return Block(height, read_time(told["header"]["time"]) // NS_PER_MS, tuple(raws), tuple(acts))

    def decided(self, engine: CometEngine) -> list[Block]:
        """Return every block that the application has carried out."""
        return [self.block(height) for height in range(1, engine.executor.head.height + 1)]

    def _act(self, evidence: Any) -> Misbehaviour:
        assert evidence["type"] == "tendermint/DuplicateVoteEvidence"
        value = evidence["value"]
        vote = value["vote_a"]
        return Misbehaviour(
            MisbehaviourKind.DUPLICATE_VOTE,
            bytes.fromhex(vote["validator_address"]),
            int(vote["height"]),
            read_time(value["Timestamp"]) // NS_PER_MS,
            int(value["ValidatorPower"]),
        )


def soon_ms() -> int:
    """Return an expiry that a test does not live to see."""
    return time.time_ns() // NS_PER_MS + EXPIRY_MS


def wait(until: Callable[[], bool]) -> None:
    """Wait until something holds."""
    give_up_s = time.monotonic() + SECONDS_MAX
    while not until():
        assert time.monotonic() < give_up_s, "it does not come to that"
        time.sleep(0.02)


@contextmanager
def one_node(kind: Kind = "sqlite") -> Iterator[OneNode]:
    """Make a chain of one validator, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="fujie-"))
    try:
        yield OneNode(folder, kind)
    finally:
        shutil.rmtree(folder)
