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
    parser.add_argument("--home", required=True)
    _run(parser.parse_args().home, stop)


def _run(home: str, stop: threading.Event) -> None:
    # Imported here and not above, so that signals are in place before the time that this takes.
    import contextlib
    import gc
    import logging
    from pathlib import Path

    from fujie.core.errors import OperationalError
    from fujie.engine.link.levels import LogLevels
    from fujie.node.config import load_config
    from fujie.node.folder import Folder
    from fujie.node.logs import apply_level, levels, start_logging
    from fujie.node.open_files import raise_limit, wanted_files
    from fujie.node.projecting import project
    from fujie.reader.follower import Follower

    log = logging.getLogger(__name__)
    folder = Folder(Path(home))
    config = load_config(folder)
    start_logging(folder, "projector", config.log)
    raise_limit(wanted_files(config))
    follower = None
    while follower is None and not stop.is_set():
        try:
            told = LogLevels("projector", apply_level, levels)
            follower = Follower.open(folder.home, ledger_pid=os.getppid(), timeout_s=5.0, levels=told)
        except OperationalError as error:
            log.info("the ledger does not answer yet: %s", error.what)
    if follower is None:
        return
    with contextlib.closing(follower):
        gc.collect()
        gc.freeze()  # whatever lives now lives until the end
        say_ready()
        project(folder.home, follower, stop)


if __name__ == "__main__":
    main()
