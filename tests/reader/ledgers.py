"""A ledger with its link, and replicas of it: in this process, and each in its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.link.server import LinkServer
from fujie.reader.follower import Limits
from fujie.reader.replica import Replica
from tests.world import Kind, running

GIVE_UP_S = 60.0  # after which a test gives up waiting; nothing is measured by it
EAGER = Limits(rows_max=1, age_s=0.0)  # a newer moment with every block
NEVER = Limits(rows_max=10**9, age_s=10**9)  # the first moment for ever


def eventually(holds: Callable[[], Any], what: str = "it") -> None:
    give_up = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < give_up, f"{what} did not happen"
        time.sleep(0.002)


def caught_up(replica: Replica, engine: EmbeddedEngine) -> None:
    """Wait until the replica shows what the engine does."""
    # With nothing under way the ledger comes to rest after an empty block, which proves the one before.
    eventually(
        lambda: (
            engine.proven.head.app_hash == engine.head.app_hash == replica.proven.head.app_hash
            and replica.head == engine.head
        ),
        "catching up",
    )


@contextmanager
def linked(kind: Kind, home: Path, **options: Any) -> Iterator[tuple[EmbeddedEngine, LinkServer]]:
    """A running engine in ``home`` and its link."""
    queue = {name: options.pop(name) for name in ("queue_bytes_max", "hand_over") if name in options}
    with running(kind, home / "chain", **options) as engine:
        link = LinkServer(engine, home, kind, **queue)
        try:
            yield engine, link
        finally:
            link.close()


@contextmanager
def replicated(home: Path, **options: Any) -> Iterator[Replica]:
    """A replica of the ledger of ``home``."""
    replica = Replica(home, **options)
    try:
        yield replica
    finally:
        replica.close()


class Program:
    """One of the programs below in a process of its own; it says a line for everything it does."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reader.ledgers", name, *arguments],
            cwd=Path(__file__).parent.parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """As the system would, at once; does nothing where it has ended."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def ledger_main(kind: Kind, home: str) -> None:
    """Run a ledger that makes a payment every few milliseconds, and say its height now and then, until killed."""
    from tests.world import Clock, Signing

    with linked(kind, Path(home), clock_ms=Clock()) as (engine, _):
        signing = Signing(engine.chain_id, first_nonce=1_000_000 * (1 + engine.head.height))
        print("ready", flush=True)
        while True:
            outcome = engine.submit([signing.pay(0, 1), signing.pay(2, 3)]).result(GIVE_UP_S)[0]
            assert outcome.receipt is not None
            print(outcome.receipt.height, flush=True)


def reader_main(home: str) -> None:
    """Follow, and say the newest height, until killed."""
    with replicated(Path(home)) as replica:
        while True:
            print(replica.head.height, flush=True)
            time.sleep(0.01)


if __name__ == "__main__":
    {"ledger": ledger_main, "reader": reader_main}[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
