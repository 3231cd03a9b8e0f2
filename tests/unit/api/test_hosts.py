"""Which names a node answers to."""

import pytest

from fujie.api import hosts
from fujie.api.hosts import HOST_BYTES_MAX, check_host
from fujie.api.problems import Kind, Problem


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"LOCALHOST:8156", b"127.0.0.1", b"127.0.0.1:8156", b"[::1]", b"[::1]:8156", b"192.0.2.7:1"],
)
def test_an_address_and_localhost_are_answered(host):
    check_host([(b"host", host)], ())


@pytest.mark.parametrize(
    "host",
    [
        b"rebound.example",
        b"rebound.example:8156",
        b"localhost.rebound.example",
        b"127.0.0.1.rebound.example",
        b"[rebound.example]",
        b"[127.0.0.1]",
        b"[::1]rebound.example",
        b"[::1]rebound.example:8156",
        b"[::1%rebound.example]",
        b"127.0.0.1:rebound.example",
        b"127.0.0.1.",
        b"localhost.",
        b"ledger.example.",
        b"ledger.example@rebound.example",
        b"l" * 300,
        b"0x7f000001",
        b"2130706433",
        b"\xff",
        b"",
    ],
)
def test_any_other_name_is_not(host):
    with pytest.raises(Problem) as caught:
        check_host([(b"host", host)], ("ledger.example",))
    assert caught.value.kind is Kind.HOST_UNKNOWN


def test_names_of_the_configuration_are_answered_in_any_case_and_port():
    for host in (b"ledger.example", b"Ledger.Example:443"):
        check_host([(b"host", host)], ("ledger.Example",))
    check_host([(b"host", b"whatever.example")], ("*",))


def test_names_of_any_length_take_no_memory():
    hosts._is_known.cache_clear()
    for length in range(HOST_BYTES_MAX + 1, HOST_BYTES_MAX + 20):
        with pytest.raises(Problem):
            check_host([(b"host", b"h" * length)], ("*",))
    assert hosts._is_known.cache_info().currsize == 0


@pytest.mark.parametrize("headers", [[], [(b"host", b"localhost"), (b"host", b"rebound.example")]])
def test_one_host_header_is_demanded(headers):
    with pytest.raises(Problem):
        check_host(headers, ())
