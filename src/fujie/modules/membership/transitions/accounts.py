"""What an account does about accounts: opening another one for its organisation, rotating its own keys."""

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.policy import KeyPolicy
from fujie.core.state import State
from fujie.core.versions import first
from fujie.modules.membership import queries, state_keys
from fujie.modules.membership.events import AccountOpened, KeysRotated
from fujie.modules.membership.operations import OpenAccount, RotateKeys
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import ORGANISATION_ACCOUNTS_MAX, Account, Organisation, Status
from fujie.modules.membership.transitions.rewrite import rewrite_account, rewrite_organisation


def open_account(state: State, context: Context, operation: OpenAccount) -> AccountOpened:
    """Open an account without roles in the organisation of the account that acts.

    Refuses, in order: KEY_POLICY_UNSOUND, ACCOUNT_NAME_TAKEN, ORGANISATION_ACCOUNTS_EXHAUSTED.
    """
    opener = queries.account(state, operation.account)
    assert opener is not None, "authorised before"
    organisation = queries.organisation(state, opener.organisation)
    assert organisation is not None, "an account belongs to an organisation that exists"

    if not operation.policy.is_sound():
        raise Refused(MembershipReason.KEY_POLICY_UNSOUND)
    if queries.account(state, operation.name) is not None:
        raise Refused(MembershipReason.ACCOUNT_NAME_TAKEN)
    if organisation.accounts >= ORGANISATION_ACCOUNTS_MAX:
        raise Refused(MembershipReason.ORGANISATION_ACCOUNTS_EXHAUSTED)
    # From here nothing may refuse.

    rewrite_organisation(state, context, organisation, accounts=organisation.accounts + 1)
    create_account(state, context, operation.name, organisation, operation.policy)
    return AccountOpened(operation.name, organisation.name)


def rotate_keys(state: State, context: Context, operation: RotateKeys) -> KeysRotated:
    """Replace the key policy of the account that acts.

    Refuses, in order: KEY_POLICY_UNSOUND, NOTHING_WOULD_CHANGE.
    """
    account = queries.account(state, operation.account)
    assert account is not None, "authorised before"

    if not operation.policy.is_sound():
        raise Refused(MembershipReason.KEY_POLICY_UNSOUND)
    if operation.policy == account.policy:
        raise Refused(MembershipReason.NOTHING_WOULD_CHANGE)
    # From here nothing may refuse.

    rotated = rewrite_account(state, context, account, policy=operation.policy)
    return KeysRotated(rotated.name, rotated.standing.number)


def create_account(state: State, context: Context, name: str, organisation: Organisation, policy: KeyPolicy) -> None:
    """Write a new, active account without roles. The caller has checked everything and counted it."""
    account = Account(name, organisation.name, policy, (), Status.ACTIVE, 0, first(context))
    state.put(state_keys.account(name), account)
