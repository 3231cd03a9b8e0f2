"""What a validator was proven to have done against the rules of consensus, as whoever decides blocks tells it.

The proof itself (two votes that contradict each other, for one) was verified before, and stands in the block.
"""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta

from fujie.core.encoding import Record
from fujie.core.units import Count, Height, TimeMs

ValidatorAddress = Annotated[bytes, Meta(min_length=20, max_length=20)]
"""The beginning of the sha256 digest of a validator's public key, by which votes name it."""

VotingPower = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""Voting power as consensus counts it."""


class MisbehaviourKind(IntEnum):
    """The kinds known today, by CometBFT's numbers, which are permanent. A record may name one that is not here."""

    DUPLICATE_VOTE = 1  # two votes for different blocks in one round
    LIGHT_CLIENT_ATTACK = 2  # signed a header that the chain does not have


class Misbehaviour(Record, tag=1):
    """One proven act: its kind, by number; who; at which height and time; the power that it had there."""

    kind: Count
    address: ValidatorAddress
    height: Height
    time_ms: TimeMs
    power: VotingPower
