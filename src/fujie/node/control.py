"""Asking a running node from a command: over the link, as the user who owns the data folder.

Every function raises :class:`OperationalError` when no node runs there, or it does not answer.
"""

from typing import Any, NamedTuple

from fujie.core.errors import OperationalError
from fujie.engine.executor import HEAD, Head
from fujie.engine.link import messages
from fujie.engine.link.connection import ask as ask_ledger
from fujie.engine.link.messages import LinkError
from fujie.machine.schedule import ComingRules
from fujie.node.folder import Folder


class NodeStatus(NamedTuple):
    """How a node is.

    ``processes``: those beside the ledger's, as ``node.processes.Child.describe`` says it. ``lacking``: the rules of blocks
    to come that its program does not have.
    """

    chain_id: str
    head: Head
    pending: int
    failure: str | None
    followers: int
    processes: list[dict[str, Any]]
    lacking: tuple[ComingRules, ...]


def ask(folder: Folder, request: messages.Request, timeout_s: float = 10.0) -> messages.Answer:
    """Send a request (``engine.link.messages``) to the ledger process of ``folder`` and return its answer."""
    return ask_ledger(folder.home, request, timeout_s)


def is_running(folder: Folder) -> bool:
    """Tell whether a node runs on ``folder`` and answers."""
    try:
        node_status(folder, timeout_s=2.0)
    except OperationalError:
        return False
    return True


def node_status(folder: Folder, timeout_s: float = 10.0) -> NodeStatus:
    """Return how the node of ``folder`` is."""
    answer = ask(folder, messages.AskStatus(1), timeout_s)
    if not isinstance(answer, messages.LedgerStatus):
        raise _unexpected()
    return NodeStatus(
        answer.chain_id,
        HEAD.decode_trusted(answer.head),
        answer.pending,
        answer.failure,
        answer.followers,
        answer.processes,
        answer.lacking,
    )


def hand_over(folder: Folder) -> None:
    """Have the node of ``folder`` make its last block for the validators in its state, and end. Returns at once."""
    ask(folder, messages.HandOver(1))


def log_levels(folder: Folder) -> dict[str, dict[str, str]]:
    """Return the log levels of every process of the node: process, then logger."""
    return _levels(ask(folder, messages.AskLogLevels(1)))


def set_log_level(folder: Folder, logger: str, level: str) -> dict[str, dict[str, str]]:
    """Set a level in every process of the node and return all levels. Raises for a logger or a level that is none."""
    return _levels(ask(folder, messages.SetLogLevel(1, logger, level)))


def _levels(answer: messages.Answer) -> dict[str, dict[str, str]]:
    if not isinstance(answer, messages.LogLevels):
        raise _unexpected()
    return answer.levels


def _unexpected() -> LinkError:
    return LinkError("The node answered with something else.", "Use the release that runs there.")
