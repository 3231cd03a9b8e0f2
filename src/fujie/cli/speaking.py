"""The way to a node that says why an answer takes long."""

from collections.abc import Sequence

from fujie.cli.progress import said_if_slow
from fujie.client.http import HttpTransport
from fujie.client.transport import TransportOutcome


class SpeakingTransport(HttpTransport):
    """As ``HttpTransport``; ``slow`` is said while what was submitted waits for its block longer than usual."""

    def __init__(self, url: str, slow: str, *, plain_http: bool) -> None:
        super().__init__(url, plain_http=plain_http)
        self._slow = slow

    def submit(self, transactions: Sequence[bytes]) -> list[TransportOutcome]:
        """See ``HttpTransport``."""
        with said_if_slow(self._slow):
            return super().submit(transactions)
