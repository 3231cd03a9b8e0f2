"""Which ports of this machine are free for the nodes of a network, and whose the others are."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

from fujie.core.errors import OperationalError
from fujie.engine.ports import bind_error, port_taken
from fujie.node.address import running_url
from fujie.node.cometbft_file import port_of, read_comet_file
from fujie.node.config import resolve_config
from fujie.node.config_keys import is_loopback
from fujie.node.folder import Folder

PEER_PORTS: Final = 100  # above the port of a node is that for its peers
NODES_MAX: Final = 16
BASE_STEP: Final = 20  # between two bases that are proposed: more than NODES_MAX
LOOPBACK: Final = "127.0.0.1"


def check_range(validators: int, port_base: int) -> None:
    """Raise :class:`OperationalError` unless so many nodes find ports that exist above ``port_base``."""
    if not 1 <= validators <= NODES_MAX or not 1 <= port_base <= 65_535 - PEER_PORTS - NODES_MAX:
        raise OperationalError(
            f"{validators} validators at ports from {port_base} are not possible.",
            f"Choose 1 to {NODES_MAX} validators, and ports that exist.",
        )


def require_free(validators: int, port_base: int, others: Iterable[tuple[str, Folder]], first: int = 1) -> None:
    """Raise :class:`OperationalError`, which proposes another base, where a node would find a port of somebody else.

    ``others`` are data folders of this machine with what to call them: their ports are theirs whether they run or not.
    ``first``: the first node that gets an HTTP port of the range.
    """
    theirs: dict[int, str] = {}
    for name, folder in others:
        theirs |= dict.fromkeys(_ports_of(folder), name)

    def obstacle(base: int) -> str | None:
        """Return the first port above ``base`` that is not free, and whose it is."""
        answering = range(base + first, base + validators + 1)
        waiting = range(base + PEER_PORTS + 1, base + PEER_PORTS + validators + 1)
        for port in (*answering, *waiting):
            if port in theirs:
                return f"{port}, which is that of {theirs[port]}"
            if port_taken(LOOPBACK, port):
                return f"{port}, which another program uses now"
        return None

    if (found := obstacle(port_base)) is None:
        return
    bases = range(port_base + BASE_STEP, 65_535 - PEER_PORTS - NODES_MAX, BASE_STEP)
    free = next((base for base in bases if obstacle(base) is None), None)
    do = "Stop what uses it." if free is None else f"These are free: --port-base {free}."
    raise OperationalError(f"The nodes would use port {found}.", do)


def _ports_of(folder: Folder) -> list[int]:
    """Return where a node answers, or would, and waits for its peers, as its files say; none where they do not read."""
    try:
        url = running_url(folder)
        found = [int(url.rpartition(":")[2]) if url else resolve_config(folder, environment={}).config.http.port]
        if folder.cometbft.exists():
            found.append(port_of(read_comet_file(folder).listen))
    except OperationalError:
        return []
    return found


def require_other_port(folder: Folder, address: str) -> None:
    """Raise :class:`OperationalError` where a node would wait for its peers at the port at which it answers requests."""
    port = resolve_config(folder).config.http.port
    if port_of(address) == port:
        raise OperationalError(
            f"{address} has the port {port} of this node's HTTP interface (FUJIE_PORT, http.port).",
            "Choose another port for its peers, such as 26656 (of a node that joins: --listen 0.0.0.0:26656), or another FUJIE_PORT.",
        )


def is_here(host: str) -> bool:
    """Tell whether ``host`` is an address of this machine, or all of them. A name is of another unless it is ``localhost`` or its own."""
    if is_loopback(host) or host == socket.gethostname().lower():
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_unspecified or bind_error(host, 0) is None
