"""The HTTP transport before anything is sent: which nodes it talks to."""

import pytest

from fujie.client.http import HttpTransport
from fujie.client.replication import ReplicationSource
from fujie.core.errors import OperationalError


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8156", "http://localhost:8156/", "http://[::1]:8156", "https://node.example", "https://a/b"],
)
def test_takes_the_url_of_a_node(url):
    HttpTransport(url).close()


@pytest.mark.parametrize(
    "url", ["", "x", "127.0.0.1:8156", "ftp://127.0.0.1", "http://", "http://[", "http://a:b", "\x00"]
)
def test_refuses_what_is_no_url_of_a_node(url):
    with pytest.raises(OperationalError):
        HttpTransport(url)


@pytest.mark.parametrize(
    "url", ["http://node.example", "http://10.0.0.1:8156", "http://localhost.example", "http://0.0.0.0"]
)
def test_refuses_an_open_line_to_another_machine_unless_told_so(url):
    with pytest.raises(OperationalError, match="https"):
        HttpTransport(url)
    HttpTransport(url, plain_http=True).close()


SECRET = "correct-horse"


@pytest.mark.parametrize(
    "url",
    [
        f"http://anna:{SECRET}@127.0.0.1:8156",
        f"https://{SECRET}@node.example/path",
        f"https://:{SECRET}@node.example",
        f"https://anna:{SECRET}@",
        f"https://anna:{SECRET}@[",
        f"ftp://anna:{SECRET}@node.example",
        f"http:anna:{SECRET}@node.example",
        f"//anna:{SECRET}@node.example",
        f"anna:{SECRET}@node.example",
        f"http://anna:{SECRET}@node.example",
    ],
)
@pytest.mark.parametrize("transport", [HttpTransport, ReplicationSource])
def test_refuses_a_password_in_a_url_and_does_not_repeat_it(url, transport):
    with pytest.raises(OperationalError) as caught:
        transport(url)
    assert "password" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "anna" not in str(caught.value)


def test_an_at_sign_in_a_path_is_no_password():
    HttpTransport("https://node.example/ledgers/@city").close()


def test_says_so_when_it_was_closed():
    transport = HttpTransport("http://127.0.0.1:9")
    transport.close()
    transport.close()
    with pytest.raises(OperationalError, match="closed"):
        transport.status()
