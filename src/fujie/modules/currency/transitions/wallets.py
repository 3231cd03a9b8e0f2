"""The life of a wallet: opened, upgraded, given new keys, frozen and unfrozen, closed."""

from collections.abc import Mapping
from typing import Any, Final

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.meter import UNUSED
from fujie.core.policy import KeyPolicy
from fujie.core.room import Handler, Operation
from fujie.core.state import Key, State
from fujie.modules.currency import state_keys
from fujie.modules.currency.events import (
    WalletClosed,
    WalletFrozen,
    WalletKeysRotated,
    WalletOpened,
    WalletUnfrozen,
    WalletUpgraded,
)
from fujie.modules.currency.operations import (
    CloseWallet,
    FreezeWallet,
    OpenWallet,
    RotateWalletKeys,
    UnfreezeWallet,
    UpgradeWallet,
)
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import (
    FREEZES_PER_WALLET_MAX,
    Balance,
    Freeze,
    Wallet,
    WalletStatus,
    limits_in_force,
    status_under,
)
from fujie.modules.currency.transitions.access import (
    authorise_server,
    authorise_wallet,
    charge_server,
    charge_wallet,
    existing_wallet,
    first_instrument,
    open_wallet,
)
from fujie.modules.membership.queries import Role, authorise_account, charge_account, touched_by


def open_new_wallet(state: State, context: Context, operation: OpenWallet) -> WalletOpened:
    """Open a wallet with an empty balance of one instrument.

    Refuses, in order: INSTITUTION_NOT_ADMITTED, WALLET_ALREADY_OPENED, WALLET_POLICY_UNSOUND,
    WALLET_CLASS_HAS_NO_LIMITS.
    """
    name, instrument = operation.institution, operation.instrument
    if state.get(state_keys.institution(name, instrument)) is None:
        raise Refused(CurrencyReason.INSTITUTION_NOT_ADMITTED)
    key = state_keys.wallet(operation.wallet)
    if state.get(key) is not None:
        raise Refused(CurrencyReason.WALLET_ALREADY_OPENED)
    if not operation.policy.is_sound():
        raise Refused(CurrencyReason.WALLET_POLICY_UNSOUND)
    if state.get(state_keys.limits(instrument, operation.wallet_class)) is None:
        raise Refused(CurrencyReason.WALLET_CLASS_HAS_NO_LIMITS)
    # From here nothing may refuse.
    wallet = Wallet(
        name,
        operation.wallet_class,
        operation.kind,
        WalletStatus.ACTIVE,
        operation.policy,
        (instrument,),
        (),
        context.height,
        context.time_ms,
    )
    state.create(key, wallet, operation.salt_seed)
    state.create(state_keys.balance(operation.wallet, instrument), Balance(0, 0, 0, 0, UNUSED), operation.salt_seed)
    return WalletOpened(name, operation.wallet, instrument, operation.wallet_class)


def upgrade_wallet(state: State, context: Context, operation: UpgradeWallet) -> WalletUpgraded:
    """Change the class of a wallet.

    Refuses, in order: WALLET_NOT_FOUND, WALLET_CLOSED, WALLET_CLASS_UNCHANGED, WALLET_CLASS_HAS_NO_LIMITS,
    WALLET_BALANCE_ABOVE_CLASS_LIMIT. The last two look at every instrument that the wallet holds.
    """
    wallet_class = operation.wallet_class
    wallet = open_wallet(state, operation.wallet)
    if wallet.wallet_class == wallet_class:
        raise Refused(CurrencyReason.WALLET_CLASS_UNCHANGED)
    found = [state.get(state_keys.limits(instrument, wallet_class)) for instrument in wallet.instruments]
    limits = [limits_in_force(each.entries, context.time_ms) for each in found if each is not None]
    if len(limits) != len(found):
        raise Refused(CurrencyReason.WALLET_CLASS_HAS_NO_LIMITS)
    amounts_minor = _amounts(state, operation.wallet, wallet)
    for amount_minor, entry in zip(amounts_minor, limits, strict=True):
        if entry.balance_max_minor is not None and amount_minor > entry.balance_max_minor:
            raise Refused(CurrencyReason.WALLET_BALANCE_ABOVE_CLASS_LIMIT)
    # From here nothing may refuse.
    _rewrite(state, operation.wallet, wallet, wallet_class=wallet_class)
    return WalletUpgraded(operation.wallet, wallet_class)


