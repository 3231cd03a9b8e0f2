"""What a node that begins from a snapshot does not take, and from whom it takes it then."""

import io
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.hashing import TAG_SNAPSHOT, digest
from fujie.engine.cometbft import abci, snapshot_contents, snapshots, state_sync
from fujie.engine.cometbft.light_rpc import Turns
from fujie.engine.cometbft.snapshot_contents import chunk_digest, decode_contents, offered
from fujie.engine.cometbft.state_sync import Progress, Restoration
from fujie.engine.executor import Executor
from fujie.node import state_sync as node_state_sync
from fujie.node.folder import Folder
from fujie.node.founding import found_from
from fujie.node.state_sync import Installing
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import ValidatorSet, encode_validator_set
from fujie.store import snapshot as store_snapshot
from fujie.store.base import Store
from fujie.store.opening import open_store
from fujie.store.snapshot import End, Rows
from tests.abci.driver import ANSWER_S, Driver
from tests.abci.late import headers
from tests.lying_rows import CUT, STEPS, lie_of
from tests.world import funded

CHUNK = 3_000
Offer = abci.ResponseOfferSnapshot
Apply = abci.ResponseApplySnapshotChunk
Usage = namedtuple("Usage", "free")


class Late:
    """A restoration on a founded folder, the headers that it believes, and what an honest peer offers."""

    def __init__(self, place: Path) -> None:
        driver = Driver(10, "sqlite", place / "first", snapshots=place / "snapshots")
        driver.run(6, 0.0)
        application = driver.replica.application
        self.headers = headers(driver.decided, driver.results)
        self.snapshot = application.list_snapshots(abci.RequestListSnapshots()).snapshots[0]
        self.contents = decode_contents(self.snapshot.metadata)
        self.chunks = []
        for number in range(self.contents.count):
            asked = abci.RequestLoadSnapshotChunk(height=self.contents.height, format=1, chunk=number)
            self.chunks.append(application.load_snapshot_chunk(asked).result(ANSWER_S).chunk)  # type: ignore[union-attr]
        driver.close()
        self.folder = Folder(place / "late")
        found_from(self.folder, "sqlite", "plain", funded())
        self.installing = Installing(self.folder, "sqlite")
        self.told: list[Progress] = []
        self.turns = Turns()
        self.turns.learn(self.contents.turns())
        self.restoration = Restoration(
            self.contents.chain_id,
            self.folder.state_sync,
            believed=self.believed,
            turns=self.turns,
            install=self.installing.install,
            progress=self.told.append,
        )

    def believed(self, height: int) -> LightBlock:
        found = self.headers.get(height)
        if found is None:
            raise OperationalError("no node answers", "ask others")
        return found

    def offer(self, snapshot: abci.Snapshot, app_hash: bytes | None = None) -> Any:
        wanted = self.contents.app_hash if app_hash is None else app_hash
        request = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=wanted)
        return self.restoration.offer_snapshot(request).result(ANSWER_S).result

    def apply(self, number: int, chunk: bytes, sender: str = "peer") -> abci.ResponseApplySnapshotChunk:
        request = abci.RequestApplySnapshotChunk(index=number, chunk=chunk, sender=sender)
        return self.restoration.apply_snapshot_chunk(request).result(ANSWER_S)

    def apply_all(self, chunks: list[bytes], senders: tuple[str, ...] = ("peer",)) -> abci.ResponseApplySnapshotChunk:
        answers = [self.apply(number, chunk, senders[number % len(senders)]) for number, chunk in enumerate(chunks)]
        assert {answer.result for answer in answers[:-1]} <= {Apply.ACCEPT}
        return answers[-1]

    def height(self) -> int:
        """The height of the chain in the folder, which opens."""
        self.installing.close()
        store = open_store("sqlite", self.folder.chain)
        try:
            return Executor(store).head.height
        finally:
            store.close()

    def lying(self, rows: bytes) -> tuple[abci.Snapshot, list[bytes]]:
        """An offer of other rows under the same roots, and its chunks."""
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        contents = replace(self.contents, size=len(rows), chunks=b"".join(map(chunk_digest, chunks)))
        return offered(contents), chunks


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (snapshot_contents, snapshots, state_sync):
        monkeypatch.setattr(module, "CHUNK_BYTES", CHUNK)


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Late]:
    made = Late(tmp_path)
    yield made
    made.restoration.close()
    made.installing.close()


def remade(late: Late, **changes: Any) -> abci.Snapshot:
    return offered(replace(late.contents, **changes))


