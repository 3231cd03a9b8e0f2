"""How the room begins: the agency, its root authority, the countries under it, and the codebooks they rely on."""

from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from fujie.core.context import Context
from fujie.core.encoding import Codec, Record
from fujie.core.errors import Refused
from fujie.core.policy import KeyPolicy
from fujie.core.state import State
from fujie.core.units import AccountName, Digest, ShortText
from fujie.core.versions import first
from fujie.modules.identity import state_keys
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import (
    NO_LINEAGE,
    NO_USAGE,
    Agency,
    AgencyCode,
    Attributes,
    CodebookEdition,
    CodebookSize,
    Delegation,
    EditionName,
    EditionStatus,
    Identity,
    Name,
    Namespace,
    Rule,
    Scheme,
    Series,
    Status,
    Usage,
)
from fujie.modules.membership import queries as membership

COUNTRIES_MAX: Final = 1_000  # three digits
COUNTRY: Final = "country"
AGENCY_TERMS: Final = Delegation(Rule.FREE, True, COUNTRIES_MAX, 0, "", None)
"""The terms of the agency itself: countries by their number, given out by the root authority."""

CountryNumber = Annotated[str, Meta(min_length=3, max_length=3, pattern=r"\A[0-9]{3}\Z")]


class CodebookGenesis(Record, tag=1):
    """An edition known from the beginning; fields as in ``RegisterCodebook``."""

    edition: EditionName
    series: Scheme
    root: Digest
    size: CodebookSize
    title: ShortText
    source: ShortText


class CountryGenesis(Record, tag=1):
    """A country, ISO 3166-1 numeric, and the terms on which allocations stand under it (None: none yet)."""

    number: CountryNumber
    name: Name
    attributes: Attributes
    controllers: KeyPolicy | None
    delegation: Delegation | None


class IdentityGenesis(Record, tag=1):
    """What the room begins with. ``account`` is an account of membership with the role ``root-authority``.

    Editions and countries ascend by name and number.
    """

    agency: AgencyCode
    account: AccountName
    codebooks: Annotated[tuple[CodebookGenesis, ...], Meta(max_length=COUNTRIES_MAX)]
    countries: Annotated[tuple[CountryGenesis, ...], Meta(max_length=COUNTRIES_MAX)]


GENESIS: Final[Codec[IdentityGenesis]] = Codec(IdentityGenesis)


def found(state: State, context: Context, part: IdentityGenesis) -> None:
    """Write the first state of the room; membership is founded already.

    Refuses with IDENTITY_GENESIS_INCONSISTENT: an account that is missing or lacks the role, names or numbers that do not ascend,
    keys or attributes that are unsound, terms that contradict one another or name a series that is not there.
    """
    _require_consistent(state, part)
    # From here nothing may refuse.
    standing = first(context)
    state.put(state_keys.AGENCY_KEY, Agency(part.agency, part.account))
    state.put(state_keys.namespace(part.agency), Namespace(part.agency, AGENCY_TERMS, standing))
    state.put(state_keys.usage(part.agency), Usage(len(part.countries), 0, 1, NO_USAGE.meter))
    counts: dict[str, int] = {}
    for book in part.codebooks:
        counts[book.series] = counts.get(book.series, 0) + 1
        state.put(state_keys.series(book.series), Series(book.series, book.edition, counts[book.series]))
        edition = CodebookEdition(
            book.edition, book.series, book.root, book.size, book.title, book.source, EditionStatus.CURRENT, standing
        )
        state.put(state_keys.codebook(book.edition), edition)
    for country in part.countries:
        identifier = f"{part.agency}.{country.number}"
        record = Identity(
            identifier,
            COUNTRY,
            country.name,
            country.attributes,
            b"",
            "",
            country.controllers,
            Status.ACTIVE,
            None,
            (),
            NO_LINEAGE,
            None,
            standing,
        )
        state.put(state_keys.identity(identifier), record)
        if country.delegation is not None:
            state.put(state_keys.namespace(identifier), Namespace(identifier, country.delegation, standing))
            state.put(state_keys.usage(identifier), NO_USAGE)


def _require_consistent(state: State, part: IdentityGenesis) -> None:
    root = membership.account(state, part.account)
    names = [book.edition for book in part.codebooks]
    numbers = [country.number for country in part.countries]
    series = [book.series for book in part.codebooks]
    consistent = (
        root is not None
        and membership.Role.ROOT_AUTHORITY in root.roles
        and _ascend(names)
        and _ascend(numbers)
        and all(_is_sound(country, series) for country in part.countries)
    )
    if not consistent:
        raise Refused(IdentityReason.IDENTITY_GENESIS_INCONSISTENT)


def _is_sound(country: CountryGenesis, series: list[str]) -> bool:
    """Tell whether a country keeps the rules that ``Allocate`` and ``Delegate`` would hold it to."""
    policies = [country.controllers]
    terms_fit = True
    terms = country.delegation
    if terms is not None:
        policies.append(terms.controllers)
        terms_fit = terms.is_consistent() and (not terms.series or terms.series in series)
    keys_are_sound = all(policy is None or policy.is_sound() for policy in policies)
    return terms_fit and keys_are_sound and _ascend([key for key, _ in country.attributes])


def _ascend(texts: list[str]) -> bool:
    return all(a < b for a, b in pairwise(texts))
