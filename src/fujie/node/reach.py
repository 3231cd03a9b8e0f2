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
from fujie.engine.cometbft.mempool import STANDS_MS
from fujie.engine.cometbft.output import last_words
from fujie.engine.cometbft.rpc import NodeStatus, Rpc, Unanswered, Votes
from fujie.node.cometbft_file import read_comet_file
from fujie.node.cometbft_home import comet_log, comet_rpc
from fujie.node.folder import Folder
from fujie.node.state_sync import read_progress

VOTES_S: Final = 3.0  # after which votes that are on their way have arrived

FIRST_S: Final = 3.0  # before the first word on what is waited for
AGAIN_S: Final = 2.0
LOGGED_S: Final = 15.0
WATCHED_S: Final = 5.0  # between two looks at a node that serves

NEEDED: Final = "more than two thirds of the power must run and reach one another"

FRUITLESS_S: Final = 10.0  # without block 1 beside peers that are further on: after that the node never gets it
AHEAD: Final = 2  # a peer that is further on than that has had block 1 for a while
PEER_LOOKS: Final = 40  # peers of such a node stay for some milliseconds only, again and again
PEER_POLL_S: Final = 0.01

Say = Callable[[str], None]

log = logging.getLogger(__name__)


class Reach(NamedTuple):
    """How a running node is, and whom it reaches. Powers are None where CometBFT does not say them yet.

    ``known``: how many peers its cometbft.json names. ``power_most``: the most that this node and those connected to it can
    have. ``power_heard``: of those whose votes on block ``height`` have arrived, where the node is in ``round``.
    """

    status: NodeStatus
    known: int
    height: int | None = None
    power_total: int | None = None
    power_most: int | None = None
    power_heard: int | None = None
    round: int | None = None

    @property
    def lacks_peers(self) -> bool:
        """Whether peers are missing, and those that are connected cannot be enough for a block."""
        if self.status.peers >= self.known or self.status.catching_up:
            return False
        return self.status.peers == 0 if self.power_most is None else _too_little(self.power_most, self.power_total)

    @property
    def lacks_votes(self) -> bool:
        """Whether a block is proposed and the votes that have arrived are too few for it; a moment later it may have them.

        Where all peers are connected and the newest block is young, some have begun with the next one before the others, who do
        so at the heartbeat or with a transaction.
        """
        begins_early = self.status.peers >= self.known and time.time() * 1_000 - self.status.time_ms < STANDS_MS
        heard = self.power_heard
        return bool(heard) and not begins_early and not self.status.catching_up and _too_little(heard, self.power_total)

    def role(self) -> str:
        """Return in words with what power the node votes. CometBFT says 0 of every node before its first block."""
        if self.status.power:
            return str(self.status.power)
        return "none: it follows without a vote" if self.status.height else "not known before CometBFT's first block"

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


class Lasting:
    """Tells votes that stay away from those that are on their way, from looks at one node, one after the other."""

    def __init__(self) -> None:
        self._votes: tuple[int | None, ...] = ()
        self._since_s = 0.0

    def judge(self, reach: Reach) -> Reach:
        """Return ``reach``; without votes where too few have arrived, and not for long: for the same block, in the same round."""
        if not reach.lacks_votes:
            self._votes = ()
            return reach
        votes = (reach.height, reach.round, reach.power_heard)
        if votes != self._votes:
            self._votes, self._since_s = votes, time.monotonic()
            return reach._replace(power_heard=None)
        return reach if time.monotonic() - self._since_s >= VOTES_S else reach._replace(power_heard=None)


def reach_of(folder: Folder) -> Reach:
    """Return how the running node of ``folder`` is and whom it reaches. Raises :class:`OperationalError`."""
    lasting, found = Lasting(), look(folder)
    judged = lasting.judge(found)
    if found.lacks_peers or not found.lacks_votes:
        return judged
    time.sleep(VOTES_S)
    return lasting.judge(look(folder))


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


def waits_for(folder: Folder, lasting: Lasting | None = None) -> str:
    """Return in words what a node waits for that does not serve yet.

    ``lasting`` is that of earlier looks. Without one, it is looked a second time where votes are missing.
    """
    reach = _looked(folder, lasting)
    return wait_text(folder, reach, None if reach is None else lacks_first_block(folder))


