"""Who follows a chain with blocks whose votes count for CometBFT alone shows none of them as a proof."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.engine import mirror
from fujie.engine.link.server import LinkServer
from fujie.engine.mirror import Closing, MirrorEngine
from fujie.modules.currency import state_keys as currency_keys
from fujie.proof import bundle
from fujie.proof.light_block import decode_light_block
from fujie.proof.named import is_signed
from fujie.reader import follower
from fujie.reader.follower import Limits
from fujie.reader.picture import Picture, first_picture, settled_height
from fujie.reader.replica import Replica
from fujie.store.following import Moment
from tests.engine.mirroring import mirroring
from tests.engine.odd_votes import four_validators, shown, trust_in
from tests.reader.ledgers import EAGER, NEVER, eventually, replicated
from tests.world import INSTRUMENT, wallet_id

BALANCES = [currency_keys.balance(wallet_id(number), INSTRUMENT) for number in (0, 1)]
PLACES = pytest.mark.parametrize("places", [[3], [4], [4, 5], [2, 3, 4], [1, 2, 5, 6, 7, 10]], ids=str)
LIMITS = pytest.mark.parametrize("limits", [EAGER, NEVER], ids=["eager", "never"])


def made() -> Any:
    """Four validators, then blocks that pay, each fourth one empty."""
    chain = four_validators()
    for number in range(12):
        chain.make([chain.signing.pay(0, 1, number + 1)] if number % 4 != 3 else ())
    chain.make()
    return chain


CHAIN = made()
BEFORE = CHAIN.height() - 13


class Following:
    """A mirror of ``CHAIN`` as of ``height``, with its link; :meth:`go_on` has it take the rest."""

    def __init__(self, engine: MirrorEngine, link: LinkServer) -> None:
        self.engine = engine
        self.link = link

    def go_on(self, height: int = CHAIN.height()) -> None:
        """Take the blocks up to ``height``."""
        with suppress(Closing):
            self.engine.catch_up(lambda _height, _goal: None, lambda: self.engine.head.height >= height)
        assert self.engine.failure is None, self.engine.failure


@contextmanager
def following(home: Path, odd_heights: set[int], height: int) -> Iterator[Following]:
    with mirroring(shown(CHAIN, odd_heights), "sqlite", home / "chain", genesis=CHAIN.genesis) as twin:
        made = Following(twin.engine, None)  # type: ignore[arg-type]  # until it stands somewhere
        made.go_on(height)
        made.link = LinkServer(twin.engine, home, "sqlite")
        try:
            yield made
        finally:
            made.link.close()


@pytest.fixture(autouse=True)
def _one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "BLOCKS_AT_A_TIME", 1)


@PLACES
@LIMITS
def test_a_replica_proves_everything_under_signed_headers(places: list[int], limits: Limits, tmp_path: Path) -> None:
    heights = {BEFORE + place for place in places}
    trust = trust_in(CHAIN)
    proven: list[int] = []

    def look(replica: Replica) -> None:
        found = bundle.verify(encode(replica.prove(BALANCES)), trust)
        proven.append(found.header.height)

    with following(tmp_path, heights, BEFORE) as ledger, replicated(tmp_path, limits=limits) as replica:
        failed: list[BaseException] = []

        def listen() -> None:
            try:
                look(replica)
            except BaseException as error:  # noqa: BLE001 - told to the test
                failed.append(error)

        replica.subscribe(listen)
        ledger.go_on()
        eventually(lambda: replica.head == ledger.engine.head or failed)
        assert not failed
        look(replica)
        assert heights.isdisjoint(proven)
        assert replica.proven.head.app_hash == ledger.engine.proven.head.app_hash == CHAIN.bare.app_hash
        assert [replica.light_block(height) for height in heights] == [
            ledger.engine.light_block(height) for height in heights
        ]


@PLACES
@LIMITS
@pytest.mark.parametrize("after", [-1, 0, 1, 2])
def test_whoever_begins_to_follow_among_them_waits_for_the_signed_one(
    after: int, places: list[int], limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heights = {BEFORE + place for place in places}
    pictures: list[Picture] = []
    began: list[Picture | None] = []

    def first(moment: Moment, newest: bytes) -> Picture | None:
        began.append(first_picture(moment, newest))
        return began[-1]

    monkeypatch.setattr(follower, "first_picture", first)
    with (
        following(tmp_path, heights, min(heights) + after) as ledger,
        closing(follower.Follower(tmp_path, limits=limits, watch=pictures.append)) as follows,
    ):
        eventually(lambda: began)
        ledger.go_on()
        eventually(lambda: follows.connected and follows.head == ledger.engine.head)
    for picture in pictures:
        block = decode_light_block(picture.proven.light_block)
        assert is_signed(CHAIN.bare.chain_id, block)
        assert block.header.app_hash == picture.proven.head.app_hash
        assert picture.proven.head.height <= settled_height(picture)
