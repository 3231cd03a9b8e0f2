"""How a currency begins."""

from typing import Any

import msgspec
import pytest

from fujie.core.encoding import encode
from fujie.core.errors import Refused
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.modules.currency import genesis, state_keys
from fujie.modules.currency.invariants import Checker
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import InstrumentKind, LimitEntry, Supply, Vault
from fujie.modules.currency.transitions import ROOM_V1
from tests.unit.modules.currency.world import GENESIS, LATER_MS, MEMBERS, PLENTY, World
from tests.unit.modules.harness import with_membership


def test_genesis_decodes_to_itself():
    assert genesis.GENESIS.decode(encode(GENESIS)) == GENESIS


def test_founded_currency_is_sound_and_empty():
    made = World()
    assert made.bench.check(Checker()) == []
    assert made.get(state_keys.supply("CNY")) == Supply(0, 0)
    assert made.get(state_keys.vault("beta", "ZZD")) == Vault(0, 0, 0)
    assert made.get(state_keys.institution("beta", "ZZD")).quota_minor == AMOUNT_MINOR_MAX
    assert made.get(state_keys.limits("CNY", 1)).entries == (PLENTY,)


def with_changes(**changes: Any) -> genesis.CurrencyGenesis:
    return msgspec.structs.replace(GENESIS, **changes)


NOT_IN_FORCE = LimitEntry(LATER_MS, None, None, None, None)
INCONSISTENT = CurrencyReason.CURRENCY_GENESIS_INCONSISTENT
BAD = [
    ("instruments out of order", INCONSISTENT, {"instruments": GENESIS.instruments[::-1]}),
    ("institutions twice", INCONSISTENT, {"institutions": GENESIS.institutions[:1] * 2}),
    ("limits out of order", INCONSISTENT, {"limits": GENESIS.limits[::-1]}),
    (
        "an issuer that is no central bank",
        INCONSISTENT,
        {"instruments": (genesis.GenesisInstrument("CNY", "", 2, "alpha", InstrumentKind.PLAIN),), "limits": ()},
    ),
    ("an instrument that is not founded", INCONSISTENT, {"instruments": GENESIS.instruments[1:]}),
    (
        "an institution without account",
        INCONSISTENT,
        {"institutions": (genesis.GenesisInstitution("delta", "CNY", 1, bytes(32)),)},
    ),
    (
        "limits of an unknown instrument",
        INCONSISTENT,
        {"limits": (genesis.GenesisLimits("XXX", 1, (PLENTY,)),)},
    ),
    (
        "dates that do not ascend",
        CurrencyReason.LIMITS_NOT_ASCENDING,
        {"limits": (genesis.GenesisLimits("CNY", 1, (NOT_IN_FORCE, PLENTY)),)},
    ),
    (
        "limits that begin later",
        CurrencyReason.LIMITS_NOT_IN_FORCE,
        {"limits": (genesis.GenesisLimits("CNY", 1, (NOT_IN_FORCE,)),)},
    ),
]


@pytest.mark.parametrize(("reason", "changes"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_refuses_a_genesis_that_contradicts_itself(reason: CurrencyReason, changes: dict[str, Any]):
    bench = with_membership(MEMBERS, "currency")
    before = bench.image()
    with pytest.raises(Refused) as refusal:
        bench.found(ROOM_V1, with_changes(**changes))
    assert refusal.value.reason is reason
    assert bench.image() == before
