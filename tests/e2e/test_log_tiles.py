"""The log over HTTP: clients that were written for other logs read it and prove it; what is not proven is not served."""

import signal
import time

import httpx
import pytest

from fujie.api.log_tiles import commitment_of
from fujie.core.errors import VerificationError
from fujie.core.hashing import app_hash
from fujie.core.signing import Signer, new_seed
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.modules.currency.operations import Pay
from fujie.modules.membership.queries import Visibility
from fujie.proof.checkpoint import (
    CheckpointSigner,
    check_agrees_with_header,
    decode_verifier_key,
    log_origin,
    verify_checkpoint,
)
from fujie.proof.light_block import decode_light_block
from fujie.proof.merkle_log import EMPTY_ROOT, leaf_hash, verify_log_consistency
from tests.e2e.cli_node import CliNode
from tests.e2e.http_node import ANNA, INSTRUMENT, WALLETS, Node, open_chain, serving
from tests.e2e.mirror_node import mirrored
from tests.tlog import log_client

SIGNER = Signer(new_seed())
PAYMENTS = 600  # so that the log has full tiles and a second level


def pay(node: Node, count: int) -> None:
    payments = [
        node.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, number + 1)], ANNA) for number in range(count)
    ]
    outcomes = node.engine.submit(payments).result(300)
    assert not any(outcome.code for outcome in outcomes)
    assert node.engine.wait_proven(outcomes[-1].log_index or 0, 300)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = open_chain(tmp_path_factory.mktemp("log"), Visibility.RESTRICTED)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def node(engine):
    with serving(engine, checkpoints=CheckpointSigner(log_origin(engine.chain_id), SIGNER)) as node:
        pay(node, PAYMENTS)
        yield node


@pytest.fixture
def client(node):
    with httpx.Client(base_url=node.url + "/log") as client:
        yield client


def verified(client, node):
    """The checkpoint of the node, verified by our own reader."""
    key = decode_verifier_key(client.get("/vkey").text.strip())
    assert key.public_key == SIGNER.public_key
    return verify_checkpoint(client.get("/checkpoint").content, key, log_origin(node.engine.chain_id))


@pytest.mark.go
def test_existing_clients_verify_the_checkpoint_every_entry_and_the_growth_of_the_log(node, client, tmp_path):
    key = client.get("/vkey").text.strip()
    old = tmp_path / "old.checkpoint"
    old.write_bytes(client.get("/checkpoint").content)
    before = log_client.verify(str(client.base_url), key)
    pay(node, 37)
    found = log_client.verify(str(client.base_url), key, old)
    head = node.engine.proven.head
    assert found["origin"] == log_origin(node.engine.chain_id)
    assert (found["size"], found["root"]) == (head.log_size, head.log_root.hex())
    assert found["proven"] == head.log_size == before["size"] + 37
    assert found["consistent"] is True
    assert found["old_size"] == before["size"]
    assert found["entries"] == [commitment_of(entry).hex() for entry in node.engine.entries(0, head.log_size)]


@pytest.mark.go
def test_existing_clients_refuse_the_log_under_another_key_or_after_another_past(node, client, tmp_path):
    other = CheckpointSigner(log_origin(node.engine.chain_id), Signer(new_seed()))
    with pytest.raises(log_client.RefusedByClient, match="checkpoint"):
        log_client.verify(str(client.base_url), other.key.encode())
    forged = tmp_path / "forged.checkpoint"
    signer = CheckpointSigner(log_origin(node.engine.chain_id), SIGNER)
    forged.write_bytes(signer.sign(300, bytes(32)))
    with pytest.raises(log_client.RefusedByClient, match="consistency"):
        log_client.verify(str(client.base_url), client.get("/vkey").text.strip(), forged)


@pytest.mark.go
def test_the_log_of_a_node_is_one_log_from_the_empty_one_on_also_after_a_kill_and_on_a_mirror(tmp_path):
    node = CliNode(tmp_path / "node")
    node.run("init", "--public")
    node.start()
    base, old = f"http://127.0.0.1:{node.port}/log", tmp_path / "old.checkpoint"
    try:
        key = httpx.get(base + "/vkey").text.strip()
        empty = verify_checkpoint(httpx.get(base + "/checkpoint").content, decode_verifier_key(key))
        assert empty[1:] == (0, EMPTY_ROOT, ())
        assert httpx.get(base + "/tile/0/000.p/1").status_code == 404
        node.run("id", "allocate", "ZZ.000", "GAS", "--kind", "department", "--name", "Gas works")
        wait_for_size(base, 1)
        old.write_bytes(httpx.get(base + "/checkpoint").content)
        assert node.stop(signal.SIGKILL) == -9
        node.start()
        assert httpx.get(base + "/vkey").text.strip() == key
        node.run("id", "allocate", "ZZ.000", "WATER", "--kind", "department", "--name", "Water works")
        wait_for_size(base, 2)
        found = log_client.verify(base, key, old)
        assert (found["size"], found["old_size"], found["consistent"]) == (2, 1, True)
        with mirrored(tmp_path / "mirror", f"http://127.0.0.1:{node.port}") as twin:
            own = CheckpointSigner(log_origin(twin.engine.chain_id), Signer(new_seed()))
            with serving(twin.engine, checkpoints=own) as served:
                seen = log_client.verify(served.url + "/log", own.key.encode())
        assert (seen["origin"], seen["root"], seen["entries"]) == (found["origin"], found["root"], found["entries"])
    finally:
        if node.process is not None:
            node.stop()