def test_takes_what_is_honest_and_says_how_far_it_is(late: Late) -> None:
    assert late.offer(late.snapshot) == Offer.ACCEPT
    assert late.apply_all(late.chunks).result == Apply.ACCEPT
    height, count = late.contents.height, late.contents.count
    assert late.told == [Progress(height, done, count) for done in range(count + 1)]
    assert late.height() == height
    assert not late.folder.fetched.exists()


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("format", Offer.REJECT_FORMAT),
        ("malformed", Offer.REJECT_SENDER),
        ("hash", Offer.REJECT_SENDER),
        ("other chain", Offer.REJECT_SENDER),
        ("other roots", Offer.REJECT_SENDER),
        ("other validators", Offer.REJECT_SENDER),
        ("no headers", Offer.REJECT),
        ("evidence", Offer.REJECT),
        ("disk", Offer.REJECT),
    ],
)
def test_refuses_an_offer(late: Late, what: str, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, height = abci.Snapshot(), late.contents.height
    snapshot.CopyFrom(late.snapshot)
    if what == "format":
        snapshot.format = 2
    elif what == "malformed":
        snapshot.metadata = b"\xc1"
    elif what == "hash":
        snapshot.hash = bytes(32)
    elif what == "other chain":
        snapshot = remade(late, chain_id="other-" + "0" * 32)
    elif what == "other roots":
        snapshot = remade(late, log_size=late.contents.log_size + 1)
    elif what == "other validators":
        [member] = late.contents.turns()[height + 1].validators
        other = ValidatorSet.of([replace(member, voting_power=99)])
        snapshot = remade(late, later_validators=encode_validator_set(other))
    elif what == "no headers":
        late.headers = {}
    elif what == "evidence":
        block = late.headers[height]
        late.headers[height] = replace(block, header=replace(block.header, evidence_hash=bytes(32)))
    else:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(late.contents.size))
    assert late.offer(snapshot) == wanted
    answer = late.apply(0, late.chunks[0])
    assert answer.result == Apply.ABORT, "nothing is taken of what was refused"
    assert late.height() == 0


def test_stops_where_the_two_light_clients_believe_different_headers(late: Late) -> None:
    block = late.headers[late.contents.height + 1]
    late.headers[late.contents.height + 1] = replace(block, header=replace(block.header, app_hash=bytes(32)))
    with pytest.raises(OperationalError, match="believe different headers"):
        late.offer(late.snapshot)


def other_turns(late: Late) -> abci.Snapshot:
    [member] = late.contents.turns()[late.contents.height + 1].validators
    other = replace(member, proposer_priority=-7)
    return remade(late, next_validators=encode_validator_set(ValidatorSet.of([other])))


def test_starts_cometbft_again_where_its_light_client_was_told_of_no_turns(late: Late) -> None:
    late.turns.forget()
    snapshot = other_turns(late)
    request = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=late.contents.app_hash)
    unanswered = late.restoration.offer_snapshot(request)
    assert late.restoration.restart.wait(ANSWER_S)
    assert not unanswered.done()
    assert late.offer(snapshot) == Offer.ACCEPT


def test_starts_cometbft_once_for_a_height_whatever_peers_tell_of_turns(late: Late) -> None:
    assert late.offer(other_turns(late)) == Offer.REJECT
    assert not late.restoration.restart.is_set()
    assert late.offer(late.snapshot) == Offer.ACCEPT


def test_a_fresh_attempt_forgets_who_told_of_other_turns_first(late: Late) -> None:
    late.turns.forget()
    late.turns.learn(decode_contents(other_turns(late).metadata).turns())
    assert late.offer(late.snapshot) == Offer.REJECT
    late.turns.forget()
    request = abci.RequestOfferSnapshot(snapshot=late.snapshot, app_hash=late.contents.app_hash)
    late.restoration.offer_snapshot(request)
    assert late.restoration.restart.wait(ANSWER_S)
    assert late.offer(late.snapshot) == Offer.ACCEPT


def test_stops_where_the_nodes_that_are_asked_for_headers_lie(late: Late, monkeypatch: pytest.MonkeyPatch) -> None:
    def lying(_: int) -> LightBlock:
        raise VerificationError("light-divergence", "two chains were signed")

    monkeypatch.setattr(late.restoration, "_believed", lying)
    with pytest.raises(VerificationError, match="two chains"):
        late.offer(late.snapshot)


@pytest.mark.parametrize("lie", [b"", b"\0", "cut off", "changed", "longer"])
def test_refuses_a_chunk_and_its_sender_and_takes_it_of_another(late: Late, lie: bytes | str) -> None:
    assert late.offer(late.snapshot) == Offer.ACCEPT
    good = late.chunks[0]
    changes = {"cut off": good[:-1], "changed": bytes([good[0] ^ 1]) + good[1:], "longer": good + b"\0"}
    bad = lie if isinstance(lie, bytes) else changes[lie]
    answer = late.apply(0, bad, "liar")
    assert (answer.result, list(answer.refetch_chunks), list(answer.reject_senders)) == (Apply.RETRY, [0], ["liar"])
    assert late.apply_all(late.chunks).result == Apply.ACCEPT
    assert late.height() == late.contents.height


def test_refuses_a_chunk_that_there_is_not(late: Late) -> None:
    assert late.offer(late.snapshot) == Offer.ACCEPT
    assert late.apply(late.contents.count, b"").result == Apply.RETRY


