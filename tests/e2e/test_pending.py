"""A command that never hears what became of its transaction: killed, cut off, or stopped while it waits."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fujie.client.client import Client
from fujie.client.http import HttpTransport
from fujie.client.pending import PENDING_NAME, PendingFolder
from fujie.client.wallet import load_wallet
from fujie.modules.currency.operations import Pay
from fujie.node.folder import Folder
from fujie.node.keyring import Keyring
from tests.e2e.cli_node import START_S, CliNode

pytestmark = pytest.mark.slow

SUBMISSION = b"POST /transactions "


class Gate:
    """A relay before a node that lets everything through but submissions: those are swallowed, or their answers are."""

    def __init__(self, port: int) -> None:
        self._node = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.lets_in = True
        self.arrived = threading.Event()  # a submission, and all of it
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._node) as node:
            threading.Thread(target=self._back, args=(node, client), daemon=True).start()
            data = client.recv(65_536)
            while data:
                if data.startswith(SUBMISSION):
                    self._hold(client, data)
                    return
                node.sendall(data)
                data = client.recv(65_536)

    def _hold(self, client: socket.socket, data: bytes) -> None:
        """Take the whole submission, hand it to the node or not, and never answer."""
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        while len(body) < length:
            body += client.recv(65_536)
        if self.lets_in:
            with socket.create_connection(self._node) as node:
                node.sendall(head + b"\r\n\r\n" + body)
                assert node.recv(65_536).startswith(b"HTTP/1.1 200")
        self.arrived.set()
        client.recv(1)  # until it is gone

    @staticmethod
    def _back(node: socket.socket, client: socket.socket) -> None:
        try:
            while data := node.recv(65_536):
                client.sendall(data)
        except OSError:
            pass


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliNode]:
    node = CliNode(tmp_path_factory.mktemp("pending"))
    node.start()
    yield node
    node.stop()


@pytest.fixture
def gate(node: CliNode) -> Iterator[Gate]:
    gate = Gate(node.port)
    yield gate
    gate.close()


def leave(node: CliNode, gate: Gate, number: int, *arguments: str) -> tuple[int, str]:
    """Run a command through the gate, send it a signal when its submission has arrived there, and return how it ended."""
    process = subprocess.Popen(
        [*node.program, "--url", gate.url, *arguments],
        env=node.environment,
        cwd=node.work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert gate.arrived.wait(START_S)
    time.sleep(0.2)  # it waits for the answer
    os.kill(process.pid, number)
    said, _ = process.communicate(timeout=START_S)
    return process.returncode, said


def files(node: CliNode) -> list[Path]:
    return sorted((node.home / "pending").iterdir())


def balance(node: CliNode) -> int:
    return int(node.json("wallet", "balance", "shop")["record"]["amount_minor"])


def test_a_payment_whose_command_was_killed_before_the_answer_is_told_and_not_made_twice(
    node: CliNode, gate: Gate
) -> None:
    before = balance(node)
    code, _ = leave(node, gate, signal.SIGKILL, "pay", "alice", "shop", "12.50")
    assert code == -signal.SIGKILL
    [file] = files(node)
    assert file.stat().st_mode & 0o777 == 0o600
    identifier = file.name.removesuffix(".fujie-tx")
    assert node.json("status")["pending"] == 1
    assert f"fujie transaction resend {identifier}" in node.run("pay", "alice", "shop", "12.50", code=1)
    error = node.json("pay", "alice", "shop", "12.50", code=1)["error"]
    assert (error["kind"], error["transaction_id"]) == ("pending", identifier)

    [told] = node.json("transaction", "pending")["pending"]
    assert (told["transaction_id"], told["operations"], told["state"]) == (identifier, ["pay"], "carried out")
    assert files(node) == []
    assert "Nothing is pending" in node.run("transaction", "pending")
    assert node.json("receipt", identifier)["code"] == 0
    assert balance(node) == before + 1_250
    node.run("pay", "alice", "shop", "12.50")
    assert balance(node) == before + 2_500


def test_what_never_reached_the_node_is_sent_by_its_very_bytes(node: CliNode, gate: Gate) -> None:
    before = balance(node)
    gate.lets_in = False
    code, said = leave(node, gate, signal.SIGINT, "pay", "bob", "shop", "1.25")
    assert code == 1
    assert "Stopped before the outcome was known.\nThe payment may still be made" in said
    [file] = files(node)
    identifier = file.name.removesuffix(".fujie-tx")
    assert f"fujie --url {gate.url} receipt {identifier}" in said
    unknown = node.json("receipt", identifier, code=1)["error"]
    assert "is not in a block (yet)" in unknown["what"]
    assert unknown["expires_at_ms"] > 0
    [told] = node.json("transaction", "pending")["pending"]
    assert (told["state"], told["file"]) == ("open", str(file))

    receipt = node.work / "sent-again.fujie"
    sent = node.json("transaction", "resend", identifier, "--save", str(receipt))
    assert (sent["transaction_id"], sent["code"]) == (identifier, 0)
    assert balance(node) == before + 125
    assert node.json("verify", str(receipt))["items"]
    assert files(node) == []
    assert "are not here" in node.run("transaction", "resend", identifier, code=1)


def test_what_expired_unsent_is_told_once_and_forgotten(node: CliNode) -> None:
    folder = Folder(node.home)
    alice, shop = (load_wallet(folder.wallet_file(name)) for name in ("alice", "shop"))
    signer = Keyring(folder, lambda _: None).at(folder.wallet_file("alice").parent / alice.key_file)
    client = Client(HttpTransport(f"http://127.0.0.1:{node.port}"), folder.trust(), [signer])
    expires_at_ms = client.status().time_ms + 1
    pay = Pay(alice.wallet_id, shop.wallet_id, "CNY", 75)
    with PendingFolder(node.home / PENDING_NAME).keeping(client.build([pay], expires_at_ms=expires_at_ms)):
        assert node.json("transaction", "pending")["pending"][0]["state"] == "waited for"
    client.close()
    node.run("pay", "bob", "shop", "0.01")  # a block of a later time
    [file] = files(node)
    identifier = file.name.removesuffix(".fujie-tx")
    assert "it can no longer be carried out" in node.run("receipt", identifier, code=1)
    before = balance(node)
    [told] = node.json("transaction", "pending")["pending"]
    assert (told["state"], told["says"]) == ("refused", "not carried out: TRANSACTION_EXPIRED")
    assert files(node) == []
    assert balance(node) == before


def test_a_wallet_whose_opening_was_not_heard_of_keeps_its_key(node: CliNode, gate: Gate) -> None:
    code, _ = leave(node, gate, signal.SIGTERM, "wallet", "new", "dora", "--institution", "bank-east", "--unprotected")
    assert code == -signal.SIGTERM
    [file] = files(node)
    node.run("receipt", file.name.removesuffix(".fujie-tx"))
    assert files(node) == [], "a receipt that is shown settles it"
    assert node.json("wallet", "balance", "dora")["record"] is not None


def test_an_id_that_nobody_knows_is_told_when_it_can_no_longer_come(node: CliNode) -> None:
    error = node.json("receipt", "ab" * 32, code=1)["error"]
    newest = node.json("status")["time_ms"]
    assert newest < error["expires_at_ms"] <= newest + 3_600_000
    assert "Check the id. Whatever was submitted up to now may come before a block of" in error["do"]
    for wrong in ("ab", "x" * 64, "ab " * 21 + "a"):
        assert "is no id of a transaction" in node.run("transaction", "resend", wrong, code=2)
