"""Running a mirror: a node without any key of the ledger, which follows another and verifies everything.

    run_mirror
      ├─ the source and the trust root: given, pinned in the folder, or taken at first use and pinned from then on
      ├─ found the same chain from the source's genesis, whose hash is the chain id, or from a snapshot     (the first time)
      ├─ catch up: carry out every block, and hold each against the header that signs it
      └─ serve the same reads with the same proofs, and follow until told to stop

The trust root is everything that is taken on trust. Without ``--trust`` the first genesis is taken for the right one, which
the operator is told; from then on nobody, the source included, can put another chain in its place.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from fujie.client.files import read_bounded
from fujie.client.light.detector import DivergenceError
from fujie.client.replication import ReplicationSource
from fujie.core.errors import FujieError, OperationalError
from fujie.core.limits import HEARTBEAT_MS
from fujie.engine.executor import Executor
from fujie.engine.link.server import FollowedEngine
from fujie.engine.mirror import Closing, MirrorEngine, Progress
from fujie.node.config import Config
from fujie.node.config_keys import is_loopback
from fujie.node.folder import Folder
from fujie.node.founding import is_founded, trust_root
from fujie.node.mirror_file import keep_evidence, read_mirror, read_source, write_source
from fujie.node.mirror_start import (
    FirstTrust,
    first_block,
    found_from_snapshot,
    found_from_source,
    founds,
    other_chain,
    path_to_first,
    same_chain,
)
from fujie.node.mirror_witness import Witnesses, what_to_do
from fujie.node.serve import Started, run_processes
from fujie.proof.trust import TrustRoot
from fujie.store.layout import Table, number_key
from fujie.store.opening import StoreKind, open_store

log = logging.getLogger(__name__)

API_KEY_BYTES_MAX: Final = 4_096
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
WATCH_S: Final = 0.5  # how often it is looked whether there is news
SILENT_MS: Final = 3 * HEARTBEAT_MS  # a node that runs makes a block at every heartbeat


class Told(NamedTuple):
    """What the operator is told once the mirror serves. ``first_trust``: it took the source's word for the trust root.

    ``first_height`` is that of the first block that it has, above 1 where it began with a snapshot.
    """

    url: str
    source: str
    trust: TrustRoot
    height: int
    first_trust: bool
    first_height: int


class Mirroring(NamedTuple):
    """A mirror that is open, whether the trust root was just taken on first use, and with whom it compares."""

    engine: MirrorEngine
    trust: TrustRoot
    first_trust: bool
    witnesses: tuple[str, ...]


def run_mirror(
    folder: Folder,
    config: Config,
    stop: threading.Event,
    *,
    source: str | None = None,
    trust: TrustRoot | None = None,
    api_key: str = "",
    kind: StoreKind = "sqlite",
    progress: Progress | None = None,
    on_first_trust: FirstTrust | None = None,
    on_ready: Callable[[Told], None] | None = None,
    on_news: Callable[[str], None] | None = None,
    snapshot: Path | None = None,
    witnesses: Sequence[str] | None = None,
) -> None:
    """Run the mirror of ``folder`` until ``stop`` is set. ``source`` is the URL to follow, by default the one it followed.

    ``on_news`` is told in a sentence when the source cannot be followed or is silent, and when all is well again. A witness
    that shows two signed chains ends it.

    Raises :class:`DivergenceError` then; what :func:`open_mirror`, ``MirrorEngine.catch_up`` and ``node.serve.run_processes``
    raise; and at the end what stopped the mirror, if anything did.
    """

    def open_() -> Mirroring:
        return open_mirror(
            folder,
            config,
            source=source,
            trust=trust,
            api_key=api_key,
            kind=kind,
            on_first_trust=on_first_trust,
            snapshot=snapshot,
            witnesses=witnesses,
        )

    run = _Run(folder, stop, open_, progress or (lambda _height, _goal: None), on_ready, on_news)
    try:
        with contextlib.suppress(Closing):
            run_processes(folder, config, run.open_ledger, stop, on_ready=run.ready, ends_with_failure=False)
    finally:
        run.close()
    if run.failure is not None:
        raise run.failure


class _Run:
    """One run of a mirror: its engine, its witnesses, and what is told of both."""

    def __init__(
        self,
        folder: Folder,
        stop: threading.Event,
        open_: Callable[[], Mirroring],
        progress: Progress,
        on_ready: Callable[[Told], None] | None,
        on_news: Callable[[str], None] | None,
    ) -> None:
        self._folder = folder
        self._stop = stop
        self._open = open_
        self._progress = progress
        self._on_ready = on_ready
        self._on_news = on_news
        self._mirroring: Mirroring | None = None
        self._witnesses: Witnesses | None = None
        self._watch: threading.Thread | None = None
        self._diverged: DivergenceError | None = None

    @property
    def failure(self) -> BaseException | None:
        """What stopped the mirror, or None."""
        return self._diverged or (self._mirroring.engine.failure if self._mirroring else None)

    def open_ledger(self) -> tuple[FollowedEngine, None]:
        """Open the mirror, catch up, compare with the witnesses, and follow from then on."""
        mirroring = self._open()
        engine = mirroring.engine
        try:
            engine.catch_up(self._progress, self._stop.is_set)
            if mirroring.witnesses:
                self._witnesses = Witnesses(engine, self._folder, mirroring.trust, mirroring.witnesses)
                self._witnesses.compare(wait=False)
                self._watch = threading.Thread(
                    target=self._witnesses.watch, args=(self._stop, self._diverge), name="fujie-mirror-witnesses"
                )
                self._watch.start()
            engine.start()
        except BaseException as error:
            engine.close()
            if isinstance(error, DivergenceError):
                self._diverge(error)
            raise
        self._mirroring = mirroring
        return engine, None

    def ready(self, started: Started) -> None:
        """Tell that the mirror serves, and from then on what becomes wrong."""
        mirroring = self._mirroring
        assert mirroring is not None, "what is served was opened"
        engine = mirroring.engine
        if self._on_ready is not None:
            first = first_block(engine.executor.store)
            told = (started.url, engine.source.url, mirroring.trust, started.height, mirroring.first_trust, first)
            self._on_ready(Told(*told))
        if self._on_news is not None:
            arguments = (engine, self._stop, self._on_news)
            threading.Thread(target=_tell_news, args=arguments, name="fujie-mirror-news", daemon=True).start()

    def close(self) -> None:
        """End what watches the witnesses."""
        self._stop.set()
        if self._watch is not None:
            self._watch.join()
        if self._witnesses is not None:
            self._witnesses.close()

    def _diverge(self, error: DivergenceError) -> None:
        self._diverged = error
        log.error("%s", what_to_do(error))
        if self._on_news is not None:
            self._on_news(what_to_do(error))
        self._stop.set()


def open_mirror(
    folder: Folder,
    config: Config,
    *,
    source: str | None = None,
    trust: TrustRoot | None = None,
    api_key: str = "",
    kind: StoreKind = "sqlite",
    worker: bool = True,
    on_first_trust: FirstTrust | None = None,
    snapshot: Path | None = None,
    witnesses: Sequence[str] | None = None,
) -> Mirroring:
    """Open the mirror of ``folder``, founding it where it is new: from ``snapshot``, or the genesis of its source.

    It does not follow yet.

    ``witnesses`` are the URLs of nodes to compare with, by default those of before. ``on_first_trust`` is told which
    source is taken at its word, and for what, before anything is written: a start that is broken off after that has
    pinned it.

    Raises :class:`OperationalError`: the folder holds a ledger of its own or is in use, no source is named, it is the
    mirror itself or cannot be asked, it is of another chain than the trust root; :class:`VerificationError` for a genesis
    that is none.
    """
    described = folder.describe()
    if described is not None and described.world != "mirror":
        raise OperationalError(
            f"The data folder {folder.home} holds a ledger of its own.", "Give the mirror another one: --home FOLDER."
        )
    followed = ReplicationSource(source or read_source(folder), api_key=api_key, plain_http=not api_key)
    try:
        _require_another(followed.url, config)
        new = not is_founded(folder)
        first_trust = new and _found(folder, followed, trust, kind, on_first_trust, snapshot)
        pinned = folder.trust()
        if trust is not None and (not same_chain(trust, pinned) or trust.validators_hash != pinned.validators_hash):
            raise other_chain(trust.chain_id, f"the folder {folder.home} mirrors {pinned.chain_id}")
        if source is not None and not new:
            _require_chain(followed, pinned.chain_id)
        if witnesses is None:
            witnesses = read_mirror(folder).witnesses if folder.mirror.exists() else ()
        if source is not None or tuple(witnesses) != read_mirror(folder).witnesses:
            write_source(folder, followed.url, witnesses)
        engine = _open_engine(folder, config, followed, pinned, worker)
    except BaseException:
        followed.close()
        raise
    return Mirroring(engine, pinned, first_trust, tuple(witnesses))


def read_api_key(path: Path) -> str:
    """Return the API key in a file. Raises :class:`OperationalError`; the error never shows what the file holds."""
    text = read_bounded(path, API_KEY_BYTES_MAX).decode("ascii", "replace").strip()
    if not text or not all("!" <= each <= "~" for each in text):
        raise OperationalError(f"{path} holds no API key.", "It is one line, as `fujie access key new` shows it.")
    return text


def _found(
    folder: Folder,
    source: ReplicationSource,
    trust: TrustRoot | None,
    kind: StoreKind,
    on_first_trust: FirstTrust | None,
    snapshot: Path | None,
) -> bool:
    """Found the chain in a new folder; tell whether nothing but the word of the source said which one."""
    if snapshot is None:
        return found_from_source(folder, source, trust, kind, on_first_trust)
    if trust is None:
        raise OperationalError("A snapshot is verified under a trust root.", "Give one: --trust FILE.")
    found_from_snapshot(folder, source.url, trust, snapshot, kind)
    return False


def _require_another(url: str, config: Config) -> None:
    """Raise :class:`OperationalError` where ``url`` is the mirror's own: it would wait for itself, and miss nothing."""
    place, own = urlsplit(url), config.http
    listens = is_loopback(own.host) or own.host in EVERYWHERE
    if place.port == own.port and listens and is_loopback(place.hostname or ""):
        raise OperationalError(
            f"The mirror would follow itself: it is to listen at {config.url}.",
            "Name the node to mirror, or another port for the mirror (--port, FUJIE_PORT).",
        )


