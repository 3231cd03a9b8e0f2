"""Addresses at which a program listens, and whether it may on this machine."""

import errno
import socket


def bind_error(host: str, port: int) -> int | None:
    """Return the number of the error that listening there would give, or None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror:
            return errno.EADDRNOTAVAIL  # a name that means nothing here
        except OSError as error:
            return error.errno
    return None


def port_taken(host: str, port: int) -> bool:
    """Tell whether ``port`` of ``host`` is in use."""
    return bind_error(host, port) == errno.EADDRINUSE


def host_of(address: str) -> str:
    """Return the host of ``host:port``, an IPv6 address without its brackets."""
    return address.rpartition(":")[0].strip("[]")