@pytest.mark.parametrize("lie", ["changed", "cut off", "longer", "another chain"])
def test_refuses_rows_that_do_not_add_up_and_all_who_sent_them(late: Late, lie: str) -> None:
    rows = b"".join(late.chunks)
    spoiled = {
        "changed": _changed(rows),
        "cut off": rows[: -len(rows) // 3],
        "longer": rows + b"\0",
        "another chain": rows.replace(late.contents.chain_id.encode()[:5], b"other"),
    }[lie]
    snapshot, chunks = late.lying(spoiled)
    assert late.offer(snapshot) == Offer.ACCEPT, "nothing tells yet"
    _refused(late, chunks)


@pytest.mark.parametrize("lie", STEPS)
def test_refuses_rows_that_hash_to_the_roots_and_are_not_those_of_the_chain(late: Late, lie: str) -> None:
    rows = io.BytesIO(b"".join(late.chunks))
    honest: list[Rows] = []
    while isinstance(frame := store_snapshot._next_frame(rows), Rows):
        honest.append(frame)
    lying = list(lie_of(lie, honest))
    if lie == CUT:
        late.contents = replace(late.contents, first_index=late.contents.log_size - 1)
    end = End(sum(len(frame.rows) for frame in lying))
    snapshot, chunks = late.lying(b"".join(store_snapshot._frame(encode(frame)) for frame in (*lying, end)))
    assert late.offer(snapshot) == Offer.ACCEPT, "nothing tells yet"
    _refused(late, chunks)


def _refused(late: Late, chunks: list[bytes]) -> None:
    answer = late.apply_all(chunks, ("one", "two"))
    assert (answer.result, list(answer.reject_senders)) == (Apply.REJECT_SNAPSHOT, ["one", "two"])
    assert not late.folder.fetched.exists()
    assert late.restoration.info(abci.RequestInfo()).last_block_height == 0
    assert late.offer(late.snapshot) == Offer.ACCEPT, "and then begins from what another has"
    assert late.apply_all(late.chunks).result == Apply.ACCEPT
    assert late.height() == late.contents.height


def test_puts_nothing_in_place_that_the_next_start_does_not_open(late: Late, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_store: Store) -> None:
        raise OperationalError("It does not open.", "Look why.")

    assert late.offer(late.snapshot) == Offer.ACCEPT
    monkeypatch.setattr(node_state_sync, "Executor", failing)
    with pytest.raises(OperationalError, match="does not open"):
        late.apply_all(late.chunks)
    assert not late.folder.fetched.exists()
    assert late.height() == 0


def test_refuses_receipts_of_the_newest_block_that_its_header_does_not_commit_to(late: Late) -> None:
    block = late.headers[late.contents.height + 1]
    late.headers[late.contents.height + 1] = replace(block, header=replace(block.header, last_results_hash=bytes(32)))
    assert late.offer(late.snapshot) == Offer.ACCEPT
    assert late.apply_all(late.chunks).result == Apply.REJECT_SNAPSHOT
    assert late.height() == 0


def test_has_nothing_to_offer_and_takes_no_transactions_meanwhile(late: Late) -> None:
    restoration = late.restoration
    assert not restoration.list_snapshots(abci.RequestListSnapshots()).snapshots
    assert not restoration.load_snapshot_chunk(abci.RequestLoadSnapshotChunk(height=1)).chunk
    assert all(answer.code for answer in restoration.check_tx([abci.RequestCheckTx(tx=b"any")] * 2))
    assert restoration.query(abci.RequestQuery()).code
    with pytest.raises(OperationalError, match="begins with block 1"):
        restoration.init_chain(abci.RequestInitChain())
    with pytest.raises(OperationalError, match="no state is here"):
        restoration.finalize_block(abci.RequestFinalizeBlock(height=1))
    assert not restoration.done.is_set()


def test_votes_for_nothing_and_leaves_the_first_block_to_the_ledger(late: Late) -> None:
    assert late.offer(late.snapshot) == Offer.ACCEPT
    late.apply_all(late.chunks)
    restoration = late.restoration
    assert not restoration.prepare_proposal(abci.RequestPrepareProposal(txs=[b"any"])).txs
    judged = restoration.process_proposal(abci.RequestProcessProposal())
    assert judged.status == abci.ResponseProcessProposal.REJECT
    with pytest.raises(OperationalError, match="not carried out"):
        restoration.commit(abci.RequestCommit())
    assert not restoration.done.is_set(), "CometBFT has no block yet, and without any it does not start again"
    assert not restoration.finalize_block(abci.RequestFinalizeBlock(height=1)).done()
    assert restoration.done.is_set()


def _changed(rows: bytes) -> bytes:
    """Return rows with one byte of a record changed, in a frame whose digest fits again."""
    length = int.from_bytes(rows[:4], "big")
    second = 36 + length
    size = int.from_bytes(rows[second : second + 4], "big")
    payload = bytearray(rows[second + 36 : second + 36 + size])
    payload[-1] ^= 1
    frame = size.to_bytes(4, "big") + digest(TAG_SNAPSHOT, bytes(payload)) + payload
    return rows[:second] + frame + rows[second + 36 + size :]
