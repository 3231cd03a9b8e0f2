"""A mirror in this process, and a source that tells it the truth of a real chain until it is told to lie."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fujie.api.replication import blocks_from
from fujie.core.errors import OperationalError
from fujie.engine.base import Served
from fujie.engine.executor import Executor, found
from fujie.engine.mirror import MirrorEngine
from fujie.machine.genesis import Genesis
from fujie.node.founding import trust_root
from fujie.proof.evidence import EvidenceFile
from fujie.store.layout import META_NAMING, META_ONE_BACK, META_PROMISED, Table
from tests.world import Kind, funded, open_kind

SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it

Items = list[tuple[bytes, list[bytes], list[bytes]]]
Lie = Callable[[int, Items], Items]


class EngineSource:
    """Implements ``engine.mirror_blocks.Source`` on an engine. ``lie`` gets the height asked for and the truth."""

    def __init__(self, engine: Served) -> None:
        self.url = "http://source.invalid"
        self.engine = engine
        self.lie: Lie = lambda _height, items: items
        self.away = False
        self.newest: int | None = None  # as if the engine had no block after this one

    def blocks(self, height: int, wait_ms: int, limit: int) -> Items:
        give_up = time.monotonic() + min(wait_ms, 50) / 1_000
        while self._height() < height and time.monotonic() < give_up:
            time.sleep(0.002)
        if self.away:
            raise OperationalError("The source is away.", "Wait.")
        items = blocks_from(self.engine, height, min(limit, max(self._height() - height + 1, 0)))
        return self.lie(height, items)

    def height(self) -> int:
        if self.away:
            raise OperationalError("The source is away.", "Wait.")
        return self._height()

    def close(self) -> None:
        pass

    def _height(self) -> int:
        head = self.engine.head.height
        return head if self.newest is None else min(head, self.newest)


class Mirror:
    """A mirror engine and what it kept as evidence."""

    def __init__(self, source: Any, kind: Kind, folder: Path, genesis: Genesis | None = None, **options: Any) -> None:
        genesis = genesis or funded()
        store = open_kind(kind, folder)
        if store.get(Table.GENESIS, b"genesis") is None:
            found(store, genesis)
        self.evidence: list[EvidenceFile] = []
        validators_hash = bytes.fromhex(trust_root(genesis).validators_hash)
        chosen = {"worker": False, "poll_ms": 50, "retry_max_s": 0.05, **options}
        self.engine = MirrorEngine(
            Executor(store), source, validators_hash=validators_hash, on_evidence=self.evidence.append, **chosen
        )

    def catch_up(self) -> None:
        self.engine.catch_up(lambda _height, _goal: None, lambda: False)

    def wait(self, what: Callable[[MirrorEngine], bool]) -> None:
        """Wait until something is so, or the mirror has stopped."""
        give_up = time.monotonic() + SECONDS_MAX
        while not what(self.engine):
            assert time.monotonic() < give_up, (self.engine.head, self.engine.failure, self.engine.trouble)
            time.sleep(0.005)

    def wait_height(self, height: int) -> None:
        self.wait(lambda engine: engine.head.height >= height or engine.failure is not None)
        assert self.engine.failure is None, self.engine.failure


@contextmanager
def mirroring(source: Any, kind: Kind = "memory", folder: Path = Path(), **options: Any) -> Iterator[Mirror]:
    """A mirror of ``source``, not started."""
    twin = Mirror(source, kind, folder, **options)
    try:
        yield twin
    finally:
        twin.engine.close()


def rows(engine: Any) -> dict[Table, list[tuple[bytes, bytes]]]:
    """Every row of an engine's store, but for those that only mirrors have, or only the CometBFT engine."""
    found = {table: list(engine.executor.store.scan(table)) for table in Table}
    found[Table.META] = [row for row in found[Table.META] if row[0] not in (META_PROMISED, META_NAMING, META_ONE_BACK)]
    return found
