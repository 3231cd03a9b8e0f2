"""The mirror: equal to what it mirrors, through restarts and absences; and every lie of a source has its name."""

import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.hashing import ZERO_DIGEST
from fujie.core.signing import Signer, new_seed
from fujie.engine import intake
from fujie.engine.base import Outcome
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.mirror import Closing
from fujie.engine.mirror_blocks import STEPS, Deviation, SourceTrouble
from fujie.modules.currency import state_keys as currency_keys
from fujie.proof.evidence import ResultFile, SignedResult, SignedTwice, encode_evidence, verify_evidence
from fujie.proof.light_block import decode_light_block, encode_light_block
from fujie.store.layout import META_PROMISED, Table
from fujie.store.opening import STORE_NAMES
from tests.engine.forked_blocks import Item, later, signed_anew
from tests.engine.mirroring import EngineSource, Items, Lie, Mirror, mirroring, rows
from tests.light.tampering import changed
from tests.world import (
    INSTRUMENT,
    KINDS,
    ON_DISK,
    ROOT,
    VALIDATOR,
    Kind,
    Signing,
    allocate,
    composed,
    load_block,
    running,
    trust_of,
    wallet_id,
)


@pytest.fixture
def engine():
    with running("memory", Path()) as engine:
        yield engine


@pytest.fixture
def source(engine):
    return EngineSource(engine)


def live(engine: EmbeddedEngine, blocks: int, first: int = 1, first_nonce: int = 1_000) -> list[Outcome]:
    """Carry out payments and allocations, some of them refused, a block at a time."""
    signing = Signing(engine.chain_id, first_nonce)
    outcomes = []
    for number in range(first, first + blocks):
        raws = [signing.pay(n % 4, (n + 1) % 4, n + 1) for n in range(number % 5 + 1)]
        raws += [signing.sign(allocate(str(1_000 + number)), ROOT), signing.pay(0, 1, 10**12)]
        outcomes += engine.submit(raws).result(300)
    engine.wait_proven(outcomes[-1].log_index or 0, 30)
    settle(engine)
    return outcomes


