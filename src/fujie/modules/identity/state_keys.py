"""Every state key of identity. No leaf of this room is salted: identifiers are there to be found."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from fujie.core.encoding import Codec
from fujie.core.state import Key
from fujie.modules.identity.records import Agency, Alias, CodebookEdition, Identity, Namespace, Series, Usage

IDENTITY: Final[Codec[Identity]] = Codec(Identity)
NAMESPACE: Final[Codec[Namespace]] = Codec(Namespace)
USAGE: Final[Codec[Usage]] = Codec(Usage)
ALIAS: Final[Codec[Alias]] = Codec(Alias)
CODEBOOK: Final[Codec[CodebookEdition]] = Codec(CodebookEdition)
SERIES: Final[Codec[Series]] = Codec(Series)
AGENCY: Final[Codec[Agency]] = Codec(Agency)

IDENTITY_PREFIX: Final = "identity/id/"
NAMESPACE_PREFIX: Final = "identity/namespace/"
USAGE_PREFIX: Final = "identity/usage/"
ALIAS_PREFIX: Final = "identity/alias/"
CODEBOOK_PREFIX: Final = "identity/codebook/"
SERIES_PREFIX: Final = "identity/series/"

AGENCY_KEY: Final = Key("identity/agency", AGENCY)

PATHS: Final[Mapping[str, Codec[Any]]] = MappingProxyType(
    {
        IDENTITY_PREFIX: IDENTITY,
        NAMESPACE_PREFIX: NAMESPACE,
        USAGE_PREFIX: USAGE,
        ALIAS_PREFIX: ALIAS,
        CODEBOOK_PREFIX: CODEBOOK,
        SERIES_PREFIX: SERIES,
        AGENCY_KEY.path: AGENCY,
    }
)
"""How the paths of this room begin, or are, and what stands there. None begins another."""


def identity(identifier: str) -> Key[Identity]:
    """Return the key of the record of an identifier."""
    return Key(IDENTITY_PREFIX + identifier, IDENTITY)


def namespace(prefix: str) -> Key[Namespace]:
    """Return the key of the terms of a prefix (an identifier or the agency)."""
    return Key(NAMESPACE_PREFIX + prefix, NAMESPACE)


def usage(prefix: str) -> Key[Usage]:
    """Return the key of the counters of a prefix, or of the meter of an identifier that acts."""
    return Key(USAGE_PREFIX + prefix, USAGE)


def alias(scheme: str, code: str) -> Key[Alias]:
    """Return the key of an outside code. A scheme holds no slash, so the code is all that follows the next one."""
    return Key(f"{ALIAS_PREFIX}{scheme}/{code}", ALIAS)


def codebook(edition: str) -> Key[CodebookEdition]:
    """Return the key of an edition of a codebook."""
    return Key(CODEBOOK_PREFIX + edition, CODEBOOK)


def series(name: str) -> Key[Series]:
    """Return the key of a series of codebook editions."""
    return Key(SERIES_PREFIX + name, SERIES)


def agency() -> Key[Agency]:
    """Return the key of the agency."""
    return AGENCY_KEY
