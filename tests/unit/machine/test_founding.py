"""A room whose rules come into force on a running chain begins by vote, with what a genesis would have said of it."""

from collections.abc import Callable

import pytest

from fujie.core.encoding import Record, encode
from fujie.core.errors import Reason
from fujie.core.limits import TRANSACTION_BYTES_MAX
from fujie.core.reasons import TransactionReason
from fujie.core.room import Room
from fujie.machine.genesis import compose
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.modules.currency import genesis as currency
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.operations import Distribute, Issue
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import InstrumentKind, LimitEntry
from fujie.modules.currency.transitions import ROOM_V1
from fujie.modules.identity import genesis as identity
from fujie.modules.identity.operations import RegisterCodebook
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.membership import queries as membership
from fujie.modules.membership import state_keys
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import (
    FOUNDING_BYTES_MAX,
    Action,
    ActivateRules,
    Founding,
    FoundRoom,
    GrantRole,
    RevokeRole,
    Role,
)
from tests import world
from tests.world import BANK, INSTITUTION, INSTRUMENT, ROOT, START_MS, MemoryChain

PARTS = dict(world.parts())
ISSUE = Issue("institution", INSTRUMENT, 1_000, world.nonce(77))


def found(room: str, part: Record | bytes | None = None) -> FoundRoom:
    """The action that lets a room begin as the chain of the tests has it."""
    part = PARTS[room] if part is None else part
    return FoundRoom(room, part if isinstance(part, bytes) else encode(part))


def without(*rooms: str, schedule: Schedule = SCHEDULE) -> MemoryChain:
    """A chain that runs all rooms but ``rooms``, whose rules come into force at the next block."""
    kept = [room for room in world.ROOMS if room not in rooms]
    chain = MemoryChain(world.composed(*kept), schedule)
    for number, room in enumerate(rooms):
        chain.carry_out(*chain.signing.decide(ActivateRules(room, 1, chain.height + 3), number))
    while chain.height < 2 * len(rooms):
        chain.carry_out()
    return chain


def last_vote(chain: MemoryChain, action: Action, number: int = 500) -> int:
    """Carry out a proposal and the votes for it; return the code of the last vote."""
    *before, last = chain.signing.decide(action, number)
    chain.carry_out(*before)
    code: int = chain.run(last)[0].code
    return code


# What it does.


def test_a_chain_gains_currency_and_issues_an_instrument() -> None:
    chain = without("currency")
    assert last_vote(chain, found("currency")) == 0
    assert chain.get(state_keys.founding("currency")) == Founding("currency", 1, chain.height)
    chain.carry_out(chain.signing.sign(ISSUE, *BANK[:2]))
    give = Distribute("institution", world.wallet_id(0), INSTRUMENT, 900)
    chain.carry_out(chain.signing.sign([world.open_wallet(0), give], INSTITUTION))
    chain.carry_out(chain.signing.sign([world.open_wallet(1)], INSTITUTION), chain.signing.pay(0, 1, 7))
    assert chain.get(currency_keys.balance(world.wallet_id(1), INSTRUMENT)).amount_minor == 7


def test_a_chain_gains_identity_and_allocates() -> None:
    chain = without("identity")
    assert last_vote(chain, found("identity")) == 0
    chain.carry_out(chain.signing.sign(world.allocate("1301"), ROOT))


@pytest.mark.parametrize("room", ["currency", "identity"])
def test_a_room_that_is_founded_by_vote_holds_what_its_genesis_would_have_held(room: str) -> None:
    chain = without(room)
    assert last_vote(chain, found(room)) == 0
    prefix = f"{room}/"
    from_the_beginning = MemoryChain(world.composed())
    wanted = {path: leaf.salt for path, (_, leaf) in from_the_beginning.leaves.items() if path.startswith(prefix)}
    assert {path: leaf.salt for path, (_, leaf) in chain.leaves.items() if path.startswith(prefix)} == wanted


@pytest.mark.parametrize("room", ["currency", "identity"])
def test_a_room_takes_no_operation_before_it_is_founded(room: str) -> None:
    """Its rules rely on what it begins with: without an agency there is no root authority to ask."""
    chain = without(room)
    book = RegisterCodebook("gbt2260-2020", "GBT2260", bytes(32), 1, "A book", "somewhere")
    asked = {"currency": (ISSUE, BANK[:2]), "identity": (book, [ROOT])}
    operation, signers = asked[room]
    for _ in range(3):
        assert chain.run(chain.signing.sign(operation, *signers))[0].code == TransactionReason.ROOM_NOT_ACTIVE
    assert [path for path in chain.leaves if path.startswith(f"{room}/")] == []


