"""Every balance follows from postings alone, whatever happens, and no money is made or lost."""

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fujie.core.errors import Refused
from fujie.core.room import Event, Operation
from fujie.modules.currency import events, state_keys
from fujie.modules.currency import operations as ops
from fujie.modules.currency.invariants import Checker
from fujie.modules.currency.records import Balance, FreezeScope, Supply, Vault
from fujie.modules.currency.transitions import ROOM_V1
from tests.unit.modules.currency.world import (
    ALPHA,
    BANK,
    BETA,
    COURT,
    REGULATOR,
    STRONG,
    WEAK,
    World,
    holder,
    opening,
    reference,
    wallet_id,
    world,
)

EVERYONE = [*BANK, *ALPHA, *BETA, *REGULATOR, *COURT, *(signer for number in range(1, 16) for signer in holder(number))]
BANKS = st.sampled_from(["alpha", "beta"])
WALLETS = st.integers(1, 15).map(wallet_id)
CODES = st.sampled_from(["CNY", "CNY", "CNY", "ZZD"])
AMOUNTS = st.one_of(st.integers(0, 3_000), st.integers(0, 400_000))
REFERENCES = st.integers(1, 12).map(reference)
CLASSES = st.sampled_from([STRONG, WEAK])
SCOPES = st.sampled_from(FreezeScope)
AUTHORITIES = st.sampled_from(["alpha", "beta", "regulator", "court"])

OPERATION = st.one_of(
    st.builds(ops.Pay, WALLETS, WALLETS, CODES, AMOUNTS),
    st.builds(ops.Pay, WALLETS, WALLETS, CODES, AMOUNTS),
    st.builds(ops.Issue, BANKS, CODES, AMOUNTS, REFERENCES),
    st.builds(ops.Redeem, BANKS, CODES, AMOUNTS, REFERENCES),
    st.builds(ops.Distribute, BANKS, WALLETS, CODES, AMOUNTS),
    st.builds(ops.Return, WALLETS, CODES, AMOUNTS),
    st.builds(ops.SetInstitutionQuota, BANKS, CODES, AMOUNTS),
    st.builds(ops.UpgradeWallet, WALLETS, CLASSES),
    st.builds(ops.CloseWallet, WALLETS),
    st.builds(ops.FreezeWallet, WALLETS, AUTHORITIES, SCOPES, st.just("order")),
    st.builds(ops.UnfreezeWallet, WALLETS, AUTHORITIES, st.just("order")),
    st.builds(opening, st.integers(10, 15), BANKS, CLASSES),
)
STEPS = st.lists(st.tuples(OPERATION, st.integers(1, 90_000_000)), max_size=60)


def balanced(event: Event) -> tuple[events.Posting, ...]:
    """The postings of an event, after checking that they balance for every instrument."""
    lines = events.postings(event)
    sums: dict[str, int] = defaultdict(int)
    for line in lines:
        assert (line.debit_minor == 0) != (line.credit_minor == 0), line
        sums[line.instrument] += line.debit_minor - line.credit_minor
    assert not any(sums.values()), lines
    return lines


def held(made: World) -> dict[tuple[str, str], int]:
    """What state says that every ledger account holds, leaving out those with nothing."""
    found: dict[tuple[str, str], int] = {}
    for path, record in made.bench.leaves():
        parts = path.split("/")
        if isinstance(record, Balance):
            found[(f"wallet/{parts[2]}", parts[3])] = record.amount_minor
        elif isinstance(record, Vault):
            found[(f"vault/{parts[2]}", parts[3])] = record.balance_minor
        elif isinstance(record, Supply):
            found[(events.ISSUED, parts[2])] = record.redeemed_minor - record.issued_minor
    return {account: amount for account, amount in found.items() if amount}


