"""What a client remembers of the chains it has seen: the newest header of each, so that no server can take it back.

Kept in a small JSON file, or in memory alone. The file holds nothing secret; losing it costs the protection against a
server that goes back in time, and nothing else (docs/spec/08-files.md, "Seen headers").
"""

import logging
import threading
from pathlib import Path
from typing import Final

import msgspec

from fujie.client.files import read_bounded, write_atomically
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.transaction import ChainId
from fujie.core.units import Height, TimeMs
from fujie.proof.trust import Hex32

log = logging.getLogger(__name__)

HEADS_FILE_BYTES_MAX: Final = 1_048_576  # about 5,000 chains
CHAINS_MAX: Final = 1_000  # chains remembered; the least recently added leaves first


class SeenHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest header of a chain that this client has verified. ``header_hash`` in hexadecimal."""

    height: Height
    header_hash: Hex32
    time_ms: TimeMs


class Fork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two headers of one height, both signed by more than two thirds: proof that validators broke the protocol.

    ``seen`` is the header known before; ``bundle`` the hexadecimal bytes of the answer that contradicts it.
    """

    chain_id: ChainId
    seen: SeenHead
    conflicting: SeenHead
    bundle: str


class ForkError(VerificationError):
    """The validators signed two headers of one height. ``evidence`` names the file that keeps both, if there is one."""

    def __init__(self, detail: str, fork: Fork, evidence: Path | None) -> None:
        super().__init__("fork", detail)
        self.fork = fork
        self.evidence = evidence


class _HeadsFile(msgspec.Struct, forbid_unknown_fields=True, tag_field="format", tag="fujie-heads-1"):
    heads: dict[str, SeenHead]


class HeadMemory:
    """The newest header of every chain, in memory and, with ``path``, in a file. Any thread may call any method.

    Two processes that share a file may overwrite each other's news; each keeps what it has seen itself.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Load what ``path`` remembers. Raises :class:`OperationalError` when it is no such file."""
        self._path = path
        self._lock = threading.Lock()
        self._heads: dict[str, SeenHead] = {}
        if path is not None and path.exists():
            data = read_bounded(path, HEADS_FILE_BYTES_MAX)
            try:
                self._heads = msgspec.json.decode(data, type=_HeadsFile).heads
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                raise OperationalError(
                    f"{path} is not a file of seen headers, or it is damaged.",
                    "Remove it if nobody but you could have changed it: the next answer begins it anew.",
                ) from None

    def seen(self, chain_id: str) -> SeenHead | None:
        """Return the newest header seen of a chain, or None."""
        with self._lock:
            return self._heads.get(chain_id)

    def observe(self, chain_id: str, head: SeenHead, floor: SeenHead | None, bundle: bytes) -> None:
        """Take a verified header into account.

        ``floor`` is what was seen when the question was asked: answers may overtake one another, but none may be older
        than its question. Raises :class:`VerificationError`, in order: ``fork`` (:class:`ForkError`), ``stale-head``.
        """
        with self._lock:
            newest = self._heads.get(chain_id)
            for known in (newest, floor):
                if known is not None and known.height == head.height and known.header_hash != head.header_hash:
                    raise self._fork(chain_id, known, head, bundle)
            if floor is not None and head.height < floor.height:
                raise VerificationError(
                    "stale-head", f"the answer stands at height {head.height}, height {floor.height} was seen before"
                )
            if newest is None or head.height > newest.height:
                self._heads[chain_id] = head
                while len(self._heads) > CHAINS_MAX:
                    del self._heads[next(iter(self._heads))]
                if self._path is not None:
                    self._write(self._path, _HeadsFile(self._heads), durable=False)

    def _fork(self, chain_id: str, known: SeenHead, head: SeenHead, bundle: bytes) -> ForkError:
        """Keep the evidence beside the memory and return the error that tells of it."""
        fork = Fork(chain_id, known, head, bundle.hex())
        evidence = None
        if self._path is not None:
            evidence = self._path.with_name(f"fork-{chain_id}-{head.height}-{head.header_hash[:16]}.json")
            if not self._write(evidence, fork, durable=True):
                evidence = None
        detail = f"two headers of height {head.height} were signed: {known.header_hash} and {head.header_hash}"
        return ForkError(f"{detail}; evidence in {evidence}" if evidence else detail, fork, evidence)

    def _write(self, path: Path, content: Fork | _HeadsFile, *, durable: bool) -> bool:
        """Write a file and tell whether that worked.

        A full disk or a read-only folder takes nothing from an answer that verified, least of all from that to a payment
        which was carried out: it is said in the log, and the memory goes on without its file.
        """
        try:
            write_atomically(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n", durable=durable)
        except OperationalError as error:
            log.warning("what was seen of the chain is not kept for the next time: %s", error)
            return False
        return True
