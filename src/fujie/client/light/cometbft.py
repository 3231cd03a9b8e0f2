"""Light blocks from the RPC of a CometBFT node: ``/commit``, and ``/validators`` page by page.

The commit of the newest block is the one that this node has seen, so two nodes may tell different ones of one header.
"""

import re
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from fujie.client.http import JSON_TYPE
from fujie.client.light.fetching import ANSWER_TIMEOUT_S, Fetcher
from fujie.client.light.provider import HeightAbsent
from fujie.core.errors import DecodeError, OperationalError
from fujie.core.wording import quoted
from fujie.proof.comet_json import (
    Number,
    SignedHeaderJson,
    ValidatorJson,
    decode_json,
    read_commit,
    read_header,
    read_validators,
)
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import VALIDATORS_MAX, ValidatorSet

T = TypeVar("T")

PAGE_VALIDATORS: Final = 100  # the most that CometBFT answers at a time
COMMIT_BYTES_MAX: Final = 4_194_304  # 10,000 entries of about 300 bytes
PAGE_BYTES_MAX: Final = 131_072  # 100 validators of about 300 bytes

# What CometBFT says of a height that lies ahead, or was pruned (its rpc/core/env.go).
_ABSENT: Final = re.compile(
    r"must be less than or equal to the current blockchain height|is not available, lowest height is"
)


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    data: str = ""


class _Reply(msgspec.Struct, Generic[T], frozen=True):
    result: T | None = None
    error: _Error | None = None


class _CommitResult(msgspec.Struct, frozen=True):
    signed_header: SignedHeaderJson


class _ValidatorsResult(msgspec.Struct, frozen=True):
    block_height: Number
    validators: Annotated[list[ValidatorJson], Meta(min_length=1, max_length=PAGE_VALIDATORS)]
    total: Number


class CometProvider:
    """Implements ``LightProvider`` over CometBFT's RPC at ``url``; see :class:`HttpTransport` for the URL."""

    def __init__(self, url: str, *, plain_http: bool = False, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Connect at the first request. Raises :class:`OperationalError` for a URL that cannot be used."""
        self._fetcher = Fetcher(url, plain_http=plain_http, answer_timeout_s=answer_timeout_s)
        self.name = self._fetcher.name

    def light_block(self, height: int | None) -> LightBlock:
        """See ``LightProvider``."""
        which = "" if height is None else f"?height={height}"
        told = self._ask(f"/commit{which}", _Reply[_CommitResult], COMMIT_BYTES_MAX, height).signed_header
        header = read_header(told.header)
        return LightBlock(header, read_commit(told.commit), self._validators(header.height))

    def last_of(self, validators_hash: bytes) -> LightBlock | None:
        """See ``LightProvider``."""
        return None  # CometBFT finds blocks by their height alone

    def close(self) -> None:
        """Free the connection. Idempotent."""
        self._fetcher.close()

    def _validators(self, height: int) -> ValidatorSet:
        told: list[ValidatorJson] = []
        total, page = 1, 0
        while len(told) < total:
            page += 1
            path = f"/validators?height={height}&page={page}&per_page={PAGE_VALIDATORS}"
            result = self._ask(path, _Reply[_ValidatorsResult], PAGE_BYTES_MAX, height)
            told += result.validators
            total = int(result.total)
            whole = len(told) == min(total, page * PAGE_VALIDATORS)
            if int(result.block_height) != height or not whole or total > VALIDATORS_MAX:
                raise DecodeError(f"{self.name} answers with pages of validators that do not belong together")
        return read_validators(told)

    def _ask(self, path: str, form: type[_Reply[T]], bytes_max: int, height: int | None) -> T:
        fetched = self._fetcher.get(path, JSON_TYPE, bytes_max)
        if fetched.content_type != JSON_TYPE:
            raise self._fetcher.refused(fetched)
        reply = decode_json(fetched.body, form)
        if reply.error is not None:
            told = f"{reply.error.message} {reply.error.data}".strip()
            if _ABSENT.search(told):
                raise HeightAbsent(self.name, height)
            raise OperationalError(f"{self.name} answers: {quoted(told, 300)}.", "Ask another node.")
        if reply.result is None:
            raise DecodeError(f"{self.name} answers neither a result nor an error")
        return reply.result
