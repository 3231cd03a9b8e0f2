"""A chain of 100,000 wallets grows under load: no acknowledged payment is lost, and proofs hold with the root from before.

What is proven: the first receipt of the chain, the last one before it grew, the last one of all, and how a record stood before.
By what: this program, the second verifier, and CometBFT's own light client up to the very header that the proof stands under.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fujie.client.client import Client
from fujie.client.http import HttpTransport
from fujie.client.verifier import VerifiedReceipt, VerifiedRecord, verify_file, verify_file_at
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.executor import LOG_ENTRY
from fujie.engine.stored_block import block_at
from fujie.modules.membership.records import Validators
from fujie.node.check import check_folder
from fujie.node.folder import Folder
from fujie.node.handover import ended_in
from fujie.proof.header import Header
from fujie.proof.light_block import decode_light_block, encode_light_block
from fujie.store.layout import Table, number_key
from fujie.store.reading import open_for_reading
from tests.e2e.cli_network import agree, free_ports
from tests.e2e.cli_node import CliNode
from tests.e2e.grown_world import NAME, Load, found, require_every_payment_once
from tests.light import comet_light

pytestmark = [pytest.mark.go, pytest.mark.node, pytest.mark.slow]

WALLETS = 100_000
BEFORE = 3_000  # payments acknowledged before it grows, and after
AFTER = 2_000
SECONDS_MAX = 300.0
NODES = ("node1", "node2", "node3", "node4")
DAY_MS = 86_400_000
SECOND_VERIFIER = Path(__file__).resolve().parents[2] / "verifier" / "cli.mjs"


class Grown(CliNode):
    """The chain before it grows, and the network that it becomes."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.environment["XDG_DATA_HOME"] = str(place / "user")
        self.first = found(self.home, WALLETS)
        self.trust = self.first.trust()
        self.load: Load | None = None

    def folder(self, node: str) -> Folder:
        return self.first if node == "node1" else Folder(self.home / "networks" / NAME / node)

    def states(self) -> dict[str, dict[str, Any]]:
        return {each["node"]: each for each in self.json("network", "status", NAME)["nodes"]}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    node = Grown(tmp_path_factory.mktemp("grown"))
    node.start()
    url = f"http://127.0.0.1:{node.port}"
    node.load = load = Load(node.trust.chain_id, WALLETS, url)
    try:
        load.reach(BEFORE, SECONDS_MAX)
        said = node.json("network", "grow", "--validators", "4", "--port-base", str(free_ports()), "--yes")
        assert node.process is not None
        assert node.process.wait(SECONDS_MAX) == 0, "the node ends when it has handed over"
        node.process = None
        assert said["paused_s"] is not None
        load.also([state["url"] for state in node.states().values()])
        load.reach(AFTER, SECONDS_MAX)
        load.stop(SECONDS_MAX)
        give_up = time.monotonic() + SECONDS_MAX
        while not agree(node.states()):
            assert time.monotonic() < give_up
            time.sleep(0.2)
        yield node
    finally:
        load.abandon()
        node.run("network", "stop", NAME)


def client_of(grown: Grown, node: str) -> Client:
    return Client(HttpTransport(str(grown.states()[node]["url"])), grown.trust)


def id_at(folder: Folder, place: str, grown_at: int) -> bytes:
    """Return the id of a transaction in the log of a node: of the chain the first one, the last one before it grew, or the last."""
    store = open_for_reading("sqlite", folder.chain)
    try:
        index = 0
        if place == "last before it grew":
            ended = block_at(store.get, grown_at)
            assert ended is not None
            index = ended.stored.first_index - 1  # that block is empty
        elif place == "last":
            last = store.last(Table.LOG_ENTRIES)
            assert last is not None
            index = int.from_bytes(last[0], "big")
        row = store.get(Table.LOG_ENTRIES, number_key(index))
        assert row is not None
        return transaction_id(SIGNED_TRANSACTION.decode(LOG_ENTRY.decode(row).transaction).body)
    finally:
        store.close()


