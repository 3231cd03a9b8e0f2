"""The port of a node: whoever cannot have it is told so, and never serves beside another program."""

import socket

import pytest

from fujie.api.listening import accept, address_of, listen
from fujie.api.server import serve_on
from fujie.core.errors import OperationalError


def test_a_port_on_which_another_program_accepts_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        accept(first)
        with pytest.raises(OperationalError, match="is in use"):
            listen("127.0.0.1", first.getsockname()[1])


def test_of_two_that_bound_one_port_at_once_only_the_first_accepts() -> None:
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", first.getsockname()[1]) as second:
        accept(first)
        accept(first)  # as the processes that share it do
        with pytest.raises(OperationalError, match="is in use"):
            accept(second)
        with pytest.raises(OperationalError, match="is in use"):
            serve_on(second, None, lambda _url: pytest.fail("it serves nobody"))
        with socket.create_connection(first.getsockname()):
            pass


def test_an_address_of_version_6_is_listened_on_and_written_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with listen("::1", 0) as listener:
        accept(listener)
        assert address_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(OperationalError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)