def blocks_in_a_row(engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make blocks with transactions directly after one another; return their heights."""
    monkeypatch.setattr(intake, "BLOCK_TRANSACTIONS_MAX", 2)
    signing = Signing(engine.chain_id)
    engine.submit([signing.pay(0, 1, number + 1) for number in range(7)]).result(300)
    settle(engine)
    heights = full_blocks(engine)
    assert len(heights) >= 3
    return heights


def full_blocks(engine: EmbeddedEngine) -> list[int]:
    """The heights of the blocks with transactions."""
    return [
        height for height in range(1, engine.head.height + 1) if load_block(engine.executor, height).stored.transactions
    ]


def settle(engine: EmbeddedEngine) -> None:
    """Wait for the empty block that proves the last one with transactions."""
    engine.wait_proven(engine.head.log_size - 1, 30)
    assert engine.proven.head.log_size == engine.head.log_size


def assert_equal(twin: Mirror, engine: EmbeddedEngine) -> None:
    """Rows, head and proofs are the same, bit for bit."""
    assert twin.engine.head == engine.head
    assert twin.engine.proven.light_block == engine.proven.light_block
    assert twin.engine.proven.head.app_hash == engine.proven.head.app_hash
    assert rows(twin.engine) == rows(engine)
    key = currency_keys.balance(wallet_id(0), INSTRUMENT)
    assert encode(twin.engine.prove([key])) == encode(engine.prove([key]))


# --- The truth.


@pytest.mark.parametrize("kind", KINDS)
def test_is_equal_to_what_it_mirrors_row_by_row(kind: Kind, engine, source, tmp_path):
    outcomes = live(engine, 6)
    with mirroring(source, kind, tmp_path) as twin:
        twin.catch_up()
        assert_equal(twin, engine)
        for outcome in outcomes:
            ours, theirs = (each.prove_receipt(outcome.transaction_id) for each in (twin.engine, engine))
            assert ours is not None
            assert encode(ours) == encode(theirs)


def test_is_equal_when_signatures_are_verified_in_the_worker(engine, source):
    signing = Signing(engine.chain_id)
    engine.submit([signing.pay(n % 4, (n + 1) % 4) for n in range(100)]).result(300)
    settle(engine)
    with mirroring(source, worker=True) as twin:
        twin.catch_up()
        assert_equal(twin, engine)


def test_follows_live(engine, source):
    with mirroring(source) as twin:
        twin.catch_up()
        twin.engine.start()
        heard = []
        twin.engine.subscribe(lambda: heard.append(twin.engine.head.height))
        live(engine, 5)
        twin.wait_height(engine.head.height)
        assert_equal(twin, engine)
        assert heard == list(range(2, engine.head.height + 1))


def test_mirrors_a_mirror(engine, source):
    live(engine, 3)
    with mirroring(source) as first:
        first.catch_up()
        first.engine.start()
        with mirroring(EngineSource(first.engine)) as second:
            second.catch_up()
            assert_equal(second, engine)
            second.engine.start()
            live(engine, 3, first=4, first_nonce=9_000)
            second.wait_height(engine.head.height)
            assert_equal(second, engine)


def test_a_block_with_transactions_is_shown_only_when_the_next_header_has_signed_it(engine, source):
    live(engine, 1)
    assert full_blocks(engine)[0] == 2
    source.newest = 2
    with mirroring(source) as twin:
        twin.catch_up()
        assert twin.engine.head.height == 1
        assert twin.engine.head.log_size == 0
        source.newest = 3
        twin.catch_up()
        assert twin.engine.head.height == 3
        assert_equal(twin, engine)


def test_a_dry_run_is_carried_out_here_and_a_submission_is_turned_away_to_the_source(engine, source):
    with mirroring(source) as twin:
        twin.catch_up()
        now = Signing(engine.chain_id)
        outcome = twin.engine.dry_run(now.pay(0, 1))
        assert outcome.code != 0  # the world's clock stands, and ours does not: it has expired
        assert engine.dry_run(now.pay(0, 1)).code == 0
        with pytest.raises(OperationalError, match=r"mirror.*source\.invalid"):
            twin.engine.submit([now.pay(0, 1)])
        assert twin.engine.head == engine.head


def test_reports_how_far_it_is_and_stops_when_told(engine, source):
    live(engine, 5)
    told = []
    with mirroring(source) as twin:
        twin.engine.catch_up(lambda height, goal: told.append((height, goal)), lambda: False)
        assert (told[0], told[-1]) == ((0, engine.head.height), (engine.head.height, engine.head.height))
    with mirroring(source) as twin, pytest.raises(Closing):
        twin.engine.catch_up(lambda *_: None, lambda: True)


# --- Restarts and absences.


@pytest.mark.parametrize("kind", ON_DISK)
def test_goes_on_after_a_restart_at_every_height(kind: Kind, engine, source, tmp_path):
    live(engine, 4)
    for height in range(1, engine.head.height + 1):
        source.newest = height
        with mirroring(source, kind, tmp_path) as twin:
            before = twin.engine.head
            twin.catch_up()
            assert twin.engine.failure is None
            assert before.height <= twin.engine.head.height <= height
            assert twin.engine.head.height >= height - 1
            assert twin.engine.proves
    with mirroring(source, kind, tmp_path) as twin:
        assert_equal(twin, engine)


@pytest.mark.parametrize("kind", ON_DISK)
def test_serves_after_a_restart_while_the_source_is_away(kind: Kind, engine, source, tmp_path, monkeypatch):
    source.newest = blocks_in_a_row(engine, monkeypatch)[1]
    with mirroring(source, kind, tmp_path) as twin:
        twin.catch_up()
        head = twin.engine.head
        assert head.height == source.newest - 1
        assert twin.engine.executor.store.get(Table.META, META_PROMISED) is not None
    source.away = True
    with mirroring(source, kind, tmp_path) as twin:
        twin.catch_up()
        assert isinstance(twin.engine.trouble, SourceTrouble)
        assert twin.engine.head == head
        bundle = twin.engine.prove([currency_keys.balance(wallet_id(0), INSTRUMENT)])
        assert decode_light_block(bundle.light_block).header.app_hash == head.app_hash
        twin.engine.start()
        source.away, source.newest = False, None
        twin.wait_height(engine.head.height)
        assert_equal(twin, engine)


def test_what_proved_the_head_is_kept_only_while_it_is_needed(engine, source, monkeypatch):
    blocks_in_a_row(engine, monkeypatch)
    with mirroring(source) as twin:
        twin.catch_up()
        assert twin.engine.executor.store.get(Table.META, META_PROMISED) is None


def test_a_source_that_goes_away_is_asked_again(engine, source):
    with mirroring(source) as twin:
        twin.catch_up()
        twin.engine.start()
        source.away = True
        twin.wait(lambda each: each.trouble is not None)
        assert twin.engine.failure is None
        live(engine, 2)
        source.away = False
        twin.wait_height(engine.head.height)
        twin.wait(lambda each: each.trouble is None)
        assert_equal(twin, engine)


@pytest.mark.parametrize("running_before", [False, True])
def test_a_full_disk_stops_it_and_it_goes_on_when_there_is_room(running_before, engine, source, tmp_path):
    source.newest = 1
    with mirroring(source, "sqlite", tmp_path) as twin:
        twin.catch_up()
        assert twin.engine.head.height == 1
        live(engine, 4)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        log_bytes = (tmp_path / f"{STORE_NAMES['sqlite']}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes, hard))  # what is longer cannot be written
        try:
            source.newest = None
            if running_before:
                twin.engine.start()
                twin.wait(lambda each: each.failure is not None)
                assert isinstance(twin.engine.failure, OperationalError)
            else:
                with pytest.raises(OperationalError):
                    twin.catch_up()
            assert not isinstance(twin.engine.failure, SourceTrouble)
            assert len(twin.engine.prove([currency_keys.balance(wallet_id(0), INSTRUMENT)]).items) == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with mirroring(source, "sqlite", tmp_path) as twin:
        twin.catch_up()
        assert_equal(twin, engine)


def test_nothing_to_serve_and_nobody_to_ask_is_an_error(source):
    source.away = True
    with mirroring(source) as twin, pytest.raises(SourceTrouble, match="away"):
        twin.catch_up()


def test_a_source_that_is_behind_is_named_and_asked_again(engine, source):
    live(engine, 2)
    with mirroring(source) as twin:
        twin.catch_up()
        head = twin.engine.head
        source.newest = 2
        twin.engine.start()
        twin.wait(lambda each: each.trouble is not None)
        assert "behind" in str(twin.engine.trouble)
        source.newest = None
        twin.wait(lambda each: each.trouble is None)
        assert twin.engine.head == head


def test_closes_while_the_source_keeps_it_waiting(engine, source):
    with mirroring(source, poll_ms=20_000) as twin:
        twin.catch_up()
        twin.engine.start()


# --- Lies.


def by_validator(item: Item, raws: list[bytes] | None = None, **fields: Any) -> Item:
    """What a validator that turns would send: another block, properly signed."""
    return signed_anew(item, VALIDATOR, raws, **fields)


def altered(raw: bytes) -> bytes:
    """A transaction with a byte of its last signature turned."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def flipped_signature(data: bytes) -> bytes:
    block = decode_light_block(data)
    [entry] = block.commit.signatures
    signature = entry.signature[:-1] + bytes([entry.signature[-1] ^ 1])
    commit = changed(block.commit, signatures=(changed(entry, signature=signature),))
    return encode_light_block(changed(block, commit=commit))


def with_header(data: bytes, **fields) -> bytes:
    block = decode_light_block(data)
    return encode_light_block(changed(block, header=changed(block.header, **fields)))


# Each gets (light block, transactions) of block 4, which has transactions, and gives what the source says instead.
LIES = {
    "garbage": ("decode", lambda item: (b"garbage", item[1], item[2])),
    "a truncated block": ("decode", lambda item: (item[0][:-1], item[1], item[2])),
    "a changed transaction": ("block-data", lambda item: (item[0], [altered(item[1][0]), *item[1][1:]], item[2])),
    "a dropped transaction": ("block-data", lambda item: (item[0], item[1][:-1], item[2])),
    "a transaction too many": ("block-data", lambda item: (item[0], [*item[1], item[1][0]], item[2])),
    "reordered transactions": ("block-data", lambda item: (item[0], item[1][::-1], item[2])),
    "a changed time": ("header-hash", lambda item: (with_header(item[0], time_ns=2**60), item[1], item[2])),
    "a changed app hash": ("header-hash", lambda item: (with_header(item[0], app_hash=ZERO_DIGEST), item[1], item[2])),
    "another chain": ("header-chain", lambda item: (with_header(item[0], chain_id="elsewhere"), item[1], item[2])),
    "a changed commit": ("commit-signature", lambda item: (flipped_signature(item[0]), item[1], item[2])),
    "other validators": (
        "block-validators",
        lambda item: signed_anew(item, Signer(new_seed())),
    ),
    "other validators from the next block on, announced by the validator": (
        "validators-change",
        lambda item: by_validator(item, next_validators_hash=b"\x05" * 32),
    ),
    "another version, signed by the validator": ("block-form", lambda item: by_validator(item, app_version=1)),
    "other consensus parameters, signed by the validator": (
        "block-form",
        lambda item: by_validator(item, consensus_hash=ZERO_DIGEST),
    ),
    "a forged transaction, signed by the validator": (
        "block-transaction",
        lambda item: by_validator(item, [altered(item[1][0]), *item[1][1:]]),
    ),
    "bytes that are no transaction, signed by the validator": (
        "block-transaction",
        lambda item: by_validator(item, [b"x"]),
    ),
    "another app hash, signed by the validator": ("app-hash", lambda item: by_validator(item, app_hash=ZERO_DIGEST)),
    "other results, signed by the validator": (
        "results-hash",
        lambda item: by_validator(item, last_results_hash=ZERO_DIGEST),
    ),
    "an earlier time, signed by the validator": ("block-time", lambda item: by_validator(item, time_ns=1)),
    "evidence, signed by the validator": ("block-evidence", lambda item: by_validator(item, evidence_hash=ZERO_DIGEST)),
    "another commit of the block before": (
        "block-parent",
        lambda item: by_validator(item, last_commit_hash=ZERO_DIGEST),
    ),
}
LIED_ABOUT = 4


@pytest.fixture
def chain(engine):
    """Blocks 2 and 4 with transactions, 3 and 5 empty."""
    live(engine, 2)
    assert full_blocks(engine) == [2, 4]
    assert engine.head.height == 5
    return engine


@pytest.mark.parametrize("what", LIES)
def test_stops_and_says_why_when_the_source_sends(what: str, chain, source):
    step, lie = LIES[what]

    def lying(height: int, items: Items) -> Items:
        place = LIED_ABOUT - height
        return [lie(item) if number == place else item for number, item in enumerate(items)]

    source.lie = lying
    with mirroring(source) as twin:
        twin.catch_up()
        failure = twin.engine.failure
        assert isinstance(failure, Deviation)
        assert failure.step == step
        assert failure.height in (LIED_ABOUT, LIED_ABOUT - 1)
        assert str(failure.height) in str(failure)
        if step in ("app-hash", "results-hash", "block-data", "block-validators", "validators-change"):
            assert failure.ours.hex() in str(failure)
            assert failure.theirs.hex() in str(failure)
        # What was verified before is served, and nothing of the lie.
        assert twin.engine.head.height <= LIED_ABOUT - 1
        assert twin.engine.block(LIED_ABOUT) is None
        assert len(twin.engine.prove([currency_keys.balance(wallet_id(0), INSTRUMENT)]).items) == 1
        assert [type(file) for file in twin.evidence] == ([ResultFile] if step in ("app-hash", "results-hash") else [])
        for file in twin.evidence:
            found = verify_evidence(encode_evidence(file), trust_of(chain))
            assert isinstance(found, SignedResult)
            assert found[:4] == (failure.height, step, failure.ours, failure.theirs)
        assert all(twin.engine.block(height) == chain.block(height) for height in range(1, twin.engine.head.height))


def test_a_wrong_state_is_noticed_in_the_block_with_the_transactions(chain, source):
    """The source leaves the signed blocks alone, and the validator signs another state after block 4."""

    def lying(height: int, items: Items) -> Items:
        return [
            by_validator(item, app_hash=b"\x07" * 32) if height + number == 5 else item
            for number, item in enumerate(items)
        ]

    source.lie = lying
    with mirroring(source) as twin:
        twin.catch_up()
        failure = twin.engine.failure
        assert isinstance(failure, Deviation)
        assert (failure.step, failure.height) == ("app-hash", 4)
        assert failure.theirs == b"\x07" * 32
        assert failure.ours == chain.block(5).header.app_hash
        assert twin.engine.head.height == 3
        [file] = twin.evidence
        found = verify_evidence(encode_evidence(file), trust_of(chain))
        assert isinstance(found, SignedResult)
        assert found.transactions == chain.block(4).stored.transactions > 0


def test_a_gap_and_a_repetition_are_noticed(chain, source):
    for lie in (lambda items: items[1:], lambda items: [items[0], items[0]]):
        source.lie = lambda height, items, lie=lie: lie(items) if height == 1 else items
        with mirroring(source) as twin:
            with suppress(Deviation):  # raised where there is nothing to serve
                twin.catch_up()
            assert isinstance(twin.engine.failure, Deviation)
            assert twin.engine.failure.step == "block-height"


def test_more_blocks_than_asked_for_are_refused(chain, source):
    source.lie = lambda height, items: items * 200
    with mirroring(source) as twin, pytest.raises(Deviation) as error:
        twin.catch_up()
    assert error.value.step == "decode"


def test_a_chain_of_other_rules_under_its_name_is_not_begun(source, chain):
    """A founding that the trust root does not name: the first header signs another state."""
    source.lie = lambda height, items: [by_validator_first(item, height + n) for n, item in enumerate(items)]

    def by_validator_first(item: Item, height: int) -> Item:
        return by_validator(item, app_hash=ZERO_DIGEST) if height == 1 else item

    with mirroring(source) as twin:
        with pytest.raises(Deviation) as error:
            twin.catch_up()
        assert (error.value.step, error.value.height) == ("app-hash", 0)
        assert twin.engine.head.height == 0


def test_another_genesis_with_the_same_validator_fails_at_header_chain(source, chain):
    with mirroring(source, genesis=composed()) as twin, pytest.raises(Deviation) as error:
        twin.catch_up()
    assert error.value.step == "header-chain"


def forked(height: int) -> Lie:
    """A validator that signed a second block at ``height``: the same with a later time."""
    return lambda asked, items: [
        later(item, VALIDATOR) if asked + number == height else item for number, item in enumerate(items)
    ]


@pytest.mark.parametrize("height", [4, 5])
def test_a_fork_is_kept_as_evidence(height: int, chain, source, tmp_path):
    """Seen when the source comes back with another past, whether the mirror was restarted meanwhile or not."""
    source.newest = height
    for restarted in (False, True):
        place = tmp_path / str(restarted)
        place.mkdir()
        source.lie = lambda _height, items: items
        twin = Mirror(source, "sqlite", place)
        twin.catch_up()
        if restarted:
            twin.engine.close()
            twin = Mirror(source, "sqlite", place)
        source.lie = forked(height)
        try:
            if restarted and height == 4:  # block 4 was not proven, and not kept: nothing contradicts the other one
                twin.catch_up()
                assert twin.engine.failure is None
                continue
            twin.catch_up()
            failure = twin.engine.failure
            assert isinstance(failure, Deviation)
            assert (failure.step, failure.height) == ("fork", height)
            [file] = twin.evidence
            fork = verify_evidence(encode_evidence(file), trust_of(chain))
            assert isinstance(fork, SignedTwice)
            assert (fork.height, fork.hashes) == (height, (failure.ours, failure.theirs))
        finally:
            twin.engine.close()


def test_a_fork_further_back_is_found_from_the_block_that_does_not_follow(chain, source):
    source.newest = 5
    with mirroring(source) as twin:
        twin.catch_up()
        twin.engine.start()
        truth = source.lie
        live(chain, 1, first=3, first_nonce=9_000)

        def lying(height: int, items: Items) -> Items:
            """The last common block is 4; 5 is another one, and 6 follows that."""
            five = forked(5)(height, items)
            commit = decode_light_block(forked(5)(5, chain_items(chain, 5))[0][0]).commit
            return [
                by_validator(item, last_block_id=commit.block_id, last_commit_hash=ZERO_DIGEST)
                if height + n == 6
                else item
                for n, item in enumerate(five)
            ]

        assert truth(1, []) == []
        source.lie, source.newest = lying, None
        twin.wait(lambda engine: engine.failure is not None)
        assert isinstance(twin.engine.failure, Deviation)
        assert (twin.engine.failure.step, twin.engine.failure.height) == ("fork", 5)
        assert len(twin.evidence) == 1


def chain_items(engine: EmbeddedEngine, height: int) -> Items:
    source = EngineSource(engine)
    return source.blocks(height, 0, 1)


def test_the_promised_block_counts_after_a_restart(engine, source, tmp_path, monkeypatch):
    """Block 3 proves block 2 and is not carried out yet; after a restart the source shows another block 3."""
    first_full, second_full = blocks_in_a_row(engine, monkeypatch)[:2]
    assert second_full == first_full + 1
    source.newest = second_full
    with mirroring(source, "sqlite", tmp_path) as twin:
        twin.catch_up()
        assert twin.engine.head.height == first_full
    source.lie = forked(second_full)
    with mirroring(source, "sqlite", tmp_path) as twin:
        twin.catch_up()
        assert isinstance(twin.engine.failure, Deviation)
        assert (twin.engine.failure.step, twin.engine.failure.height) == ("fork", second_full)
        assert len(twin.evidence) == 1


def test_every_step_of_a_mirror_is_met_above():
    own = {step for step, _ in LIES.values()} | {"fork", "block-height"}
    assert set(STEPS) <= own