def test_a_room_that_was_founded_goes_on_after_it_was_stopped() -> None:
    chain = without("currency")
    assert last_vote(chain, found("currency")) == 0
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 0, chain.height + 3), 7))
    chain.carry_out()
    assert chain.run(chain.signing.sign(ISSUE, *BANK[:2]))[0].code == TransactionReason.ROOM_NOT_ACTIVE
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 1, chain.height + 3), 8))
    chain.carry_out()
    chain.carry_out(chain.signing.sign(ISSUE, *BANK[:2]))


def test_a_refused_founding_can_be_voted_for_again_when_what_was_in_its_way_is_gone() -> None:
    chain = without("currency")
    chain.carry_out(*chain.signing.decide(RevokeRole("central-bank", Role.CENTRAL_BANK), 7))
    *before, last = chain.signing.decide(found("currency"), 8)
    chain.carry_out(*before)
    assert chain.run(last)[0].code == CurrencyReason.CURRENCY_GENESIS_INCONSISTENT
    chain.carry_out(*chain.signing.decide(GrantRole("central-bank", Role.CENTRAL_BANK), 9))
    again = chain.signing.sign(Vote("central-bank", world.nonce(1_000_008)), *BANK[:2])
    chain.carry_out(again)
    chain.carry_out(chain.signing.sign(ISSUE, *BANK[:2]))


def test_an_export_of_a_chain_that_founded_a_room_begins_with_it() -> None:
    chain = without("currency")
    assert last_vote(chain, found("currency")) == 0
    exported = MemoryChain(chain.export())
    assert exported.image() == chain.image()
    assert membership.has_begun(exported, "currency")


def test_a_program_without_the_room_votes_as_one_that_has_it() -> None:
    """Up to the height at which it stops, it must give the same receipts: so no founding is judged before that height."""
    older = Schedule({name: rooms for name, rooms in SCHEDULE.rooms.items() if name != "currency"})
    chains = [MemoryChain(world.composed("membership", "identity"), schedule) for schedule in (SCHEDULE, older)]
    receipts = []
    for chain in chains:
        height = chain.height + 9
        made = chain.run(*chain.signing.decide(ActivateRules("currency", 1, height), 1))
        made += chain.run(*chain.signing.decide(found("currency"), 2))
        made += chain.run(*chain.signing.decide(found("currency", b"\x00"), 3))
        receipts.append([encode(receipt) for receipt in made])
    assert receipts[0] == receipts[1]
    assert chains[0].image() == chains[1].image()


# What it refuses.


def limits(*entries: LimitEntry) -> currency.CurrencyGenesis:
    part = PARTS["currency"]
    assert isinstance(part, currency.CurrencyGenesis)
    return currency.CurrencyGenesis(
        part.instruments, part.institutions, (currency.GenesisLimits(INSTRUMENT, 1, entries),)
    )


def issued_by(account: str) -> currency.CurrencyGenesis:
    kind = InstrumentKind.PLAIN
    return currency.CurrencyGenesis((currency.GenesisInstrument(INSTRUMENT, "Yuan", 2, account, kind),), (), ())


def under(account: str) -> identity.IdentityGenesis:
    return identity.IdentityGenesis("ZZ", account, (), ())


def before_its_height() -> MemoryChain:
    chain = MemoryChain(world.composed("membership", "identity"))
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 1, chain.height + 9), 1))
    return chain


def stopped() -> MemoryChain:
    chain = without("currency")
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 0, chain.height + 3), 7))
    chain.carry_out()
    return chain


def founded() -> MemoryChain:
    chain = without("currency")
    assert last_vote(chain, found("currency")) == 0
    return chain


def needs_nothing() -> MemoryChain:
    plain = Room("currency", 1, ROOM_V1.handlers, ROOM_V1.genesis)  # a room that begins with nothing
    return without("currency", schedule=Schedule({**SCHEDULE.rooms, "currency": {1: plain}}))


NONE = LimitEntry(0, None, None, None, None)
LATER = LimitEntry(START_MS * 2, None, None, None, None)