def rotate_wallet_keys(state: State, _context: Context, operation: RotateWalletKeys) -> WalletKeysRotated:
    """Replace the key policy of a wallet, frozen or not.

    Refuses, in order: WALLET_NOT_FOUND, WALLET_POLICY_UNSOUND, WALLET_CLOSED.
    """
    wallet = existing_wallet(state, operation.wallet)
    if not operation.policy.is_sound():
        raise Refused(CurrencyReason.WALLET_POLICY_UNSOUND)
    if wallet.status is WalletStatus.CLOSED:
        raise Refused(CurrencyReason.WALLET_CLOSED)
    # From here nothing may refuse.
    _rewrite(state, operation.wallet, wallet, policy=operation.policy)
    return WalletKeysRotated(operation.wallet)


def freeze_wallet(state: State, context: Context, operation: FreezeWallet) -> WalletFrozen:
    """Put the freeze of an authority on a wallet, or change the extent of the one it has there.

    Refuses, in order: WALLET_NOT_FOUND, WALLET_CLOSED, WALLET_FREEZE_UNCHANGED, WALLET_FREEZES_TOO_MANY.
    """
    authority, scope = operation.authority, operation.scope
    wallet = open_wallet(state, operation.wallet)
    own = [freeze for freeze in wallet.freezes if freeze.authority == authority]
    others = [freeze for freeze in wallet.freezes if freeze.authority != authority]
    if own and own[0].scope is scope:
        raise Refused(CurrencyReason.WALLET_FREEZE_UNCHANGED)
    if len(others) >= FREEZES_PER_WALLET_MAX:
        raise Refused(CurrencyReason.WALLET_FREEZES_TOO_MANY)
    # From here nothing may refuse.
    freezes = sorted([*others, Freeze(authority, scope, operation.basis, context.time_ms)], key=_authority_of)
    _rewrite(state, operation.wallet, wallet, freezes=tuple(freezes))
    return WalletFrozen(operation.wallet, authority, scope)


def unfreeze_wallet(state: State, _context: Context, operation: UnfreezeWallet) -> WalletUnfrozen:
    """Lift the freeze of an authority; what others froze stays frozen.

    Refuses, in order: WALLET_NOT_FOUND, WALLET_NOT_FROZEN_BY_AUTHORITY.
    """
    wallet = existing_wallet(state, operation.wallet)
    others = tuple(freeze for freeze in wallet.freezes if freeze.authority != operation.authority)
    if len(others) == len(wallet.freezes):
        raise Refused(CurrencyReason.WALLET_NOT_FROZEN_BY_AUTHORITY)
    # From here nothing may refuse.
    _rewrite(state, operation.wallet, wallet, freezes=others)
    return WalletUnfrozen(operation.wallet, operation.authority)


def close_wallet(state: State, _context: Context, operation: CloseWallet) -> WalletClosed:
    """Close an empty wallet for ever; its id is never used again.

    Refuses, in order: WALLET_NOT_FOUND, WALLET_CLOSED, WALLET_FROZEN, WALLET_BALANCE_NOT_ZERO.
    """
    wallet = open_wallet(state, operation.wallet)
    if wallet.status is not WalletStatus.ACTIVE:
        raise Refused(CurrencyReason.WALLET_FROZEN)
    if any(_amounts(state, operation.wallet, wallet)):
        raise Refused(CurrencyReason.WALLET_BALANCE_NOT_ZERO)
    # From here nothing may refuse.
    _rewrite(state, operation.wallet, wallet, closed=True)
    return WalletClosed(operation.wallet)


def _authority_of(freeze: Freeze) -> str:
    return freeze.authority


