"""The way in: what is refused before it may wait, how much may wait, and what happens when the verifier dies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fujie.core.encoding import encode
from fujie.core.errors import Reason, Refused
from fujie.core.limits import (
    KEYS_MAX,
    OPERATIONS_MAX,
    PENDING_BYTES_MAX,
    PENDING_TRANSACTIONS_MAX,
    TRANSACTION_BYTES_MAX,
)
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import (
    SIGNED_TRANSACTION,
    SignedTransaction,
    Transaction,
    sign_transaction,
    signing_message,
    transaction_id,
)
from fujie.engine import intake
from fujie.engine.admission import ACCEPTED, VerifierProcess, decode_verified, verdict, verify_transaction
from fujie.engine.base import Outcome
from fujie.machine.genesis import chain_id
from fujie.modules.catalog import TRANSACTION
from fujie.modules.currency.operations import Issue
from tests import world
from tests.world import BANK, EXPIRES_MS, INSTRUMENT, KINDS, Kind, Signing, funded, holder, pay, running

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it

CHAIN = chain_id(funded())
SIGNING = Signing(CHAIN)
GOOD = SIGNING.pay(0, 1, 5)
TWO_KEYS = SIGNING.sign(Issue("institution", INSTRUMENT, 5, world.nonce(5)), *BANK[:2])

MALFORMED = TransactionReason.TRANSACTION_MALFORMED
INVALID = TransactionReason.SIGNATURE_INVALID


def signed(raw: bytes, **changes: Any) -> bytes:
    """The transaction with fields of what travels replaced."""
    return encode(msgspec.structs.replace(SIGNED_TRANSACTION.decode(raw), **changes))


def body(raw: bytes, **changes: Any) -> bytes:
    """The transaction with fields of what is signed replaced, and signed again by whoever can."""
    changed = msgspec.structs.replace(TRANSACTION.decode(SIGNED_TRANSACTION.decode(raw).body), **changes)
    data = encode(changed)
    message = signing_message(transaction_id(data))
    by_key = {signer.public_key: signer for signer in [*BANK, *(holder(number) for number in range(4))]}
    signatures = tuple(by_key[key].sign(message) if key in by_key else bytes(64) for key in changed.public_keys)
    return encode(SignedTransaction(data, signatures))


def with_key(key: bytes, signature: bytes) -> bytes:
    """A payment signed, as it claims, by ``key``."""
    operations = (pay(0, 1, 5),)
    made: Transaction[Any] = Transaction(CHAIN, world.nonce(9), EXPIRES_MS, operations, (key,))
    return encode(SignedTransaction(encode(made), (signature,)))


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes((data[bit // 8] ^ 1 << bit % 8,)) + data[bit // 8 + 1 :]


SIGNATURE = SIGNED_TRANSACTION.decode(GOOD).signatures[0]
BODY = SIGNED_TRANSACTION.decode(GOOD).body
KEYS = tuple(sorted(bank.public_key for bank in BANK[:2]))
IDENTITY_POINT = b"\x01" + bytes(31)
ORDER_OF_THE_GROUP = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER_POINTS = [
    bytes(32),  # y = 0, of order 4
    IDENTITY_POINT,
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),  # of order 2
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),  # of order 8
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),  # of order 8
    bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),  # the identity, not canonical
]

REFUSED: dict[str, tuple[bytes, Reason]] = {
    "nothing": (b"", MALFORMED),
    "one byte": (b"\x93", MALFORMED),
    "text": (b"hello", MALFORMED),
    "a byte too few": (GOOD[:-1], MALFORMED),
    "a byte too many": (GOOD + b"\x00", MALFORMED),
    "more bytes than a transaction may have": (bytes(TRANSACTION_BYTES_MAX + 1), MALFORMED),
    "a body of another type": (signed(GOOD, body=encode(pay(0, 1))), MALFORMED),
    "a body that is not canonical": (signed(GOOD, body=BODY.replace(b"\x05", b"\xcc\x05", 1)), MALFORMED),
    "the body's version missing": (signed(GOOD, body=b"\x95" + BODY[2:]), MALFORMED),
    "deep nesting": (signed(GOOD, body=b"\x91" * 5_000), MALFORMED),
    "no operation": (body(GOOD, operations=()), MALFORMED),
    "too many operations": (body(GOOD, operations=(pay(0, 1),) * (OPERATIONS_MAX + 1)), MALFORMED),
    "no chain": (body(GOOD, chain_id=""), MALFORMED),
    "a short nonce": (body(GOOD, nonce=bytes(15)), MALFORMED),
    "an expiry before 1970": (body(GOOD, expires_at_ms=-1), MALFORMED),
    "a negative amount": (body(GOOD, operations=(pay(0, 1, -1),)), MALFORMED),
    "no keys": (body(GOOD, public_keys=()), MALFORMED),
    "too many keys": (body(GOOD, public_keys=tuple(world.nonce(n) * 2 for n in range(KEYS_MAX + 1))), MALFORMED),
    "a short key": (body(GOOD, public_keys=(KEYS[0][:31],)), MALFORMED),
    "keys that descend": (body(TWO_KEYS, public_keys=KEYS[::-1]), MALFORMED),
    "a key twice": (body(TWO_KEYS, public_keys=(KEYS[0], KEYS[0])), MALFORMED),
    "no signature": (signed(GOOD, signatures=()), MALFORMED),
    "a short signature": (signed(GOOD, signatures=(SIGNATURE[:63],)), MALFORMED),
    "one signature of two": (
        signed(TWO_KEYS, signatures=SIGNED_TRANSACTION.decode(TWO_KEYS).signatures[:1]),
        MALFORMED,
    ),
    "a signature more than keys": (signed(GOOD, signatures=(SIGNATURE, SIGNATURE)), MALFORMED),
    "signatures in another order": (
        signed(TWO_KEYS, signatures=SIGNED_TRANSACTION.decode(TWO_KEYS).signatures[::-1]),
        INVALID,
    ),
    "zeros for a signature": (signed(GOOD, signatures=(bytes(64),)), INVALID),
    "a signature of another body": (signed(GOOD, body=SIGNED_TRANSACTION.decode(SIGNING.pay(0, 1, 6)).body), INVALID),
    "a signature of the body without its tag": (signed(GOOD, signatures=(holder(0).sign(BODY),)), INVALID),
    "a signature of the id without its tag": (
        signed(GOOD, signatures=(holder(0).sign(transaction_id(BODY)),)),
        INVALID,
    ),
    "a signature with s beyond the order of the group": (
        signed(
            GOOD,
            signatures=(
                SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + ORDER_OF_THE_GROUP).to_bytes(32, "little"),
            ),
        ),
        INVALID,
    ),
    **{
        f"the key {point.hex()[:8]}… of small order, R the identity and s = 0": (
            with_key(point, IDENTITY_POINT + bytes(32)),
            INVALID,
        )
        for point in SMALL_ORDER_POINTS
    },
    "a key that is no point": (with_key(b"\x02" + bytes(31), IDENTITY_POINT + bytes(32)), INVALID),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(what: str) -> None:
    raw, reason = REFUSED[what]
    with pytest.raises(Refused) as refusal:
        verify_transaction(raw)
    assert refusal.value.reason is reason
    assert verdict(raw) == int(reason)


def test_accepts_what_the_table_of_refusals_begins_with() -> None:
    for raw in (GOOD, TWO_KEYS, body(GOOD), body(TWO_KEYS), signed(GOOD)):
        assert verdict(raw) == ACCEPTED
        assert decode_verified(raw) == verify_transaction(raw)


def test_accepts_a_transaction_of_the_greatest_size() -> None:
    keys = sorted([signer.public_key for signer in BANK])
    operations = (pay(0, 1),) * OPERATIONS_MAX
    largest: Transaction[Any] = Transaction(CHAIN, world.nonce(9), EXPIRES_MS, operations, tuple(keys))
    raw = sign_transaction(largest, BANK)
    assert verdict(raw) == ACCEPTED


def test_every_bit_of_a_transaction_is_covered_by_its_signature() -> None:
    assert {verdict(flipped(GOOD, bit)) for bit in range(8 * len(GOOD))} == {int(MALFORMED), int(INVALID)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("worker", [False, True], ids=["in this process", "in the worker"])
def test_the_engine_answers_refusals_in_their_place_and_the_ledger_sees_none_of_them(
    kind: Kind, worker: bool, tmp_path: Path
) -> None:
    with running(kind, tmp_path, worker=worker) as engine:
        signing = Signing(engine.chain_id)
        raws: list[bytes] = []
        expected: list[int] = []
        for raw, reason in REFUSED.values():
            raws += [raw, signing.pay(len(raws) % 4, (len(raws) + 1) % 4)]
            expected += [int(reason), 0]
        outcomes = engine.submit(raws).result(SECONDS_MAX)
        assert [outcome.code for outcome in outcomes] == expected
        assert [outcome.receipt is None for outcome in outcomes] == [code != 0 for code in expected]
        assert engine.head.log_size == expected.count(0)
        assert engine.pending == 0


# Bounds.


class Closed:
    """Holds the verifying thread until the test lets it go, so that everything submitted waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let_go = threading.Event()
        self.reached = threading.Event()

        def held(raw: bytes) -> int:
            self.reached.set()
            assert self.let_go.wait(SECONDS_MAX)
            return verdict(raw)

        monkeypatch.setattr(intake, "verdict", held)


