"""What a node keeps for nodes that come late: two, whole, the same bytes at every node."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, OperationalError, VerificationError
from fujie.core.misbehaviour import Misbehaviour
from fujie.engine.cometbft import abci, snapshot_contents, snapshots
from fujie.engine.cometbft.consensus import Block, Consensus
from fujie.engine.cometbft.rpc import Unanswered
from fujie.engine.cometbft.snapshot_contents import Contents, decode_contents, offered, read_offer
from fujie.engine.cometbft.snapshots import Plan, Snapshots
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor, found
from fujie.store.opening import StoreKind
from fujie.store.snapshot import row_frames
from tests import world
from tests.abci.replica import MEMBERS
from tests.world import Signing, funded, holder, pay

CHUNK = 5_000
MINUTE_MS = 60_000


class Chain:
    """A chain that takes snapshots, each of them before the next block."""

    def __init__(self, place: Path, kind: StoreKind = "sqlite", every_ms: int = MINUTE_MS) -> None:
        place.mkdir(exist_ok=True)
        self.store = world.open_kind(kind, place)
        found(self.store, funded())
        self.executor = Executor(self.store)
        self.folder = place / "snapshots"
        self.plan = Plan(self.folder, every_ms)
        self.unanswered = False
        self.snapshots = Snapshots(self.plan, self.executor, self._members)
        self._signing = Signing(self.executor.chain_id)
        self._verification = Verification(use_worker=False)
        self._consensus = Consensus(self.executor, self._verification)

    def _members(self, height: int) -> Any:
        if self.unanswered:
            raise Unanswered("validators", "not yet")
        return MEMBERS

    def block(self, after_ms: int = MINUTE_MS, misbehaviour: tuple[Misbehaviour, ...] = ()) -> int:
        """Carry out a block with one payment, take a snapshot if it is due, and return its height."""
        height, time_ms = self.executor.head.height + 1, self.executor.head.time_ms + after_ms
        raw = self._signing.sign(pay(0, 1), holder(0), expires_at_ms=time_ms + MINUTE_MS)
        self._consensus.commit(self._consensus.carry_out(Block(height, time_ms, (raw,), misbehaviour)))
        self.snapshots.after(not misbehaviour)
        if self.snapshots._taking is not None and not self.unanswered:
            self.snapshots._taking.result(60)
        return height

    def start_again(self) -> list[int]:
        self.snapshots.close()
        self.snapshots = Snapshots(self.plan, self.executor, self._members)
        return self.heights()

    def heights(self) -> list[int]:
        return [contents.height for contents in self.snapshots.listed()]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def close(self) -> None:
        self.snapshots.close()
        self._verification.close()
        self.store.close()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    for module in (snapshot_contents, snapshots):
        monkeypatch.setattr(module, "CHUNK_BYTES", CHUNK)


@pytest.fixture
def chain(tmp_path):
    made = Chain(tmp_path / "chain")
    yield made
    made.close()


def test_offers_the_newest_two_whose_next_blocks_are_there(chain):
    assert chain.heights() == []
    for _ in range(6):
        chain.block()
    assert chain.heights() == [4, 3]
    assert {name[:16] for name in chain.files()} == {f"{height:016}" for height in (3, 4, 5, 6)}
    assert chain.start_again() == [4, 3]


def test_takes_one_at_the_first_block_of_each_period(chain):
    for _ in range(12):
        chain.block(MINUTE_MS // 3)
    heights = sorted(int(name[:16]) for name in chain.files() if name.endswith("contents"))
    assert len(heights) >= 2
    assert all(later - earlier == 3 for earlier, later in pairwise(heights))


def test_takes_none_where_none_are_wanted(tmp_path):
    chain = Chain(tmp_path / "chain", every_ms=0)
    chain.block()
    assert not chain.folder.exists()
    chain.close()


def test_removes_what_there_is_where_none_are_wanted_any_more(chain):
    for _ in range(3):
        chain.block()
    assert chain.heights() == [1]
    chain.plan = Plan(chain.folder, 0)
    assert chain.start_again() == []
    assert chain.files() == []


def test_takes_none_of_a_block_with_misbehaviour_but_of_the_next(chain):
    chain.block()
    act = world.misbehaviour(1, world.VALIDATOR.public_key)
    chain.block(misbehaviour=(act,))
    for _ in range(3):
        chain.block(1)
    assert chain.heights() == [3, 1]


def test_every_node_and_both_kinds_of_store_have_the_same_bytes(chain, tmp_path):
    other = Chain(tmp_path / "other", "rocks")
    for each in (chain, other):
        for _ in range(3):
            each.block()
    [one], [two] = chain.snapshots.listed(), other.snapshots.listed()
    assert one == two
    assert one.count > 1
    read = [[each.snapshots.chunk(one.height, number) for number in range(one.count)] for each in (chain, other)]
    assert read[0] == read[1]
    assert all(one.is_chunk(number, chunk) for number, chunk in enumerate(read[0]))
    assert len(b"".join(read[0])) == one.size
    other.close()


def test_is_of_its_moment_whatever_is_committed_while_it_is_written(chain):
    chain.block()
    size = chain.executor.head.log_size
    moment = chain.store.moment()
    whole = b"".join(row_frames(moment, size, 0))
    frames = row_frames(moment, size, 0)
    read = [next(frames)]
    for _ in range(3):
        chain.block()
    assert b"".join([*read, *frames]) == whole
    moment.close()


def test_has_no_chunk_of_what_it_does_not_have(chain):
    for _ in range(3):
        chain.block()
    [contents] = chain.snapshots.listed()
    assert chain.snapshots.chunk(contents.height + 1_000, 0) == b""
    assert chain.snapshots.chunk(contents.height, contents.count) == b""
    assert chain.snapshots.chunk(contents.height, 0) != b""


@pytest.mark.parametrize("change", ["cut off", "changed", "removed"])
def test_a_snapshot_that_the_disk_has_changed_is_removed_when_it_is_read(chain, change):
    for _ in range(3):
        chain.block()
    path = chain.folder / f"{1:016}.rows"
    data = path.read_bytes()
    if change == "removed":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if change == "cut off" else bytes([data[0] ^ 1]) + data[1:])
    last = chain.snapshots.listed()[0].count - 1
    assert chain.snapshots.chunk(1, last if change == "cut off" else 0) == b""
    assert chain.heights() == []
    assert not [name for name in chain.files() if name.startswith(f"{1:016}")]


@pytest.mark.parametrize("change", ["rows alone", "contents alone", "contents changed", "rows cut off"])
def test_what_a_crash_has_left_is_removed_at_the_start(chain, change):
    for _ in range(3):
        chain.block()
    rows, contents = (chain.folder / f"{1:016}.{part}" for part in ("rows", "contents"))
    if change == "rows alone":
        contents.unlink()
    elif change == "contents alone":
        rows.unlink()
    elif change == "contents changed":
        contents.write_bytes(contents.read_bytes()[:-1] + b"\0")
    else:
        rows.write_bytes(rows.read_bytes()[:-1])
    assert chain.start_again() == []
    assert not rows.exists()
    assert not contents.exists()


def test_is_not_offered_before_it_is_known_who_proposes_next_and_left_off_at_the_end(chain):
    chain.unanswered = True
    for _ in range(4):
        chain.block()
    assert chain.heights() == []
    chain.snapshots.close()
    assert chain.files() == [], "what was begun is removed"


def test_one_that_cannot_be_written_costs_the_ledger_nothing(chain, monkeypatch):
    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(snapshots, "_write_rows", full)
    for _ in range(3):
        chain.block()
    assert chain.executor.head.height == 3
    assert chain.heights() == []


def test_a_moment_that_is_not_to_be_had_costs_the_ledger_nothing(chain, monkeypatch):
    def none():
        raise OperationalError("too many files are open", "close some")

    monkeypatch.setattr(chain.store, "moment", none)
    for _ in range(3):
        chain.block()
    assert chain.executor.head.height == 3
    assert chain.heights() == []


# -- what is offered


@pytest.fixture
def contents(chain) -> Contents:
    for _ in range(3):
        chain.block()
    found: Contents = chain.snapshots.listed()[0]
    return found


def test_what_is_offered_reads_back(contents):
    assert read_offer(offered(contents)) == contents
    assert decode_contents(encode(contents)) == contents


@pytest.mark.parametrize("field", ["height", "chunks", "hash"])
def test_refuses_an_offer_that_is_not_of_its_contents(contents, field):
    snapshot = offered(contents)
    setattr(snapshot, field, bytes(32) if field == "hash" else getattr(snapshot, field) + 1)
    with pytest.raises(VerificationError) as caught:
        read_offer(snapshot)
    assert caught.value.step == "snapshot-offer"


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_refuses_contents_that_do_not_read(contents, cut):
    data = encode(contents)
    with pytest.raises(DecodeError):
        read_offer(abci.Snapshot(metadata=data[: cut or None] + (b"" if cut else b"\0")))


def test_refuses_contents_with_too_few_or_no_chunks(contents):
    for wrong in (replace(contents, chunks=contents.chunks[:-32]), replace(contents, chunks=b"", size=0)):
        with pytest.raises(DecodeError, match="as many chunks"):
            decode_contents(encode(wrong))
