"""What may be read of membership: by the rules of every room, and by anyone as a query with proof.

This is the only module of the room that other rooms import, so it also names the types that they need.
"""

from typing import ClassVar, Protocol, TypeVar

from fujie.core.context import Context
from fujie.core.encoding import Record
from fujie.core.errors import Refused
from fujie.core.meter import UNUSED, Meter, charged
from fujie.core.misbehaviour import ValidatorAddress
from fujie.core.query import Audience, Query
from fujie.core.reasons import TransactionReason
from fujie.core.state import Key, State
from fujie.core.units import AccountName, Nonce
from fujie.modules.membership import records, state_keys
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import (
    Account,
    Founding,
    Governors,
    MisbehaviourRecord,
    Organisation,
    Parameters,
    Proposal,
    Role,
    RoomName,
    Rooms,
    Rules,
    Status,
    Validators,
    Visibility,
)

__all__ = [
    "Account",
    "AccountQuery",
    "FoundingQuery",
    "MembershipReason",
    "MisbehaviourQuery",
    "Organisation",
    "OrganisationQuery",
    "Parameters",
    "ParametersQuery",
    "ProposalQuery",
    "Readable",
    "Role",
    "RoomsQuery",
    "RulesQuery",
    "Status",
    "ValidatorsQuery",
    "Visibility",
    "account",
    "active_version",
    "authorise_account",
    "charge_account",
    "governors",
    "has_begun",
    "may_act",
    "may_audit",
    "organisation",
    "parameters",
    "room_names",
    "rules",
    "touched_by",
    "validators",
]

T = TypeVar("T", bound=Record)


class Readable(Protocol):
    """What the functions below need of a state: State and StateRead both have it."""

    def get(self, key: Key[T]) -> T | None:
        """Return the record at ``key``, or None."""
        ...


# For the rules of any room.


def parameters(state: Readable) -> Parameters:
    """Return the chain's parameters, which stand in state since genesis."""
    found = state.get(state_keys.PARAMETERS_KEY)
    assert found is not None, "genesis writes the parameters"
    return found


def account(state: Readable, name: str) -> Account | None:
    """Return the account with this name, or None."""
    return state.get(state_keys.account(name))


def organisation(state: Readable, name: str) -> Organisation | None:
    """Return the organisation with this name, or None."""
    return state.get(state_keys.organisation(name))


def authorise_account(state: Readable, context: Context, name: str, role: Role | None = None) -> Account:
    """Return the account ``name`` if the transaction may act for it, and it holds ``role`` where one is given.

    Refuses, in order: ACCOUNT_NOT_FOUND; POLICY_NOT_SATISFIED, before anything is said about the account to a stranger;
    ACCOUNT_SUSPENDED; ORGANISATION_SUSPENDED; ACCOUNT_LACKS_ROLE.
    """
    found = account(state, name)
    if found is None:
        raise Refused(MembershipReason.ACCOUNT_NOT_FOUND)
    if not found.policy.satisfied_by(context.signers):
        raise Refused(TransactionReason.POLICY_NOT_SATISFIED)
    if found.status is not Status.ACTIVE:
        raise Refused(MembershipReason.ACCOUNT_SUSPENDED)
    if not _organisation_is_active(state, found):
        raise Refused(MembershipReason.ORGANISATION_SUSPENDED)
    if role is not None and role not in found.roles:
        raise Refused(MembershipReason.ACCOUNT_LACKS_ROLE)
    return found


def charge_account(state: State, context: Context, name: str, count: int) -> None:
    """Charge ``count`` operations to the quota of the account ``name``, which exists.

    The limit is the account's own, or the chain's default where that is 0. Refuses with QUOTA_EXCEEDED.
    """
    found = account(state, name)
    assert found is not None, "an account is charged after it was authorised"
    limit = found.quota_per_minute or parameters(state).operations_per_minute
    key = state_keys.meter(name)
    state.put(key, charged(state.get(key) or UNUSED, context.time_ms, count, limit))


def may_act(state: Readable, subject: Account) -> bool:
    """Tell whether neither the account nor its organisation is suspended."""
    return subject.status is Status.ACTIVE and _organisation_is_active(state, subject)