def test_pushes_back_when_too_many_wait_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = int(TransactionReason.ADMISSION_QUEUE_FULL)
    gate = Closed(monkeypatch)
    with running("memory", tmp_path) as engine:
        signing = Signing(engine.chain_id)
        held = engine.submit([signing.pay(0, 1)])
        assert gate.reached.wait(SECONDS_MAX)
        junk = [b"?"] * (PENDING_TRANSACTIONS_MAX - 3)
        many = engine.submit(junk)
        two = engine.submit([signing.pay(0, 1), signing.pay(0, 1)])
        assert engine.pending == PENDING_TRANSACTIONS_MAX
        turned_away = signing.pay(0, 1)
        beyond = engine.submit([turned_away, turned_away])
        assert [outcome.code for outcome in beyond.result(0)] == [full, full], "the caller is not told at once"
        assert engine.pending == PENDING_TRANSACTIONS_MAX, "what is turned away takes up room"
        gate.let_go.set()
        assert [held.result(SECONDS_MAX)[0].code, *[o.code for o in two.result(SECONDS_MAX)]] == [0, 0, 0]
        assert {outcome.code for outcome in many.result(SECONDS_MAX)} == {int(MALFORMED)}
        # Whoever has heard of its outcomes may submit as much again.
        assert engine.pending == 0
        assert engine.submit([turned_away]).result(SECONDS_MAX)[0].code == 0
        assert engine.head.log_size == 4


