"""Whether a node among several validators reaches enough of them for a block, and what it waits for where it does not.

CometBFT says how many peers are connected, not which validators they are: node ids and the keys that vote have nothing to do
with one another. So what can be said of power is a bound, as if the strongest of the others were the connected ones; beside it
stands what is certain once a block is proposed, the power of those whose votes on it have arrived.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError
from fujie.core.wording import count
from fujie.engine.cometbft.rpc import NodeStatus, Rpc, Unanswered, Votes
from fujie.node.cometbft_file import read_comet_file
from fujie.node.cometbft_home import comet_rpc
from fujie.node.folder import Folder
from fujie.node.state_sync import read_progress

VOTES_S: Final = 3.0  # after which votes that are on their way have arrived

FIRST_S: Final = 3.0  # before the first word on what is waited for
AGAIN_S: Final = 2.0
LOGGED_S: Final = 15.0
WATCHED_S: Final = 5.0  # between two looks at a node that serves

NEEDED: Final = "more than two thirds of the power must run and reach one another"

Say = Callable[[str], None]

log = logging.getLogger(__name__)


class Reach(NamedTuple):
    """How a running node is, and whom it reaches. Powers are None where CometBFT does not say them yet.

    ``known``: how many peers its cometbft.json names. ``power_most``: the most that this node and those connected to it can
    have. ``power_heard``: of those whose votes on block ``height`` have arrived.
    """

    status: NodeStatus
    known: int
    height: int | None = None
    power_total: int | None = None
    power_most: int | None = None
    power_heard: int | None = None

    @property
    def lacks_peers(self) -> bool:
        """Whether peers are missing, and those that are connected cannot be enough for a block."""
        if self.status.peers >= self.known or self.status.catching_up:
            return False
        return self.status.peers == 0 if self.power_most is None else _too_little(self.power_most, self.power_total)

    @property
    def lacks_votes(self) -> bool:
        """Whether a block is proposed and the votes that have arrived are too few for it; a moment later it may have them."""
        return (
            bool(self.power_heard) and not self.status.catching_up and _too_little(self.power_heard, self.power_total)
        )

    def text(self) -> str:
        """Return in words whom the node reaches."""
        parts = [f"{self.status.peers} of {count(self.known, 'peer')} connected"]
        if self.status.peers < self.known and self.power_most is not None:
            parts.append(f"together at most {self.power_most} of {self.power_total} of the voting power")
        if self.power_heard:
            parts.append(f"votes on block {self.height:,} from {self.power_heard} of {self.power_total}")
        return ", ".join(parts)


def _too_little(power: int | None, total: int | None) -> bool:
    return power is not None and total is not None and 3 * power <= 2 * total


def reach_of(folder: Folder) -> Reach:
    """Return how the running node of ``folder`` is and whom it reaches. Raises :class:`OperationalError`."""
    found = look(folder)
    if found.lacks_peers or not found.lacks_votes:
        return found
    time.sleep(VOTES_S)
    later = look(folder)
    # Only votes that stay away tell that a block cannot be made.
    return later if later.height == found.height else later._replace(power_heard=None)


def look(folder: Folder) -> Reach:
    """As :func:`reach_of`, at one moment: votes may be on their way."""
    known = len(read_comet_file(folder).peers)
    rpc = comet_rpc(folder)
    try:
        return _reach(rpc, known)
    finally:
        rpc.close()


def too_few(reach: Reach) -> str:
    """Return in a sentence that too few are reached for a block, as far as the node sees; empty where it does not see that.

    Peers that are connected pass votes on: of a block that is proposed, only votes that stay away tell for certain.
    """
    if reach.lacks_votes:
        return f"{reach.text().capitalize()}: no block is made before the votes of more than two thirds of the power arrive."
    if reach.lacks_peers:
        return f"{reach.text().capitalize()}: unless these reach others, no block can be made."
    return ""


def waits_for(folder: Folder) -> str:
    """Return in words what a node waits for that does not serve yet."""
    fetching = read_progress(folder)
    try:
        reach = look(folder)
    except OperationalError:
        return fetching or "waits for its cometbft to answer"
    if fetching:
        return f"{fetching}; {reach.text()}"
    if reach.status.catching_up:
        return f"fetches older blocks from its peers, at block {reach.status.height:,}; {reach.text()}"
    if not (reach.lacks_peers or reach.lacks_votes):
        return f"begins, with block {reach.height or reach.status.height + 1:,} to come; {reach.text()}"
    return f"waits for validators: {reach.text()}; {NEEDED}"


@contextmanager
def told(folder: Folder, say: Say) -> Iterator[None]:
    """Have ``say`` hear every other second what a node waits for that does not serve yet, and an empty text at the end.

    The log has it now and then. What does not take long is not worth a word.
    """
    logged_s = 0.0

    def tell() -> None:
        nonlocal logged_s
        text = waits_for(folder)
        if time.monotonic() - logged_s > LOGGED_S:
            logged_s = time.monotonic()
            log.warning("the node does not serve yet: it %s", text)
        say(text)

    with _again(tell, FIRST_S, AGAIN_S):
        yield
    say("")


@contextmanager
def watched(folder: Folder, say: Say) -> Iterator[None]:
    """Have ``say`` and the log hear when a node that serves reaches too few for a block, and ``say`` an empty text after that."""
    seen: Reach | None = None  # the last look, where it showed that
    told_of = ""

    def look_again() -> None:
        nonlocal seen, told_of
        try:
            now = look(folder)
        except OperationalError:  # it is started again by itself, or the node ends
            return
        text = too_few(now)
        lasts = bool(text) and seen is not None and (now.lacks_peers or now.height == seen.height)
        seen = now if text else None
        if lasts and not told_of:
            log.warning("%s", text)
        if told_of and not text:
            log.info("enough is reached for blocks again: %s", now.text())
        if lasts or (told_of and not text):
            told_of = text
            say(text)

    with _again(look_again, WATCHED_S, WATCHED_S):
        yield
    say("")


@contextmanager
def _again(task: Callable[[], None], first_s: float, every_s: float) -> Iterator[None]:
    """Have a task done meanwhile, again and again, in a thread of its own."""
    ended = threading.Event()

    def work() -> None:
        wait_s = first_s
        while not ended.wait(wait_s):
            wait_s = every_s
            task()

    thread = threading.Thread(target=work, name="fujie-reach", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _reach(rpc: Rpc, known: int) -> Reach:
    status = rpc.status()
    votes: Votes | None = None
    try:
        votes = rpc.votes()
        powers = [each.voting_power for each in rpc.validators(votes.height).validators]
    except Unanswered:  # before its first block, of a chain that grew: nobody can say yet
        powers = []
    if votes is None:
        return Reach(status, known)
    if not powers:
        return Reach(status, known, votes.height, votes.total, None, votes.heard)
    if status.power in powers:
        powers.remove(status.power)
    others = sorted(powers, reverse=True)[: status.peers]
    return Reach(status, known, votes.height, votes.total, status.power + sum(others), votes.heard)
