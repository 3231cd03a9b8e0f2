"""The socket that a node listens on. Light to import: the process that owns it does not answer on it itself."""

import errno
import socket
from typing import Final

from fujie.core.errors import OperationalError

BACKLOG: Final = 2_048  # connections that may wait to be accepted
HOST_DEFAULT: Final = "127.0.0.1"  # one's own machine only; a node that serves others says so in its configuration


def listen(host: str, port: int) -> socket.socket:
    """Return a TCP socket bound to the address, which does not accept yet; port 0 lets the system choose one.

    Raises :class:`OperationalError` when the address is in use, or none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OperationalError(
            f"There is no address {host} on this machine ({error.strerror}).", "Set http.host to one that it has."
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise _in_use(port, error) from error
        raise OperationalError(
            f"The address {host}:{port} cannot be served: {error.strerror}.",
            "Set http.host to an address of this machine, or choose another port with FUJIE_PORT.",
        ) from error
    return listener


def accept(listener: socket.socket) -> None:
    """Have a bound socket accept connections, which wait until somebody answers on it. Again does nothing.

    Two sockets may be bound to one port as long as neither accepts. Raises :class:`OperationalError` when the other one
    was first: a server that begins on such a socket by itself (uvloop's) says nothing and is never reached.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise _in_use(listener.getsockname()[1], error) from error


def _in_use(port: int, error: OSError) -> OperationalError:
    return OperationalError(
        f"Port {port} is in use ({error.strerror}).", "Stop what uses it, or choose another: FUJIE_PORT=9000."
    )


def address_of(listener: socket.socket) -> str:
    """Return the base address of what is served on a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