def wait_text(folder: Folder, reach: Reach | None, peer_height: int | None) -> str:
    """As :func:`waits_for`, of what was looked at: ``reach`` is None where its cometbft does not answer, and ``peer_height``
    as :func:`lacks_first_block` says.
    """
    fetching = read_progress(folder)
    if reach is None:
        words = last_words(comet_log(folder))
        return fetching or f"waits for its cometbft to answer{f', which ended: {words}' if words else ''}"
    if fetching:
        return f"{fetching}; {reach.text()}"
    if peer_height:
        return f"has no block yet, and gets none: a peer is at block {peer_height:,}, and none gives it block 1"
    if reach.status.catching_up:
        return f"fetches older blocks from its peers, at block {reach.status.height:,}; {reach.text()}"
    if not (reach.lacks_peers or reach.lacks_votes):
        return f"begins, with block {reach.height or reach.status.height + 1:,} to come; {reach.text()}"
    return f"waits for validators: {reach.text()}; {NEEDED}"


def _looked(folder: Folder, lasting: Lasting | None) -> Reach | None:
    try:
        return reach_of(folder) if lasting is None else lasting.judge(look(folder))
    except OperationalError:
        return None


def lacks_first_block(folder: Folder) -> int | None:
    """Return the block that a peer is at, where a running node is to begin at block 1 and none of its peers gives it that.

    So it is with a chain that grew: its validators have the blocks from the hand-over on, and cut off whoever asks for earlier
    ones, again and again. 0 where no peer was seen to be further on, and None for a node that has blocks or begins otherwise.
    """
    file = read_comet_file(folder)
    if file.initial_height != 1 or file.state_sync is not None:
        return None
    rpc = comet_rpc(folder)
    try:
        status = rpc.status()
        if status.height or status.catching_up:
            return None
        for _ in range(PEER_LOOKS):
            highest = max(rpc.peer_heights(), default=0)
            if highest > AHEAD:
                return highest
            time.sleep(PEER_POLL_S)
    except OperationalError:  # it starts, or ends
        pass
    finally:
        rpc.close()
    return 0


def grew_earlier(folder: Folder) -> OperationalError:
    """Return what is said of a node of which :func:`lacks_first_block` tells."""
    again = f"fujie --home {folder.home} network recover --above 1"
    return OperationalError(
        "This node is to begin at block 1, and its peers, which are further on, have no such block: their chain grew out of an "
        "embedded one.",
        f"Have it begin with the folder handover/ that any of them has: {again} --handover FOLDER. "
        f"Or from a snapshot of theirs: {again} --state-sync URL --state-sync URL.",
    )


@contextmanager
def told(folder: Folder, say: Say, give_up: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Have ``say`` hear every other second what a node waits for that does not serve yet, and an empty text at the end.

    The log has it now and then. What does not take long is not worth a word. ``give_up`` is called where
    :func:`lacks_first_block` has told for a while that waiting is in vain.
    """
    logged_s = 0.0
    fruitless_s: float | None = None  # since when
    lasting = Lasting()

    def tell() -> None:
        nonlocal logged_s, fruitless_s
        ahead = lacks_first_block(folder)
        if ahead is None:
            fruitless_s = None
        elif ahead and fruitless_s is None:
            fruitless_s = time.monotonic()
        if fruitless_s is not None and time.monotonic() - fruitless_s > FRUITLESS_S:
            log.error("%s", grew_earlier(folder))
            give_up()
            return
        text = wait_text(folder, _looked(folder, lasting), ahead)
        if time.monotonic() - logged_s > LOGGED_S:
            logged_s = time.monotonic()
            log.warning("the node does not serve yet: it %s", text)
        say(text)

    with _again(tell, FIRST_S, AGAIN_S):
        yield
    say("")


@contextmanager
def watched(folder: Folder, say: Say, ends: Callable[[], bool]) -> Iterator[None]:
    """Have ``say`` and the log hear when a node that serves reaches too few for a block or its CometBFT does not run, and ``say``
    an empty text after that. ``ends`` tells when the node is about to end.
    """
    troubled = False  # whether the last look showed either
    told_of = ""
    lasting = Lasting()

    def look_again() -> None:
        nonlocal troubled, told_of
        reach: Reach | None = None
        try:
            reach = lasting.judge(look(folder))
            text = too_few(reach)
        except OperationalError as error:
            text = f"{error.what} {error.do}"
        if ends():
            return
        lasts = bool(text) and (troubled or (reach is not None and reach.lacks_votes))
        troubled = bool(text)
        if lasts and not told_of:
            log.warning("%s", text)
        if told_of and reach is not None and not text:
            log.info("enough is reached for blocks again: %s", reach.text())
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
            try:
                task()
            except Exception:  # whatever it is, the node goes on without a word on what it waits for
                log.exception("it cannot be told what the node waits for")

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
        return Reach(status, known, votes.height, votes.total, None, votes.heard, votes.round)
    if status.power in powers:
        powers.remove(status.power)
    others = sorted(powers, reverse=True)[: status.peers]
    return Reach(status, known, votes.height, votes.total, status.power + sum(others), votes.heard, votes.round)
