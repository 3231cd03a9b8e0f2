"""Who is concerned by a transaction, as reader names: who may see it in lists and streams (docs/adr/0017).

``account/<name>`` of every account that acts or is named, ``wallet/<hex>`` of every wallet, ``account/<institution>`` of
whoever serves one of them, ``id/<identifier>`` of every identifier and of the one above it, whose registrar signs. What
state alone knows is not asked: the issuer of an instrument and the root authority are auditors of their own books, and
a vote is the voter's.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from fujie.core import identifiers
from fujie.core.room import Event, Operation
from fujie.core.transaction import Receipt, Transaction
from fujie.modules.currency import operations as currency
from fujie.modules.identity import operations as identity
from fujie.modules.identity.events import Allocated
from fujie.modules.membership import operations as membership


class Concerned(NamedTuple):
    """Whom one operation names: accounts by name, wallets by id (16 bytes), identifiers."""

    accounts: tuple[str, ...] = ()
    wallets: tuple[bytes, ...] = ()
    identifiers: tuple[str, ...] = ()


NOBODY: Final = Concerned()


def parties_of(
    body: Transaction[Any], receipt: Receipt[Any], institution_of: Callable[[bytes], str | None]
) -> frozenset[str]:
    """Return the reader names of the parties of a transaction, whether it was carried out or refused.

    ``institution_of`` tells which account serves a wallet (16-byte id), None where there is no such wallet.
    """
    found: set[str] = set()
    for concerned in (*map(concerned_by, body.operations), *map(told_by, receipt.events)):
        found.update(f"account/{name}" for name in concerned.accounts)
        found.update(f"id/{identifier}" for identifier in concerned.identifiers)
        for wallet in concerned.wallets:
            found.add(f"wallet/{wallet.hex()}")
            institution = institution_of(wallet)
            if institution is not None:
                found.add(f"account/{institution}")
    return frozenset(found)


def concerned_by(operation: Operation) -> Concerned:
    """Return whom an operation names, its signers first."""
    return CONCERNED[type(operation)](operation)


def told_by(event: Event) -> Concerned:
    """Return whom only the event names: the identifiers that were given out."""
    return Concerned(identifiers=event.identifiers) if isinstance(event, Allocated) else NOBODY


# One function for each operation; a test walks the catalog and misses none.


def _account_alone(operation: Any) -> Concerned:
    return Concerned((operation.account,))


def _proposed(operation: membership.Propose) -> Concerned:
    subject = getattr(operation.action, "account", None)
    return Concerned((operation.account,) if subject is None else (operation.account, subject))


def _nobody(_operation: Any) -> Concerned:
    return NOBODY


def _namespace(operation: Any) -> Concerned:
    return _identifiers(operation.namespace)


def _identifier(operation: Any) -> Concerned:
    return _identifiers(operation.identifier)


def _identifier_and_above(operation: Any) -> Concerned:
    return _identifiers(operation.identifier, identifiers.parent(operation.identifier) or "")


def _identifiers(*found: str) -> Concerned:
    # The agency is a prefix as well, and no identifier: nobody reads in its name.
    return Concerned(identifiers=tuple(each for each in found if identifiers.is_identifier(each)))


def _institution(operation: Any) -> Concerned:
    return Concerned((operation.institution,))


def _wallet(operation: Any) -> Concerned:
    return Concerned(wallets=(operation.wallet,))


CONCERNED: Final[Mapping[type[Operation], Callable[[Any], Concerned]]] = {
    membership.OpenAccount: lambda operation: Concerned((operation.account, operation.name)),
    membership.RotateKeys: _account_alone,
    membership.Propose: _proposed,
    membership.Vote: _account_alone,
    membership.Withdraw: _account_alone,
    identity.RegisterCodebook: _nobody,
    identity.WithdrawCodebook: _nobody,
    identity.Allocate: _namespace,
    identity.AllocateMany: _namespace,
    identity.AllocateFromCodebook: _namespace,
    identity.Delegate: _identifier_and_above,
    identity.AmendDelegation: _identifier_and_above,
    identity.RotateRegistrar: lambda operation: _identifiers(operation.prefix),
    identity.RotateControllers: _identifier,
    identity.UpdateRecord: _identifier,
    identity.Retire: _identifier,
    identity.Suspend: _identifier_and_above,
    identity.Restore: _identifier_and_above,
    identity.BindAlias: _identifier_and_above,
    identity.ReleaseAlias: _identifier_and_above,
    currency.AdmitInstitution: _institution,
    currency.SetInstitutionQuota: _institution,
    currency.SetLimits: _nobody,
    currency.Issue: _institution,
    currency.Redeem: _institution,
    currency.Distribute: lambda operation: Concerned((operation.institution,), (operation.wallet,)),
    currency.Return: _wallet,
    currency.OpenWallet: lambda operation: Concerned((operation.institution,), (operation.wallet,)),
    currency.UpgradeWallet: _wallet,
    currency.RotateWalletKeys: _wallet,
    currency.FreezeWallet: lambda operation: Concerned((operation.authority,), (operation.wallet,)),
    currency.UnfreezeWallet: lambda operation: Concerned((operation.authority,), (operation.wallet,)),
    currency.CloseWallet: _wallet,
    currency.Pay: lambda operation: Concerned(wallets=(operation.payer, operation.payee)),
}
"""How to find whom an operation names, for every operation of every room."""