def test_pushes_back_when_too_many_bytes_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Closed(monkeypatch)
    with running("memory", tmp_path) as engine:
        signing = Signing(engine.chain_id)
        held = engine.submit([signing.pay(0, 1)])
        assert gate.reached.wait(SECONDS_MAX)
        large = engine.submit([bytes(TRANSACTION_BYTES_MAX)] * (PENDING_BYTES_MAX // TRANSACTION_BYTES_MAX - 1))
        more = engine.submit([bytes(TRANSACTION_BYTES_MAX)])
        assert more.result(0)[0].code == TransactionReason.ADMISSION_QUEUE_FULL
        small = engine.submit([signing.pay(0, 1)])
        gate.let_go.set()
        assert [held.result(SECONDS_MAX)[0].code, small.result(SECONDS_MAX)[0].code] == [0, 0]
        assert {outcome.code for outcome in large.result(SECONDS_MAX)} == {int(MALFORMED)}
        again = engine.submit([bytes(TRANSACTION_BYTES_MAX)] * (PENDING_BYTES_MAX // TRANSACTION_BYTES_MAX))
        assert {outcome.code for outcome in again.result(SECONDS_MAX)} == {int(MALFORMED)}


# The worker.


class Recorded(VerifierProcess):
    """A verifier process that the test knows of."""

    made: list["Recorded"]

    def __init__(self) -> None:
        super().__init__()
        self.made.append(self)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """Every verifier process that is started in this test."""
    Recorded.made = []
    monkeypatch.setattr(intake, "VerifierProcess", Recorded)
    return Recorded.made


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_few_are_verified_without_a_worker_and_many_with_one(tmp_path: Path, workers: list[Recorded]) -> None:
    with running("memory", tmp_path, worker=True) as engine:
        signing = Signing(engine.chain_id)
        engine.submit([signing.pay(0, 1)] * 16).result(SECONDS_MAX)
        assert workers == []
        engine.submit([signing.pay(0, 1)] * 17).result(SECONDS_MAX)
        assert len(workers) == 1
        assert not is_gone(workers[0].pid)
    assert is_gone(workers[0].pid), "closing the ledger leaves its worker behind"


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_dies_under_load_is_replaced_and_nothing_is_lost_or_doubled(
    kind: Kind, tmp_path: Path, workers: list[Recorded]
) -> None:
    killed = 0
    with running(kind, tmp_path, worker=True) as engine:
        signing = Signing(engine.chain_id)
        futures: list[Future[list[Outcome]]] = []

        def burst() -> None:
            raws = [signing.pay(n % 4, (n + 1) % 4) for n in range(100)]
            raws[killed] = flipped(raws[killed], 8 * len(raws[killed]) - 1)
            futures.extend([engine.submit(raws[:70]), engine.submit(raws[70:])])

        while killed < 6:
            burst()
            while len(workers) == killed and not futures[-1].done():
                threading.Event().wait(0.001)
            if len(workers) == killed:
                continue
            if killed % 2:  # This one works for a while; the others die with what they were started for on its way.
                futures[-1].result(SECONDS_MAX)
                burst()
            os.kill(workers[-1].pid, signal.SIGKILL)
            killed = len(workers)
        outcomes = [future.result(SECONDS_MAX) for future in futures]
        wrong = [outcome for batch in outcomes for outcome in batch if outcome.code]
        assert [outcome.code for outcome in wrong] == [int(INVALID)] * (len(futures) // 2)
        places = [outcome.log_index for batch in outcomes for outcome in batch if not outcome.code]
        assert sorted(index for index in places if index is not None) == list(range(len(places)))
        assert engine.head.log_size == len(places)
        assert engine.pending == 0
        assert engine.failure is None
        assert world.findings(engine.executor.store) == []
    assert all(is_gone(worker.pid) for worker in workers)


def test_a_program_that_embeds_the_ledger_is_not_run_again_by_the_worker(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import pathlib\n"
        "print('begins')\n"
        "from tests.world import Signing, running\n"
        "with running('memory', pathlib.Path('.'), worker=True) as engine:\n"
        "    signing = Signing(engine.chain_id)\n"
        "    print({outcome.code for outcome in engine.submit([signing.pay(0, 1) for _ in range(100)]).result(300)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("begins\n{0}\n", "", 0)


# Every reason that a transaction can meet before a room is asked, through the engine.


def _unsigned(raw: bytes) -> bytes:
    return signed(raw, signatures=(bytes(64),))


def _overfull(signing: Signing) -> list[bytes]:
    return [signing.pay(0, 1)] * (PENDING_TRANSACTIONS_MAX + 1)


REASONS: dict[Reason, Callable[[Signing], list[bytes]]] = {
    TransactionReason.TRANSACTION_MALFORMED: lambda s: [s.sign(pay(0, 1, 0), holder(3))[:-1]],
    TransactionReason.CHAIN_ID_DIFFERS: lambda _: [Signing("another").sign(pay(0, 1, 0), holder(3), expires_at_ms=0)],
    TransactionReason.SIGNATURE_INVALID: lambda s: [_unsigned(s.sign(pay(0, 1, 0), holder(3), expires_at_ms=0))],
    TransactionReason.TRANSACTION_EXPIRED: lambda s: [s.sign(pay(0, 1, 0), holder(3), expires_at_ms=world.START_MS)],
    TransactionReason.EXPIRY_TOO_FAR: lambda s: [s.sign(pay(0, 1, 0), holder(3), expires_at_ms=2 * world.START_MS)],
    TransactionReason.POLICY_NOT_SATISFIED: lambda s: [s.sign(pay(0, 1, 0), holder(3))],
    TransactionReason.QUOTA_EXCEEDED: lambda s: [s.sign([pay(0, 1, 0)] * 64, holder(0))],
    TransactionReason.ADMISSION_QUEUE_FULL: _overfull,
}
# TRANSACTION_REPEATED is answered with the first receipt (test_blocks), EXECUTION_FAILED needs a fault of the program
# (test_blocks), ROOM_NOT_ACTIVE a chain without the room (unit/machine/test_schedule).


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.name)
def test_turns_away_without_a_trace(reason: Reason, tmp_path: Path) -> None:
    genesis = world.with_quota(10)
    with running("memory", tmp_path, genesis) as engine:
        signing = Signing(engine.chain_id)
        before = engine.head
        raws = REASONS[reason](signing)
        outcomes = engine.submit(raws).result(SECONDS_MAX)
        assert {outcome.code for outcome in outcomes} == {int(reason)}
        assert all(outcome.receipt is None and outcome.log_index is None for outcome in outcomes)
        assert engine.head == before
        assert engine.pending == 0
