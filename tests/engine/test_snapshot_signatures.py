"""Signatures of a snapshot: verified by several processes, and no invalid one gets through, whoever verifies it or dies meanwhile."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import VerificationError
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.engine import snapshot_signatures
from fujie.engine.snapshot_signatures import BATCH, UNDER_WAY, SignatureCheck, workers_of
from fujie.machine.genesis import chain_id
from tests.world import Signing, funded

COUNT = 2_000


@pytest.fixture(scope="module")
def transactions() -> list[bytes]:
    signing = Signing(chain_id(funded()))
    return [signing.pay(number % 4, (number + 1) % 4) for number in range(COUNT)]


@pytest.fixture
def check(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignatureCheck]:
    """One with as many processes as the test says, which begin at once."""
    monkeypatch.setattr(snapshot_signatures, "INLINE_MAX", 0)
    with closing(SignatureCheck(request.param)) as made:
        yield made


def unsigned(transaction: bytes) -> bytes:
    signed = SIGNED_TRANSACTION.decode(transaction)
    return encode(replace(signed, signatures=(bytes(64),)))


def signed_twice(transaction: bytes) -> bytes:
    signed = SIGNED_TRANSACTION.decode(transaction)
    return encode(replace(signed, signatures=signed.signatures * 2))


def verify_all(check: SignatureCheck, transactions: list[bytes]) -> None:
    for transaction in transactions:
        check.see(transaction)
    check.finish()


@pytest.mark.parametrize("check", [0, 1, 2], indirect=True)
def test_takes_what_is_signed(check: SignatureCheck, transactions: list[bytes]) -> None:
    verify_all(check, transactions)
    verify_all(check, transactions[:3])


@pytest.mark.parametrize("check", [0, 1, 2], indirect=True)
@pytest.mark.parametrize("place", [0, BATCH - 1, BATCH, BATCH * (UNDER_WAY + 1), COUNT - 1])
@pytest.mark.parametrize(
    ("lie", "step"),
    [(unsigned, "transaction-signature"), (signed_twice, "transaction-keys")],
    ids=["unsigned", "twice"],
)
def test_finds_the_one_that_is_not(check: SignatureCheck, transactions: list[bytes], place: int, lie, step) -> None:
    lying = [*transactions[:place], lie(transactions[place]), *transactions[place + 1 :]]
    with pytest.raises(VerificationError) as caught:
        verify_all(check, lying)
    assert caught.value.step == step


@pytest.mark.parametrize("check", [1], indirect=True)
@pytest.mark.parametrize("lies", [False, True])
def test_verifies_itself_what_a_killed_process_had_in_hand(
    check: SignatureCheck, transactions: list[bytes], lies: bool
) -> None:
    for transaction in transactions[:BATCH]:
        check.see(transaction)
    [worker] = check._workers
    os.kill(worker._process.pid, signal.SIGSTOP)  # it answers no more
    in_hand = [*transactions[:BATCH]]
    if lies:
        in_hand[7] = unsigned(in_hand[7])
    for transaction in in_hand:
        check.see(transaction)
    assert [len(batch) for batch in worker.under_way][-1:] == [BATCH]
    os.kill(worker._process.pid, signal.SIGKILL)
    if not lies:
        verify_all(check, transactions)
        return
    with pytest.raises(VerificationError, match="not valid"):
        verify_all(check, transactions)


@pytest.mark.parametrize("check", [1], indirect=True)
def test_gives_a_process_no_more_than_it_may_have_before_it(check: SignatureCheck, transactions: list[bytes]) -> None:
    for transaction in transactions[:BATCH]:
        check.see(transaction)
    [worker] = check._workers
    os.kill(worker._process.pid, signal.SIGSTOP)
    try:
        for transaction in transactions:
            check.see(transaction)
            assert len(worker.under_way) <= UNDER_WAY
    finally:
        os.kill(worker._process.pid, signal.SIGCONT)
    check.finish()
    assert not worker.under_way


def test_starts_no_process_for_few_and_none_where_there_is_one_core(transactions: list[bytes]) -> None:
    with closing(SignatureCheck(2)) as few:
        verify_all(few, transactions)
        assert few._workers == []
    assert [workers_of(cores) for cores in (None, 1, 2, 3, 64)] == [0, 0, 1, 2, 2]
