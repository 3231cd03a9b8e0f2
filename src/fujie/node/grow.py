"""Growing an embedded chain into one of several validators: same chain id, state and history (docs/how-to/grow.md).

    plan            look at folder and requests; nothing is written
    carry_out
      keep requests           in handover/, for a run that completes what this one began
      vote                    the validators of the state become those of the requests
      hand over               the last embedded block names them: from here on there is no way back
      handover folder         snapshot, genesis file, trust root: what each of them founds its node from
      own node                this folder goes on as a node among them, with the whole history

Every step does only what is missing, so the command is run again after whatever interrupted it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeVar

from fujie.client.client import Client
from fujie.client.http import HttpTransport
from fujie.core.encoding import Record
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.signing import Signer
from fujie.core.state import Key
from fujie.core.wording import count
from fujie.engine.embedded import EmbeddedEngine, validator_set
from fujie.engine.executor import HEAD
from fujie.engine.link.address import RUN_NAME
from fujie.modules.membership import queries as membership
from fujie.modules.membership.records import Action
from fujie.node import control
from fujie.node.address import running_url
from fujie.node.ceremony import EVERYWHERE, comet_file_of, own_peer
from fujie.node.cometbft_file import (
    CometFile,
    check_address,
    has_cometbft,
    is_everywhere,
    parse_peer,
    peer_texts,
    port_of,
)
from fujie.node.folder import Folder, closed_to_others
from fujie.node.founding import open_engine
from fujie.node.handover import (
    Ended,
    Handover,
    ended_at,
    ended_in,
    go_on,
    handover_folder,
    kept_peer,
    kept_requests,
    read_handover,
    write_handover,
    write_requests,
)
from fujie.node.join_request import JoinRequest
from fujie.node.keyring import AskPassphrase, Keyring, passphrase_from_environment, validator_signer
from fujie.node.ledger import Ledger
from fujie.node.network import holder
from fujie.node.successors import Voter, check_successors, lacking, vote, voters
from fujie.store.following import Moment, Moments
from fujie.store.layout import META_HEAD, Table
from fujie.store.snapshot import Advance
from fujie.store.state_tree import unpack_leaf

STOP_S: Final = 120.0  # for a node to end after it was told to hand over
POLL_S: Final = 0.02

T = TypeVar("T", bound=Record)

Say = Callable[[str], None]


class Plan(NamedTuple):
    """What growing a chain takes. ``ended`` is how it was handed over, where that has happened already."""

    chain_id: str
    height: int
    requests: tuple[JoinRequest, ...]
    actions: tuple[Action, ...]  # to be voted
    electorate: tuple[Voter, ...]  # who votes
    running: bool
    url: str | None  # of the node that runs
    ended: Ended | None
    file: CometFile  # of this folder's own node, but for the height
    peer: str  # how the others reach that node, where no request says so; empty where it is not known

    @property
    def validates(self) -> bool:
        """Whether this folder's node will be one of the validators."""
        return self.file.moniker in {request.organisation for request in self.requests}


class Grown(NamedTuple):
    """What was done. ``since_s`` says since when nobody makes blocks (``time.monotonic``); None where that began in an earlier run."""

    handover: Handover
    since_s: float | None


def plan(
    folder: Folder,
    requests: Sequence[JoinRequest],
    *,
    listen: str = "",
    address: str = "",
    few: bool = False,
    ask: AskPassphrase = passphrase_from_environment,
) -> Plan:
    """Return what growing the chain of ``folder`` takes; nothing is written but the key of its node where that is missing.

    Without ``requests`` those of an earlier run are taken.

    ``listen`` is where the folder's own node waits for its peers, and ``address`` where they reach it, unless one of the requests
    is its own. Raises
    :class:`OperationalError` for a folder that cannot grow, too few validators (unless ``few``), governors whose keys are
    elsewhere; :class:`VerificationError` as :func:`check_successors`, and ``grow-successors`` where the chain was
    handed over to others than the requests name.
    """
    description = folder.require()
    if description.world == "mirror":
        raise OperationalError(
            f"The data folder {folder.home} is a mirror: the chain is not its own.",
            "Run this on the data folder of the validator.",
        )
    chosen = tuple(sorted(requests or kept_requests(handover_folder(folder)), key=lambda each: each.organisation))
    with _reading(folder) as state:
        ended = ended_at(state.moment.get)
        if has_cometbft(folder) and ended is None:
            raise OperationalError(
                f"The data folder {folder.home} is a node among several already.", "See `fujie network --help`."
            )
        data = state.moment.get(Table.META, META_HEAD)
        if data is None:
            raise OperationalError("The data folder holds no chain.", "Start one with `fujie up`, or check the path.")
        head, chain_id = HEAD.decode(data), folder.trust().chain_id
        actions: tuple[Action, ...] = ()
        electorate: list[Voter] = []
        if ended is None:
            check_successors(state, chain_id, chosen, few=few)
            actions = lacking(state, chosen)
            electorate = voters(state, Keyring(folder, ask), actions) if actions else []
        else:
            _check_same(folder, ended, chosen)
    file, peer = _own_node(folder, chosen, listen, address)
    running = holder(folder) is not None
    return Plan(
        chain_id, head.height, chosen, actions, tuple(electorate), running, running_url(folder), ended, file, peer
    )


