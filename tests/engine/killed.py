"""The process that ``test_kill`` kills: a ledger under load, which tells what it acknowledges through a pipe."""

import struct
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.world import Kind, running

ACKNOWLEDGEMENT = struct.Struct(">IIQQ")  # number of the transaction, code, height, log index
UNDER_WAY_MAX = 12
READY = b"ready"


def live(kind: Kind, folder: Path, raws: Sequence[bytes], news: Connection) -> None:
    """Open the ledger, submit ``raws`` one by one with a few under way, write every outcome at once; never return."""
    room = threading.Semaphore(UNDER_WAY_MAX)
    with running(kind, folder) as engine:
        news.send_bytes(READY)

        def tell(number: int, done: Any) -> None:
            outcome = done.result()[0]
            news.send_bytes(ACKNOWLEDGEMENT.pack(number, outcome.code, outcome.receipt.height, outcome.log_index))
            room.release()

        for number, raw in enumerate(raws):
            room.acquire()
            engine.submit([raw]).add_done_callback(lambda done, number=number: tell(number, done))  # type: ignore[misc]
        threading.Event().wait()
