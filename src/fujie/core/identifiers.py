"""City identifiers: one grammar, one spelling, and the forms they take at the edge (docs/spec/05-identifiers.md).

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

Forms, each with a builder and a parser that undo one another:

* for people: ``ZZ.156.1301-XX``, with the two check characters of ISO 7064 MOD 1271-36;
* DID: ``did:fujie:<chain>:<identifier>``;
* URN: ``urn:fujie:<chain>:<identifier>``. The namespace ``fujie`` is *not* registered with IANA (RFC 8141, section 6):
  the form is URN-safe and fit for use among parties that agreed on it, and it must not be taken for a public URN;
* HTTP: ``https://host/ids/<identifier>``.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from fujie.core.errors import VerificationError
from fujie.core.limits import IDENTIFIER_BYTES_MAX, IDENTIFIER_NODE_BYTES_MAX, IDENTIFIER_NODES_MAX

# Bounds of the forms; those of the identifier itself stand in core/limits.py. The integrator gathers these there too.
CHAIN_ID_BYTES_MAX: Final = 50
"""Characters of a chain id inside a form: the limit of CometBFT (``MaxChainIDLen``)."""

HOST_BYTES_MAX: Final = 253
"""Characters of a host name (RFC 1035, section 2.3.4, written with dots)."""

HTTP_FORM_BYTES_MAX: Final = 8 + HOST_BYTES_MAX + 6 + 5 + IDENTIFIER_BYTES_MAX
"""Bytes of an HTTP form: ``https://``, host, ``:65535``, ``/ids/``, identifier."""

LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1")
"""The only hosts for which the HTTP form may say ``http``: no certificate is to be had for them."""

_COUNTRY_AT: Final = 3
_NODES_AT: Final = 6
_CHECK_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHECK_VALUES: Final = {character: value for value, character in enumerate(_CHECK_ALPHABET)}

# The quantifiers are possessive (they never give back what they took), so a match is one pass from left to right.
_IDENTIFIER: Final = re.compile(
    rf"[A-Z]{{2}}\.[0-9]{{3}}(?:\.[0-9A-Z]{{1,{IDENTIFIER_NODE_BYTES_MAX}}}+){{0,{IDENTIFIER_NODES_MAX - 2}}}+"
)
_CHAIN_ID: Final = re.compile(r"[a-z0-9]++(?:-++[a-z0-9]++)*+")
_HOST: Final = re.compile(r"(?:[a-z0-9]++(?:-++[a-z0-9]++)*+)(?:\.[a-z0-9]++(?:-++[a-z0-9]++)*+)*+")
_DECIMAL_BYTE: Final = re.compile(r"[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}+")

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


class HttpForm(NamedTuple):
    """The parts of an HTTP form: ``origin`` is scheme, host and port, without a slash at the end."""

    origin: str
    identifier: str


# --- The identifier -------------------------------------------------------------------------------------------------


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


def is_at_or_under(identifier: str, prefix: str) -> bool:
    """Return whether ``identifier`` is ``prefix`` or stands under it: the scope of rights and vouchers."""
    return identifier == prefix or is_under(identifier, prefix)


def node_of(identifier: str) -> str:
    """Return the last node."""
    return identifier[identifier.rfind(".") + 1 :]


def depth(identifier: str) -> int:
    """Return the number of nodes, agency and country included: 2 to 12."""
    return identifier.count(".") + 1


# --- For people: check characters -----------------------------------------------------------------------------------


