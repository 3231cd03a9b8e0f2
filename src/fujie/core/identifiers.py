"""City identifiers: one grammar, one spelling (docs/spec/05-identifiers.md).

::

    identifier = AGENCY "." COUNTRY *("." NODE)
    AGENCY     = 2 of A-Z                   the issuing agency; ZZ is user-assigned in ISO 3166
    COUNTRY    = 3 of 0-9                   ISO 3166-1 numeric
    NODE       = 1 to 32 of 0-9 A-Z

An identifier has exactly one spelling, so two identifiers are the same when their bytes are. Nothing is folded, trimmed
or repaired: text in any other spelling is refused, with the fault and its place. Containment is the prefix, by whole
nodes: ``ZZ.156.1301.11`` stands under ``ZZ.156.1301``, and ``ZZ.156.13011`` does not.

Everything here is pure and runs inside ledger transitions. No rule asks the Unicode database, whose answers differ
between Python versions.
"""

import re
from enum import StrEnum
from typing import Final

from fujie.core.errors import VerificationError
from fujie.core.limits import IDENTIFIER_BYTES_MAX, IDENTIFIER_NODE_BYTES_MAX, IDENTIFIER_NODES_MAX

_NODES_AT: Final = 6

_ALPHABET: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")

# The quantifiers are possessive (they never give back what they took), so a match is one pass from left to right.
_IDENTIFIER: Final = re.compile(
    rf"[A-Z]{{2}}\.[0-9]{{3}}(?:\.[0-9A-Z]{{1,{IDENTIFIER_NODE_BYTES_MAX}}}+){{0,{IDENTIFIER_NODES_MAX - 2}}}+"
)

# Characters that change how text looks or sorts and cannot be seen: zero-width, direction marks, byte order mark.
_INVISIBLE: Final = frozenset(
    [0xAD, 0x61C, 0xFEFF, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070)]
)
_FULL_WIDTH_FIRST: Final = 0xFF01
_FULL_WIDTH_LAST: Final = 0xFF5E
_FULL_WIDTH_SHIFT: Final = 0xFEE0


class Fault(StrEnum):
    """What is wrong with a text that is no identifier. Declared in order of precedence.

    A fault of a character comes before a fault of the structure, whichever stands further left: a reader must be able
    to see the characters before being told how to arrange them.
    """

    EMPTY = "empty"
    TOO_LONG = "too-long"
    CONTROL_CHARACTER = "control-character"
    FULL_WIDTH = "full-width"
    NOT_ASCII = "not-ascii"
    WHITESPACE = "whitespace"
    LOWER_CASE = "lower-case"
    FOREIGN_CHARACTER = "foreign-character"
    EMPTY_NODE = "empty-node"
    TRAILING_DOT = "trailing-dot"
    AGENCY = "agency"
    COUNTRY_MISSING = "country-missing"
    COUNTRY = "country"
    NODE_TOO_LONG = "node-too-long"
    TOO_MANY_NODES = "too-many-nodes"
    FORM = "form"
    CHAIN = "chain"
    HOST = "host"
    CHECK_MISSING = "check-missing"
    CHECK = "check"


class IdentifierError(VerificationError):
    """A text is no identifier, or no form of one.

    ``fault`` is for programs, ``position`` counts characters from 0 in the text that was given, and the message says
    both for people. The message quotes at most one character of the text, and quotes it escaped.
    """

    def __init__(self, fault: Fault, position: int, detail: str) -> None:
        super().__init__("identifier", f"{detail} (position {position})")
        self.fault = fault
        self.position = position


def is_identifier(text: str) -> bool:
    """Return whether ``text`` is an identifier in its canonical spelling. Never raises."""
    return len(text) <= IDENTIFIER_BYTES_MAX and _IDENTIFIER.fullmatch(text) is not None


def parse(text: str) -> str:
    """Return ``text``, which is now known to be an identifier: 6 to 128 bytes of ASCII, 2 to 12 nodes.

    Raises :class:`IdentifierError` with the first :class:`Fault` and its position.
    """
    if not is_identifier(text):
        raise _explain(text, 0)
    return text


# The functions below take identifiers that were parsed before, as everything in the ledger's state was.


def parent(identifier: str) -> str | None:
    """Return the identifier one node shorter, or None for a root (agency and country)."""
    cut = identifier.rfind(".")
    return identifier[:cut] if cut >= _NODES_AT else None


def ancestors(identifier: str) -> tuple[str, ...]:
    """Return every identifier that contains this one, nearest first, ending with its root. At most 10."""
    found: list[str] = []
    cut = identifier.rfind(".")
    while cut >= _NODES_AT:
        found.append(identifier[:cut])
        cut = identifier.rfind(".", 0, cut)
    return tuple(found)


