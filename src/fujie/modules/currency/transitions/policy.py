"""What the issuer of an instrument decides: who is an institution, with which quota, and the limits of every class."""

from collections.abc import Mapping
from typing import Any, Final

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.room import Handler, Operation
from fujie.core.state import Key, State
from fujie.core.versions import first, succeed
from fujie.modules.currency import state_keys
from fujie.modules.currency.events import InstitutionAdmitted, InstitutionQuotaSet, LimitsSet
from fujie.modules.currency.operations import AdmitInstitution, SetInstitutionQuota, SetLimits
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import ClassLimits, Institution, LimitEntry, Vault, dates_ascend
from fujie.modules.currency.transitions.access import authorise_issuer, charge_issuer
from fujie.modules.membership.queries import account


def admit_institution(state: State, context: Context, operation: AdmitInstitution) -> InstitutionAdmitted:
    """Admit an account as operating institution, with an empty vault.

    Refuses, in order: INSTITUTION_ACCOUNT_NOT_FOUND, INSTITUTION_ALREADY_ADMITTED.
    """
    name, instrument, quota_minor = operation.institution, operation.instrument, operation.quota_minor
    if account(state, name) is None:
        raise Refused(CurrencyReason.INSTITUTION_ACCOUNT_NOT_FOUND)
    key = state_keys.institution(name, instrument)
    if state.get(key) is not None:
        raise Refused(CurrencyReason.INSTITUTION_ALREADY_ADMITTED)
    # From here nothing may refuse.
    state.put(key, Institution(quota_minor, first(context)))
    state.create(state_keys.vault(name, instrument), Vault(0, 0, 0), operation.salt_seed)
    return InstitutionAdmitted(name, instrument, quota_minor)


def set_institution_quota(state: State, context: Context, operation: SetInstitutionQuota) -> InstitutionQuotaSet:
    """Set the net amount that may stand issued to an institution.

    Refuses, in order: INSTITUTION_NOT_ADMITTED, INSTITUTION_QUOTA_BELOW_OUTSTANDING. To stop issuing, the quota is set
    to what is outstanding.
    """
    name, instrument, quota_minor = operation.institution, operation.instrument, operation.quota_minor
    key = state_keys.institution(name, instrument)
    before = state.get(key)
    vault = state.get(state_keys.vault(name, instrument))
    if before is None or vault is None:
        raise Refused(CurrencyReason.INSTITUTION_NOT_ADMITTED)
    if quota_minor < vault.issued_minor - vault.redeemed_minor:
        raise Refused(CurrencyReason.INSTITUTION_QUOTA_BELOW_OUTSTANDING)
    # From here nothing may refuse.
    state.put(key, Institution(quota_minor, succeed(state, context, before, state_keys.INSTITUTION)))
    return InstitutionQuotaSet(name, instrument, quota_minor)


def set_limits(state: State, context: Context, operation: SetLimits) -> LimitsSet:
    """Set the dated limits of a class.

    What is in force stays until a date that lies ahead: a limit never changes backwards, and no payment of this block
    was judged by another limit than its date says. Refuses, in order: LIMITS_NOT_ASCENDING, LIMITS_NOT_IN_FORCE,
    LIMITS_REWRITE_THE_PAST.
    """
    instrument, wallet_class, entries = operation.instrument, operation.wallet_class, operation.entries
    key = state_keys.limits(instrument, wallet_class)
    before = state.get(key)
    if not dates_ascend(entries):
        raise Refused(CurrencyReason.LIMITS_NOT_ASCENDING)
    past = _past(entries, context.time_ms)
    if not past:
        raise Refused(CurrencyReason.LIMITS_NOT_IN_FORCE)
    if before is not None and past != _past(before.entries, context.time_ms)[-len(past) :]:
        raise Refused(CurrencyReason.LIMITS_REWRITE_THE_PAST)
    # From here nothing may refuse.
    standing = first(context) if before is None else succeed(state, context, before, state_keys.LIMITS)
    state.put(key, ClassLimits(entries, standing))
    return LimitsSet(instrument, wallet_class)


def _past(entries: tuple[LimitEntry, ...], time_ms: int) -> tuple[LimitEntry, ...]:
    """Return the entries that are in force at ``time_ms``, or were before."""
    return tuple(entry for entry in entries if entry.effective_from_ms <= time_ms)


def _touches_institution(operation: AdmitInstitution | SetInstitutionQuota) -> tuple[Key[Any], ...]:
    name, instrument = operation.institution, operation.instrument
    return (
        state_keys.instrument(instrument),
        state_keys.institution(name, instrument),
        state_keys.vault(name, instrument),
    )


def _touches_limits(operation: SetLimits) -> tuple[Key[Any], ...]:
    instrument = operation.instrument
    return state_keys.instrument(instrument), state_keys.limits(instrument, operation.wallet_class)


HANDLERS: Final[Mapping[type[Operation], Handler]] = {
    AdmitInstitution: Handler(authorise_issuer, charge_issuer, admit_institution, _touches_institution),
    SetInstitutionQuota: Handler(authorise_issuer, charge_issuer, set_institution_quota, _touches_institution),
    SetLimits: Handler(authorise_issuer, charge_issuer, set_limits, _touches_limits),
}
