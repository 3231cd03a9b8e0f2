"""What a proposal does when it is carried: one function per action, each refusing before it writes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from fujie.core.context import Context
from fujie.core.errors import DecodeError, Refused
from fujie.core.room import Room
from fujie.core.signing import is_sound_public_key
from fujie.core.state import State
from fujie.core.versions import first
from fujie.modules.membership import queries, state_keys
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import (
    GOVERNORS_MAX,
    ROOMS_MAX,
    RULE_LEAD_HEIGHTS,
    RULE_VERSIONS_MAX,
    VALIDATORS_MAX,
    Account,
    Action,
    ActivateRules,
    AdmitOrganisation,
    Founding,
    FoundRoom,
    Governors,
    GrantRole,
    Organisation,
    RecoverAccount,
    RestoreAccount,
    RestoreOrganisation,
    RevokeRole,
    Role,
    Rooms,
    Rules,
    RuleVersion,
    SetParameters,
    SetQuota,
    SetValidator,
    Status,
    SuspendAccount,
    SuspendOrganisation,
    Validator,
)
from fujie.modules.membership.transitions.accounts import create_account
from fujie.modules.membership.transitions.governance import keep_governable
from fujie.modules.membership.transitions.rewrite import (
    rewrite_account,
    rewrite_organisation,
    rewrite_parameters,
    rewrite_validators,
)


def carry_out(state: State, context: Context, action: Action, rooms: Mapping[str, Room]) -> None:
    """Do what ``action`` says, or refuse with its reason before anything is written. ``rooms``: those in force, by name."""
    if isinstance(action, FoundRoom):
        found_room(state, context, action, rooms)
    else:
        _CARRY_OUT[type(action)](state, context, action)


# Organisations and accounts.


def admit_organisation(state: State, context: Context, action: AdmitOrganisation) -> None:
    """Admit an organisation and open its first account.

    Refuses, in order: KEY_POLICY_UNSOUND, ORGANISATION_NAME_TAKEN, ACCOUNT_NAME_TAKEN.
    """
    if not action.policy.is_sound():
        raise Refused(MembershipReason.KEY_POLICY_UNSOUND)
    if queries.organisation(state, action.name) is not None:
        raise Refused(MembershipReason.ORGANISATION_NAME_TAKEN)
    if queries.account(state, action.account) is not None:
        raise Refused(MembershipReason.ACCOUNT_NAME_TAKEN)
    # From here nothing may refuse.

    organisation = Organisation(action.name, action.title, Status.ACTIVE, 1, first(context))
    state.put(state_keys.organisation(action.name), organisation)
    create_account(state, context, action.account, organisation, action.policy)


def suspend_organisation(state: State, context: Context, action: SuspendOrganisation) -> None:
    """Suspend an organisation.

    Refuses, in order: SUBJECT_ORGANISATION_NOT_FOUND, NOTHING_WOULD_CHANGE, TOO_FEW_GOVERNORS_WOULD_REMAIN.
    """
    organisation = _subject_organisation(state, action.organisation)
    if organisation.status is Status.SUSPENDED:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    keep_governable(state, without_organisation=organisation.name)
    # From here nothing may refuse.

    rewrite_organisation(state, context, organisation, status=Status.SUSPENDED)


def restore_organisation(state: State, context: Context, action: RestoreOrganisation) -> None:
    """Restore an organisation.

    Refuses, in order: SUBJECT_ORGANISATION_NOT_FOUND, NOTHING_WOULD_CHANGE.
    """
    organisation = _subject_organisation(state, action.organisation)
    if organisation.status is Status.ACTIVE:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    # From here nothing may refuse.

    rewrite_organisation(state, context, organisation, status=Status.ACTIVE)


def suspend_account(state: State, context: Context, action: SuspendAccount) -> None:
    """Suspend an account.

    Refuses, in order: SUBJECT_ACCOUNT_NOT_FOUND, NOTHING_WOULD_CHANGE, TOO_FEW_GOVERNORS_WOULD_REMAIN.
    """
    account = _subject_account(state, action.account)
    if account.status is Status.SUSPENDED:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    keep_governable(state, without_account=account.name)
    # From here nothing may refuse.

    rewrite_account(state, context, account, status=Status.SUSPENDED)


def restore_account(state: State, context: Context, action: RestoreAccount) -> None:
    """Restore an account.

    Refuses, in order: SUBJECT_ACCOUNT_NOT_FOUND, NOTHING_WOULD_CHANGE.
    """
    account = _subject_account(state, action.account)
    if account.status is Status.ACTIVE:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    # From here nothing may refuse.

    rewrite_account(state, context, account, status=Status.ACTIVE)


def recover_account(state: State, context: Context, action: RecoverAccount) -> None:
    """Replace the keys of a suspended account. Two votes are needed for it, so that nobody's keys go in silence.

    Refuses, in order: SUBJECT_ACCOUNT_NOT_FOUND, SUBJECT_ACCOUNT_NOT_SUSPENDED, KEY_POLICY_UNSOUND,
    NOTHING_WOULD_CHANGE.
    """
    account = _subject_account(state, action.account)
    if account.status is not Status.SUSPENDED:
        raise Refused(MembershipReason.SUBJECT_ACCOUNT_NOT_SUSPENDED)
    if not action.policy.is_sound():
        raise Refused(MembershipReason.KEY_POLICY_UNSOUND)
    if action.policy == account.policy:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    # From here nothing may refuse.

    rewrite_account(state, context, account, policy=action.policy)


def grant_role(state: State, context: Context, action: GrantRole) -> None:
    """Give an account a role.

    Refuses, in order: SUBJECT_ACCOUNT_NOT_FOUND, NOTHING_WOULD_CHANGE, REGISTER_FULL (of governors).
    """
    account = _subject_account(state, action.account)
    if action.role in account.roles:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    governors = queries.governors(state).accounts
    if action.role is Role.GOVERNOR and len(governors) >= GOVERNORS_MAX:
        raise Refused(MembershipReason.REGISTER_FULL)
    # From here nothing may refuse.

    rewrite_account(state, context, account, roles=tuple(sorted((*account.roles, action.role))))
    if action.role is Role.GOVERNOR:
        state.put(state_keys.GOVERNORS_KEY, Governors(tuple(sorted((*governors, account.name)))))


def revoke_role(state: State, context: Context, action: RevokeRole) -> None:
    """Take a role from an account.

    Refuses, in order: SUBJECT_ACCOUNT_NOT_FOUND, NOTHING_WOULD_CHANGE, TOO_FEW_GOVERNORS_WOULD_REMAIN.
    """
    account = _subject_account(state, action.account)
    if action.role not in account.roles:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    if action.role is Role.GOVERNOR:
        keep_governable(state, without_account=account.name)
    # From here nothing may refuse.

    rewrite_account(state, context, account, roles=tuple(role for role in account.roles if role is not action.role))
    if action.role is Role.GOVERNOR:
        remaining = tuple(name for name in queries.governors(state).accounts if name != account.name)
        state.put(state_keys.GOVERNORS_KEY, Governors(remaining))


def set_quota(state: State, context: Context, action: SetQuota) -> None:
    """Set the quota of an account.

    Refuses, in order: SUBJECT_ACCOUNT_NOT_FOUND, NOTHING_WOULD_CHANGE.
    """
    account = _subject_account(state, action.account)
    if action.quota_per_minute == account.quota_per_minute:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    # From here nothing may refuse.

    rewrite_account(state, context, account, quota_per_minute=action.quota_per_minute)


# The chain.


def set_parameters(state: State, context: Context, action: SetParameters) -> None:
    """Change the parameters that the action names.

    Refuses, in order: NOTHING_WOULD_CHANGE, TOO_FEW_GOVERNORS_WOULD_REMAIN (the threshold is out of their reach).
    """
    parameters = queries.parameters(state)
    named = {
        "utc_offset_minutes": action.utc_offset_minutes,
        "transaction_window_ms": action.transaction_window_ms,
        "operations_per_minute": action.operations_per_minute,
        "governance_threshold": action.governance_threshold,
        "proposal_period_max_ms": action.proposal_period_max_ms,
    }
    changes = {name: value for name, value in named.items() if value is not None and value != getattr(parameters, name)}
    if not changes:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    keep_governable(state, threshold=action.governance_threshold)
    # From here nothing may refuse.

    rewrite_parameters(state, context, parameters, **changes)


def activate_rules(state: State, context: Context, action: ActivateRules) -> None:
    """Decide which version of a room's rules is in force from a height on, in place of what was decided but is not yet.

    Refuses, in order: MEMBERSHIP_ROOM_MUST_RUN, RULE_HEIGHT_TOO_SOON, NOTHING_WOULD_CHANGE, REGISTER_FULL.
    """
    before = queries.rules(state, action.room)
    rooms = queries.room_names(state)
    versions = () if before is None else before.versions
    kept = tuple(entry for entry in versions if entry.from_height <= context.height)
    in_force = kept[-1].version if kept else 0
    after = kept if action.version == in_force else (*kept, RuleVersion(action.version, action.from_height))

    if action.room == "membership" and action.version == 0:
        raise Refused(MembershipReason.MEMBERSHIP_ROOM_MUST_RUN)
    if action.from_height < context.height + RULE_LEAD_HEIGHTS:
        raise Refused(MembershipReason.RULE_HEIGHT_TOO_SOON)
    if after == versions:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    if len(after) > RULE_VERSIONS_MAX or (before is None and len(rooms) == ROOMS_MAX):
        raise Refused(MembershipReason.REGISTER_FULL)
    # From here nothing may refuse.

    state.put(state_keys.rules(action.room), Rules(action.room, after))
    if before is None:
        state.put(state_keys.ROOMS_KEY, Rooms(tuple(sorted((*rooms, action.room)))))


def found_room(state: State, context: Context, action: FoundRoom, rooms: Mapping[str, Room]) -> None:
    """Let a room begin, by the same function with which it begins in a genesis.

    Not before its rules are in force: until then a program that lacks them must reach the same verdict as one that has them.

    Refuses, in order: ROOM_NOT_IN_FORCE, ROOM_FOUNDED_ALREADY, FOUNDING_UNREADABLE; then with the reasons of the room's own
    genesis.
    """
    room = rooms.get(action.room)
    if room is None:
        raise Refused(MembershipReason.ROOM_NOT_IN_FORCE)
    if room.part is None or queries.has_begun(state, room.name):
        raise Refused(MembershipReason.ROOM_FOUNDED_ALREADY)
    try:
        part = room.part.decode(action.part)
    except DecodeError:
        raise Refused(MembershipReason.FOUNDING_UNREADABLE) from None
    room.genesis(state, context, part)
    # From here nothing may refuse.

    state.put(state_keys.founding(room.name), Founding(room.name, room.version, context.height))


def set_validator(state: State, context: Context, action: SetValidator) -> None:
    """Add, change or remove a validator.

    Refuses, in order: SUBJECT_ORGANISATION_NOT_FOUND, VALIDATOR_KEY_UNSOUND, NOTHING_WOULD_CHANGE, REGISTER_FULL,
    VALIDATOR_SET_WOULD_BE_EMPTY.
    """
    validators = queries.validators(state)
    others = [member for member in validators.members if member.public_key != action.public_key]
    if action.power:
        others.append(Validator(action.public_key, action.power, action.organisation))
    members = tuple(sorted(others, key=lambda member: member.public_key))

    _subject_organisation(state, action.organisation)
    if not is_sound_public_key(action.public_key):
        raise Refused(MembershipReason.VALIDATOR_KEY_UNSOUND)
    if members == validators.members:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    if len(members) > VALIDATORS_MAX:
        raise Refused(MembershipReason.REGISTER_FULL)
    if not members:
        raise Refused(MembershipReason.VALIDATOR_SET_WOULD_BE_EMPTY)
    # From here nothing may refuse.

    rewrite_validators(state, context, validators, members=members)


def _subject_account(state: State, name: str) -> Account:
    """Return the account that an action is about, or refuse with SUBJECT_ACCOUNT_NOT_FOUND."""
    account = queries.account(state, name)
    if account is None:
        raise Refused(MembershipReason.SUBJECT_ACCOUNT_NOT_FOUND)
    return account


def _subject_organisation(state: State, name: str) -> Organisation:
    """Return the organisation that an action is about, or refuse with SUBJECT_ORGANISATION_NOT_FOUND."""
    organisation = queries.organisation(state, name)
    if organisation is None:
        raise Refused(MembershipReason.SUBJECT_ORGANISATION_NOT_FOUND)
    return organisation


_CARRY_OUT: Final[Mapping[type[Action], Callable[[State, Context, Any], None]]] = MappingProxyType(
    {
        AdmitOrganisation: admit_organisation,
        SuspendOrganisation: suspend_organisation,
        RestoreOrganisation: restore_organisation,
        SuspendAccount: suspend_account,
        RestoreAccount: restore_account,
        RecoverAccount: recover_account,
        GrantRole: grant_role,
        RevokeRole: revoke_role,
        SetQuota: set_quota,
        SetParameters: set_parameters,
        ActivateRules: activate_rules,
        SetValidator: set_validator,
    }
)
