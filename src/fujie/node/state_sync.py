"""Beginning from a snapshot of other nodes instead of carrying out every block: before the engine of a new node is opened.

    fetch_state
      ├─ believe a header         the light client, from the trust root, by way of two or more nodes of Fujie
      ├─ start cometbft           it asks for headers at sockets of ours, for chunks at its peers
      ├─ offers, chunks           `engine.cometbft.state_sync` judges them; rows are loaded into a store aside
      ├─ exchange the chain       by renaming, which a crash leaves done or to be done at the next start
      └─ cometbft has a block     from there on it is a node like every other, and `state_sync` leaves cometbft.json

CometBFT's folder begins empty every time, but for what is known of the validator's votes: nothing depends on where an earlier
attempt ended.
"""

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from fujie.client.light.client import LightClient
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.signing import Signer
from fujie.engine.cometbft import home as comet
from fujie.engine.cometbft.light_rpc import LightRpc, Turns
from fujie.engine.cometbft.process import CometProcess, Paths
from fujie.engine.cometbft.server import AbciServer
from fujie.engine.cometbft.snapshot_contents import Contents
from fujie.engine.cometbft.state_sync import Progress, Restoration, Verified
from fujie.engine.executor import HEAD, LOG_ENTRY, Executor, Head
from fujie.engine.link.address import RUN_NAME
from fujie.engine.snapshot_forms import FORMS, change_rows, head_rows
from fujie.machine.genesis import Genesis
from fujie.modules.catalog import RECEIPT
from fujie.node.cometbft_file import CometFile, KnownPeers, StateSyncFile, read_comet_file, write_comet_file
from fujie.node.cometbft_home import prepare_home, remove_sockets
from fujie.node.folder import Folder, exchange_chain, make_folder, sync_folder, write_file
from fujie.node.light_nodes import LightNode, believe, fetch_changes, problems_of
from fujie.proof.block import encode_result, results_hash
from fujie.proof.header import header_hash
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.store.base import Store
from fujie.store.layout import META_HEAD, Table, number_key
from fujie.store.opening import FolderLock, StoreKind, open_store
from fujie.store.reading import open_for_reading
from fujie.store.snapshot import META_ORIGIN, HeadRow, load_rows, read_origin

ASIDE: Final = "chain"  # in the folder for what is fetched: a store that is being built
PROGRESS_NAME: Final = "state-sync.json"  # in run/
POLL_S: Final = 0.2
SERVERS_MIN: Final = 2  # nodes whose headers are compared
AGAIN_S: Final = 10.0  # after an attempt that CometBFT gave up

FAILED: Final = b"State sync failed"  # what CometBFT says, and goes on without doing anything

log = logging.getLogger(__name__)


def fetch_state(folder: Folder, genesis: Callable[[], Genesis], validator: Signer, stopped: Callable[[], bool]) -> None:
    """Have the chain of ``folder`` begin from a snapshot of its peers, where cometbft.json says so.

    Returns at once where it does not, or has done so. Waits for a snapshot of the peers as long as it takes. Raises
    :class:`OperationalError`, also when fewer than two of the nodes that are asked for headers answer or ``stopped`` says so, and
    :class:`VerificationError` where the trust root vouches for no header.
    """
    file = read_comet_file(folder)
    if file.state_sync is None:
        _show_progress(folder, None)  # that of an attempt which was killed and given up
        return
    kind = folder.require().store
    _require_new(folder, kind, file.initial_height)
    founding = genesis()
    root = file.state_sync.trust or folder.trust()
    servers = answering(folder, file.state_sync.servers, root.chain_id)
    with ExitStack() as undo:
        nodes = [LightNode(url) for url in servers]
        since = bytes.fromhex(folder.trust().validators_hash)
        installing = Installing(folder, kind, lambda newest: fetch_changes(nodes, since, newest))
        undo.callback(installing.close)
        undo.callback(_show_progress, folder, None)
        for node in nodes:
            undo.callback(node.close)
        log.info(
            "the node begins from a snapshot of its peers; headers are asked for at %s",
            ", ".join(servers),
        )
        client, believed = believe(root, nodes, folder.evidence)
        log.info("block %d of %s is believed for the sake of the trust root", believed.header.height, root.chain_id)
        _Fetching(folder, file, root, founding, validator, nodes, client, believed, installing).run(undo, stopped)
    log.info("the node goes on as every other")


def answering(folder: Folder, urls: Sequence[str], chain_id: str) -> list[str]:
    """Return which of the nodes that ``folder`` names for headers serve the chain; the log has what is wrong with the others.

    Raises :class:`OperationalError` where fewer than two do.
    """
    problems = problems_of(urls, chain_id)
    said = [f"{url}: {problem}" for url, problem in problems.items()]
    left = [url for url in urls if url not in problems]
    if len(left) < SERVERS_MIN:
        raise OperationalError(
            f"This node begins from a snapshot, and asks {SERVERS_MIN} or more nodes for headers; of those that it was told "
            f"with --state-sync, {len(left)} of {len(urls)} serve:\n  " + "\n  ".join(said),
            "Start it again when they serve, or name others: "
            f"fujie --home {folder.home} network recover --above HEIGHT --state-sync URL --state-sync URL.",
        )
    for each in said:
        log.warning("it goes on without one of the nodes that were named with --state-sync, %s", each)
    return left