def mod_1271_36(text: str) -> str:
    """Return the two check characters of ISO 7064 MOD 1271-36 over ``text`` of 0-9 and A-Z: ``ISO79`` gives ``3W``.

    Read as digits in base 36 with the check characters at the end, the whole is 1 modulo 1271. 1271 is 31 × 41 and
    shares no factor with 36 or 35, so every substitution of one character and every swap of two neighbours is found.
    """
    remainder = 0
    for character in text:
        remainder = (remainder * 36 + _CHECK_VALUES[character]) % 1271
    check = (1 - remainder * 36 * 36) % 1271
    return _CHECK_ALPHABET[check // 36] + _CHECK_ALPHABET[check % 36]


def check_characters(identifier: str) -> str:
    """Return the check characters of an identifier, computed over it without its dots (the standard has no dot).

    A dot in the wrong place is therefore not found: ``ZZ.156.13.01`` and ``ZZ.156.1301`` have the same check
    characters.
    """
    return mod_1271_36(parse(identifier).replace(".", ""))


def with_check(identifier: str) -> str:
    """Return the form for people, ``ZZ.156.1301-XX``."""
    return f"{identifier}-{check_characters(identifier)}"


def parse_people_form(text: str) -> str:
    """Return the identifier of a form for people.

    Raises :class:`IdentifierError`: first what :func:`parse` finds before the hyphen, then ``check-missing`` (no hyphen
    or not two characters after it) and ``check`` (they are not the right ones).
    """
    written, hyphen, check = text[: IDENTIFIER_BYTES_MAX + 4].partition("-")
    identifier = parse(written)
    if not hyphen or len(check) != 2:
        raise IdentifierError(
            Fault.CHECK_MISSING, len(written), "a hyphen and two check characters are to follow the identifier"
        )
    if check != check_characters(identifier):
        # The right characters are not told: a reader would copy them and carry on with the wrong identifier.
        raise IdentifierError(Fault.CHECK, len(written) + 1, "the check characters do not fit: a character is mistaken")
    return identifier


# --- Forms for machines ---------------------------------------------------------------------------------------------


def to_did(chain_id: str, identifier: str) -> str:
    """Return ``did:fujie:<chain>:<identifier>`` (W3C DID Core 1.0, section 3.1). At most 189 bytes.

    ``chain_id`` is 1 to 50 of a-z, 0-9 and inner hyphens. Raises :class:`IdentifierError`.
    """
    return _join_scheme("did:fujie:", chain_id, identifier)


def parse_did(text: str) -> tuple[str, str]:
    """Return chain id and identifier of a DID. A DID URL (path, query, fragment) is no DID and is refused.

    Raises :class:`IdentifierError`: ``form``, ``chain``, then what :func:`parse` finds.
    """
    return _split_scheme("did:fujie:", text)


def to_urn(chain_id: str, identifier: str) -> str:
    """Return ``urn:fujie:<chain>:<identifier>`` (RFC 8141 syntax; the namespace is unregistered). At most 189 bytes.

    ``chain_id`` as in :func:`to_did`. Raises :class:`IdentifierError`.
    """
    return _join_scheme("urn:fujie:", chain_id, identifier)


def parse_urn(text: str) -> tuple[str, str]:
    """Return chain id and identifier of a URN form.

    RFC 8141 lets ``urn`` and the namespace be written in any case; only the lower case is canonical here. Components
    (``?+``, ``?=``, ``#``) are no part of a name and are refused. Raises as :func:`parse_did`.
    """
    return _split_scheme("urn:fujie:", text)


def to_http(origin: str, identifier: str) -> str:
    """Return ``<origin>/ids/<identifier>``.

    ``origin`` is ``https://host[:port]``, host in lower case (an international name in its ``xn--`` spelling), a port
    only if it is not 443; ``http://`` for ``localhost`` and ``127.0.0.1``, port only if not 80. No slash at the end, no
    user, no path. Raises :class:`IdentifierError`.
    """
    _check_origin(origin)
    return f"{origin}/ids/{parse(identifier)}"


def parse_http(text: str) -> HttpForm:
    """Return origin and identifier of an HTTP form. Nothing is decoded, resolved or trimmed.

    Raises :class:`IdentifierError`: ``too-long``, ``form``, ``host``, then what :func:`parse` finds in all that follows
    ``/ids/``: a percent sign, query, fragment or second slash is a foreign character there.
    """
    if len(text) > HTTP_FORM_BYTES_MAX:
        raise IdentifierError(Fault.TOO_LONG, HTTP_FORM_BYTES_MAX, f"longer than {HTTP_FORM_BYTES_MAX} bytes")
    authority_at = text.find("://") + 3
    path_at = text.find("/", authority_at)
    if authority_at < 3 or path_at < 0 or not text.startswith("/ids/", path_at):
        raise IdentifierError(Fault.FORM, 0, "an HTTP form is https://host/ids/ and an identifier")
    _check_origin(text[:path_at])
    return HttpForm(text[:path_at], _parse_at(text, path_at + len("/ids/")))


# --- Helpers --------------------------------------------------------------------------------------------------------


def _parse_at(text: str, start: int) -> str:
    """Return the identifier that is all of ``text`` from ``start``; positions of faults count in ``text``."""
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
        if character not in _CHECK_VALUES and character != ".":
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


def _join_scheme(scheme: str, chain_id: str, identifier: str) -> str:
    _check_chain_id(chain_id, 0)
    return f"{scheme}{chain_id}:{parse(identifier)}"


def _split_scheme(scheme: str, text: str) -> tuple[str, str]:
    if not text.startswith(scheme):
        raise IdentifierError(Fault.FORM, 0, f"the form begins with {scheme}")
    colon = text.find(":", len(scheme), len(scheme) + CHAIN_ID_BYTES_MAX + 1)
    if colon < 0:
        raise IdentifierError(
            Fault.CHAIN, len(scheme), f"a chain id of 1 to {CHAIN_ID_BYTES_MAX} characters and a colon are to follow"
        )
    chain_id = text[len(scheme) : colon]
    _check_chain_id(chain_id, len(scheme))
    return chain_id, _parse_at(text, colon + 1)


def _check_chain_id(chain_id: str, start: int) -> None:
    if len(chain_id) > CHAIN_ID_BYTES_MAX or not _CHAIN_ID.fullmatch(chain_id):
        raise IdentifierError(
            Fault.CHAIN, start, f"a chain id is 1 to {CHAIN_ID_BYTES_MAX} of a-z, 0-9 and hyphens between them"
        )


def _check_origin(origin: str) -> None:
    """Raise ``form`` for a scheme other than http and https, then ``host`` for a host or port that is not canonical."""
    scheme, _, authority = origin.partition("://")
    if scheme not in ("https", "http"):
        raise IdentifierError(Fault.FORM, 0, "an HTTP form begins with https://")
    start = len(scheme) + 3
    host, colon, port = authority.partition(":")
    if not _is_host(host):
        raise IdentifierError(Fault.HOST, start, "a host is a lower-case host name or an IPv4 address in four decimals")
    if scheme == "http" and host not in LOOPBACK_HOSTS:
        raise IdentifierError(Fault.HOST, start, "http is for localhost and 127.0.0.1 only; use https")
    default_port = "443" if scheme == "https" else "80"
    if colon and (not _PORT.fullmatch(port) or int(port) > 65535 or port == default_port):
        raise IdentifierError(
            Fault.HOST, start + len(host) + 1, f"a port is 1 to 65535 without leading zeros; {default_port} is left out"
        )


def _is_host(host: str) -> bool:
    """Return whether ``host`` is a host name or a canonical IPv4 address. IPv6 addresses have too many spellings."""
    labels = host.split(".")
    if len(host) > HOST_BYTES_MAX or any(len(label) > 63 for label in labels) or not _HOST.fullmatch(host):
        return False
    if not labels[-1].isdigit() and not labels[-1].startswith("0x"):
        return True
    # Browsers read a host that ends in a number as an IPv4 address, and accept 127.1 and 0x7f000001 for 127.0.0.1.
    return len(labels) == 4 and all(_DECIMAL_BYTE.fullmatch(label) for label in labels)
