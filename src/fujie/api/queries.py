"""What stands in a path, read strictly: identifiers, heights, ids and names."""

import re
from typing import Final
from urllib.parse import quote

from fujie.api.problems import Kind, Problem
from fujie.core import identifiers
from fujie.core.identifier_forms import as_meant
from fujie.core.identifiers import Fault, IdentifierError
from fujie.proof.bundle import BUNDLE_SUFFIX

HEIGHT_PATTERN: Final = "[1-9][0-9]{0,15}"
HASH_PATTERN: Final = "[0-9a-f]{64}"
TRANSACTION_PATTERN: Final = HASH_PATTERN
WALLET_PATTERN: Final = "[0-9a-f]{32}"
ACCOUNT_PATTERN: Final = "[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
INSTRUMENT_PATTERN: Final = "(?=.{3,24}$)[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*"

QUERY_SAFE: Final = "=&%:.-+"  # of a query that comes back in an answer

_HEIGHT: Final = re.compile(HEIGHT_PATTERN)
_HASH: Final = re.compile(HASH_PATTERN)
_TRANSACTION: Final = re.compile(TRANSACTION_PATTERN)
_WALLET: Final = re.compile(WALLET_PATTERN)
_ACCOUNT: Final = re.compile(ACCOUNT_PATTERN)
_INSTRUMENT: Final = re.compile(INSTRUMENT_PATTERN)


def height(text: str) -> int:
    """Return the height in a path. Raises :class:`Problem` MALFORMED."""
    return int(_matched(_HEIGHT, text, "A height is a whole number from 1."))


def transaction_id(text: str) -> bytes:
    """Return the transaction id in a path. Raises :class:`Problem` MALFORMED."""
    return bytes.fromhex(_matched(_TRANSACTION, text, "A transaction id is 64 digits of lower-case hexadecimal."))


def validators_hash(text: str) -> bytes:
    """Return the hash of a set of validators in a path. Raises :class:`Problem` MALFORMED."""
    return bytes.fromhex(_matched(_HASH, text, "A hash of validators is 64 digits of lower-case hexadecimal."))


def wallet_id(text: str) -> bytes:
    """Return the wallet id in a path. Raises :class:`Problem` MALFORMED."""
    return bytes.fromhex(_matched(_WALLET, text, "A wallet id is 32 digits of lower-case hexadecimal."))


def account_name(text: str) -> str:
    """Return the name of an account in a path. Raises :class:`Problem` MALFORMED."""
    return _matched(_ACCOUNT, text, "A name is lower-case letters, digits and inner hyphens, at most 64.")


def instrument_code(text: str) -> str:
    """Return the code of an instrument in a path. Raises :class:`Problem` MALFORMED."""
    return _matched(_INSTRUMENT, text, "A code is 3 to 24 capitals, digits and inner hyphens.")


def identifier(text: str, rest: str = "", query: bytes = b"") -> str:
    """Return the identifier in a path; ``rest`` is what follows it there, and ``query`` what follows that.

    Raises :class:`Problem` IDENTIFIER_REDIRECTED to the one spelling where a person's is understood (``as_meant``), else
    IDENTIFIER_MALFORMED with ``fault`` and ``position``.
    """
    try:
        return identifiers.parse(text)
    except IdentifierError as error:
        fault = error
    try:
        meant = as_meant(text)
    except IdentifierError as error:
        # What parse finds first is the hyphen, and what is wrong is behind it.
        fault = error if error.fault in (Fault.CHECK, Fault.CHECK_MISSING) else fault
        raise Problem(Kind.IDENTIFIER_MALFORMED, str(fault), fault=fault.fault, position=fault.position) from None
    target = f"/ids/{meant}{rest}" + (f"?{quote(query, safe=QUERY_SAFE)}" if query else "")
    raise Problem(Kind.IDENTIFIER_REDIRECTED, location=target, identifier=meant)


def without_suffix(text: str) -> tuple[str, bool]:
    """Return the last part of a path without ``.fujie``, and whether it was there: the proof is asked for as a file."""
    return text.removesuffix(BUNDLE_SUFFIX), text.endswith(BUNDLE_SUFFIX)


def _matched(pattern: re.Pattern[str], text: str, advice: str) -> str:
    if pattern.fullmatch(text) is None:
        raise Problem(Kind.MALFORMED, advice)
    return text
