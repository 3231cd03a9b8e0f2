"""How a chain's members are founded. Whoever writes a genesis writes it in these records; the histories begin here."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, TypeVar

from msgspec import Meta

from fujie.core.context import Context
from fujie.core.encoding import Codec, Record
from fujie.core.errors import Refused
from fujie.core.policy import KeyPolicy
from fujie.core.signing import is_sound_public_key
from fujie.core.state import State
from fujie.core.units import AccountName, ShortText
from fujie.core.versions import first
from fujie.modules.membership import state_keys
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import (
    GENESIS_ITEMS_MAX,
    GOVERNORS_MAX,
    ORGANISATION_ACCOUNTS_MAX,
    ROOMS_MAX,
    VALIDATORS_MAX,
    Account,
    Governors,
    Organisation,
    Parameters,
    ParameterValues,
    QuotaPerMinute,
    Role,
    Roles,
    RoomName,
    Rooms,
    RuleNumber,
    Rules,
    RuleVersion,
    Status,
    Validator,
    Validators,
    Visibility,
)

S = TypeVar("S", str, bytes)


DEFAULTS: Final = ParameterValues(
    utc_offset_minutes=0,
    # Ten minutes: a client survives a restart of its node, and a node remembers 6 million ids at 10,000 a second.
    transaction_window_ms=600_000,
    # Ten a second, sustained: more than any person or till asks for, and at 8,000 a second it takes 800 accounts that
    # mean harm to fill a chain. A registrar or bank that needs more is given its own quota by vote.
    operations_per_minute=600,
    governance_threshold=1,
    proposal_period_max_ms=30 * 86_400_000,
    state_tree_depth=18,
    visibility=Visibility.PUBLIC,
)


class GenesisOrganisation(Record, tag=1):
    """An organisation to begin with."""

    name: AccountName
    title: ShortText


class GenesisAccount(Record, tag=1):
    """An account to begin with. ``roles`` ascend and are distinct."""

    name: AccountName
    organisation: AccountName
    policy: KeyPolicy
    roles: Roles
    quota_per_minute: QuotaPerMinute


class GenesisRule(Record, tag=1):
    """A room that runs from the beginning, and under which version of its rules (1 or more)."""

    room: RoomName
    version: RuleNumber


class MembershipGenesis(Record, tag=1):
    """The part of a genesis that belongs to membership. Every list ascends by name, room or public key."""

    parameters: ParameterValues
    organisations: Annotated[tuple[GenesisOrganisation, ...], Meta(min_length=1, max_length=GENESIS_ITEMS_MAX)]
    accounts: Annotated[tuple[GenesisAccount, ...], Meta(min_length=1, max_length=GENESIS_ITEMS_MAX)]
    validators: Annotated[tuple[Validator, ...], Meta(min_length=1, max_length=VALIDATORS_MAX)]
    rules: Annotated[tuple[GenesisRule, ...], Meta(min_length=1, max_length=ROOMS_MAX)]


GENESIS: Final[Codec[MembershipGenesis]] = Codec(MembershipGenesis)


def found(state: State, context: Context, part: MembershipGenesis) -> None:
    """Write the records that the chain begins with.

    Refuses, in order: KEY_POLICY_UNSOUND, VALIDATOR_KEY_UNSOUND, ORGANISATION_ACCOUNTS_EXHAUSTED, REGISTER_FULL (too
    many governors), TOO_FEW_GOVERNORS_WOULD_REMAIN (fewer than the threshold), MEMBERSHIP_GENESIS_INCONSISTENT (a list out of
    order, an organisation that is named but not founded, a validator without power, membership itself not running).
    """
    governors = tuple(account.name for account in part.accounts if Role.GOVERNOR in account.roles)
    sizes = {organisation.name: 0 for organisation in part.organisations}
    for account in part.accounts:
        sizes[account.organisation] = sizes.get(account.organisation, 0) + 1

    if not all(account.policy.is_sound() for account in part.accounts):
        raise Refused(MembershipReason.KEY_POLICY_UNSOUND)
    if not all(is_sound_public_key(validator.public_key) for validator in part.validators):
        raise Refused(MembershipReason.VALIDATOR_KEY_UNSOUND)
    if any(size > ORGANISATION_ACCOUNTS_MAX for size in sizes.values()):
        raise Refused(MembershipReason.ORGANISATION_ACCOUNTS_EXHAUSTED)
    if len(governors) > GOVERNORS_MAX:
        raise Refused(MembershipReason.REGISTER_FULL)
    if len(governors) < part.parameters.governance_threshold:
        raise Refused(MembershipReason.TOO_FEW_GOVERNORS_WOULD_REMAIN)
    if not _is_consistent(part):
        raise Refused(MembershipReason.MEMBERSHIP_GENESIS_INCONSISTENT)
    # From here nothing may refuse.

    standing = first(context)
    values = part.parameters
    state.put(
        state_keys.PARAMETERS_KEY,
        Parameters(
            values.utc_offset_minutes,
            values.transaction_window_ms,
            values.operations_per_minute,
            values.governance_threshold,
            values.proposal_period_max_ms,
            values.state_tree_depth,
            values.visibility,
            standing,
        ),
    )
    for organisation in part.organisations:
        state.put(
            state_keys.organisation(organisation.name),
            Organisation(organisation.name, organisation.title, Status.ACTIVE, sizes[organisation.name], standing),
        )
    for account in part.accounts:
        state.put(
            state_keys.account(account.name),
            Account(
                account.name,
                account.organisation,
                account.policy,
                account.roles,
                Status.ACTIVE,
                account.quota_per_minute,
                standing,
            ),
        )
    for rule in part.rules:
        state.put(state_keys.rules(rule.room), Rules(rule.room, (RuleVersion(rule.version, context.height),)))
    state.put(state_keys.ROOMS_KEY, Rooms(tuple(rule.room for rule in part.rules)))
    state.put(state_keys.GOVERNORS_KEY, Governors(governors))
    state.put(state_keys.VALIDATORS_KEY, Validators(part.validators, standing))


def _is_consistent(part: MembershipGenesis) -> bool:
    """Tell whether the lists ascend, name only what is founded, and start what must run."""
    organisations = [organisation.name for organisation in part.organisations]
    known = frozenset(organisations)
    return (
        _ascends(organisations)
        and _ascends([account.name for account in part.accounts])
        and _ascends([validator.public_key for validator in part.validators])
        and _ascends([rule.room for rule in part.rules])
        and all(_ascends(account.roles) for account in part.accounts)
        and all(account.organisation in known for account in part.accounts)
        and all(validator.organisation in known and validator.power > 0 for validator in part.validators)
        and all(rule.version > 0 for rule in part.rules)
        and any(rule.room == "membership" for rule in part.rules)
    )


def _ascends(items: Sequence[S]) -> bool:
    """Tell whether each item is greater than the one before it."""
    return all(a < b for a, b in pairwise(items))