def may_audit(subject: Account) -> bool:
    """Tell whether an account belongs to the audience AUDITOR: an active auditor, regulator or central bank.

    The caller also owes :func:`may_act` where the organisation's standing matters.
    """
    return subject.status is Status.ACTIVE and (
        Role.AUDITOR in subject.roles or Role.REGULATOR in subject.roles or Role.CENTRAL_BANK in subject.roles
    )


def governors(state: Readable) -> Governors:
    """Return the list of governors, which stands in state since genesis."""
    found = state.get(state_keys.GOVERNORS_KEY)
    assert found is not None, "genesis writes the list of governors"
    return found


def validators(state: Readable) -> Validators:
    """Return the validator set as decided, which stands in state since genesis."""
    found = state.get(state_keys.VALIDATORS_KEY)
    assert found is not None, "genesis writes the validators"
    return found


def room_names(state: Readable) -> tuple[str, ...]:
    """Return the rooms about which rules were ever decided, ascending; membership is always one of them."""
    found = state.get(state_keys.ROOMS_KEY)
    assert found is not None, "genesis writes the list of rooms"
    return found.names


def rules(state: Readable, room: str) -> Rules | None:
    """Return the rule versions of a room, or None where nothing was ever decided about it."""
    return state.get(state_keys.rules(room))


def active_version(state: Readable, room: str, height: int) -> int:
    """Return the version of a room's rules in force at ``height``; 0 means that the room does not run."""
    return records.active_version(rules(state, room), height)


def has_begun(state: Readable, room: str) -> bool:
    """Tell whether a room was founded, with the chain or by a vote since."""
    found = rules(state, room)
    with_the_chain = found is not None and bool(found.versions) and found.versions[0].from_height == 0
    return with_the_chain or state.get(state_keys.founding(room)) is not None


def touched_by(name: str) -> tuple[Key[Account], Key[Parameters], Key[Meter]]:
    """Return the keys that authorising and charging the account ``name`` reads: a hint for ``Handler.touches``."""
    return state_keys.account(name), state_keys.PARAMETERS_KEY, state_keys.meter(name)


def _organisation_is_active(state: Readable, subject: Account) -> bool:
    """Tell whether the organisation of an account may act."""
    found = organisation(state, subject.organisation)
    assert found is not None, "an account belongs to an organisation that exists"
    return found.status is Status.ACTIVE


# For readers.


class AccountQuery(Query, tag=1001):
    """The account with this name."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    name: AccountName

    def key(self) -> Key[Account]:
        """See :class:`Query`."""
        return state_keys.account(self.name)

    def holder(self) -> str:
        """See :class:`Query`."""
        return f"account/{self.name}"


class OrganisationQuery(Query, tag=1002):
    """The organisation with this name."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    name: AccountName

    def key(self) -> Key[Organisation]:
        """See :class:`Query`."""
        return state_keys.organisation(self.name)


class ParametersQuery(Query, tag=1003):
    """The parameters of the chain."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})

    def key(self) -> Key[Parameters]:
        """See :class:`Query`."""
        return state_keys.PARAMETERS_KEY


class ProposalQuery(Query, tag=1004):
    """The proposal with this id."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    id: Nonce

    def key(self) -> Key[Proposal]:
        """See :class:`Query`."""
        return state_keys.proposal(self.id)


class ValidatorsQuery(Query, tag=1005):
    """The validator set as decided."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})

    def key(self) -> Key[Validators]:
        """See :class:`Query`."""
        return state_keys.VALIDATORS_KEY


class RulesQuery(Query, tag=1006):
    """The rule versions of a room."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    room: RoomName

    def key(self) -> Key[Rules]:
        """See :class:`Query`."""
        return state_keys.rules(self.room)


class MisbehaviourQuery(Query, tag=1007):
    """What was proven against the validator with this address: the first 20 bytes of the sha256 digest of its public key."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    address: ValidatorAddress

    def key(self) -> Key[MisbehaviourRecord]:
        """See :class:`Query`."""
        return state_keys.misbehaviour(self.address)


class RoomsQuery(Query, tag=1008):
    """The rooms about which rules were ever decided."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})

    def key(self) -> Key[Rooms]:
        """See :class:`Query`."""
        return state_keys.ROOMS_KEY


class FoundingQuery(Query, tag=1009):
    """How a room was founded by vote; nothing for one that began with the chain."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    room: RoomName

    def key(self) -> Key[Founding]:
        """See :class:`Query`."""
        return state_keys.founding(self.room)
