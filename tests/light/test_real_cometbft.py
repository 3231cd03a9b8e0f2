"""The light client believes what a real CometBFT node answers, and follows its validators as they change."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from fujie.client.light.client import LightClient, system_ms
from fujie.client.light.cometbft import CometProvider
from fujie.client.light.provider import HeightAbsent
from fujie.client.light.store import LightStore
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.signing import public_key
from fujie.proof.header import header_hash
from fujie.proof.light import TrustedHeader
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot
from tests.light import comet_light
from tests.light.comet_node import CometNode, comet_node
from tests.light.embedded_chain import seed_of

pytestmark = [pytest.mark.go, pytest.mark.slow]

VALIDATORS = 130  # more than one page of CometBFT's answers
HEIGHT = 30


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CometNode]:
    """A chain of at least HEIGHT blocks, whose application took in many validators of little power on the way."""
    with comet_node(tmp_path_factory.mktemp("comet")) as running:
        for name in range(1, VALIDATORS):
            key = base64.b64encode(public_key(seed_of(name))).decode()
            change = f"val=ed25519!{key}!{name % 7 + 1}".encode()
            assert running.call(f"/broadcast_tx_sync?tx=0x{change.hex()}")["code"] == 0
        running.wait_for(HEIGHT)
        yield running


@pytest.fixture
def provider(node: CometNode) -> Iterator[CometProvider]:
    found = CometProvider(node.url)
    yield found
    found.close()


def pinned(block: LightBlock) -> TrustedHeader:
    return TrustedHeader(block.header.chain_id, block.header.height, header_hash(block.header))


def test_believes_real_headers_walking_and_skipping(provider: CometProvider, tmp_path: Path) -> None:
    first = provider.light_block(1)
    walking = LightClient(pinned(first), provider, sequential=True)
    skipping = LightClient(pinned(first), provider, [provider], store=LightStore(tmp_path / "light"))
    for height in (HEIGHT, 7):
        assert walking.at(height).header == skipping.at(height).header == provider.light_block(height).header
    assert skipping.newest().header.height >= HEIGHT


def test_goes_back_from_a_real_header_and_begins_with_a_trust_root(provider: CometProvider) -> None:
    later = provider.light_block(HEIGHT)
    client = LightClient(pinned(later), provider)
    assert client.at(HEIGHT - 10).header == provider.light_block(HEIGHT - 10).header
    root = TrustRoot(
        chain_id=later.header.chain_id,
        validators_hash=provider.light_block(1).header.validators_hash.hex(),
        state_tree_depth=18,
    )
    assert LightClient(root, provider).newest().header.height >= HEIGHT


def test_the_validators_come_in_pages_and_are_those_of_the_header(provider: CometProvider, node: CometNode) -> None:
    block = provider.light_block(HEIGHT)
    assert len(block.validators.validators) > 100
    assert int(node.call(f"/validators?height={HEIGHT}")["total"]) == len(block.validators.validators)


def test_cometbft_reads_what_was_read_from_it(provider: CometProvider) -> None:
    blocks = [encode_light_block(provider.light_block(height)) for height in (2, 3, HEIGHT)]
    now_ms = system_ms()
    said = comet_light.steps(
        [(blocks[0], blocks[1], now_ms), (blocks[0], blocks[2], now_ms)], trusting_period_ms=86_400_000
    )
    assert said == [("SUCCESS", ""), ("SUCCESS", "")]


def test_a_height_that_lies_ahead_is_absent(provider: CometProvider) -> None:
    with pytest.raises(HeightAbsent):
        provider.light_block(10**9)


def test_another_root_finds_nothing(provider: CometProvider) -> None:
    block = provider.light_block(3)
    with pytest.raises(VerificationError, match="light-root"):
        LightClient(pinned(block)._replace(header_hash=bytes(32)), provider).newest()
    with pytest.raises(VerificationError, match="chain-id"):
        LightClient(pinned(block)._replace(chain_id="another"), provider).newest()


def test_a_node_that_is_not_there_is_said_so() -> None:
    gone = CometProvider("http://127.0.0.1:1")
    with pytest.raises(OperationalError):
        gone.light_block(None)
