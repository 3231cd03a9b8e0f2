"""Nodes of real chains of several validators in this process, and votes on who they are."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fujie.core.signing import Signer
from fujie.engine.cometbft import home
from fujie.engine.cometbft.engine import CometEngine
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.records import SetValidator
from fujie.proof.validators import Validator
from tests import world
from tests.e2e.cli_node import free_port
from tests.parity.one_node import OneNode, soon_ms
from tests.world import BANK, ROOT

OTHER = world.signer("another validator")


def vote(node: OneNode, engine: CometEngine, power: int) -> None:
    """Decide on the power of the other validator, and wait until those who then are validators sign."""
    proposal = world.nonce(5_000_000 + engine.head.height)
    action = SetValidator(OTHER.public_key, power, "world")
    for operation, signers in (
        (Propose("root", proposal, action, soon_ms()), (ROOT,)),
        (Vote("root", proposal), (ROOT,)),
        (Vote("central-bank", proposal), BANK[:2]),
    ):
        raw = node.signing.sign(operation, *signers, expires_at_ms=soon_ms())
        [outcome] = engine.submit([raw]).result(300)
        assert outcome.code == 0
    sets = 2 if power else 1
    while len(newest(engine)) != sets:
        assert engine.submit([node.pay(0, 1)]).result(300)[0].code == 0


def newest(engine: CometEngine) -> tuple[Validator, ...]:
    """The validators of the newest block that is shown."""
    block = next(found for height in range(engine.head.height, 0, -1) if (found := engine.light_block(height)))
    return block.validators.validators


def configure(node: OneNode, name: str, key: Signer, port: int, peers: list[home.Peer]) -> home.Peer:
    """Give a node its own name and port, and a validator key that another one may have as well."""
    node_key = world.signer(f"node {name}")
    sections = home.settings(node.paths.socket, node.paths.rpc, name, f"127.0.0.1:{port}", peers)
    for file, text in (
        (home.CONFIG_FILE, home.config_text(sections)),
        (home.NODE_KEY_FILE, home.node_key_text(node_key)),
        (home.VALIDATOR_KEY_FILE, home.validator_key_text(key)),
    ):
        (node.paths.home / file).write_bytes(text)
    return home.Peer(home.node_id(node_key.public_key), f"127.0.0.1:{port}")


@contextmanager
def made(name: str, key: Signer, peers: list[home.Peer]) -> Iterator[tuple[OneNode, home.Peer]]:
    place = Path(tempfile.mkdtemp(prefix="fujie-"))
    try:
        node = OneNode(place)
        yield node, configure(node, name, key, free_port(), peers)
    finally:
        shutil.rmtree(place)
