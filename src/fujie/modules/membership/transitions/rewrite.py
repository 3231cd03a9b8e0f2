"""Writing the next version of a record that has a history."""

from typing import Any

from msgspec.structs import replace

from fujie.core.context import Context
from fujie.core.state import State
from fujie.core.versions import succeed
from fujie.modules.membership import state_keys
from fujie.modules.membership.records import Account, Organisation, Parameters, Validators


def rewrite_account(state: State, context: Context, account: Account, **changes: Any) -> Account:
    """Write and return the next version of ``account``, the one that stands, with ``changes`` of fields by name."""
    standing = succeed(state, context, account, state_keys.ACCOUNT)
    changed = replace(account, **changes, standing=standing)
    state.put(state_keys.account(account.name), changed)
    return changed


def rewrite_organisation(state: State, context: Context, organisation: Organisation, **changes: Any) -> Organisation:
    """Write and return the next version of ``organisation``; as :func:`rewrite_account`."""
    standing = succeed(state, context, organisation, state_keys.ORGANISATION)
    changed = replace(organisation, **changes, standing=standing)
    state.put(state_keys.organisation(organisation.name), changed)
    return changed


def rewrite_parameters(state: State, context: Context, parameters: Parameters, **changes: Any) -> Parameters:
    """Write and return the next version of ``parameters``; as :func:`rewrite_account`."""
    standing = succeed(state, context, parameters, state_keys.PARAMETERS)
    changed = replace(parameters, **changes, standing=standing)
    state.put(state_keys.PARAMETERS_KEY, changed)
    return changed


def rewrite_validators(state: State, context: Context, validators: Validators, **changes: Any) -> Validators:
    """Write and return the next version of ``validators``; as :func:`rewrite_account`."""
    standing = succeed(state, context, validators, state_keys.VALIDATORS)
    changed = replace(validators, **changes, standing=standing)
    state.put(state_keys.VALIDATORS_KEY, changed)
    return changed
