"""The light client follows a real node over HTTP, across its restart, and finds out when the validator signs twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fujie.client.light.client import LightClient
from fujie.client.light.detector import DivergenceError
from fujie.client.light.node import NodeProvider
from fujie.client.light.provider import HeightAbsent
from fujie.client.light.store import LightStore
from fujie.core.errors import OperationalError
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor
from fujie.node.light_nodes import check_nodes
from fujie.proof.light_attack import Kind, check_evidence
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.store.opening import open_store
from tests.e2e.cli_node import free_port
from tests.e2e.http_node import VALIDATOR, Node, allocate, running, serving
from tests.engine.forked_blocks import later
from tests.light.memory_provider import MemoryProvider

pytestmark = pytest.mark.slow


@contextmanager
def started_again(folder: Path) -> Iterator[Node]:
    engine = EmbeddedEngine(Executor(open_store("sqlite", folder)), VALIDATOR, worker=False)
    try:
        with serving(engine) as node:
            yield node
    finally:
        engine.close()


def chain(node: Node) -> list[LightBlock]:
    found = [node.engine.light_block(height) for height in range(1, node.engine.head.height + 1)]
    return [block for block in found if block is not None]


def test_believes_what_a_node_answers_and_goes_on_after_its_restart(tmp_path: Path):
    store = tmp_path / "light"
    with running(tmp_path / "node") as node:
        trust = node.trust
        provider = NodeProvider(node.url)
        client = LightClient(trust, provider, [provider], store=LightStore(store))
        before = client.newest()
        assert before == chain(node)[before.header.height - 1]
        assert client.at(2) == chain(node)[1]
        allocate(node.engine, 20)
        after = client.newest()
        assert after.header.height > before.header.height
        with pytest.raises(HeightAbsent):
            client.at(10**9)
        provider.close()
    with started_again(tmp_path / "node") as node:
        provider = NodeProvider(node.url)
        client = LightClient(trust, provider, store=LightStore(store))
        assert client.at(after.header.height) == after
        allocate(node.engine, 20, 200_000)
        assert client.newest().header.height > after.header.height
        provider.close()
    gone = NodeProvider(node.url)
    with pytest.raises(OperationalError):
        LightClient(trust, gone).newest()


def test_a_validator_who_signs_twice_is_found_out_with_evidence(tmp_path: Path):
    with running(tmp_path / "node") as node:
        provider = NodeProvider(node.url)
        blocks = chain(node)
        twice = decode_light_block(later((encode_light_block(blocks[-1]), [], []), VALIDATOR)[0])
        witness = MemoryProvider("witness", [*blocks[:-1], twice])
        store = LightStore(tmp_path / "light")
        client = LightClient(node.trust, MemoryProvider("node", blocks[:4]), store=store)
        client.newest()
        client = LightClient(node.trust, provider, [witness], store=store)
        with pytest.raises(DivergenceError) as found:
            client.at(blocks[-1].header.height)
        assert found.value.path is not None
        attack = check_evidence(found.value.path.read_bytes(), node.trust)
        assert (attack.kind, attack.both) == (Kind.EQUIVOCATION, blocks[-1].validators.addresses)
        provider.close()


def test_nodes_to_begin_from_are_asked_before_anything_is_done_and_each_is_judged_by_itself(tmp_path: Path):
    with running(tmp_path / "node") as node, running(tmp_path / "other") as other:
        chain_id = node.trust.chain_id
        check_nodes([node.url, node.url], chain_id)
        nobody = f"http://127.0.0.1:{free_port()}"
        with pytest.raises(OperationalError) as error:
            check_nodes([node.url, other.url, nobody], other.trust.chain_id + "0")
        said = error.value.what.splitlines()[1:]
        assert [f"  {url}: " in line for url, line in zip((node.url, other.url, nobody), said, strict=True)] == [
            True
        ] * 3
        assert f"it serves another chain, {chain_id}, not " in said[0]
        assert "No node answers" in said[2]
        with pytest.raises(OperationalError) as error:
            check_nodes([node.url, nobody], chain_id)
        assert [line for line in error.value.what.splitlines() if node.url in line] == []
