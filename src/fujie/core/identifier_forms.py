"""The forms that a city identifier takes at the edge (docs/spec/05-identifiers.md).

Each has a builder and a parser that undo one another:

* for people: ``ZZ.156.1301-XX``, with the two check characters of ISO 7064 MOD 1271-36;
* DID: ``did:fujie:<chain>:<identifier>``;
* URN: ``urn:fujie:<chain>:<identifier>``. The namespace ``fujie`` is *not* registered with IANA (RFC 8141, section 6):
  the form is URN-safe and fit for use among parties that agreed on it, and it must not be taken for a public URN;
* HTTP: ``https://host/ids/<identifier>``.

Pure, as the grammar itself. Anything but the one spelling of a form raises ``IdentifierError``.
"""

import re
from typing import Final, NamedTuple

from fujie.core.identifiers import Fault, IdentifierError, parse, parse_at
from fujie.core.limits import CHAIN_ID_BYTES_MAX, HOST_BYTES_MAX, HTTP_FORM_BYTES_MAX, IDENTIFIER_BYTES_MAX

LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1")

FORM_CHARACTERS_MAX: Final = 2 * IDENTIFIER_BYTES_MAX  # of a typed identifier, spaces included

_CHECK_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHECK_VALUES: Final = {character: value for value, character in enumerate(_CHECK_ALPHABET)}

# The quantifiers are possessive (they never give back what they took), so a match is one pass from left to right.
_CHAIN_ID: Final = re.compile(r"[a-z0-9]++(?:-++[a-z0-9]++)*+")
_HOST: Final = re.compile(r"(?:[a-z0-9]++(?:-++[a-z0-9]++)*+)(?:\.[a-z0-9]++(?:-++[a-z0-9]++)*+)*+")
_DECIMAL_BYTE: Final = re.compile(r"[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}+")


class HttpForm(NamedTuple):
    """The parts of an HTTP form: ``origin`` is scheme, host and port, without a slash at the end."""

    origin: str
    identifier: str


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


def as_meant(text: str) -> str:
    """Return the identifier that a person means: spaces and the case of letters do not count, and check characters may
    follow. It is for what people type, and never for what is signed.

    Raises :class:`IdentifierError`: what :func:`parse` finds, or with a hyphen what :func:`parse_people_form` finds. A
    position counts in the text without its spaces.
    """
    if len(text) > FORM_CHARACTERS_MAX:
        raise IdentifierError(Fault.TOO_LONG, FORM_CHARACTERS_MAX, f"longer than {FORM_CHARACTERS_MAX} characters")
    written = "".join(text.split())
    written = written.upper() if written.isascii() else written  # "ß" would become two letters
    return parse_people_form(written) if "-" in written else parse(written)


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
    return HttpForm(text[:path_at], parse_at(text, path_at + len("/ids/")))


# --- Helpers --------------------------------------------------------------------------------------------------------


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
    return chain_id, parse_at(text, colon + 1)


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
