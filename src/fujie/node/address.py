"""Where the node of a folder answers: ``<home>/run/url``, written while it runs.

The configuration does not say it: `fujie up --port` goes before it, and a configuration may change while a node runs.
"""

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from fujie.client.files import OWNER_ONLY, read_bounded
from fujie.core.errors import OperationalError
from fujie.engine.link.address import RUN_NAME, connect
from fujie.node.config_keys import Config
from fujie.node.folder import Folder, write_file

URL_NAME: Final = "url"
URL_BYTES_MAX: Final = 100
CONNECT_TIMEOUT_S: Final = 2.0

_URL: Final = re.compile(r"http://(?:\[[0-9a-f:.]+\]|[0-9a-z.-]+):[0-9]{1,5}")


@contextlib.contextmanager
def published(folder: Folder, config: Config, listener: socket.socket) -> Iterator[None]:
    """Keep in the folder where a program of this machine reaches ``listener``, for as long as the block lasts.

    Whoever calls holds the folder. Raises :class:`OperationalError` where nothing can be written.
    """
    path = folder.home / RUN_NAME / URL_NAME
    url = replace(config, http=replace(config.http, port=listener.getsockname()[1])).url
    write_file(path, f"{url}\n".encode(), mode=OWNER_ONLY)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def running_url(folder: Folder) -> str | None:
    """Return where the node of ``folder`` answers; None where none runs, or it does not say."""
    path = folder.home / RUN_NAME / URL_NAME
    try:
        if not path.exists():
            return None
        text = read_bounded(path, URL_BYTES_MAX).decode("ascii", "replace").strip()
        connect(folder.home, CONNECT_TIMEOUT_S).close()  # what a killed node left says nothing of one that runs
    except (OSError, OperationalError):
        return None
    return text if _URL.fullmatch(text) else None
