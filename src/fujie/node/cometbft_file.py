"""What a data folder says of its CometBFT: ``cometbft.json`` (docs/spec/08-files.md, "A folder with CometBFT").

A folder that has this file is a node among several: CometBFT orders the blocks of its chain, and its key is one of many,
or none of them.
"""

import logging
import re
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fujie.core.errors import OperationalError
from fujie.core.wording import quoted
from fujie.engine.cometbft.home import Peer
from fujie.node.folder import Folder, read_file, write_file
from fujie.proof.trust import TrustRoot

PEERS_MAX: Final = 200
PORT_PEERS: Final = 26_656  # CometBFT's own default

_ADDRESS: Final = r"\A(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?):[0-9]{1,5}\Z"
_PEER: Final = re.compile(r"([0-9a-f]{40})@(.+)")

log = logging.getLogger(__name__)

Address = Annotated[str, Meta(pattern=_ADDRESS)]
"""``host:port``: a name, an IPv4 address, or an IPv6 address in brackets; small letters."""

PeerText = Annotated[str, Meta(pattern=r"\A[0-9a-f]{40}@" + _ADDRESS[2:])]
PeerTextOrNothing = Annotated[str, Meta(pattern=r"\A\Z|\A[0-9a-f]{40}@" + _ADDRESS[2:])]


class StateSyncFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``state_sync`` says: the node begins from a snapshot of its peers, and has not done so yet.

    ``servers`` are URLs of nodes that are asked for headers. ``trust`` is a trust root newer than that of the folder, where
    that is too old to believe a header for.
    """

    servers: Annotated[tuple[str, ...], Meta(min_length=2, max_length=PEERS_MAX)]
    trust: TrustRoot | None = None


class CometFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="format", tag="fujie-cometbft-1"
):
    """The content of ``cometbft.json``.

    ``initial_height`` is that of the first block which CometBFT made of this chain. ``listen`` is where this node waits for
    its peers, ``peers`` are those it keeps connected to (``node id@host:port``) and the only ones it lets in, ``metrics`` where
    CometBFT shows its own numbers to Prometheus, or empty for nowhere. ``state_sync`` is there until the node has begun from a snapshot.
    """

    initial_height: Annotated[int, Meta(ge=1, le=2**53)]
    moniker: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
    listen: Address
    peers: Annotated[tuple[PeerText, ...], Meta(max_length=PEERS_MAX)] = ()
    metrics: Annotated[str, Meta(pattern=rf"\A\Z|{_ADDRESS}")] = ""
    state_sync: StateSyncFile | None = None

    @property
    def known_peers(self) -> list[Peer]:
        """The peers, taken apart."""
        return [parse_peer(text) for text in self.peers]


def has_cometbft(folder: Folder) -> bool:
    """Tell whether the chain of ``folder`` is made by CometBFT."""
    return folder.cometbft.exists()


def read_comet_file(folder: Folder) -> CometFile:
    """Return what ``cometbft.json`` says. Raises :class:`OperationalError` that names what is wrong with it."""
    data = read_file(folder.cometbft)
    if data is None:
        raise OperationalError(
            f"There is no {folder.cometbft}: this folder is no node of a network.",
            "Make one with `fujie network create`, or `fujie network join`.",
        )
    try:
        found = msgspec.json.decode(data, type=CometFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        detail = str(error) if isinstance(error, msgspec.ValidationError) else "it is no JSON"
        raise OperationalError(
            f"{folder.cometbft} does not read: {detail}.", "docs/spec/08-files.md says what stands in it."
        ) from None
    for text in (found.listen, found.metrics, *(peer.address for peer in found.known_peers)):
        if text:
            port_of(text)
    return found


def write_comet_file(folder: Folder, file: CometFile) -> None:
    """Write ``cometbft.json``. Raises :class:`OperationalError`."""
    write_file(folder.cometbft, msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")


def check_address(text: str) -> str:
    """Return ``text`` if it is ``host:port``. Raises :class:`OperationalError`."""
    try:
        found = msgspec.convert(text, Address)
    except msgspec.ValidationError:
        raise OperationalError(
            f"{quoted(text, 80)} is no address.", "Write host:port, such as bank.example:26656."
        ) from None
    port_of(found)
    return found


def port_of(address: str) -> int:
    """Return the port of ``host:port``. Raises :class:`OperationalError` for one that there is not."""
    port = int(address.rpartition(":")[2])
    if not 1 <= port <= 65_535:
        raise OperationalError(f"{address} has no port from 1 to 65535.", "Write host:port.")
    return port


def is_everywhere(address: str) -> bool:
    """Tell whether ``host:port`` says where to listen on every address of a machine, and not where others reach it."""
    return address.rpartition(":")[0] in ("0.0.0.0", "[::]")  # noqa: S104 - compared with, and listened at nowhere


def parse_peer(text: str) -> Peer:
    """Return the peer in ``node id@host:port``. Raises :class:`OperationalError`."""
    match = _PEER.fullmatch(text)
    if match is None:
        raise OperationalError(
            f"{quoted(text, 120)} is no peer.",
            "Write its node id, which `fujie network show` shows, and where: ID@host:port.",
        )
    return Peer(match[1], check_address(match[2]))


def peer_texts(peers: Sequence[Peer]) -> tuple[str, ...]:
    """Return peers as they stand in the file."""
    return tuple(f"{peer.node_id}@{peer.address}" for peer in peers)


class KnownPeers:
    """Tells which nodes ``cometbft.json`` has as peers now; what is written there holds for a running node, too."""

    def __init__(self, folder: Folder) -> None:
        """Raises :class:`OperationalError` as :func:`read_comet_file`."""
        self._folder = folder
        self._read = self._stamp()  # what the file was when it was read last
        self._ids = _ids(read_comet_file(folder))

    def __call__(self, node_id: str) -> bool:
        """Tell whether a node may be a peer. While the file does not read, those may that it had when it did."""
        stamp = self._stamp()
        if stamp != self._read:
            self._read = stamp
            try:
                self._ids = _ids(read_comet_file(self._folder))
            except OperationalError as error:
                log.warning("the peers of before are let in, and nobody else: %s", error)
        return node_id in self._ids

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._folder.cometbft.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def _ids(file: CometFile) -> frozenset[str]:
    return frozenset(peer.node_id for peer in file.known_peers)


def add_peer(folder: Folder, peer: Peer) -> CometFile:
    """Let a node in as a peer, or have one that is known be where it is now; return what ``cometbft.json`` says then.

    Raises :class:`OperationalError` where there are too many, or the folder is no node of a network.
    """
    others = [each for each in read_comet_file(folder).known_peers if each.node_id != peer.node_id]
    if len(others) >= PEERS_MAX:
        raise OperationalError(f"The node has {PEERS_MAX} peers.", "Remove one: fujie network peer remove ID.")
    return _with_peers(folder, [*others, peer])


def remove_peer(folder: Folder, node_id: str) -> CometFile:
    """Let a node in no more; return what ``cometbft.json`` says then. Raises :class:`OperationalError` for no such peer."""
    known = read_comet_file(folder).known_peers
    others = [each for each in known if each.node_id != node_id]
    if len(others) == len(known):
        raise OperationalError(
            f"{quoted(node_id, 60)} is no peer of this node.", "`fujie network peer list` shows their node ids."
        )
    return _with_peers(folder, others)


def _with_peers(folder: Folder, peers: Sequence[Peer]) -> CometFile:
    changed = msgspec.structs.replace(read_comet_file(folder), peers=peer_texts(peers))
    write_comet_file(folder, changed)
    return changed
