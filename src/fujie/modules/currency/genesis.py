"""How a currency is founded: its instruments, its institutions with their quotas, and the limits of every class."""

from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from fujie.core.context import Context
from fujie.core.encoding import Codec, Record
from fujie.core.errors import Refused
from fujie.core.state import State
from fujie.core.units import AccountName, AmountMinor, Digest, ShortText
from fujie.core.versions import first
from fujie.modules.currency import state_keys
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import (
    ClassLimits,
    Institution,
    Instrument,
    InstrumentCode,
    InstrumentKind,
    LimitEntries,
    Supply,
    Vault,
    WalletClass,
    dates_ascend,
)
from fujie.modules.membership.queries import Role, account

INSTRUMENTS_MAX: Final = 256
INSTITUTIONS_MAX: Final = 1_000
CLASSES_MAX: Final = 1_000


class GenesisInstrument(Record, tag=1):
    """An instrument to begin with, of which nothing is issued yet."""

    instrument: InstrumentCode
    title: ShortText
    decimals: Annotated[int, Meta(ge=0, le=8)]
    issuer: AccountName
    kind: InstrumentKind


class GenesisInstitution(Record, tag=1):
    """An institution to begin with, its vault empty. ``salt_seed`` is 32 random bytes, secret to issuer and institution."""

    institution: AccountName
    instrument: InstrumentCode
    quota_minor: AmountMinor
    salt_seed: Digest


class GenesisLimits(Record, tag=1):
    """The limits of a class to begin with; the first entry is in force at genesis."""

    instrument: InstrumentCode
    wallet_class: WalletClass
    entries: LimitEntries


class CurrencyGenesis(Record, tag=1):
    """The part of a genesis that belongs to the room. Every list ascends by its first field, or first two fields."""

    instruments: Annotated[tuple[GenesisInstrument, ...], Meta(min_length=1, max_length=INSTRUMENTS_MAX)]
    institutions: Annotated[tuple[GenesisInstitution, ...], Meta(max_length=INSTITUTIONS_MAX)]
    limits: Annotated[tuple[GenesisLimits, ...], Meta(max_length=CLASSES_MAX)]


GENESIS: Final[Codec[CurrencyGenesis]] = Codec(CurrencyGenesis)


def found(state: State, context: Context, part: CurrencyGenesis) -> None:
    """Write the records that the currency begins with. Membership was founded before.

    Refuses, in order: CURRENCY_GENESIS_INCONSISTENT (a list out of order, an instrument that is named but not founded, an
    issuer that is no central bank, an institution without account), LIMITS_NOT_ASCENDING, LIMITS_NOT_IN_FORCE.
    """
    if not _is_consistent(state, part):
        raise Refused(CurrencyReason.CURRENCY_GENESIS_INCONSISTENT)
    if not all(dates_ascend(each.entries) for each in part.limits):
        raise Refused(CurrencyReason.LIMITS_NOT_ASCENDING)
    if any(each.entries[0].effective_from_ms > context.time_ms for each in part.limits):
        raise Refused(CurrencyReason.LIMITS_NOT_IN_FORCE)
    # From here nothing may refuse.
    standing = first(context)
    for instrument in part.instruments:
        state.put(
            state_keys.instrument(instrument.instrument),
            Instrument(instrument.title, instrument.decimals, instrument.issuer, instrument.kind),
        )
        state.put(state_keys.supply(instrument.instrument), Supply(0, 0))
    for institution in part.institutions:
        name, code = institution.institution, institution.instrument
        state.put(state_keys.institution(name, code), Institution(institution.quota_minor, standing))
        state.create(state_keys.vault(name, code), Vault(0, 0, 0), institution.salt_seed)
    for limits in part.limits:
        state.put(state_keys.limits(limits.instrument, limits.wallet_class), ClassLimits(limits.entries, standing))


def _is_consistent(state: State, part: CurrencyGenesis) -> bool:
    """Tell whether the lists ascend and name only what is founded."""
    codes = [instrument.instrument for instrument in part.instruments]
    known = frozenset(codes)
    issuers = [account(state, instrument.issuer) for instrument in part.instruments]
    institutions = [(institution.institution, institution.instrument) for institution in part.institutions]
    classes = [(limits.instrument, limits.wallet_class) for limits in part.limits]
    return (
        all(a < b for a, b in pairwise(codes))
        and all(a < b for a, b in pairwise(institutions))
        and all(a < b for a, b in pairwise(classes))
        and all(issuer is not None and Role.CENTRAL_BANK in issuer.roles for issuer in issuers)
        and all(code in known and account(state, name) is not None for name, code in institutions)
        and all(code in known for code, _ in classes)
    )
