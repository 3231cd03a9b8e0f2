"""How many files a process of a node may have open: connections, streams and stores are files, and systems allow few."""

import resource
from typing import Final

from fujie.node.config_keys import Config

OPEN_FILES_BASE: Final = 512  # store, log, sockets between the processes, and connections that are no streams


def wanted_files(config: Config) -> int:
    """Return how many open files one process of the node needs."""
    return config.streams.connections_max + OPEN_FILES_BASE


def raise_limit(wanted: int) -> int:
    """Raise this process's limit of open files to ``wanted``, as far as the system allows; return what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