def _require_new(folder: Folder, kind: StoreKind, initial_height: int) -> None:
    """Raise :class:`OperationalError` for a chain that has more than an interrupted attempt may have left."""
    store = open_for_reading(kind, folder.chain)
    try:
        head, origin = store.get(Table.META, META_HEAD), store.get(Table.META, META_ORIGIN)
    finally:
        store.close()
    height = 0 if head is None else HEAD.decode(head).height
    if height >= initial_height and (origin is None or read_origin(origin).height != height):
        raise OperationalError(
            f"The chain in {folder.chain} has blocks, and {folder.cometbft} says that it is to begin from a snapshot.",
            "Remove `state_sync` there to go on; `fujie network recover --above HEIGHT --state-sync URL …` begins anew.",
        )


def state_sync_file(servers: tuple[str, ...], trust: TrustRoot | None, chain_id: str) -> StateSyncFile:
    """Return what is to be written into cometbft.json. Raises :class:`OperationalError` for what cannot be used."""
    if len(set(servers)) < SERVERS_MIN:
        raise OperationalError(
            "A node that begins from a snapshot compares the headers of two or more nodes.",
            "Name the HTTP interfaces of two: --state-sync URL --state-sync URL.",
        )
    for url in servers:
        LightNode(url).close()  # which says what is wrong with it
    if trust is not None and trust.chain_id != chain_id:
        raise OperationalError(
            f"The trust root is that of {trust.chain_id}, and the network that of {chain_id}.",
            "Take that of the same chain.",
        )
    return StateSyncFile(servers=servers, trust=trust)


def wish_state_sync(folder: Folder, wanted: StateSyncFile) -> None:
    """Write into cometbft.json of a folder without blocks that its next start begins from a snapshot."""
    write_comet_file(folder, msgspec.structs.replace(read_comet_file(folder), state_sync=wanted))


def read_progress(folder: Folder) -> str:
    """Return in words what a node does that begins from a snapshot, and how far it is; empty where none does."""
    with suppress(OSError, msgspec.MsgspecError):
        height, chunks, of_chunks = msgspec.json.decode(
            (folder.home / RUN_NAME / PROGRESS_NAME).read_bytes(), type=Progress
        )
        return (
            f"fetches a snapshot: {chunks} of {of_chunks} chunks of the state after block {height:,}"
            if of_chunks
            else "looks for a snapshot at its peers"
        )
    return ""


def _show_progress(folder: Folder, progress: Progress | None) -> None:
    path = folder.home / RUN_NAME / PROGRESS_NAME
    if progress is None:
        path.unlink(missing_ok=True)
    else:
        write_file(path, msgspec.json.encode(progress))


# -- the chain