def _own_node(folder: Folder, requests: Sequence[JoinRequest], listen: str, address: str) -> tuple[CometFile, str]:
    """Return what the folder's own node is to be, and how those who join reach it: empty where a request says it, or nobody.

    What an earlier run has written stays, unless something else is said. Raises :class:`OperationalError` as ``ceremony.comet_file_of``.
    """
    if not address and (not listen or is_everywhere(listen)):
        address = parse_peer(kept).address if (kept := kept_peer(handover_folder(folder))) else ""
    if address and not listen:
        listen = f"{EVERYWHERE}:{port_of(check_address(address))}"
    file = comet_file_of(folder, requests, listen)
    reached = address or file.listen
    if file.moniker in {request.organisation for request in requests} or is_everywhere(reached):
        return file, ""
    return file, peer_texts([own_peer(folder, reached)])[0]


def _check_same(folder: Folder, ended: Ended, requests: Sequence[JoinRequest]) -> None:
    """Check that ``requests`` are of those to whom the chain was handed over. Raises as :func:`plan`."""
    if not requests:
        raise OperationalError(
            f"The chain in {folder.home} has grown: block {ended.header.height} was the last embedded one.",
            "See `fujie network --help` for what its nodes can do.",
        )
    named = {bytes.fromhex(request.validator_key) for request in requests}
    if {validator.public_key for validator in ended.successors.validators} != named:
        raise VerificationError(
            "grow-successors",
            f"the chain was handed over at block {ended.header.height} to other validators than these requests name",
        )


def carry_out(
    folder: Folder,
    plan: Plan,
    *,
    whole_log: bool = True,
    say: Say = lambda _: None,
    ask: AskPassphrase = passphrase_from_environment,
    advance: Advance | None = None,
) -> Grown:
    """Do what is missing of ``plan``, as the module says. ``say`` is told before each step, ``advance`` of snapshot rows.

    Raises :class:`OperationalError`; what was done stays, and the next run goes on from there.
    """
    if has_cometbft(folder):  # which was the last step
        return Grown(read_handover(handover_folder(folder)), None)
    began_s: float | None = None
    signer = cache(lambda: validator_signer(folder, ask))
    if plan.peer:
        signer()  # it signs how its node is reached: what does not open is said before there is no way back
    say("Keeping the requests")
    write_requests(handover_folder(folder), plan.requests)
    if plan.ended is None:
        if plan.actions:
            say(f"Voting: {count(len(plan.actions), 'proposal')}")
            with _client(folder, signer) as client:
                vote(client, plan.actions, plan.electorate)
        _require_successors(folder, plan)
        say("Handing over")
        began_s = time.monotonic()
        _hand_over(folder, signer)
    say("Writing the handover folder")
    handover = write_handover(folder, signer, peer=plan.peer, whole_log=whole_log, advance=advance)
    say("Making this folder a node among them")
    ended = ended_in(folder)
    assert ended is not None, "the handover folder is of a chain that was handed over"
    with closed_to_others():
        go_on(folder, plan.file, ended)
    return Grown(handover, began_s)


def _hand_over(folder: Folder, signer: Callable[[], Signer]) -> None:
    """Have the last embedded block made: by the node that runs, which ends with it, or here."""
    if holder(folder) is None:
        engine = open_engine(folder, signer())
        assert isinstance(engine, EmbeddedEngine), "a folder without cometbft.json is opened with the embedded engine"
        engine.hand_over()
        return
    control.hand_over(folder)
    give_up_s = time.monotonic() + STOP_S
    while holder(folder) is not None and time.monotonic() < give_up_s:
        time.sleep(POLL_S)
    if holder(folder) is None and ended_in(folder) is not None:
        return
    raise OperationalError(
        "The node was told to hand over, and has not done so.",
        "See its log (`fujie log show`); stop it, then run this again: what is done stays done.",
    )


def _require_successors(folder: Folder, plan: Plan) -> None:
    """Raise :class:`OperationalError` unless the validators in the state are those of the plan: votes may have come between."""
    with _reading(folder) as state:
        named = {bytes.fromhex(request.validator_key) for request in plan.requests}
        if {each.public_key for each in validator_set(membership.validators(state).members).validators} != named:
            raise OperationalError(
                "The validators in the state are no longer those of the requests.",
                "Run this again to see what is missing.",
            )


class _State(NamedTuple):
    """The state of a data folder, as rules read it. Implements ``membership.queries.Readable``."""

    moment: Moment

    def get(self, key: Key[T]) -> T | None:
        """Return the record at ``key``, or None."""
        stored = self.moment.get(Table.STATE, key.hash)
        return None if stored is None else key.codec.decode(unpack_leaf(stored)[2])


@contextlib.contextmanager
def _reading(folder: Folder) -> Iterator[_State]:
    """Read the store of ``folder`` as of its newest commit, whether its node runs or not."""
    moments = Moments(folder.require().store, folder.chain, folder.home / RUN_NAME)
    try:
        moment = moments.newest()
        try:
            yield _State(moment)
        finally:
            moment.close()
    finally:
        moments.close()


@contextlib.contextmanager
def _client(folder: Folder, signer: Callable[[], Signer]) -> Iterator[Client]:
    """Talk to the chain of ``folder``: through the node that runs on it, or in this process."""
    url = running_url(folder)
    if url is not None:
        client = Client(HttpTransport(url, plain_http=True), folder.trust())
    else:
        client = Ledger(folder, open_engine(folder, signer()), ())
    with client:
        yield client