def follow(
    made: World, steps: list[tuple[Any, int]], ledger: dict[tuple[str, str], int], happened: dict[str, int]
) -> None:
    """Carry out ``steps``, post what happens to ``ledger``, and count it in ``happened`` by event."""
    for operation, wait_ms in steps:
        try:
            event = made.bench.run(ROOM_V1, operation, signers=EVERYONE, time_ms=made.bench.time_ms + wait_ms)
        except Refused:
            continue
        happened[type(event).__name__] += 1
        for line in balanced(event):
            ledger[(line.ledger_account, line.instrument)] += line.debit_minor - line.credit_minor


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_state_follows_from_postings_alone_and_keeps_its_invariants(steps: list[tuple[Any, int]]):
    made = world()
    ledger = defaultdict(int, held(made))
    follow(made, steps, ledger, defaultdict(int))
    assert {account: amount for account, amount in ledger.items() if amount} == held(made)
    assert sum(ledger.values()) == 0
    assert made.bench.check(Checker()) == []


def likely_operation(draw: random.Random) -> Operation:
    """An operation that stands a chance: mostly payments between the wallets there are, all else now and then."""
    one, other = (wallet_id(draw.randrange(1, 16)) for _ in range(2))
    bank, amount_minor = draw.choice(["alpha", "beta"]), draw.randrange(1, 600)
    message = reference(draw.randrange(4, 500))
    makers: list[tuple[int, Callable[[], Operation]]] = [
        (120, lambda: ops.Pay(one, other, "CNY", amount_minor)),
        (10, lambda: ops.Distribute(bank, one, "CNY", amount_minor)),
        (6, lambda: ops.Return(one, "CNY", amount_minor)),
        (4, lambda: ops.Issue(bank, "CNY", amount_minor, message)),
        (4, lambda: ops.Redeem(bank, "CNY", amount_minor, message)),
        (4, lambda: opening(draw.randrange(10, 16), bank, draw.choice([STRONG, WEAK]))),
        (2, lambda: ops.UpgradeWallet(one, draw.choice([STRONG, WEAK]))),
        (1, lambda: ops.FreezeWallet(one, draw.choice(["alpha", "court"]), draw.choice(list(FreezeScope)), "order")),
        (8, lambda: ops.UnfreezeWallet(one, draw.choice(["alpha", "court", "regulator"]), "order")),
        (1, lambda: ops.CloseWallet(one)),
        (1, lambda: ops.SetInstitutionQuota(bank, "CNY", draw.randrange(200_000, 400_000))),
    ]
    return draw.choices([maker for _, maker in makers], [weight for weight, _ in makers])[0]()


@pytest.mark.parametrize("seed", range(8))
def test_a_long_busy_life_follows_from_postings_alone(seed: int):
    draw = random.Random(seed)
    made = world()
    ledger = defaultdict(int, held(made))
    happened: dict[str, int] = defaultdict(int)
    for _ in range(10):
        steps = [(likely_operation(draw), draw.randrange(1, 9_000_000)) for _ in range(100)]
        follow(made, steps, ledger, happened)
        assert {account: amount for account, amount in ledger.items() if amount} == held(made)
        assert made.bench.check(Checker()) == []
    assert happened["Paid"] > 100, "the simulation must not be one of refusals"
    assert len(happened) >= 9, happened


def test_every_event_that_moves_money_has_postings():
    one, two = wallet_id(1), wallet_id(2)
    moving: list[tuple[Event, str, str]] = [
        (events.Issued("alpha", "CNY", 5, reference(1)), "vault/alpha", "issued"),
        (events.Redeemed("alpha", "CNY", 5, reference(1)), "issued", "vault/alpha"),
        (events.Distributed("alpha", one, "CNY", 5), f"wallet/{one.hex()}", "vault/alpha"),
        (events.Returned("alpha", one, "CNY", 5), "vault/alpha", f"wallet/{one.hex()}"),
        (events.Paid(one, two, "CNY", 5), f"wallet/{two.hex()}", f"wallet/{one.hex()}"),
    ]
    for event, debited, credited in moving:
        assert balanced(event) == (
            events.Posting(debited, "CNY", 5, 0),
            events.Posting(credited, "CNY", 0, 5),
        )
    with_amount = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and "amount_minor" in kind.__struct_fields__
    }
    assert with_amount == {type(event) for event, _, _ in moving}
    assert events.postings(events.WalletClosed(one)) == ()


def test_a_payment_back_and_forth_leaves_every_balance_as_it_was():
    made = world()
    before = held(made)
    made.pay(1, 2, 700)
    made.pay(2, 1, 700)
    assert held(made) == before
    assert made.get(state_keys.supply("CNY")) == Supply(500_000, 0)