def child(parent_identifier: str, node: str) -> str:
    """Return the identifier of ``node`` directly under ``parent_identifier``. Both are checked.

    Raises :class:`IdentifierError`; positions count in the joined text.
    """
    parse(parent_identifier)
    start = len(parent_identifier) + 1
    if "." in node:
        # Joined, it would be a valid identifier of a grandchild, outside what the parent meant to create.
        raise IdentifierError(Fault.FOREIGN_CHARACTER, start + node.index("."), "a node holds no dot")
    if not node:
        raise IdentifierError(Fault.EMPTY_NODE, start, "the node is empty")
    return parse(f"{parent_identifier}.{node}")


def is_under(identifier: str, prefix: str) -> bool:
    """Return whether ``prefix`` strictly contains ``identifier``: fewer whole nodes, all of them equal."""
    return identifier.startswith(prefix) and identifier[len(prefix) : len(prefix) + 1] == "."


def node_of(identifier: str) -> str:
    """Return the last node."""
    return identifier[identifier.rfind(".") + 1 :]


def depth(identifier: str) -> int:
    """Return the number of nodes, agency and country included: 2 to 12."""
    return identifier.count(".") + 1


def parse_at(text: str, start: int) -> str:
    """For parsers of longer forms. Return the identifier that is all of ``text`` from ``start``; positions of faults count in ``text``."""
    candidate = text[start:]
    if not is_identifier(candidate):
        raise _explain(candidate, start)
    return candidate


def _explain(text: str, start: int) -> IdentifierError:
    """Return the fault of a text that is no identifier. ``start`` is added to positions."""
    if not text:
        return IdentifierError(Fault.EMPTY, start, "the identifier is empty")
    if len(text) > IDENTIFIER_BYTES_MAX:
        return IdentifierError(
            Fault.TOO_LONG, start + IDENTIFIER_BYTES_MAX, f"longer than {IDENTIFIER_BYTES_MAX} bytes"
        )
    for position, character in enumerate(text):
        if character not in _ALPHABET and character != ".":
            return _explain_character(character, start + position)
    return _explain_structure(text, start)


def _explain_character(character: str, position: int) -> IdentifierError:
    """Return the fault of a character that is neither 0-9, A-Z nor a dot."""
    number = ord(character)
    name = f"U+{number:04X}"
    if "a" <= character <= "z":
        return IdentifierError(
            Fault.LOWER_CASE, position, f"lower-case letter '{character}'; the one spelling is '{character.upper()}'"
        )
    if character == " " or number in (0xA0, 0x3000):
        return IdentifierError(Fault.WHITESPACE, position, f"white space {name}")
    if number < 0x20 or 0x7F <= number < 0xA0 or number in _INVISIBLE:
        return IdentifierError(Fault.CONTROL_CHARACTER, position, f"control or invisible character {name}")
    if _FULL_WIDTH_FIRST <= number <= _FULL_WIDTH_LAST:
        narrow = chr(number - _FULL_WIDTH_SHIFT)
        return IdentifierError(
            Fault.FULL_WIDTH, position, f"full-width character {name}; the one spelling is '{narrow}'"
        )
    if number >= 0x80:
        return IdentifierError(Fault.NOT_ASCII, position, f"character {name} is not ASCII")
    return IdentifierError(Fault.FOREIGN_CHARACTER, position, f"character '{character}' has no place in an identifier")


def _explain_structure(text: str, start: int) -> IdentifierError:
    """Return the leftmost fault of a text whose characters are all allowed but whose nodes are not."""
    nodes = text.split(".")
    position = start
    for index, node in enumerate(nodes):
        if index == IDENTIFIER_NODES_MAX:
            return IdentifierError(Fault.TOO_MANY_NODES, position, f"more than {IDENTIFIER_NODES_MAX} nodes")
        if not node and index == len(nodes) - 1:
            return IdentifierError(Fault.TRAILING_DOT, position - 1, "nothing follows the last dot")
        if not node:
            return IdentifierError(Fault.EMPTY_NODE, position, f"node {index + 1} is empty")
        if index == 0 and not (len(node) == 2 and node.isalpha()):
            return IdentifierError(Fault.AGENCY, position, "the agency is two letters")
        if index == 1 and not (len(node) == 3 and node.isdigit()):
            return IdentifierError(Fault.COUNTRY, position, "the country is three digits (ISO 3166-1 numeric)")
        if len(node) > IDENTIFIER_NODE_BYTES_MAX:
            return IdentifierError(
                Fault.NODE_TOO_LONG,
                position + IDENTIFIER_NODE_BYTES_MAX,
                f"node {index + 1} is longer than {IDENTIFIER_NODE_BYTES_MAX}",
            )
        position += len(node) + 1
    assert len(nodes) == 1, "every other structure was judged above"
    return IdentifierError(Fault.COUNTRY_MISSING, start + len(text), "a dot and the country are to follow the agency")