def second_verifier(grown: Grown, bundle: bytes, *more: str) -> Any:
    """Return what the verifier in JavaScript finds in a bundle, with the root from before."""
    path = grown.work / "it.fujie"
    path.write_bytes(bundle)
    done = subprocess.run(
        ["node", str(SECOND_VERIFIER), str(path), "--trust", str(grown.first.trust_path), "--json", *more],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def verify_by_comet(grown: Grown, node: str, first: int, last: int) -> dict[str, int]:
    """Have CometBFT's light client, which believes block ``first``, verify block ``last`` from what a node answers."""
    with client_of(grown, node) as client:
        found = [client.transport.light_block(height) for height in range(first, last + 1)]
    blocks = [data for data in found if data is not None]
    assert len(blocks) == last + 1 - first
    now_ms = decode_light_block(blocks[-1]).header.time_ms + 1_000
    return comet_light.verify(grown.trust.chain_id, blocks, now_ms=now_ms, trusting_period_ms=14 * DAY_MS)


def require_believed_by_comet(grown: Grown, node: str, header: Header) -> None:
    """Require that CometBFT's light client comes from the last block before it grew to the header of a proof."""
    counts = verify_by_comet(grown, node, last_embedded(grown), header.height)
    assert counts["sequential_client_height"] == counts["skipping_client_height"] == header.height
    with client_of(grown, node) as client:
        data = client.transport.light_block(header.height)
    assert data is not None
    assert decode_light_block(data).header == header


def last_embedded(grown: Grown) -> int:
    ended = ended_in(grown.first)
    assert ended is not None
    return ended.header.height


@pytest.mark.parametrize("node", ["node1", "node3"])
@pytest.mark.parametrize("place", ["first", "last before it grew", "last"])
def test_receipts_from_before_and_after_verify_with_the_root_from_before(grown: Grown, node: str, place: str) -> None:
    height = last_embedded(grown)
    wanted = id_at(grown.folder(node), place, height)
    with client_of(grown, node) as client:
        bundle = client.receipt_bundle(wanted)
    [found] = verify_file(bundle, grown.trust)
    assert isinstance(found, VerifiedReceipt)
    assert (found.transaction_id, found.receipt.code) == (wanted, 0)
    assert (found.receipt.height < height) == (place != "last")
    assert found.header.height > height, "it is the validators that sign now who answer for it"
    assert found.header.validators_hash.hex() != grown.trust.validators_hash
    assert wanted.hex() in json.dumps(second_verifier(grown, bundle))
    require_believed_by_comet(grown, node, found.header)


@pytest.mark.parametrize("node", ["node1", "node3"])
def test_how_a_record_stood_before_verifies_with_the_root_from_before(grown: Grown, node: str) -> None:
    with client_of(grown, node) as client:
        now = client.validators().record
        assert now is not None
        at_ms = now.standing.created_ms  # with the chain; votes have changed it since
        past = client.validators(at_ms=at_ms)
        bundle = past.bundle
    assert past.record is not None
    assert ([member.organisation for member in past.record.members], len(now.members)) == (["bench"], 4)
    [found] = verify_file_at(bundle, grown.trust, at_ms)
    assert isinstance(found, VerifiedRecord)
    assert isinstance(found.record, Validators)
    assert found.record == past.record
    [told] = second_verifier(grown, bundle, "--at", str(at_ms))["items"]
    assert len(told["record"]["members"]) == 1
    require_believed_by_comet(grown, node, found.header)


@pytest.mark.parametrize(("node", "before"), [("node1", 2), ("node3", 0)])
def test_the_light_client_of_cometbft_crosses_over(grown: Grown, node: str, before: int) -> None:
    height = last_embedded(grown)
    last = min(int(grown.states()[node]["height"]), height + 30)
    counts = verify_by_comet(grown, node, height - before, last)
    assert counts["sequential_client_height"] == counts["skipping_client_height"] == last
    assert counts["adjacent"] == last - height + before
    with client_of(grown, node) as client:
        data = client.transport.light_block(height)
    assert data is not None
    block = decode_light_block(data)
    assert encode_light_block(block) == data
    assert block.header.validators_hash.hex() == grown.trust.validators_hash
    assert block.header.next_validators_hash != block.header.validators_hash


def test_no_acknowledged_payment_is_lost_or_carried_out_twice(grown: Grown) -> None:
    """The last of them: the nodes are stopped, and their disks are read."""
    load, height = grown.load, last_embedded(grown)
    assert load is not None
    heights = sorted(load.acknowledged.values())
    assert len(heights) >= BEFORE + AFTER
    assert heights[0] < height < heights[-1]
    grown.run("network", "stop", NAME)
    for node in ("node1", "node4"):
        require_every_payment_once(grown.folder(node), load, WALLETS)
        assert check_folder(grown.folder(node)).findings == []
