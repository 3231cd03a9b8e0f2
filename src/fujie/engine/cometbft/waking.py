"""A block where the chain has stood still: after a halt, or a start of all nodes.

CometBFT makes a block without transactions at every heartbeat only, counted from when it started; and until there is a block
whose votes are young, whoever asks for proofs is told that they are stale. So a node whose newest block is older than that puts
a call into its mempool, the same at every node: a mempool that is not empty makes a block. The call is no transaction. No block
has it, since every node proposes without it and rejects a proposal with it; it is removed as the chain moves on.
"""

from collections.abc import Callable
from typing import Final

from fujie.core.limits import HEARTBEAT_MS
from fujie.engine.executor import Executor

STANDS_MS: Final = HEARTBEAT_MS + 10_000  # a chain that moves has a younger block
CALL: Final = b"fujie/wake/"  # followed by the height that is to come, 8 bytes


class Waking:
    """Says what is to be called, and which call may wait in the mempool. Any thread may call any method."""

    def __init__(self, executor: Executor, decided_ms: Callable[[], int], clock_ms: Callable[[], int]) -> None:
        """``decided_ms`` returns when the newest block was decided."""
        self._executor = executor
        self._decided_ms = decided_ms
        self._clock_ms = clock_ms

    def call(self) -> bytes:
        """Return what the mempool is to hold now; nothing where the chain moves."""
        height = self._executor.head.height + 1
        return CALL + height.to_bytes(8, "big") if self._clock_ms() - self._decided_ms() > STANDS_MS else b""

    def admits(self, raw: bytes) -> bool:
        """Tell whether ``raw`` is the call of now."""
        return raw.startswith(CALL) and raw == self.call()