def _amounts(state: State, identifier: bytes, wallet: Wallet) -> list[int]:
    """Return what a wallet holds of each of its instruments, in their order."""
    amounts_minor = []
    for instrument in wallet.instruments:
        balance = state.get(state_keys.balance(identifier, instrument))
        assert balance is not None, "a wallet has a balance of every instrument that it lists"
        amounts_minor.append(balance.amount_minor)
    return amounts_minor


def _rewrite(
    state: State,
    identifier: bytes,
    wallet: Wallet,
    *,
    wallet_class: int | None = None,
    policy: KeyPolicy | None = None,
    freezes: tuple[Freeze, ...] | None = None,
    closed: bool = False,
) -> None:
    """Write ``wallet`` with what is given changed, and the status that follows."""
    freezes = wallet.freezes if freezes is None else freezes
    state.put(
        state_keys.wallet(identifier),
        Wallet(
            wallet.institution,
            wallet.wallet_class if wallet_class is None else wallet_class,
            wallet.kind,
            WalletStatus.CLOSED if closed else status_under(freezes),
            wallet.policy if policy is None else policy,
            wallet.instruments,
            freezes,
            wallet.opened_height,
            wallet.opened_ms,
        ),
    )


def _authorise_open(state: State, context: Context, operation: OpenWallet) -> None:
    authorise_account(state, context, operation.institution, Role.INSTITUTION)


def _charge_open(state: State, context: Context, operation: OpenWallet, count: int) -> None:
    charge_account(state, context, operation.institution, count)


def _authorise_rotate(state: State, context: Context, operation: RotateWalletKeys) -> None:
    authorise_wallet(state, context, operation.wallet, CurrencyReason.WALLET_NOT_FOUND)


def _charge_rotate(state: State, context: Context, operation: RotateWalletKeys, count: int) -> None:
    charge_wallet(state, context, operation.wallet, first_instrument(state, operation.wallet), count)


def _authorise_freeze(state: State, context: Context, operation: FreezeWallet) -> None:
    """The institution that serves the wallet, or a regulator. Refuses: WALLET_NOT_FOUND, as ``authorise_account``."""
    serving = existing_wallet(state, operation.wallet).institution
    role = None if operation.authority == serving else Role.REGULATOR
    authorise_account(state, context, operation.authority, role)


def _authorise_unfreeze(state: State, context: Context, operation: UnfreezeWallet) -> None:
    """Whoever froze may lift, whatever its role is by now. Refuses: WALLET_NOT_FOUND, as ``authorise_account``."""
    existing_wallet(state, operation.wallet)
    authorise_account(state, context, operation.authority)


def _charge_authority(state: State, context: Context, operation: FreezeWallet | UnfreezeWallet, count: int) -> None:
    charge_account(state, context, operation.authority, count)


def _touches_open(operation: OpenWallet) -> tuple[Key[Any], ...]:
    name, instrument = operation.institution, operation.instrument
    return (
        *touched_by(name),
        state_keys.institution(name, instrument),
        state_keys.limits(instrument, operation.wallet_class),
        state_keys.wallet(operation.wallet),
        state_keys.balance(operation.wallet, instrument),
    )


def _touches_wallet(operation: Any) -> tuple[Key[Any], ...]:
    return (state_keys.wallet(operation.wallet),)


HANDLERS: Final[Mapping[type[Operation], Handler]] = {
    OpenWallet: Handler(_authorise_open, _charge_open, open_new_wallet, _touches_open),
    UpgradeWallet: Handler(authorise_server, charge_server, upgrade_wallet, _touches_wallet),
    RotateWalletKeys: Handler(_authorise_rotate, _charge_rotate, rotate_wallet_keys, _touches_wallet),
    FreezeWallet: Handler(_authorise_freeze, _charge_authority, freeze_wallet, _touches_wallet),
    UnfreezeWallet: Handler(_authorise_unfreeze, _charge_authority, unfreeze_wallet, _touches_wallet),
    CloseWallet: Handler(authorise_server, charge_server, close_wallet, _touches_wallet),
}
