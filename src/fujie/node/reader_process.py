"""A reader process of a node: all of HTTP, from a replica that follows the ledger.

Started by the node (``node.processes``) with its home, its number, the listening socket and the configuration. It attaches
as soon as the ledger answers, and serves; when the ledger process is gone, so is it.
"""

import argparse
import os
import threading

from fujie.node.child import child_stop, say_ready


def main() -> None:
    """Run until told to stop."""
    stop = child_stop(on_orphaned=_give_up)
    parser = argparse.ArgumentParser(prog="fujie reader")
    for name in ("home", "number", "listener", "config"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    _run(given.home, int(given.number), int(given.listener), given.config, stop)


def _run(home: str, number: int, descriptor: int, config_json: str, stop: threading.Event) -> None:
    # Imported here and not above, so that signals are in place before the time that this takes.
    import gc
    import logging
    import socket
    from pathlib import Path

    import msgspec

    from fujie.api.server import serve_on
    from fujie.core.errors import OperationalError
    from fujie.engine.link.levels import LogLevels
    from fujie.node.config_keys import Config
    from fujie.node.folder import Folder
    from fujie.node.logs import apply_level, levels, start_logging
    from fujie.node.open_files import raise_limit, wanted_files
    from fujie.node.web import compose
    from fujie.reader.replica import Replica

    log = logging.getLogger(__name__)
    folder = Folder(Path(home))
    config = msgspec.json.decode(config_json, type=Config)
    name = f"reader-{number}"
    start_logging(folder, name, config.log)
    raise_limit(wanted_files(config))
    replica = None
    while replica is None and not stop.is_set():
        try:
            replica = Replica(folder.home, ledger_pid=os.getppid(), levels=LogLevels(name, apply_level, levels))
        except OperationalError as error:
            log.info("the ledger does not answer yet: %s", error.what)  # it may be filling the demonstration
    if replica is None:
        return
    try:
        app = compose(replica, folder, config, number)
        gc.collect()
        gc.freeze()  # whatever lives now lives until the end
        with socket.socket(fileno=descriptor) as listener:
            serve_on(listener, app, lambda _url: say_ready(), stop)
    finally:
        replica.close()


def _give_up() -> None:
    """End at once: the ledger is gone, nothing that was submitted can be answered, and its successor wants the port."""
    os._exit(1)


if __name__ == "__main__":
    main()
