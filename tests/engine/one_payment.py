"""A program for ``strace``: opens the ledger in a folder, makes one payment, and writes the acknowledgement.

The acknowledgement is written by whoever answers the future, on the thread that makes the blocks: that thread writes
nothing more to the store before.
"""

import os
import sys
from pathlib import Path

from tests.world import Signing, running

SUBMITTED = b"SUBMITTED\n"
ACKNOWLEDGED = b"ACKNOWLEDGED\n"


def main() -> None:
    kind, folder = sys.argv[1:]
    with running("rocks" if kind == "rocks" else "sqlite", Path(folder)) as engine:
        raw = Signing(engine.chain_id).pay(0, 1, 5)
        os.write(1, SUBMITTED)
        future = engine.submit([raw])
        future.add_done_callback(lambda done: os.write(1, ACKNOWLEDGED) if done.result()[0].code == 0 else None)
        future.result(300)


if __name__ == "__main__":
    main()
