"""A chain, block by block, from a node over HTTP (docs/spec/09-http.md, "Mirrors"): what a mirror is fed from.

Bounded and retried as every request of ``client.http``; what the answers mean, and whether they are true, is for
``engine.mirror`` to find out.
"""

from typing import Final

import httpx

from fujie.client.http import HttpTransport
from fujie.core.encoding import Codec
from fujie.core.errors import OperationalError, Refused

REPLICATION_TYPE: Final = "application/vnd.fujie.replication+msgpack"
GENESIS_TYPE: Final = "application/vnd.fujie.genesis"
REPLICATION_BYTES_MAX: Final = 16_777_216  # an honest answer has 4 MiB and one more block of at most 7 MiB
GENESIS_BYTES_MAX: Final = 268_435_456  # a chain of a million records, exported
ANSWER_TIMEOUT_S: Final = 60.0  # twice what a node waits at most for a block
TRIES: Final = 2  # who follows asks again anyway, and pauses longer

Item = tuple[bytes, list[bytes], list[bytes]]
"""A block as it travels: light block, signed transactions, evidence of misbehaviour (``proof.block_evidence``)."""

_BLOCKS: Final[Codec[list[Item]]] = Codec(list[Item])


class ReplicationSource(HttpTransport):
    """Implements ``engine.mirror_blocks.Source`` over HTTP to the node at ``url``; see :class:`HttpTransport`.

    ``api_key`` is that of an auditor, for a restricted chain. It goes into a header and nowhere else.
    """

    def __init__(
        self, url: str, *, api_key: str = "", plain_http: bool = False, answer_timeout_s: float = ANSWER_TIMEOUT_S
    ) -> None:
        """Connect at the first request. Raises :class:`OperationalError` for a URL that cannot be used."""
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else None
        super().__init__(
            url,
            plain_http=plain_http,
            tries=TRIES,
            answer_timeout_s=answer_timeout_s,
            headers=headers,
        )
        self.url = self._url
        self._has_key = bool(api_key)

    def blocks(self, height: int, wait_ms: int, limit: int) -> list[Item]:
        """Return up to ``limit`` blocks from ``height`` on.

        Waits up to ``wait_ms`` for the first of them. Raises :class:`OperationalError` when the node cannot be asked or
        turns the request away, :class:`DecodeError` for another answer.
        """
        path = f"/replication/{height}?wait_ms={wait_ms}&limit={limit}"
        return _BLOCKS.decode(self._fetch(path, REPLICATION_TYPE, REPLICATION_BYTES_MAX))

    def height(self) -> int:
        """Return the height of the newest block, as the node says. Raises as :meth:`blocks`."""
        return self.status().height

    def genesis(self) -> bytes:
        """Return the bytes that should hash to the chain id. Raises as :meth:`blocks`."""
        return self._fetch("/genesis", GENESIS_TYPE, GENESIS_BYTES_MAX)

    def _fetch(self, path: str, accept: str, bytes_max: int) -> bytes:
        try:
            return self._ask("GET", path, accept, bytes_max=bytes_max).body
        except Refused as refused:
            raise OperationalError(f"{self.url} refuses: {refused}", self._advice(httpx.codes.FORBIDDEN)) from None

    def _advice(self, status: int) -> str:
        if status not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return super()._advice(status)
        do = "`fujie access key new ACCOUNT` on its node, and --api-key-file here."
        if self._has_key:
            return f"Give the API key of an auditor that has neither expired nor been revoked: {do}"
        return f"The chain is not public: give the API key of an auditor: {do}"
