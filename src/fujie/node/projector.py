"""The projector process of a node: follows the ledger and keeps the tables for lists and search.

Started by the node (``node.processes``) with its home. It may die at any moment, and goes on where its file stands.
"""

import argparse
import os
import threading

from fujie.node.child import child_stop, say_ready


def main() -> None:
    """Run until told to stop, or until the node is gone."""
    stop = child_stop()
    parser = argparse.ArgumentParser(prog="fujie projector")
    for name in ("home", "config"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    _run(given.home, given.config, stop)


def _run(home: str, config_json: str, stop: threading.Event) -> None:
    # Imported here and not above, so that signals are in place before the time that this takes.
    import contextlib
    import gc
    import math
    from pathlib import Path

    import msgspec

    from fujie.core.errors import OperationalError
    from fujie.engine.link.levels import LogLevels
    from fujie.node.config_keys import Config
    from fujie.node.folder import Folder
    from fujie.node.logs import apply_level, levels, start_logging
    from fujie.node.open_files import raise_limit, wanted_files
    from fujie.node.projecting import project
    from fujie.reader.follower import Follower

    folder = Folder(Path(home))
    config = msgspec.json.decode(config_json, type=Config)
    start_logging(folder, "projector", config.log)
    raise_limit(wanted_files(config))
    try:
        follower = Follower.open(
            folder.home,
            ledger_pid=os.getppid(),
            timeout_s=math.inf,
            cancelled=stop.is_set,
            levels=LogLevels("projector", apply_level, levels),
        )
    except OperationalError:
        if stop.is_set():
            return
        raise
    with contextlib.closing(follower):
        gc.collect()
        gc.freeze()  # whatever lives now lives until the end
        say_ready()
        project(folder.home, follower, stop)


if __name__ == "__main__":
    main()
