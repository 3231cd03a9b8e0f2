"""How people write identifiers: in capitals or not, with spaces, with the check characters that are printed on codes."""

from fujie.core.identifier_forms import as_meant
from fujie.core.identifiers import Fault, IdentifierError


def as_identifier(text: str) -> str | None:
    """Return the identifier that a text spells, or None."""
    try:
        return as_meant(text)
    except IdentifierError:
        return None


def check_is_mistaken(text: str) -> bool:
    """Tell whether a text is an identifier whose check characters are missing behind the hyphen, or do not fit."""
    try:
        as_meant(text)
    except IdentifierError as error:
        return error.fault in (Fault.CHECK, Fault.CHECK_MISSING)
    return False