TABLE: list[tuple[Reason, str, Callable[[], MemoryChain], FoundRoom]] = [
    (MembershipReason.ROOM_NOT_IN_FORCE, "nobody decided about it", before_its_height, found("currency", b"\x00")),
    (MembershipReason.ROOM_NOT_IN_FORCE, "a room nobody has", before_its_height, FoundRoom("tenancy", b"\x00")),
    (MembershipReason.ROOM_NOT_IN_FORCE, "stopped", stopped, found("currency", b"\x00")),
    (MembershipReason.ROOM_FOUNDED_ALREADY, "with the chain", before_its_height, found("identity", b"\x00")),
    (MembershipReason.ROOM_FOUNDED_ALREADY, "by a vote", founded, found("currency", b"\x00")),
    (MembershipReason.ROOM_FOUNDED_ALREADY, "membership itself", founded, found("membership", b"\x00")),
    (MembershipReason.ROOM_FOUNDED_ALREADY, "with nothing to found", needs_nothing, found("currency", b"\x00")),
    (MembershipReason.FOUNDING_UNREADABLE, "no message", lambda: without("currency"), found("currency", b"\xc1")),
    (
        MembershipReason.FOUNDING_UNREADABLE,
        "another room's",
        lambda: without("currency"),
        found("currency", PARTS["identity"]),
    ),
    (
        MembershipReason.FOUNDING_UNREADABLE,
        "a byte behind it",
        lambda: without("currency"),
        found("currency", encode(PARTS["currency"]) + b"\x00"),
    ),
    (
        IdentityReason.IDENTITY_GENESIS_INCONSISTENT,
        "an account without the role",
        lambda: without("identity"),
        found("identity", under("institution")),
    ),
    (
        IdentityReason.IDENTITY_GENESIS_INCONSISTENT,
        "an account that is not there",
        lambda: without("identity"),
        found("identity", under("nobody")),
    ),
    (
        CurrencyReason.CURRENCY_GENESIS_INCONSISTENT,
        "an issuer that is no central bank",
        lambda: without("currency"),
        found("currency", issued_by("institution")),
    ),
    (
        CurrencyReason.LIMITS_NOT_ASCENDING,
        "limits out of order",
        lambda: without("currency"),
        found("currency", limits(NONE, NONE)),
    ),
    (
        CurrencyReason.LIMITS_NOT_IN_FORCE,
        "limits that lie ahead of the block",
        lambda: without("currency"),
        found("currency", limits(LATER)),
    ),
]


@pytest.mark.parametrize(
    ("reason", "claim", "prepare", "action"), TABLE, ids=[f"{row[0].name}: {row[1]}" for row in TABLE]
)
def test_refuses_a_founding_and_keeps_the_proposal_open(
    reason: Reason, claim: str, prepare: Callable[[], MemoryChain], action: FoundRoom
) -> None:
    chain = prepare()
    *before, last = chain.signing.decide(action, 600)
    chain.carry_out(*before)
    image = chain.image()
    assert chain.run(last)[0].code == reason, claim
    changed = {path for path, data in chain.image().items() if image.get(path) != data}
    assert changed == {"membership/meter/central-bank"}, "a refused vote is charged for, and nothing else"


def test_every_reason_of_a_founding_has_a_row() -> None:
    own = {
        MembershipReason.ROOM_NOT_IN_FORCE,
        MembershipReason.ROOM_FOUNDED_ALREADY,
        MembershipReason.FOUNDING_UNREADABLE,
    }
    geneses = {
        IdentityReason.IDENTITY_GENESIS_INCONSISTENT,
        CurrencyReason.CURRENCY_GENESIS_INCONSISTENT,
        CurrencyReason.LIMITS_NOT_ASCENDING,
        CurrencyReason.LIMITS_NOT_IN_FORCE,
    }
    assert {row[0] for row in TABLE} == own | geneses


def test_the_largest_founding_fits_a_transaction_with_many_keys() -> None:
    chain = MemoryChain(compose("world", START_MS, world.parts()))
    signers = [world.signer(f"of many {number}") for number in range(16)]
    action = FoundRoom("currency", bytes(FOUNDING_BYTES_MAX))
    raw = chain.signing.sign(Propose("root", world.nonce(1), action, START_MS + 1), *signers)
    assert len(raw) <= TRANSACTION_BYTES_MAX
