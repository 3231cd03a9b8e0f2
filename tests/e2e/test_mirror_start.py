"""Beginning a mirror with an old trust root, long after its validators have gone: from a snapshot, over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fujie.api.serving import Settings
from fujie.core.errors import OperationalError, VerificationError
from fujie.node.check import check_folder
from fujie.node.folder import Folder
from fujie.proof.evidence import SignedTwice, verify_evidence
from tests.e2e.changed_town import OTHERS, Town
from tests.e2e.http_node import Node, serving
from tests.e2e.lying_server import truth
from tests.e2e.mirror_node import about_blocks, lying_proxy, opened
from tests.engine.several import Item, SeveralChain, item_of
from tests.light.tampering import changed
from tests.world import VALIDATOR


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.twin.engine.close()


@pytest.fixture(scope="module")
def node(town: Town) -> Iterator[Node]:
    with serving(town.twin.engine, settings=Settings(mirror_of=town.chain.url)) as node:  # type: ignore[arg-type]
        yield node


def test_begins_with_a_snapshot_that_later_validators_signed(town: Town, node: Node, tmp_path: Path) -> None:
    for first in (True, False):
        begin = {"trust": town.trust, "snapshot": town.snapshot} if first else {}
        with opened(tmp_path, node.url, **begin) as mirroring:
            mirroring.engine.catch_up(lambda *_: None, lambda: False)
            assert mirroring.engine.failure is None
            assert mirroring.engine.head.app_hash == town.chain.bare.app_hash
            assert mirroring.engine.block(1) is None
            assert mirroring.trust == town.trust
    assert check_folder(Folder(tmp_path)).found == 0


def test_begins_with_the_genesis_and_the_trust_root_of_then(town: Town, node: Node, tmp_path: Path) -> None:
    with opened(tmp_path, node.url, trust=town.trust) as mirroring:
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
        assert mirroring.engine.failure is None
        assert mirroring.engine.head.app_hash == town.chain.bare.app_hash


def test_evidence_of_a_mirror_that_began_with_a_snapshot_is_checked_with_the_old_trust_root(
    town: Town, node: Node, tmp_path: Path
) -> None:
    height = town.chain.height()
    last = town.chain.lights[-1]
    theirs, _ = town.chain.commit(changed(last.header, time_ns=last.header.time_ns + 1), last.validators)

    def forked(asked: int, items: list[Item]) -> list[Item]:
        return [item_of(theirs) if asked + number == height else item for number, item in enumerate(items)]

    with (
        lying_proxy(node.url) as proxy,
        opened(tmp_path, proxy.url, trust=town.trust, snapshot=town.snapshot) as mirroring,
    ):
        proxy.lie = truth
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
        proxy.lie = about_blocks(forked)
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
        assert mirroring.engine.failure is not None
    [path] = (tmp_path / "evidence").iterdir()
    assert isinstance(verify_evidence(path.read_bytes(), town.trust), SignedTwice)


def test_refuses_to_begin_and_leaves_nothing_behind(town: Town, node: Node, tmp_path: Path) -> None:
    expired = msgspec.structs.replace(town.trust, trust_period_ms=86_400_000)
    strangers = msgspec.structs.replace(town.trust, validators_hash="05" * 32)
    later = msgspec.structs.replace(town.trust, validators_hash=town.chain.lights[-1].header.validators_hash.hex())
    other = SeveralChain([VALIDATOR, *OTHERS])
    for begin, problem in (
        ({"trust": None, "snapshot": town.snapshot}, OperationalError),
        ({"trust": expired, "snapshot": town.snapshot}, VerificationError),
        ({"trust": strangers, "snapshot": town.snapshot}, VerificationError),
        ({"trust": other.trust(), "snapshot": town.snapshot}, VerificationError),
        ({"trust": town.trust, "snapshot": Path(__file__)}, VerificationError),
        ({"trust": later}, OperationalError),
        ({"trust": other.trust()}, OperationalError),
    ):
        with pytest.raises(problem), opened(tmp_path, node.url, **begin):
            pass
        assert Folder(tmp_path).describe() is None
        assert not Folder(tmp_path).chain.exists()
