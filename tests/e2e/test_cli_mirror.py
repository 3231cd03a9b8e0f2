"""`fujie mirror` as people run it: processes, folders, ports; killed at any moment, and the source gone and back."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from fujie.client.client import Client, named
from fujie.client.http import HttpTransport
from fujie.client.keys import load_key
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor
from fujie.modules.currency.operations import Pay
from fujie.proof.trust import TrustRoot, decode_trust, encode_trust
from fujie.store.layout import Table
from fujie.store.opening import open_store
from tests.e2e.cli_node import FUJIE, CliNode, free_port
from tests.e2e.http_node import ANNA, CITY, INSTRUMENT, VALIDATOR, WALLETS, Node, open_chain, running, serving
from tests.e2e.mirror_node import Items, about_blocks, lying_proxy, mirrored
from tests.engine.forked_blocks import later
from tests.engine.mirroring import rows

SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it
KILLS = 8
SEED = 20_261_122


class CliMirror:
    """A data folder, and the mirror on it, which may be started, stopped and killed."""

    def __init__(self, place: Path, url: str) -> None:
        self.home, self.url, self.port = place / "home", url, free_port()
        place.mkdir(parents=True, exist_ok=True)
        self.said = place / "mirror.log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FUJIE_")} | {
            "FUJIE_HOME": str(self.home),
            "FUJIE_PORT": str(self.port),
            "PYTHONWARNINGS": "error",
        }
        self.process: subprocess.Popen[str] | None = None

    def launch(self, *arguments: str) -> None:
        with self.said.open("w") as out:
            self.process = subprocess.Popen(
                [FUJIE, "mirror", *arguments], env=self.environment, stdout=out, stderr=subprocess.STDOUT, text=True
            )

    def wait(self, what: Callable[[str], bool]) -> str:
        """Wait until ``what`` is so of what the process has printed; it must not end before."""
        give_up = time.monotonic() + SECONDS_MAX
        while not what(text := self.said.read_text("utf-8")):
            assert self.process is not None
            assert self.process.poll() is None, text
            assert time.monotonic() < give_up, text
            time.sleep(0.02)
        return text

    def height(self) -> int:
        try:
            return int(httpx.get(f"http://127.0.0.1:{self.port}/status").json()["height"])
        except httpx.HTTPError:
            return -1

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(SECONDS_MAX)
        assert "Traceback" not in self.said.read_text("utf-8")
        return code

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [FUJIE, *arguments], env=self.environment, capture_output=True, text=True, timeout=SECONDS_MAX
        )
        shown = done.stdout + done.stderr
        assert done.returncode == code, shown
        assert "Traceback" not in shown
        return shown


@pytest.fixture
def node(tmp_path):
    with running(tmp_path / "node") as node:
        yield node


@pytest.fixture
def twin(node, tmp_path):
    twin = CliMirror(tmp_path / "mirror", node.url)
    yield twin
    if twin.process is not None and twin.process.poll() is None:
        twin.end(signal.SIGKILL)


def pay(node: Node, count: int) -> None:
    raws = [node.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 1)], ANNA) for _ in range(count)]
    assert not any(outcome.code for outcome in node.engine.submit(raws).result(SECONDS_MAX))


def test_mirrors_resolves_and_resumes(node, twin, tmp_path):
    trust = tmp_path / "trust.json"
    trust.write_bytes(encode_trust(node.trust))
    twin.launch(node.url, "--trust", str(trust))
    said = twin.wait(lambda text: "Ctrl-C stops" in text)
    assert f"Fujie mirrors {node.url}" in said
    assert node.engine.chain_id in said
    assert "No trust root was given" not in said
    assert "Shijiazhuang City" in twin.run("resolve", CITY)
    assert "mirror" in twin.run("up", code=1)
    pay(node, 3)
    give_up = time.monotonic() + SECONDS_MAX
    while twin.height() < node.engine.head.height:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert twin.end() == 0
    assert json.loads(twin.run("check", "--json"))["height"] == node.engine.head.height
    twin.launch("--json")
    told = json.loads(twin.wait(lambda text: text.rstrip().endswith("}")))
    assert (told["source"], told["trusted_on_first_use"]) == (node.url, False)
    assert twin.end() == 0


def test_warns_when_it_trusts_on_first_use_and_only_then(node, twin):
    twin.launch(node.url)
    said = twin.wait(lambda text: "Ctrl-C stops" in text)
    assert "No trust root was given" in said
    twin.end()
    twin.launch(node.url)
    assert "No trust root was given" not in twin.wait(lambda text: "Ctrl-C stops" in text)
    twin.end()


def test_kill_9_at_any_moment_loses_nothing_and_serves_nothing_wrong(node, twin):
    chance = random.Random(SEED)
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            pay(node, chance.randrange(1, 40))

    loading = threading.Thread(target=load)
    loading.start()
    try:
        for _ in range(KILLS):
            twin.launch(node.url)
            twin.wait(lambda text: "Ctrl-C stops" in text or chance.random() < 0.02)
            time.sleep(chance.random() * 0.2)
            assert twin.end(signal.SIGKILL) == -9
    finally:
        stop.set()
        loading.join(SECONDS_MAX)
    twin.launch(node.url)
    twin.wait(lambda text: "Ctrl-C stops" in text)
    give_up = time.monotonic() + SECONDS_MAX
    while twin.height() < node.engine.head.height:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    status = httpx.get(f"http://127.0.0.1:{twin.port}/status").json()
    assert status["app_hash"] == node.engine.head.app_hash.hex()
    assert twin.end() == 0
    assert "Everything fits" in twin.run("check")
    with stored_rows(twin.home / "chain") as own:
        assert own == rows(node.engine)


def test_ctrl_c_while_it_catches_up_loses_nothing(node, twin):
    """The source gives ten blocks and then holds back what comes after them; the next start goes on from there."""
    for _ in range(20):
        pay(node, 1)
    with lying_proxy(node.url) as proxy:
        held = threading.Event()

        def slow(height: int, items: Items) -> Items:
            if height > 10:
                held.wait(SECONDS_MAX)
            return items[: max(0, 11 - height)]

        proxy.lie = about_blocks(slow)
        try:
            twin.launch(proxy.url)
            wait(lambda: any(path.startswith("/replication/11?") for path in proxy.requests))
            assert twin.end(signal.SIGINT) == 0
            assert "Everything is on disk" in twin.said.read_text("utf-8")
            assert "Ctrl-C stops" not in twin.said.read_text("utf-8")
        finally:
            held.set()
        assert json.loads(twin.run("check", "--json"))["height"] <= 10
    twin.launch(node.url)
    twin.wait(lambda text: "Ctrl-C stops" in text)
    wait(lambda: twin.height() >= node.engine.head.height)
    assert twin.end() == 0


def test_evidence_of_a_fork_is_checked_by_whoever_has_the_trust_root(node, twin, tmp_path):
    pay(node, 1)
    trust = tmp_path / "trust.json"
    trust.write_bytes(encode_trust(node.trust))
    twin.launch(node.url, "--trust", str(trust))
    twin.wait(lambda text: "Ctrl-C stops" in text)
    assert twin.end() == 0
    newest = json.loads(twin.run("check", "--json"))["height"]
    with lying_proxy(node.url) as proxy:
        proxy.lie = about_blocks(
            lambda height, items: [
                later(item, VALIDATOR) if height + number == newest else item for number, item in enumerate(items)
            ]
        )
        twin.launch(proxy.url)
        twin.wait(lambda text: "stopped following" in text)
        assert twin.end() == 5
    [file] = (twin.home / "evidence").iterdir()
    alone = CliMirror(tmp_path / "third", node.url)
    said = alone.run("verify", str(file), "--trust", str(trust))
    assert "two blocks of one height" in said
    shown = json.loads(alone.run("verify", str(file), "--trust", str(trust), "--json"))
    assert (shown["proves"], shown["height"], shown["verified"]) == ("fork", newest, True)
    file.write_bytes(file.read_bytes().replace(b'"ours": "0a', b'"ours": "0b', 1))
    assert "does not verify" in alone.run("verify", str(file), "--trust", str(trust), code=5)


def test_a_lie_stops_it_with_its_name_and_exit_code_5(node, twin):
    with lying_proxy(node.url) as proxy:
        twin.launch(proxy.url)
        twin.wait(lambda text: "Ctrl-C stops" in text)
        proxy.lie = about_blocks(lambda _height, items: [(block, [*raws, b"x"], acts) for block, raws, acts in items])
        pay(node, 1)
        said = twin.wait(lambda text: "stopped following" in text)
        assert "block-data" in said
        assert "ours" in said
        assert "Shijiazhuang City" in twin.run("resolve", CITY)
        assert twin.end() == 5


def test_a_source_that_goes_away_and_comes_back_is_followed_again(tmp_path):
    port = free_port()
    engine = open_chain(tmp_path / "node")
    first = ExitStack()
    node = first.enter_context(serving(engine, port))
    with mirrored(tmp_path / "mirror", node.url) as twin:
        pay(node, 2)
        wait(lambda: twin.engine.head == engine.head)
        first.close()
        engine.close()
        wait(lambda: twin.engine.trouble is not None)
        assert httpx.get(f"{twin.url}/ids/{CITY}").json()["record"]["name"] == "Shijiazhuang City"
        engine = EmbeddedEngine(Executor(open_store("sqlite", tmp_path / "node")), VALIDATOR, worker=False)
        try:
            with serving(engine, port) as node:
                pay(node, 2)
                wait(lambda: twin.engine.head == engine.head)
                assert twin.engine.trouble is None
                assert rows(twin.engine) == rows(engine)
        finally:
            engine.close()


def test_a_node_that_is_killed_is_followed_again_when_it_is_back(tmp_path):
    source = CliNode(tmp_path / "source")
    source.run("init", "--public")
    source.start()
    owner = load_key(source.home / "keys" / "owner.key").unlock(None)
    try:
        url = f"http://127.0.0.1:{source.port}"
        with mirrored(tmp_path / "mirror", url) as twin:
            for number in range(3):
                with Client(HttpTransport(url), mirror_trust(tmp_path), [owner]) as client:
                    client.allocate("ZZ.000", named(f"CITY{number}", "city", "A city"))
                assert source.stop(signal.SIGKILL) == -9
                wait(lambda: twin.engine.trouble is not None)
                source.start()
                identifier = f"ZZ.000.CITY{number}"
                wait(partial(has_name, twin.url, identifier))
                assert twin.engine.failure is None
    finally:
        if source.process is not None:
            source.stop()


def mirror_trust(place: Path) -> TrustRoot:
    return decode_trust((place / "source" / "home" / "trust.json").read_bytes())


def has_name(url: str, identifier: str) -> bool:
    return httpx.get(f"{url}/ids/{identifier}").status_code == 200


@contextmanager
def stored_rows(folder: Path) -> Iterator[dict[Table, list[tuple[bytes, bytes]]]]:
    """Every row of the store in a folder that nobody uses."""
    store = open_store("sqlite", folder)
    try:
        yield {table: list(store.scan(table)) for table in Table}
    finally:
        store.close()


def wait(what: Callable[[], bool]) -> None:
    give_up = time.monotonic() + SECONDS_MAX
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.01)
