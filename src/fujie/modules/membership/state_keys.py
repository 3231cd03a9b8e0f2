"""Every state key of membership. No leaf of this room is salted: who takes part is for anyone to read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from fujie.core.encoding import Codec
from fujie.core.meter import Meter
from fujie.core.state import Key
from fujie.modules.membership.records import (
    Account,
    Founding,
    Governors,
    MisbehaviourRecord,
    Organisation,
    Parameters,
    Proposal,
    Rooms,
    Rules,
    Validators,
)

ORGANISATION: Final[Codec[Organisation]] = Codec(Organisation)
ACCOUNT: Final[Codec[Account]] = Codec(Account)
METER: Final[Codec[Meter]] = Codec(Meter)
GOVERNORS: Final[Codec[Governors]] = Codec(Governors)
PARAMETERS: Final[Codec[Parameters]] = Codec(Parameters)
ROOMS: Final[Codec[Rooms]] = Codec(Rooms)
RULES: Final[Codec[Rules]] = Codec(Rules)
FOUNDING: Final[Codec[Founding]] = Codec(Founding)
VALIDATORS: Final[Codec[Validators]] = Codec(Validators)
PROPOSAL: Final[Codec[Proposal]] = Codec(Proposal)
MISBEHAVIOUR: Final[Codec[MisbehaviourRecord]] = Codec(MisbehaviourRecord)

ORGANISATION_PREFIX: Final = "membership/organisation/"
ACCOUNT_PREFIX: Final = "membership/account/"
METER_PREFIX: Final = "membership/meter/"
RULES_PREFIX: Final = "membership/rules/"
FOUNDING_PREFIX: Final = "membership/founding/"
PROPOSAL_PREFIX: Final = "membership/proposal/"
MISBEHAVIOUR_PREFIX: Final = "membership/misbehaviour/"

GOVERNORS_KEY: Final = Key("membership/governors", GOVERNORS)
PARAMETERS_KEY: Final = Key("membership/parameters", PARAMETERS)
ROOMS_KEY: Final = Key("membership/rooms", ROOMS)
VALIDATORS_KEY: Final = Key("membership/validators", VALIDATORS)

PATHS: Final[Mapping[str, Codec[Any]]] = MappingProxyType(
    {
        ORGANISATION_PREFIX: ORGANISATION,
        ACCOUNT_PREFIX: ACCOUNT,
        METER_PREFIX: METER,
        RULES_PREFIX: RULES,
        FOUNDING_PREFIX: FOUNDING,
        PROPOSAL_PREFIX: PROPOSAL,
        MISBEHAVIOUR_PREFIX: MISBEHAVIOUR,
        GOVERNORS_KEY.path: GOVERNORS,
        PARAMETERS_KEY.path: PARAMETERS,
        ROOMS_KEY.path: ROOMS,
        VALIDATORS_KEY.path: VALIDATORS,
    }
)
"""How the paths of this room begin, or are, and what stands there. None begins another."""


def organisation(name: str) -> Key[Organisation]:
    """Return the key of the organisation with this name."""
    return Key(ORGANISATION_PREFIX + name, ORGANISATION)


def account(name: str) -> Key[Account]:
    """Return the key of the account with this name."""
    return Key(ACCOUNT_PREFIX + name, ACCOUNT)


def meter(name: str) -> Key[Meter]:
    """Return the key of what the account with this name has used of its quota."""
    return Key(METER_PREFIX + name, METER)


def rules(room: str) -> Key[Rules]:
    """Return the key of the rule versions of a room."""
    return Key(RULES_PREFIX + room, RULES)


def founding(room: str) -> Key[Founding]:
    """Return the key of how a room was founded by vote."""
    return Key(FOUNDING_PREFIX + room, FOUNDING)


def proposal(identifier: bytes) -> Key[Proposal]:
    """Return the key of the proposal with this 16-byte id."""
    return Key(PROPOSAL_PREFIX + identifier.hex(), PROPOSAL)


def misbehaviour(address: bytes) -> Key[MisbehaviourRecord]:
    """Return the key of what was proven against the validator with this 20-byte address."""
    return Key(MISBEHAVIOUR_PREFIX + address.hex(), MISBEHAVIOUR)


def governors() -> Key[Governors]:
    """Return the key of the list of governors."""
    return GOVERNORS_KEY


def parameters() -> Key[Parameters]:
    """Return the key of the chain's parameters."""
    return PARAMETERS_KEY


def rooms() -> Key[Rooms]:
    """Return the key of the list of rooms."""
    return ROOMS_KEY


def validators() -> Key[Validators]:
    """Return the key of the validator set."""
    return VALIDATORS_KEY
