"""Light blocks from a Fujie node: ``GET /blocks/{height}`` and ``GET /validators/{validators_hash}`` in canonical bytes
(docs/spec/09-http.md).
"""

from collections.abc import Sequence

import msgspec

from fujie.client.http import BLOCK_ABSENT, LIGHT_BLOCK_TYPE, PROBLEM_TYPE, VALIDATORS_ABSENT
from fujie.client.light.fetching import ANSWER_TIMEOUT_S, Fetched, Fetcher
from fujie.client.light.provider import HeightAbsent
from fujie.proof.light_block import LIGHT_BLOCK_BYTES_MAX, LightBlock, decode_light_block


class _Problem(msgspec.Struct, frozen=True):
    type: str = ""


class NodeProvider:
    """Implements ``LightProvider`` over HTTP to the Fujie node at ``url``; see :class:`HttpTransport` for the URL."""

    def __init__(self, url: str, *, plain_http: bool = False, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Connect at the first request. Raises :class:`OperationalError` for a URL that cannot be used."""
        self._fetcher = Fetcher(url, plain_http=plain_http, answer_timeout_s=answer_timeout_s)
        self.name = self._fetcher.name

    def light_block(self, height: int | None) -> LightBlock:
        """See ``LightProvider``."""
        found = self._ask(f"/blocks/{'latest' if height is None else height}", (BLOCK_ABSENT,))
        if found is None:
            raise HeightAbsent(self.name, height)
        return found

    def last_of(self, validators_hash: bytes) -> LightBlock | None:
        """See ``LightProvider``."""
        return self._ask(f"/validators/{validators_hash.hex()}", VALIDATORS_ABSENT)

    def close(self) -> None:
        """Free the connection. Idempotent."""
        self._fetcher.close()

    def _ask(self, path: str, missing: Sequence[str]) -> LightBlock | None:
        """Return the light block at ``path``, or None for one of these problems. Raises as ``LightProvider.light_block``."""
        fetched = self._fetcher.get(path, f"{LIGHT_BLOCK_TYPE}, {PROBLEM_TYPE}", LIGHT_BLOCK_BYTES_MAX)
        if fetched.status == 200 and fetched.content_type == LIGHT_BLOCK_TYPE:
            return decode_light_block(fetched.body)
        if _problem_of(fetched) in missing:
            return None
        raise self._fetcher.refused(fetched)


def _problem_of(fetched: Fetched) -> str:
    """Return the name of the problem in an answer; empty where it is none."""
    if fetched.content_type != PROBLEM_TYPE:
        return ""
    try:
        return msgspec.json.decode(fetched.body, type=_Problem).type.rpartition("/")[2]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