def wait_for_size(base: str, size: int) -> None:
    give_up = time.monotonic() + 300
    while int(httpx.get(base + "/checkpoint").text.split("\n")[1]) < size:
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_the_checkpoint_is_that_of_the_newest_proven_log(node, client):
    head = node.engine.proven.head
    assert verified(client, node)[1:3] == (head.log_size, head.log_root)


def test_the_checkpoint_agrees_with_the_header_that_proves_it(node, client):
    checkpoint = verified(client, node)
    bundle = node.engine.prove_receipt(first_id(node))
    assert bundle is not None
    header = decode_light_block(bundle.light_block).header
    assert app_hash(bundle.state_root, checkpoint.root, checkpoint.size) == header.app_hash
    check_agrees_with_header(checkpoint, header, bundle.state_root)
    with pytest.raises(VerificationError, match="checkpoint-header"):
        check_agrees_with_header(checkpoint._replace(size=checkpoint.size - 1), header, bundle.state_root)


def test_two_checkpoints_are_consistent_by_our_own_proof_too(node, client):
    before = verified(client, node)
    pay(node, 3)
    after = verified(client, node)
    proof = node.engine.executor.log.prove_consistency(before.size, after.size)
    verify_log_consistency(before.root, before.size, after.root, after.size, proof)


def test_tiles_and_entries_fit_each_other_and_are_kept_for_ever(node, client):
    size = node.engine.proven.head.log_size
    for number in range(size // 256 + 1):
        width = min(256, size - number * 256)
        suffix = "" if width == 256 else f".p/{width}"
        tile, bundle = (client.get(f"/tile/{part}/{number:03}{suffix}") for part in ("0", "entries"))
        for answer in (tile, bundle):
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        entries = [bundle.content[at + 2 : at + 34] for at in range(0, len(bundle.content), 34)]
        assert all(bundle.content[at : at + 2] == b"\x00\x20" for at in range(0, len(bundle.content), 34))
        assert b"".join(map(leaf_hash, entries)) == tile.content
    assert len(client.get(f"/tile/1/000.p/{size // 256}").content) == size // 256 * 32


def test_a_tile_may_be_asked_for_at_every_earlier_width(client):
    whole = client.get("/tile/0/000").content
    for width in (1, 2, 17, 255):
        assert client.get(f"/tile/0/000.p/{width}").content == whole[: 32 * width]
    assert client.get("/tile/entries/000.p/5").content == client.get("/tile/entries/000").content[: 34 * 5]


def test_head_answers_without_a_body(client):
    answer = client.head("/tile/0/000")
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_checkpoint_is_text_and_not_kept(client):
    for path in ("/checkpoint", "/vkey"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"


def test_an_entry_shows_nothing_of_what_it_stands_for(node, client):
    """Equal payments give entries that have nothing in common; wallets, amounts and ids stand nowhere."""
    data = client.get("/tile/entries/000").content
    for entry in node.engine.entries(0, 256):
        assert entry.transaction not in data
        assert entry.receipt not in data
    assert WALLETS["anna"] not in data
    assert first_id(node) not in data


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/999",
        "/tile/0/x001/000",
        "/tile/entries/999",
        "/tile/0/002.p/255",
        "/tile/1/000",
        "/tile/1/000.p/3",
        "/tile/63/000.p/1",
        "/tile/2/000.p/1",
        "/tile/entries/x036/x028/x797/x018/x963/967",
    ],
)
def test_refuses_a_tile_that_the_proven_log_does_not_have(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/TILE_ABSENT")


@pytest.mark.parametrize(
    "path",
    [
        "/tile/64/000",
        "/tile/00/000",
        "/tile/-1/000",
        "/tile/0/0",
        "/tile/0/1000",
        "/tile/0/x000/001",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/01",
        "/tile/0/000.p/",
        "/tile/0/000.p",
        "/tile/0/x1/001",
        "/tile/data/000",
        "/tile/0/%D9%A0%D9%A0%D9%A0",
        "/tile/entries/0",
        "/tile/entries/000.p/256",
        "/tile/0/" + "x999/" * 50 + "999",
    ],
)
def test_refuses_what_is_no_path_of_a_tile(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/MALFORMED")


def test_a_node_without_the_key_of_a_log_says_so(node):
    with serving(node.engine) as bare, httpx.Client(base_url=bare.url) as client:
        for path in ("/log/checkpoint", "/log/vkey"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/CHECKPOINT_OFF")
        assert client.get("/log/tile/0/000").status_code == 200


def first_id(node: Node) -> bytes:
    """The id of the first transaction of the log."""
    [entry] = node.engine.entries(0, 1)
    return transaction_id(SIGNED_TRANSACTION.decode(entry.transaction).body)
