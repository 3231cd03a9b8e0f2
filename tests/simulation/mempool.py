"""CometBFT's mempool: what waits for a block, a cache of what was seen, and the call by which transactions come to it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fujie.engine.cometbft.mempool import IN_CACHE
from fujie.engine.cometbft.rpc import Unanswered
from tests.simulation.scheduler import Scheduler

CHECK_MS: Final = 5  # at most, from being handed over to being checked


class Mempool:
    """That of one process. It stands where the RPC of CometBFT does: ``broadcast`` is what the submission calls."""

    def __init__(
        self,
        scheduler: Scheduler,
        bad: float,
        check: Callable[[bytes], int],
        spread: Callable[[bytes], None],
        lives: Callable[[], bool],
    ) -> None:
        """``bad``: with which probability it does not answer, or is full. ``check`` gives the code of CheckTx; ``spread``
        sends to all peers; ``lives`` tells whether the process still runs.
        """
        self.waiting: dict[bytes, None] = {}
        self.asked: dict[bytes, int] = {}  # when each was handed over last, taken or not
        self._seen: dict[bytes, None] = {}
        self._scheduler = scheduler
        self._bad = bad
        self._check = check
        self._spread = spread
        self._lives = lives

    def broadcast(self, transactions: Sequence[bytes], /) -> list[str]:
        """See ``Rpc``: each is checked soon afterwards."""
        self.asked.update(dict.fromkeys(transactions, self._scheduler.now_ms))
        if self._scheduler.chance(self._bad):
            raise Unanswered("broadcast_tx_async", "it does not answer")
        return [self._take(raw) for raw in transactions]

    def flush_mempool(self) -> None:
        """See ``Rpc``."""
        if self._scheduler.chance(self._bad):
            raise Unanswered("unsafe_flush_mempool", "it does not answer")
        self.lose()

    def hear(self, raw: bytes) -> None:
        """Take a transaction from a peer."""
        self._take(raw)

    def committed(self, transactions: Iterable[bytes], codes: Iterable[int]) -> None:
        """A block is committed: what it refused may come again."""
        for raw, code in zip(transactions, codes, strict=True):
            self.waiting.pop(raw, None)
            if code:
                self._seen.pop(raw, None)

    def lose(self) -> None:
        """CometBFT alone was started anew."""
        self.waiting.clear()
        self._seen.clear()

    def _take(self, raw: bytes) -> str:
        if self._scheduler.chance(self._bad):
            return "mempool is full"
        if raw in self._seen:
            return IN_CACHE
        self._seen[raw] = None
        self._scheduler.after(self._scheduler.random.randint(0, CHECK_MS), lambda: self._judge(raw))
        return ""

    def _judge(self, raw: bytes) -> None:
        if not self._lives() or raw not in self._seen:
            return
        if self._check(raw):
            self._seen.pop(raw, None)
        else:
            self.waiting[raw] = None
            self._spread(raw)
