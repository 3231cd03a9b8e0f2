"""The application on a store, as a driver plays CometBFT to it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from fujie.core.encoding import encode
from fujie.engine.cometbft.application import Application
from fujie.engine.cometbft.consensus import CarriedOut, Consensus
from fujie.engine.cometbft.snapshots import Plan, Snapshots
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor
from fujie.machine.schedule import Schedule
from fujie.proof.validators import Validator, ValidatorSet
from fujie.store.base import Store
from fujie.store.layout import Table
from tests.world import VALIDATOR

MEMBERS: Final = ValidatorSet.of([Validator(VALIDATOR.public_key, 10)])  # as snapshots have them


class Acknowledged(NamedTuple):
    """What a caller was told of a transaction."""

    receipt: bytes
    log_index: int


class Replica:
    """The application on a store, from a start to its end, and what it told its callers."""

    def __init__(self, store: Store, schedule: Schedule, snapshots: Path | None = None) -> None:
        """``snapshots``: where one is kept of every block, for nodes that come late."""
        self.store = store
        self.executor = Executor(store, schedule)
        self._snapshots = None if snapshots is None else _at_once(Plan(snapshots, 1), self.executor)
        self.told: dict[bytes, Acknowledged] = {}
        self.refused: list[tuple[bytes, int]] = []
        self._verification = Verification(use_worker=False)
        self.application = Application(
            Consensus(self.executor, self._verification),
            self._verification,
            initial_height=1,
            on_commit=self._hear,
            on_refused=lambda transaction, code: self.refused.append((transaction.id, code)),
            snapshots=self._snapshots,
        )

    def close(self) -> None:
        """End it; what is not in the store is lost."""
        self.application.close()
        if self._snapshots is not None:
            self._snapshots.close()
        self._verification.close()
        self.store.close()

    def image(self) -> bytes:
        """A digest of everything in the store."""
        whole = sha256()
        for table in Table:
            for key, value in self.store.scan(table):
                whole.update(sha256(key).digest() + sha256(value).digest())
        return whole.digest()

    def _hear(self, decided: CarriedOut) -> None:
        receipts = decided.staged.result.receipts
        first = self.executor.head.log_size - len(receipts)
        for index, receipt in enumerate(receipts, first):
            self.told.setdefault(receipt.transaction_id, Acknowledged(encode(receipt), index))


def _at_once(plan: Plan, executor: Executor) -> Snapshots:
    """Return snapshots that are taken before the commit returns."""
    snapshots = Snapshots(plan, executor, lambda _: MEMBERS)
    snapshots._writer.shutdown()
    snapshots._writer = Inline()
    return snapshots


class Inline(ThreadPoolExecutor):
    """Carries out at once what it is given, in the thread that gives it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
