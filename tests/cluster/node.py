"""One node of a cluster: `fujie up` with its `cometbft`, in a folder and at a place in the network of its own."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import httpx
import msgspec

from fujie.client.client import Client
from fujie.client.heads import HeadMemory
from fujie.client.http import HttpTransport
from fujie.client.transport import TransportOutcome
from fujie.client.verifier import Verifier
from fujie.core.signing import Signer
from fujie.engine.cometbft.home import node_id
from fujie.node.cometbft_home import comet_status
from fujie.node.config_file import CONFIG_NAME
from fujie.node.folder import Folder, write_file
from fujie.node.keyring import ensure_key
from fujie.store.opening import StoreKind
from tests.cluster import processes
from tests.conftest import ROOT
from tests.e2e.cli_node import FUJIE

if TYPE_CHECKING:
    from tests.cluster.harness import Cluster

GIVE_UP_S: Final = 240.0  # after which a test gives up waiting; nothing is measured by it
ASK_S: Final = 5.0  # for a node to say where it stands; a stopped one never does
SUBMIT_S: Final = 15.0  # for an outcome; whoever waits longer asks another node
PROGRAM: Final = (FUJIE,)
NEWER: Final = (sys.executable, "-m", "tests.newer")  # the same program, with one version of rules more


class Status(msgspec.Struct):
    """What a node says of itself."""

    height: int
    app_hash: str
    log_size: int
    proven_height: int


class Node:
    """One node: its folder, its place in the network, its processes."""

    def __init__(self, cluster: "Cluster", number: int, store: StoreKind) -> None:
        self.number = number
        self.name = f"node{number}"
        self.store: StoreKind = store
        self.folder = Folder(cluster.place / self.name)
        self.mark = f"{cluster.mark}/{self.name}"
        self.output = cluster.place / f"{self.name}.out"
        self.public_key = ensure_key(self.folder.validator_key, "validator").public_key
        self.node_id = node_id(ensure_key(self.folder.node_key, "node").public_key)
        self.program: Sequence[str] = PROGRAM
        self.process: subprocess.Popen[bytes] | None = None
        self._cluster = cluster
        cluster.links.add(number)
        host, port = cluster.links.http(number)
        self.url = f"http://{host}:{port}"
        self.url_among = "http://{}:{}".format(*cluster.links.http_among(number))
        text = f'[http]\nhost = "{cluster.links.bind}"\nport = {port}\nreaders = 1\n[projection]\nenabled = false\n'
        text += f"[snapshots]\nevery_s = {cluster.snapshots_s}\n"
        write_file(self.folder.home / CONFIG_NAME, text.encode())

    # -- its processes

    def start(self) -> None:
        """Start it, and do not wait."""
        assert self.process is None, f"{self.name} runs"
        command = [*self._cluster.links.inside(self.number), *self.program, "--home", str(self.folder.home), "up"]
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                env=self._cluster.environment | {processes.VARIABLE: self.mark},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to stop, as Ctrl-C does, and wait until it has done so in order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.ended() == 0, self.said()

    def ended(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        assert self.process is not None
        code = self.process.wait(GIVE_UP_S)
        self.process = None
        self._cluster.until(lambda: not processes.find(self.mark), f"all processes of {self.name} end")
        return code

    def kill(self) -> None:
        """End all its processes at once, as if its machine had lost its power."""
        processes.end(self.mark)
        assert self.process is not None
        self.process.wait()
        self.process = None

    def kill_ledger(self) -> None:
        """Kill the one process that is `fujie up`. What it had started finds out by itself."""
        assert self.process is not None
        self.process.kill()
        assert self.ended() == -signal.SIGKILL

    def freeze(self) -> None:
        """Stop all its processes where they are: nothing is closed, nobody is told."""
        processes.send(self.mark, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        processes.send(self.mark, signal.SIGCONT)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command of `fujie` on its folder; return what it says."""
        command = [*self.program, "--home", str(self.folder.home), *arguments]
        done = subprocess.run(command, env=self._cluster.environment, cwd=ROOT, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    # -- what it says

    def status(self) -> Status | None:
        """Return where it says that it stands; None while it does not answer."""
        try:
            answer = httpx.get(f"{self.url}/status", timeout=ASK_S)
        except httpx.HTTPError:
            return None
        return msgspec.json.decode(answer.content, type=Status) if answer.status_code == httpx.codes.OK else None

    def serves(self) -> bool:
        """Tell whether it answers. Fails when it has ended instead."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} has ended: {self.said()}"
        return self.status() is not None

    def height(self) -> int:
        """Return the height at which it says that it stands; 0 while it does not answer."""
        status = self.status()
        return 0 if status is None else status.height

    def power(self) -> int:
        """Return the power with which it votes, by its CometBFT."""
        return comet_status(self.folder).power

    def peers(self) -> int:
        """Return with how many others it is connected."""
        return comet_status(self.folder).peers

    def said(self) -> str:
        """Return what it has printed."""
        return self.output.read_text("utf-8", "replace")

    def transport(self, answer_s: float = SUBMIT_S) -> HttpTransport:
        """Return a connection to it that asks once."""
        return HttpTransport(self.url, plain_http=True, tries=1, answer_timeout_s=answer_s)

    def client(
        self,
        *signers: Signer,
        memory: HeadMemory | None = None,
        answer_s: float = SUBMIT_S,
        pinned: bytes | None = None,
    ) -> Client:
        """Return a client of it, with the trust root of the founding, or one that pins the validators with the hash ``pinned``:
        it follows by itself when validators change.
        """
        trust = self.folder.trust()
        if pinned is not None:
            trust = msgspec.structs.replace(trust, validators_hash=pinned.hex())
        return Client(self.transport(answer_s), trust, signers, verifier=Verifier(trust, memory=memory))

    def submit(self, *transactions: bytes) -> list[TransportOutcome]:
        """Submit, and return what became of it."""
        transport = self.transport()
        try:
            return transport.submit(transactions)
        finally:
            transport.close()
