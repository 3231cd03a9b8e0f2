"""A reader process of a node: all of HTTP, from a replica that follows the ledger.

Started by the node (``node.processes``) with its home, its number, the listening socket and the configuration. It attaches
as soon as the ledger answers, and serves; when the ledger process is gone, so is it.
"""

import argparse
import gc
import os
import threading
from typing import Any

from fujie.node.child import Turns, child_stop, say_ready


def main() -> None:
    """Run until told to stop."""
    stop = child_stop(on_orphaned=_give_up)
    gc.disable()  # while modules load there is nothing to collect, and looking for it takes a tenth of the time
    parser = argparse.ArgumentParser(prog="fujie reader")
    for name in ("home", "number", "listener", "config"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    _run(given.home, int(given.number), int(given.listener), given.config, stop)


def _run(home: str, number: int, descriptor: int, config_json: str, stop: threading.Event) -> None:
    # Imported here and not above, so that signals are in place before the time that this takes.
    import math
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

    folder = Folder(Path(home))
    config = msgspec.json.decode(config_json, type=Config)
    name = f"reader-{number}"
    start_logging(folder, name, config.log)
    raise_limit(wanted_files(config))
    turns = Turns(config.processes.silent_s)
    try:
        # However long it takes: the ledger may be filling the demonstration first.
        replica = Replica(
            folder.home,
            ledger_pid=os.getppid(),
            timeout_s=math.inf,
            cancelled=stop.is_set,
            levels=LogLevels(name, apply_level, levels),
            works=turns.go_on,
        )
    except OperationalError:
        if stop.is_set():
            return
        raise
    try:
        app = compose(replica, folder, config, number)
        with socket.socket(fileno=descriptor) as listener:
            serve_on(listener, app, lambda _url: _serving(app), stop, turns.turned)
    finally:
        replica.close()


def _serving(app: Any) -> None:
    """Say that requests are answered, and load what can come later."""
    say_ready()

    def load() -> None:
        try:
            if app.console is not None:
                app.console.load()
        finally:
            gc.collect()
            gc.freeze()  # whatever lives now lives until the end
            gc.enable()

    threading.Thread(target=load, name="fujie-load", daemon=True).start()


def _give_up() -> None:
    """End at once: the ledger is gone, nothing that was submitted can be answered, and its successor wants the port."""
    os._exit(1)


if __name__ == "__main__":
    main()
