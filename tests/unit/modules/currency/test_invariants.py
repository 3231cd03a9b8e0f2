"""The checker is silent about a sound state and finds what a test plants, in whatever order leaves come."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fujie.core.meter import UNUSED
from fujie.core.policy import KeyPolicy
from fujie.modules.currency import invariants, state_keys
from fujie.modules.currency.invariants import Checker
from fujie.modules.currency.records import Balance, ClassLimits, Freeze, FreezeScope, Supply, Vault, WalletStatus
from tests.unit.modules.currency.world import (
    CLOSED,
    FRIEND,
    LATER_MS,
    NOBODY,
    PLENTY,
    RICH,
    WEAK,
    World,
    wallet_id,
    world,
)

replace = msgspec.structs.replace
RICH_WALLET = state_keys.wallet(wallet_id(RICH))
RICH_BALANCE = state_keys.balance(wallet_id(RICH), "CNY")
ALPHA_VAULT = state_keys.vault("alpha", "CNY")
ALPHA_QUOTA = state_keys.institution("alpha", "CNY")
SUPPLY = state_keys.supply("CNY")
WEAK_LIMITS = state_keys.limits("CNY", WEAK)


def plant_balance(made: World, **changes: object) -> None:
    made.bench.plant(RICH_BALANCE, replace(made.get(RICH_BALANCE), **changes))


def plant_wallet(made: World, **changes: object) -> None:
    made.bench.plant(RICH_WALLET, replace(made.get(RICH_WALLET), **changes))


def plant_vault(made: World, **changes: object) -> None:
    made.bench.plant(ALPHA_VAULT, replace(made.get(ALPHA_VAULT), **changes))


def plant_two_freezes(made: World) -> None:
    freeze = Freeze("alpha", FreezeScope.ALL, "order", 0)
    plant_wallet(made, freezes=(freeze, freeze), status=WalletStatus.FROZEN)


def plant_entries(made: World, *entries: object) -> None:
    limits = made.get(WEAK_LIMITS)
    made.bench.plant(WEAK_LIMITS, ClassLimits(entries, limits.standing))  # type: ignore[arg-type]  # on purpose


PLANTED: list[tuple[str, Callable[[World], None], set[str]]] = [
    ("a coin more", lambda made: plant_balance(made, amount_minor=5_001), {"supply-is-held"}),
    ("a coin less", lambda made: plant_balance(made, amount_minor=4_999), {"supply-is-held"}),
    ("a debt", lambda made: plant_balance(made, amount_minor=-1), {"supply-is-held", "amounts-within-bounds"}),
    ("spent in no payment", lambda made: plant_balance(made, spent_today_minor=1), {"day-counters-agree"}),
    (
        "a balance of nobody",
        lambda made: made.bench.plant(state_keys.balance(wallet_id(NOBODY), "CNY"), Balance(0, 0, 0, 0, UNUSED)),
        {"balance-has-its-wallet"},
    ),
    ("a wallet lost", lambda made: made.bench.uproot(RICH_WALLET), {"balance-has-its-wallet"}),
    ("a balance lost", lambda made: made.bench.uproot(RICH_BALANCE), {"wallet-has-its-balances", "supply-is-held"}),
    ("closed with money", lambda made: plant_wallet(made, status=WalletStatus.CLOSED), {"closed-wallet-is-empty"}),
    ("frozen by nobody", lambda made: plant_wallet(made, status=WalletStatus.FROZEN), {"status-follows-freezes"}),
    ("frozen twice by one", plant_two_freezes, {"status-follows-freezes"}),
    (
        "active in spite of a freeze",
        lambda made: plant_wallet(made, freezes=(Freeze("alpha", FreezeScope.ALL, "order", 0),)),
        {"status-follows-freezes"},
    ),
    (
        "keys that cannot suffice",
        lambda made: plant_wallet(made, policy=KeyPolicy(2, (bytes(32),))),
        {"wallet-can-be-used"},
    ),
    ("a class without limits", lambda made: plant_wallet(made, wallet_class=77), {"limits-are-in-force"}),
    ("limits lost", lambda made: made.bench.uproot(WEAK_LIMITS), {"limits-are-in-force"}),
    ("dates that descend", lambda made: plant_entries(made, PLENTY, PLENTY), {"limits-are-in-force"}),
    (
        "limits that begin later",
        lambda made: plant_entries(made, replace(PLENTY, effective_from_ms=LATER_MS)),
        {"limits-are-in-force"},
    ),
    ("money into a vault", lambda made: plant_vault(made, balance_minor=275_001), {"supply-is-held"}),
    (
        "issued without a message",
        lambda made: plant_vault(made, issued_minor=300_001),
        {"every-issue-is-recorded", "supply-is-the-sum-of-institutions"},
    ),
    (
        "redeemed without a message",
        lambda made: plant_vault(made, redeemed_minor=1),
        {"every-redemption-is-recorded", "supply-is-the-sum-of-institutions"},
    ),
    (
        "more supply",
        lambda made: made.bench.plant(SUPPLY, Supply(500_001, 0)),
        {"supply-is-held", "supply-is-the-sum-of-institutions"},
    ),
    ("supply lost", lambda made: made.bench.uproot(SUPPLY), {"instrument-has-its-supply"}),
    ("instrument lost", lambda made: made.bench.uproot(state_keys.instrument("CNY")), {"instrument-has-its-supply"}),
    (
        "quota too small",
        lambda made: made.bench.plant(ALPHA_QUOTA, replace(made.get(ALPHA_QUOTA), quota_minor=299_999)),
        {"institution-within-quota"},
    ),
    ("quota lost", lambda made: made.bench.uproot(ALPHA_QUOTA), {"institution-is-complete"}),
    (
        "vault lost",
        lambda made: made.bench.uproot(ALPHA_VAULT),
        {"institution-is-complete", "supply-is-held", "supply-is-the-sum-of-institutions"},
    ),
    (
        "a vault where a wallet should be",
        lambda made: made.bench.plant(RICH_WALLET, Vault(0, 0, 0)),  # type: ignore[misc]  # on purpose
        {"leaf-at-its-path", "balance-has-its-wallet"},
    ),
]


def test_sound_state_has_no_findings():
    made = world()
    made.pay(RICH, FRIEND, 10)
    assert made.bench.check(Checker()) == []


@pytest.mark.parametrize(("plant", "expected"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
def test_finds_what_is_planted(plant: Callable[[World], None], expected: set[str]):
    made = world()
    plant(made)
    assert {finding.invariant for finding in made.bench.check(Checker())} == expected


@pytest.mark.parametrize("seed", range(5))
def test_findings_do_not_depend_on_the_order_of_leaves(seed: int):
    made = world()
    plant_wallet(made, status=WalletStatus.CLOSED)
    made.bench.plant(state_keys.balance(wallet_id(CLOSED), "CNY"), Balance(3, 0, 0, 0, UNUSED))
    leaves = list(made.bench.leaves())
    random.Random(seed).shuffle(leaves)
    checker = Checker()
    for path, record in leaves:
        checker.see(path, record)
    found = sorted((finding.invariant, finding.path) for finding in checker.findings())
    assert found == [
        ("closed-wallet-is-empty", state_keys.balance(wallet_id(RICH), "CNY").path),
        ("closed-wallet-is-empty", state_keys.balance(wallet_id(CLOSED), "CNY").path),
        ("supply-is-held", "currency/supply/CNY"),
    ]


def test_checker_forgets_wallets_that_met_their_balance():
    made = world()
    checker = Checker()
    for path, record in made.bench.leaves():
        checker.see(path, record)
    assert not checker._balances_waiting
    assert not checker._wallets_waiting


def test_every_invariant_is_in_the_readme_and_is_shown_to_be_found():
    readme = (Path(invariants.__file__).parent / "README.md").read_text("utf-8")
    found = {name for _, _, names in PLANTED for name in names}
    told = {line.split("`")[1] for line in readme.split("## Invariants")[1].splitlines() if line.startswith("| `")}
    assert told == found
