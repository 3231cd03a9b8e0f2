"""Which records a transaction has touched that lists and search show: read again from the state after each batch."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fujie.core.encoding import Record
from fujie.core.room import Event, Operation
from fujie.core.state import Key
from fujie.modules.currency import events as currency
from fujie.modules.currency import genesis as currency_genesis
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.identity import events as identity
from fujie.modules.identity import genesis as identity_genesis
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.membership import events as membership
from fujie.modules.membership import records as actions
from fujie.modules.membership import state_keys as membership_keys

Keys = tuple[Key[Any], ...]


def touched_by(operation: Operation, event: Event) -> Keys:
    """Return the keys of listed records that an operation with this event has changed."""
    return TOUCHED[type(event)](operation, event)


def changed_by_action(action: Record) -> Keys:
    """Return the keys of listed records that the action of a carried proposal has changed."""
    keys: list[Key[Any]] = []
    if isinstance(action, actions.AdmitOrganisation):
        keys.append(membership_keys.organisation(action.name))
    organisation = getattr(action, "organisation", None)
    if organisation is not None and not isinstance(action, actions.SetValidator):
        keys.append(membership_keys.organisation(organisation))
    account = getattr(action, "account", None)
    if account is not None:
        keys.append(membership_keys.account(account))
    if isinstance(action, actions.FoundRoom):
        keys += _founded(action)
    return tuple(keys)


def _founded(action: actions.FoundRoom) -> Iterator[Key[Any]]:
    """Yield the keys of listed records with which a room begins."""
    if action.room == "currency":
        for instrument in currency_genesis.GENESIS.decode(action.part).instruments:
            yield currency_keys.instrument(instrument.instrument)
    elif action.room == "identity":
        part = identity_genesis.GENESIS.decode(action.part)
        for country in part.countries:
            yield identity_keys.identity(f"{part.agency}.{country.number}")


# One function for each event; a test walks the catalog and misses none.


def _nothing(_operation: Any, _event: Any) -> Keys:
    return ()


def _opened(_operation: Any, event: membership.AccountOpened) -> Keys:
    return membership_keys.account(event.name), membership_keys.organisation(event.organisation)


def _account(_operation: Any, event: Any) -> Keys:
    return (membership_keys.account(event.account),)


def _proposal(_operation: Any, event: Any) -> Keys:
    return (membership_keys.proposal(event.id),)


def _identity(_operation: Any, event: Any) -> Keys:
    return (identity_keys.identity(event.identifier),)


def _identity_and_alias(_operation: Any, event: Any) -> Keys:
    return identity_keys.identity(event.identifier), identity_keys.alias(event.scheme, event.code)


def _allocated(_operation: Any, event: identity.Allocated) -> Keys:
    return tuple(identity_keys.identity(identifier) for identifier in event.identifiers)


def _wallet(_operation: Any, event: Any) -> Keys:
    return (currency_keys.wallet(event.wallet),)


TOUCHED: Final[Mapping[type[Event], Callable[[Any, Any], Keys]]] = {
    membership.AccountOpened: _opened,
    membership.KeysRotated: _account,
    membership.Proposed: _proposal,
    membership.Voted: _proposal,
    membership.Withdrawn: _proposal,
    identity.CodebookRegistered: _nothing,
    identity.CodebookWithdrawn: _nothing,
    identity.Allocated: _allocated,
    identity.Delegated: _nothing,
    identity.RegistrarRotated: _nothing,
    identity.ControllersRotated: _identity,
    identity.RecordUpdated: _identity,
    identity.Retired: _identity,
    identity.Suspended: _identity,
    identity.Restored: _identity,
    identity.AliasBound: _identity_and_alias,
    identity.AliasReleased: _identity_and_alias,
    currency.InstitutionAdmitted: _nothing,
    currency.InstitutionQuotaSet: _nothing,
    currency.LimitsSet: _nothing,
    currency.Issued: _nothing,
    currency.Redeemed: _nothing,
    currency.Distributed: _nothing,
    currency.Returned: _nothing,
    currency.WalletOpened: _wallet,
    currency.WalletUpgraded: _wallet,
    currency.WalletKeysRotated: _nothing,
    currency.WalletFrozen: _wallet,
    currency.WalletUnfrozen: _wallet,
    currency.WalletClosed: _wallet,
    currency.Paid: _nothing,
}
"""How to find what an event has changed, for every event of every room."""
