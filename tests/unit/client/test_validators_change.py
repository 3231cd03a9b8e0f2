"""A client with an old trust root goes on when validators change, live and from files, and believes nobody else for it."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fujie.client.client import Client
from fujie.client.heads import HeadMemory
from fujie.client.light.detector import DivergenceError
from fujie.client.light.following import FOLDER, TransportProvider, store_in
from fujie.client.light.provider import HeightAbsent
from fujie.client.light.store import LightStore
from fujie.client.verifier import VerifiedReceipt, VerifiedRecord, Verifier, verify_file
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.modules.identity.queries import IdentityQuery
from fujie.proof.bundle import BUNDLE, Bundle, BundleWithPath, encode_bundle
from fujie.proof.light import Expired, verify_path
from fujie.proof.light_attack import check_evidence
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot
from tests.light.chain_node import ChainNode, chain_over, root_over, under
from tests.light.memory_provider import MemoryProvider
from tests.light.signing_again import signed_again
from tests.unit.client.town import ALPHA, open_town

ALONE = {1: 10}
FOUR = {11: 10, 12: 10, 13: 10, 14: 10}
FIVE = FOUR | {15: 10}
OTHERS = {12: 10, 13: 10, 21: 10, 22: 10, 23: 10}
HEIGHTS: Sequence[Mapping[int, int]] = [ALONE] * 60 + [FOUR] * 20 + [FIVE] * 20 + [OTHERS] * 20 + [FIVE] * 10
"""An embedded chain that grew at height 61, a validator voted in at 81, half of them replaced at 101, and again at 121."""
DAY_MS = 86_400_000
PERIOD_MS = 14 * DAY_MS


class World:
    """A chain over one record and one receipt, and clients of a node of it."""

    def __init__(
        self, bundle: Bundle, depth: int, heights: Sequence[Mapping[int, int]] = HEIGHTS, **options: Any
    ) -> None:
        self.bundle = bundle
        self.depth = depth
        self.blocks = chain_over(bundle, heights, **options)
        self.trust = self.root(heights[0])
        self.node = ChainNode(bundle, self.blocks, 20)

    def root(self, powers: Mapping[int, int], period_ms: int = PERIOD_MS) -> TrustRoot:
        return root_over(self.bundle, powers, depth=self.depth, trust_period_ms=period_ms)

    def now_ms(self) -> int:
        return self.node.newest.header.time_ms + 1

    def client(self, trust: TrustRoot | None = None, *, home: Path | None = None, **options: Any) -> Client:
        trust = trust or self.trust
        memory = HeadMemory(None if home is None else home / "heads.json")
        store = None if home is None else store_in(home, trust)
        verifier = Verifier(trust, lambda: self.now_ms(), memory=memory, store=store)
        return Client(self.node, trust, verifier=verifier, clock=lambda: self.now_ms(), catch_up_s=0.0, **options)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("town") / "ledger") as town:
        yield town


@pytest.fixture(scope="module")
def bundles(town):
    """Truthful answers, by name."""
    transport = town.ledger.transport
    alpha, payment = transport.read([encode(IdentityQuery(ALPHA))]), transport.receipt(town.payment.transaction_id)
    return {"alpha": alpha, "payment": payment}


@pytest.fixture
def world(town, bundles):
    return World(BUNDLE.decode(bundles["alpha"]), town.ledger.trust.state_tree_depth)


def name_read(client: Client) -> str:
    record = client.read(IdentityQuery(ALPHA)).record
    assert record is not None
    name: str = record.name
    return name


# --- Going on.


def test_goes_on_across_every_change_with_the_root_of_the_beginning(world):
    client = world.client()
    for height in (20, 60, 61, 62, 80, 81, 95, 100, 101, 115, 121, 130):
        world.node.height = height
        assert name_read(client) == "Alpha the Second", height


@pytest.mark.parametrize("powers", [ALONE, FOUR, FIVE, OTHERS])
def test_goes_on_with_the_root_of_any_time(world, powers):
    """The root that people are handed is that of the day: whoever came before and after, it leads to those of now."""
    for height in (95, 115, 130):
        world.node.height = height
        root = world.root(powers)
        if powers is OTHERS and height < 101:
            with pytest.raises(VerificationError, match="has other validators"):
                name_read(world.client(root))  # they have signed nothing yet
            continue
        client = world.client(root)
        assert name_read(client) == "Alpha the Second"
        saved = client.read(IdentityQuery(ALPHA)).bundle
        assert [each.height for each in verify_file(saved, root)] == [height]


def test_a_root_of_the_middle_goes_on_from_day_to_day(world, tmp_path):
    root = world.root(FOUR)
    for height in (61, 80, 81, 100, 101, 121, 130):
        world.node.height = height
        assert name_read(world.client(root, home=tmp_path)) == "Alpha the Second", height


def test_a_root_of_the_middle_needs_a_node_that_says_where_its_validators_signed(world):
    world.node.height, world.node.tells = 130, False
    with pytest.raises(VerificationError, match="height 1 has other validators than the root"):
        name_read(world.client(world.root(FOUR)))
    assert name_read(world.client()) == "Alpha the Second"


def test_a_node_that_shows_blocks_of_others_for_those_of_the_root_is_not_believed(world):
    world.node.height = 130
    for told in (world.blocks[84], strangers(world, 70)):
        world.node.told_last = told
        with pytest.raises(VerificationError, match="has other validators than the root") as error:
            name_read(world.client(world.root(FOUR)))
        assert error.value.step == "validators"


def test_asks_nothing_while_validators_stay_the_same(world):
    client = world.client()
    for height in (20, 40, 60):
        world.node.height = height
        name_read(client)
    assert world.node.light_blocks_asked == []
    world.node.height = 61
    name_read(client)
    asked = len(world.node.light_blocks_asked)
    assert asked
    for height in (62, 70, 70, 80):
        world.node.height = height
        name_read(client)
    assert len(world.node.light_blocks_asked) == asked


def test_the_next_process_knows_what_this_one_found(world, tmp_path):
    world.node.height = 70
    name_read(world.client(home=tmp_path))
    asked = len(world.node.light_blocks_asked)
    world.node.height = 75
    assert name_read(world.client(home=tmp_path)) == "Alpha the Second"
    assert len(world.node.light_blocks_asked) == asked
    assert [each.parent for each in tmp_path.glob(f"{FOLDER}/*/*.light")]


def test_writes_nothing_while_the_pinned_validators_sign(world, tmp_path):
    name_read(world.client(home=tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["heads.json"]


def test_a_folder_that_cannot_be_written_takes_nothing_from_an_answer(world, tmp_path):
    missing = tmp_path / "none"
    assert store_in(missing, world.trust).folder is None


def test_a_damaged_file_is_named_and_not_believed(world, tmp_path):
    world.node.height = 70
    name_read(world.client(home=tmp_path))
    newest = max(tmp_path.glob(f"{FOLDER}/*/*.light"))
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(OperationalError, match="damaged"):
        name_read(world.client(home=tmp_path))


def test_many_who_meet_one_change_ask_once(world):
    client = world.client()
    name_read(client)
    world.node.height = 70
    alone = world.client()
    name_read(alone)
    asked, world.node.light_blocks_asked = len(world.node.light_blocks_asked), []
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(name_read(client))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["Alpha the Second"] * 12
    assert len(world.node.light_blocks_asked) == asked


def test_receipts_go_on_as_records_do(town, bundles):
    receipts = World(BUNDLE.decode(bundles["payment"]), town.ledger.trust.state_tree_depth)
    client = receipts.client()
    for height in (50, 70, 130):
        receipts.node.height = height
        found = client.receipt(town.payment.transaction_id)
        assert found is not None
        [again] = verify_file(found.bundle, receipts.trust)
        assert isinstance(again, VerifiedReceipt)
        assert again.transaction_id == town.payment.transaction_id


# --- Files.


@pytest.mark.parametrize("height", [20, 60, 61, 62, 80, 81, 100, 101, 120, 121, 130])
def test_what_a_client_saves_verifies_with_the_old_root_alone(world, height):
    world.node.height = height
    saved = world.client().read(IdentityQuery(ALPHA)).bundle
    [record] = verify_file(saved, world.trust)
    assert isinstance(record, VerifiedRecord)
    assert record.record is not None
    assert record.record.name == "Alpha the Second"
    assert record.height == height
    assert record.within_period
    assert bool(record.validators_path) == (height > 60) == isinstance(BUNDLE.decode(saved), BundleWithPath)
    assert len(record.validators_path) <= 8


def test_a_saved_path_is_no_longer_than_it_must_be(world):
    client, saved = world.client(), b""
    for height in range(20, 131):
        world.node.height = height
        saved = client.read(IdentityQuery(ALPHA)).bundle
    [record] = verify_file(saved, world.trust)
    # The last of the one, the first of the four; then one third at least of those before signs each later set.
    assert [header.height for header in record.validators_path][:2] == [60, 61]
    assert len(record.validators_path) <= 5


def test_a_root_that_was_pinned_later_needs_no_path(world):
    world.node.height = 130
    saved = world.client(world.root(FIVE)).read(IdentityQuery(ALPHA)).bundle
    assert not isinstance(BUNDLE.decode(saved), BundleWithPath)
    assert [each.validators_path for each in verify_file(saved, world.root(FIVE))] == [()]


def test_a_file_says_where_signers_could_no_longer_be_held_to_account(town, bundles):
    bundle, depth = BUNDLE.decode(bundles["alpha"]), town.ledger.trust.state_tree_depth
    slow = World(bundle, depth, [FOUR] * 3 + [FIVE] * 3 + [OTHERS] * 3, interval_ms=10 * DAY_MS)
    path = [encode_light_block(slow.blocks[place]) for place in (2, 3)]
    near = with_path(under(bundle, slow.blocks[4]), path)
    assert [each.within_period for each in verify_file(near, slow.trust)] == [True]
    # Two of the four sign the last block as well, 40 days after the third.
    far = with_path(under(bundle, slow.blocks[8]), [encode_light_block(slow.blocks[2])])
    assert [each.within_period for each in verify_file(far, slow.trust)] == [False]
    short = slow.root(FOUR, period_ms=41 * 10 * DAY_MS)
    assert [each.within_period for each in verify_file(far, short)] == [True]


def test_the_path_of_a_server_is_replaced_by_that_of_the_client(world):
    """An answer may come with a path; a client believes what it has followed itself, and saves that."""
    world.node.height = 70
    told = BUNDLE.decode(with_path(under(world.bundle, world.blocks[69]), [b"\xff"]))
    assert isinstance(told, BundleWithPath)
    with pytest.raises(VerificationError, match="decode"):
        world.client().verifier.check_record(IdentityQuery(ALPHA), encode_bundle(told))
    other = with_path(under(world.bundle, world.blocks[69]), [encode_light_block(world.blocks[0])])
    world.node.told = other
    saved = world.client().read(IdentityQuery(ALPHA)).bundle
    assert saved != other
    assert [each.height for each in verify_file(saved, world.trust)] == [70]


# --- Whom it does not follow.


def strangers(world: World, height: int, powers: Mapping[int, int] = OTHERS) -> LightBlock:
    """A block at a height that others made up: their own chain from the first block on."""
    return chain_over(world.bundle, [powers] * height)[-1]


def test_strangers_are_not_believed_for_their_own_word(world):
    client = world.client()
    name_read(client)
    world.node.height = 30
    world.node.blocks[30] = strangers(world, 30)
    with pytest.raises(VerificationError) as error:
        name_read(client)
    assert error.value.step in ("light-announced", "light-trust", "validators")


def test_a_node_that_keeps_its_blocks_back_is_not_believed(world):
    client = world.client()
    name_read(client)
    world.node.height, world.node.silent = 70, True
    with pytest.raises(VerificationError, match="keeps its blocks back") as error:
        name_read(client)
    assert error.value.step == "validators"
    world.node.silent = False
    assert name_read(client) == "Alpha the Second"


def test_the_pinned_key_deceives_nobody_who_has_seen_it_replaced(world, tmp_path):
    """Whoever gets hold of a key that was replaced signs a branch of his own, higher and newer than the chain."""
    world.node.height = 70
    name_read(world.client(home=tmp_path))
    forged = chain_over(world.bundle, [ALONE] * 90)[-1]
    world.node.blocks[90], world.node.height = forged, 90
    for client in (world.client(home=tmp_path), world.client(home=tmp_path)):
        with pytest.raises(VerificationError) as error:
            name_read(client)
        assert error.value.step in ("light-trust", "validators", "light-announced")
    # Also below what it has seen, with the time of now.
    late = signed_again(world.blocks[54], (1,), time_ns=world.blocks[75].header.time_ns)
    with pytest.raises(VerificationError) as error:
        world.client(home=tmp_path).verifier.check_record(IdentityQuery(ALPHA), under(world.bundle, late))
    assert error.value.step in ("light-order", "stale-head")


def test_an_answer_under_another_header_than_its_node_shows_is_not_believed(world):
    client = world.client()
    name_read(client)
    world.node.height = 70
    other = under(world.bundle, signed_again(world.blocks[69], tuple(FOUR), data_hash=bytes(32)))
    world.node.told = other
    with pytest.raises(VerificationError) as error:
        name_read(client)
    assert error.value.step == "light-conflict"


def test_too_long_ago_says_to_pin_a_newer_root(town, bundles):
    old = World(
        BUNDLE.decode(bundles["alpha"]),
        town.ledger.trust.state_tree_depth,
        [FOUR] * 30 + [FIVE] * 40,
        interval_ms=DAY_MS,
    )
    old.node.height = 50  # 20 days after the change
    with pytest.raises(Expired, match="present trust root"):
        name_read(old.client())


def test_a_client_that_asks_now_and_then_never_expires(town, bundles, tmp_path):
    slow = World(
        BUNDLE.decode(bundles["alpha"]),
        town.ledger.trust.state_tree_depth,
        [FOUR] * 30 + [FIVE] * 60,
        interval_ms=DAY_MS,
    )
    for height in (20, 31, 40, 52, 64, 76, 88):
        slow.node.height = height
        assert name_read(slow.client(home=tmp_path)) == "Alpha the Second", height
    saved = slow.client(home=tmp_path).read(IdentityQuery(ALPHA)).bundle
    assert [each.within_period for each in verify_file(saved, slow.trust)] == [True]
    with pytest.raises(Expired, match="present trust root"):
        name_read(slow.client())  # another, who has not asked for 58 days


def test_a_lie_before_the_change_does_not_end_the_way_to_it(town, bundles, tmp_path):
    """What a lie left in the folder is of the pinned validators: they vouch for themselves later as well."""
    slow = World(
        BUNDLE.decode(bundles["alpha"]),
        town.ledger.trust.state_tree_depth,
        [FOUR] * 60 + [FIVE] * 9,
        interval_ms=DAY_MS,
    )
    honest, slow.node.height = slow.blocks[19], 20
    slow.node.told = under(slow.bundle, strangers(slow, 20))
    with pytest.raises(VerificationError):
        name_read(slow.client(home=tmp_path))
    assert honest.header.height in store_in(tmp_path, slow.trust).heights()
    slow.node.told = None
    slow.node.height = 65
    assert name_read(slow.client(home=tmp_path)) == "Alpha the Second"


def test_two_chains_signed_by_new_validators_leave_evidence_that_the_old_root_checks(world, tmp_path):
    witness = [
        signed_again(block, data_hash=bytes(32)) if block.header.height >= 65 else block for block in world.blocks
    ]
    client = world.client(home=tmp_path, witnesses=[MemoryProvider("witness", witness[:75])])
    name_read(client)
    world.node.height = 70
    with pytest.raises(DivergenceError) as error:
        name_read(client)
    assert error.value.path is not None
    ours, theirs = check_evidence(error.value.path.read_bytes(), world.trust).headers
    assert ours.height == theirs.height >= 65


def test_a_witness_that_agrees_or_is_behind_changes_nothing(world):
    providers = [MemoryProvider("same", world.blocks), MemoryProvider("behind", world.blocks[:62])]
    world.node.height = 70
    assert name_read(world.client(witnesses=providers)) == "Alpha the Second"
    assert providers[0].asked


def test_the_ledger_in_this_process_shows_its_blocks_as_a_node_does(town):
    provider = TransportProvider(town.ledger.transport)
    newest = provider.light_block(None)
    assert provider.last_of(newest.header.validators_hash) == newest
    assert provider.last_of(bytes(32)) is None
    assert provider.light_block(newest.header.height).header == newest.header
    assert provider.light_block(1).header.height == 1
    with pytest.raises(HeightAbsent, match="in this process"):
        provider.light_block(newest.header.height + 1_000_000)


# --- The store.


def test_a_full_store_keeps_the_first_and_the_last_of_all_validators(world, tmp_path):
    store = LightStore(tmp_path / "kept", kept=9)
    store.begin(world.trust, world.blocks[59])
    for height in range(61, 131):
        store.save(world.blocks[height - 1])
    again = LightStore(tmp_path / "kept", kept=9)
    assert again.heights() == [60, 61, 80, 81, 100, 101, 120, 121, 130]
    verify_path([world.blocks[height - 1] for height in again.heights()])


def with_path(data: bytes, path: Sequence[bytes]) -> bytes:
    """The bundle ``data`` in its second form, with any bytes as its path."""
    bundle = BUNDLE.decode(data)
    return encode_bundle(
        BundleWithPath(
            bundle.chain_id,
            bundle.light_block,
            bundle.state_root,
            bundle.log_root,
            bundle.log_size,
            bundle.items,
            tuple(path),
        )
    )