class Installing:
    """Makes verified rows the chain of a data folder, and holds the lock of that chain meanwhile, of one and of the next."""

    def __init__(
        self, folder: Folder, kind: StoreKind, changes: Callable[[LightBlock], list[LightBlock]] = lambda _: []
    ) -> None:
        """``changes`` returns the light blocks before a believed one at which validators changed, verified.

        Raises :class:`OperationalError` when another process has the folder.
        """
        self._changes = changes
        self._folder = folder
        self._kind = kind
        self._lock = FolderLock(folder.chain)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Have an installation that goes on leave off. Any thread."""
        self._stopping.set()

    def close(self) -> None:
        """Give the folder free. Idempotent."""
        self._lock.release()

    def install(self, file: BinaryIO, contents: Contents, verified: Verified) -> Head:
        """Load rows into a store aside, and have that take the place of the chain. Raises as ``store.snapshot.load_rows``."""
        folder = self._folder
        aside = folder.state_sync / ASIDE
        shutil.rmtree(aside, ignore_errors=True)
        make_folder(aside)
        time_ms = verified.block.header.time_ms
        roots = contents.roots(folder.trust().state_tree_depth, time_ms)
        head = Head(
            contents.height,
            time_ms,
            contents.app_hash,
            contents.state_root,
            contents.log_root,
            contents.log_size,
        )
        store = open_store(self._kind, aside)

        def rows() -> list[HeadRow]:
            found = _rows_of_head(store, contents, verified, head)
            return [*change_rows(self._changes(verified.block)), *found]

        try:
            load_rows(file, roots, store, FORMS, rows, self._advance)
            Executor(store)  # which opens it as the next start does: what does not open is not put in place
        finally:
            store.close()
        sync_folder(aside)
        aside.rename(folder.fetched)
        sync_folder(folder.home)
        exchange_chain(folder)
        before, self._lock = self._lock, FolderLock(folder.chain)
        before.release()
        return head

    def _advance(self, _rows: int) -> None:
        _require_going_on(self._stopping.is_set)


def _rows_of_head(store: Store, contents: Contents, verified: Verified, head: Head) -> list[HeadRow]:
    """Return the rows that make the loaded ones a chain. Raises :class:`VerificationError` (``snapshot-results``)."""
    codes: list[bytes] = []
    for index in range(contents.log_size - 1, contents.first_index - 1, -1):
        entry = store.get(Table.LOG_ENTRIES, number_key(index))
        assert entry is not None, "every entry of the snapshot was loaded"
        receipt = RECEIPT.decode(LOG_ENTRY.decode(entry).receipt)
        if receipt.height != contents.height:
            break
        codes.append(encode_result(receipt.code))
    results = results_hash(codes[::-1])
    if results != verified.next_block.header.last_results_hash:
        raise VerificationError("snapshot-results", "its newest receipts are not those that the header commits to")
    return head_rows(head, verified.block, results, len(codes))


# -- CometBFT


class _Fetching:
    """The attempts of one start, until one succeeds."""

    def __init__(
        self,
        folder: Folder,
        file: CometFile,
        root: TrustRoot,
        genesis: Genesis,
        validator: Signer,
        nodes: list[LightNode],
        client: LightClient,
        believed: LightBlock,
        installing: Installing,
    ) -> None:
        self._folder = folder
        self._file = file
        self._root = root
        self._genesis = genesis
        self._validator = validator
        self._nodes = nodes
        self._client = client
        self._believed = believed
        self._installing = installing
        self._turns = Turns()
        self._failure: BaseException | None = None
        self._given_up = False
        self._said = b""

    def run(self, undo: ExitStack, stopped: Callable[[], bool]) -> None:
        """Fetch and install the state. Raises :class:`OperationalError`."""
        folder = self._folder
        undo.callback(remove_sockets, folder)
        paths = self._prepare(undo)
        restoration = Restoration(
            self._root.chain_id,
            folder.state_sync,
            believed=self._client.at,
            turns=self._turns,
            install=self._installing.install,
            progress=lambda progress: _show_progress(folder, progress),
            is_peer=KnownPeers(folder),
        )
        undo.callback(restoration.close)
        undo.callback(AbciServer(restoration, paths.socket, self._fail).close)
        undo.callback(self._installing.stop)
        _show_progress(folder, Progress(0, 0, 0))
        while True:
            _empty(paths.home)
            with self._running(paths):
                self._wait(restoration, stopped)
            if restoration.done.is_set():
                break
            if not restoration.restart.is_set():
                log.warning("cometbft gave state sync up, see its log (%s); it begins again", paths.log)
                self._turns.forget()
                _wait_until(lambda: False, stopped, AGAIN_S)
            restoration.restart.clear()
        now = read_comet_file(folder)  # a peer may have come meanwhile
        write_comet_file(folder, msgspec.structs.replace(now, state_sync=None))

    def _prepare(self, undo: ExitStack) -> Paths:
        """Write CometBFT's folder, and answer what its light client asks."""
        folder = self._folder
        place = Path(tempfile.mkdtemp(prefix="fujie-light-"))  # a short path of plain letters, which its URL needs
        undo.callback(shutil.rmtree, place, ignore_errors=True)
        servers: list[str] = []
        for number, node in enumerate(self._nodes):
            rpc = LightRpc(place / f"{number}.sock", node.soon, self._turns)
            undo.callback(rpc.close)
            servers.append(rpc.url)
        header = self._believed.header
        wanted = comet.StateSync(tuple(servers), header.height, header_hash(header), self._root.trust_period_ms)
        return prepare_home(folder, self._file, self._genesis, wanted)

    @contextmanager
    def _running(self, paths: Paths) -> Iterator[None]:
        self._given_up, self._said = False, b""
        process = CometProcess(paths, self._ended, self._validator, self._hear)
        try:
            yield
        finally:
            process.close(at_once=True)  # what it has written down is written, and it waits for an answer

    def _wait(self, restoration: Restoration, stopped: Callable[[], bool]) -> None:
        """Wait for the end of an attempt. Raises what the application failed at."""
        while not (restoration.done.is_set() or restoration.restart.is_set() or self._given_up):
            if self._failure is not None:
                raise self._failure
            _require_going_on(stopped)
            time.sleep(POLL_S)

    def _ended(self) -> None:
        """Begin again where CometBFT ended and goes on: what it had written down by then may be half of what it needs."""
        self._given_up = True

    def _fail(self, _request: str, error: BaseException) -> None:
        self._failure = error

    def _hear(self, said: bytes) -> None:
        """Listen for the one thing that CometBFT tells its log alone."""
        heard = self._said + said
        self._given_up = self._given_up or FAILED in heard
        self._said = heard[-len(FAILED) :]


def _empty(home: Path) -> None:
    """Remove CometBFT's blocks and state; what the validator signed stays known."""
    for path in (home / "data").iterdir():
        if path != home / comet.VALIDATOR_STATE_FILE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _wait_until(until: Callable[[], bool], stopped: Callable[[], bool], seconds: float) -> None:
    give_up_s = time.monotonic() + seconds
    while not until() and time.monotonic() < give_up_s:
        _require_going_on(stopped)
        time.sleep(POLL_S)


def _require_going_on(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise OperationalError("The node was stopped while it fetched the state of the chain.", "Start it again.")
