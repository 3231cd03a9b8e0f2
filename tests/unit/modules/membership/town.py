"""The chain that the tests of membership play on."""

from typing import Any

from fujie.core.room import Event
from fujie.core.signing import Signer
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.records import Action
from fujie.modules.membership.transitions import ROOM_V1
from tests.unit.modules.harness import Bench, Member, keys, with_membership

ANNA, BEN, CLEA, BANK_ONE, BANK_TWO, STRANGER, *SPARE = keys(12)
DAY_MS = 86_400_000

# anna and ben govern for the council, clea for the court; a bank acts with two of its keys; nobody else has a role.
MEMBERS = {
    "anna": Member("council", [ANNA], ("governor",)),
    "bank": Member("bank", [BANK_ONE, BANK_TWO], ("institution",)),
    "ben": Member("council", [BEN], ("governor", "registrar")),
    "clea": Member("court", [CLEA], ("auditor", "governor")),
}
SIGNERS: dict[str, list[Signer]] = {name: list(member.signers) for name, member in MEMBERS.items()}


def town(**parameters: Any) -> Bench:
    """Membership alone; two of three governors carry a proposal unless ``parameters`` say otherwise."""
    return with_membership(MEMBERS, **{"governance_threshold": 2} | parameters)


def identifier(number: int) -> bytes:
    """The id of the proposal with this number."""
    return number.to_bytes(16, "big")


def propose(bench: Bench, action: Action, number: int = 1, by: str = "anna") -> bytes:
    """Propose ``action`` until a day from now and return the id."""
    operation = Propose(by, identifier(number), action, bench.time_ms + DAY_MS)
    bench.run(ROOM_V1, operation, signers=SIGNERS[by])
    return operation.id


def vote(bench: Bench, proposal: bytes, by: str, **block: int) -> Event:
    """Vote for a proposal."""
    return bench.run(ROOM_V1, Vote(by, proposal), signers=SIGNERS[by], **block)


def decide(bench: Bench, action: Action, number: int) -> None:
    """Carry ``action`` by the votes of anna and ben."""
    proposal = propose(bench, action, number)
    vote(bench, proposal, "anna")
    vote(bench, proposal, "ben")
