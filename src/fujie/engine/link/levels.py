"""Log levels over the link: one command sets a level in the ledger process and in every one that follows it."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from fujie.core.errors import OperationalError
from fujie.core.wording import quoted
from fujie.engine.link import messages

TELL_TIMEOUT_S: Final = 1.0  # for followers to say what became of a level; who is slow is told of later


def _apply(logger: str, level: str) -> None:
    try:
        logging.getLogger(logger).setLevel(level.upper())
    except ValueError as error:
        raise OperationalError(f"{quoted(level, 40)} is no level.", "Name one: info.") from error


class LogLevels(NamedTuple):
    """How a process sets and tells its levels. ``apply`` raises :class:`OperationalError` for what does not exist."""

    process: str = "process"
    apply: Callable[[str, str], None] = _apply
    levels: Callable[[], dict[str, str]] = dict

    def tell(self, number: int = 0, error: str | None = None) -> messages.TellLogLevels:
        """Return what this process tells the ledger of its levels."""
        return messages.TellLogLevels(number, self.levels(), error)

    def take(self, wanted: messages.LogLevel) -> messages.TellLogLevels:
        """Set a level that the ledger wants, and return what to tell it."""
        try:
            self.apply(wanted.logger, wanted.level)
        except OperationalError as error:
            return self.tell(wanted.number, error.what)
        return self.tell(wanted.number)


class Peer(Protocol):
    """A follower as this module needs it."""

    process: str

    def send(self, data: bytes) -> None:
        """Queue a frame."""
        ...


class LevelKeeper:
    """The ledger's side: what was set, and what each follower has told. One event loop uses it."""

    def __init__(self, own: LogLevels) -> None:
        self._own = own
        self._set: dict[str, str] = {}
        self._told: dict[Peer, messages.TellLogLevels] = {}
        self._news = asyncio.Event()
        self._numbers = itertools.count(1)

    def welcome(self, peer: Peer) -> None:
        """Let a new follower have what was set before."""
        for logger, level in self._set.items():
            peer.send(messages.frame(messages.LogLevel(0, logger, level)))

    def told(self, peer: Peer, levels: messages.TellLogLevels) -> None:
        """Take in what a follower tells."""
        self._told[peer] = levels
        self._news.set()

    def forget(self, peer: Peer) -> None:
        """A follower is gone."""
        self._told.pop(peer, None)
        self._news.set()

    def levels(self) -> dict[str, dict[str, str]]:
        """Return the levels by process and logger."""
        return {self._own.process: self._own.levels()} | {
            peer.process: told.levels for peer, told in sorted(self._told.items(), key=lambda pair: pair[0].process)
        }

    async def set(self, logger: str, level: str, followers: Iterable[Peer]) -> None:
        """Set a level everywhere, and wait a moment for the followers.

        Raises :class:`OperationalError` when no process has such a logger, or there is no such level.
        """
        refusal: OperationalError | None = None
        try:
            self._own.apply(logger, level)
        except OperationalError as error:
            refusal = error
        number = next(self._numbers)
        asked = [peer for peer in followers if peer in self._told]
        for peer in asked:
            peer.send(messages.frame(messages.LogLevel(number, logger, level)))

        def answered() -> list[messages.TellLogLevels]:
            return [self._told[peer] for peer in asked if peer in self._told and self._told[peer].number >= number]

        try:
            async with asyncio.timeout(TELL_TIMEOUT_S):
                while len(answered()) < sum(peer in self._told for peer in asked):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        if refusal is not None and all(told.error is not None for told in answered()):
            raise refusal
        self._set[logger] = level