def _require_chain(source: ReplicationSource, chain_id: str) -> None:
    """Raise :class:`OperationalError` where the source itself says that it serves another chain.

    What it says proves nothing, and one that is away may be named: every block is checked. This is for the slip of a pen,
    which is not to be remembered as what the folder mirrors.
    """
    try:
        told = source.status().chain_id
    except FujieError:
        return
    if told != chain_id:
        raise other_chain(chain_id, f"{source.url} serves {told}")


def _open_engine(
    folder: Folder, config: Config, source: ReplicationSource, pinned: TrustRoot, worker: bool
) -> MirrorEngine:
    memory = config.ledger
    store = open_store(folder.require().store, folder.chain)
    try:
        executor = Executor(
            store, cached_leaves=memory.cached_records, cached_bucket_bytes=memory.cached_bucket_mib << 20
        )
        whole = executor.head.height == 0 or store.get(Table.BLOCKS, number_key(1)) is not None
        if not same_chain(trust_root(executor.genesis), pinned) or (whole and not founds(pinned, executor.genesis)):
            raise OperationalError(
                f"The trust root {folder.trust_path} is of another chain, {pinned.chain_id}, than the one in {folder.chain}, "
                f"{executor.chain_id}.",
                "Restore the file that was written when this mirror was made.",
            )
        return MirrorEngine(
            executor,
            source,
            validators_hash=bytes.fromhex(pinned.validators_hash),
            on_evidence=lambda file: keep_evidence(folder, file),
            path=[] if whole else path_to_first(folder, pinned, store),
            worker=worker,
        )
    except (msgspec.MsgspecError, UnicodeError) as error:
        store.close()
        raise OperationalError(
            f"The chain in {folder.chain} is damaged: {error}.",
            "`fujie check` says where. Remove the folder and mirror afresh.",
        ) from error
    except BaseException:
        store.close()
        raise


def _tell_news(engine: MirrorEngine, stop: threading.Event, tell: Callable[[str], None]) -> None:
    """Tell what becomes wrong and right again, until the mirror stops."""
    known = ""
    while not stop.wait(WATCH_S):
        found = news(engine, time.time_ns() // 1_000_000)
        if found != known:
            tell(found or f"Following {engine.source.url} again, from height {engine.head.height}.")
        known = found


def news(engine: MirrorEngine, now_ms: int) -> str:
    """Return what is wrong, in a sentence; nothing while the mirror follows.

    A source that shows nothing new contradicts nothing: only the clock of this machine tells that it may keep blocks back.
    """
    if engine.failure is not None:
        return f"The mirror has stopped following, and serves what it has verified: {engine.failure}"
    if engine.trouble is not None:
        return f"The source cannot be followed now: {engine.trouble}"
    if now_ms - engine.head.time_ms > SILENT_MS:
        return (
            f"The source shows no block after {engine.head.height}, and that one is old: its chain rests, or it keeps "
            "newer blocks back. Compare its height with that of another node."
        )
    return ""
