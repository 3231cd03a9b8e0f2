"""Which names a node answers to: a page of a stranger must not reach it through a name that he has rebound.

A browser keeps pages of different hosts apart by name. Whoever owns a name can let it point to this address once his page is
loaded, and the page would then read the node as if it were its own (DNS rebinding). So a request that calls the node by a
name it was not given is turned away. An address in digits cannot be rebound.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from fujie.api.problems import Kind, Problem

ANY: Final = "*"  # for a node behind a proxy that checks the name itself
LOCALHOST: Final = "localhost"
HOST_BYTES_MAX: Final = 262  # a name of 253 characters or an address in brackets, and a port

_HOST: Final = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]*)?")


def check_host(headers: Iterable[tuple[bytes, bytes]], known: Sequence[str]) -> None:
    """Raise :class:`Problem` HOST_UNKNOWN unless the one Host header is an address, ``localhost`` or a ``known`` name.

    Ports do not matter: what is rebound is a name.
    """
    sent = [value for name, value in headers if name == b"host"]
    if len(sent) != 1:
        raise Problem(Kind.HOST_UNKNOWN, "Send one Host header.")
    if len(sent[0]) > HOST_BYTES_MAX or not _is_known(sent[0], tuple(known)):
        raise Problem(Kind.HOST_UNKNOWN)


@lru_cache(
    maxsize=1_024
)  # names that requests have called this node by; what strangers make up pushes out what they made up
def _is_known(sent: bytes, known: tuple[str, ...]) -> bool:
    if ANY in known:
        return True
    found = _HOST.fullmatch(sent.decode("latin-1").lower())
    if found is None:
        return False
    if found["address"] is not None:
        return _is_address(found["address"], 6)
    return found["name"] == LOCALHOST or _is_address(found["name"], 4) or found["name"] in map(str.lower, known)


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
