"""CometBFT's mempool: what is called into it where the chain stands still, and when it is emptied.

CometBFT makes a block without transactions at every heartbeat only, counted from when it began with that block; and until there
is one whose votes are young, whoever asks for proofs is told that they are stale. So a node whose newest block is older than
``STANDS_MS`` puts a call into its mempool, the same at every node: a mempool that is not empty makes a block. The call is no
transaction: no block has it, since every node proposes without it and rejects a proposal with it.

For the same reason a mempool must not hold what no block may have: it would make one block after the other, without end. It drops
what blocks carried out, and nothing else; so it is emptied, and what is under way is handed over again.
"""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from fujie.core.limits import HEARTBEAT_MS
from fujie.engine.cometbft.rpc import Unanswered
from fujie.engine.executor import Executor

STANDS_MS: Final = HEARTBEAT_MS + 10_000  # a chain that moves has a younger block
STANDS_S: Final = 2.0  # without a newer block, of a node that fetches none
EMPTIED_S: Final = 1.0  # after it was emptied, so that those of the others are too when they hear of anything again
CALL: Final = b"fujie/wake/"  # followed by the height that is to come, 8 bytes
IN_CACHE: Final = "already exists in cache"  # CometBFT has it, or had it

log = logging.getLogger(__name__)


class MempoolRpc(Protocol):
    """What hands transactions to CometBFT, and empties its mempool: its RPC."""

    def broadcast(self, transactions: Sequence[bytes], /) -> list[str]:
        """See ``Rpc``."""
        ...

    def flush_mempool(self) -> None:
        """See ``Rpc``."""
        ...


class Mempool:
    """That of this node's CometBFT. One thread calls :meth:`wake` and :meth:`empty`; the other methods are for any."""

    def __init__(
        self,
        rpc: MempoolRpc,
        executor: Executor,
        decided_ms: Callable[[], int],
        clock_ms: Callable[[], int],
        clock_s: Callable[[], float],
    ) -> None:
        """``decided_ms`` returns when the newest block was decided; clocks are as for ``Submission``."""
        self.emptied_s = -math.inf  # when that was last
        self._rpc = rpc
        self._executor = executor
        self._decided_ms = decided_ms
        self._clock_ms = clock_ms
        self._clock_s = clock_s
        self._called = b""  # the call that it holds
        self._stands = (-1, 0.0)  # the height of the newest block, and since when it is that
        self._unfit = False  # whether it holds what no block may have
        self._unanswered = False

    @property
    def is_called(self) -> bool:
        """Whether it holds a call."""
        return bool(self._called)

    @property
    def settles(self) -> bool:
        """Whether it was emptied a moment ago: nothing is handed over yet."""
        return self._clock_s() - self.emptied_s < EMPTIED_S

    def call(self) -> bytes:
        """Return what it is to hold now; nothing where the chain moves."""
        height = self._executor.head.height + 1
        return CALL + height.to_bytes(8, "big") if self._clock_ms() - self._decided_ms() > STANDS_MS else b""

    def admits(self, raw: bytes) -> bool:
        """Tell whether ``raw`` is the call of now."""
        return raw.startswith(CALL) and raw == self.call()

    def wake(self) -> None:
        """Have it hold what makes a block where the chain stands, and no longer than that.

        A node that fetches older blocks has a newer one every moment: for it there is nothing to call.
        """
        call, height, now_s = self.call(), self._executor.head.height, self._clock_s()
        if not call:
            self._unfit |= bool(self._called)
            return
        if height != self._stands[0]:
            self._stands = (height, now_s)
        if call == self._called or now_s - self._stands[1] < STANDS_S:
            return
        try:
            [problem] = self._rpc.broadcast([call])
        except Unanswered:
            return
        if not problem or IN_CACHE in problem:
            log.info("the chain stands at block %d; the next one is called for", height)
            self._called = call

    def empty(self) -> bool:
        """Empty it where it holds what no block may have; return whether that was done."""
        if not self._unfit or self.settles:
            return False
        try:
            self._rpc.flush_mempool()
        except Unanswered as error:
            if not self._unanswered:
                log.warning("the mempool is not emptied yet: %s", error.what)
            self._unanswered = True
            return False
        self._unfit = self._unanswered = False
        self._called, self.emptied_s = b"", self._clock_s()
        log.info("the mempool is emptied of what no block may have")
        return True

    def note_unfit(self) -> None:
        """Note that it holds what no block may have."""
        self._unfit = True

    def note_restart(self) -> None:
        """Note that CometBFT has started anew, and that it is empty."""
        self._called, self._unfit = b"", False
