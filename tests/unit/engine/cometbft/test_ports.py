"""The port at which a node waits for its peers, before CometBFT begins: of another program, or of another machine."""

import socket

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.cometbft.process import require_free


def test_a_port_that_is_taken_is_refused_and_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(OperationalError, match=f"{address}.* in use by another program"):
            require_free(address)
    require_free(address)


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_of_this_machine_is_refused(host: str) -> None:
    with pytest.raises(OperationalError, match="cannot wait for its peers"):
        require_free(f"{host}:26656")
