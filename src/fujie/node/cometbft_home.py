"""Opening a node among several validators: what CometBFT needs in its folder, and the engine on top of it.

CometBFT's folder is written from what the data folder holds, at every start. Three things in it are CometBFT's own and never
written over: its genesis file, its blocks, and ``priv_validator_state.json``, which keeps the key from voting twice. The
validator's key is in none of its files: it is handed over when it starts.
"""

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from fujie.client.files import OWNER_ONLY
from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.engine.cometbft import home as comet
from fujie.engine.cometbft.binary import require
from fujie.engine.cometbft.engine import CometEngine
from fujie.engine.cometbft.output import last_words
from fujie.engine.cometbft.process import Paths
from fujie.engine.cometbft.rpc import NodeStatus, Rpc
from fujie.engine.cometbft.snapshots import Plan
from fujie.engine.executor import Executor
from fujie.engine.link.address import RUN_NAME
from fujie.machine.genesis import Genesis, founding_record
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.node.cometbft_file import CometFile, KnownPeers, read_comet_file
from fujie.node.folder import Folder, make_folder, read_file, write_file
from fujie.node.keyring import ensure_key
from fujie.proof.validators import Validator

ABCI_NAME: Final = "abci.sock"
RPC_NAME: Final = "rpc.sock"
SHORT_NAME: Final = (
    "sockets"  # in run/: a link to where the sockets are, when the path of the folder is too long for them
)
SOCKETS_PREFIX: Final = "fujie-sockets-"
SOCKET_PATH_BYTES_MAX: Final = 100
BLOCKS: Final = "data/blockstore.db"

_RECOVER: Final = (
    "`fujie network recover --above HEIGHT` fetches the chain anew from the others and signs nothing up to HEIGHT."
)


class _SignState(msgspec.Struct):
    """What ``priv_validator_state.json`` says, as far as it is looked at."""

    height: str
    round: int
    step: int


def open_comet_engine(
    executor: Executor,
    folder: Folder,
    validator: Signer,
    *,
    worker: bool = True,
    snapshots_every_s: int = 0,
    stopped: Callable[[], bool] = lambda: False,
) -> CometEngine:
    """Start CometBFT on the chain of ``folder``, and return when a block proves the state or ``stopped`` says so.

    ``snapshots_every_s``: how often one is taken for nodes that come later, in seconds of block time; 0 for never.
    Raises :class:`OperationalError`: cometbft or a file is missing or does not read, what CometBFT signed last is not
    known any more, the key signs elsewhere on this machine.
    """
    file = read_comet_file(folder)
    require_votes(folder, executor.head.height, file.initial_height)
    paths = prepare_home(folder, file, executor.genesis)
    return CometEngine(
        executor,
        paths,
        validator=validator,
        initial_height=file.initial_height,
        worker=worker,
        snapshots=Plan(folder.snapshots, snapshots_every_s * 1_000),
        is_peer=KnownPeers(folder),
        wait_s=math.inf,
        stopped=stopped,
        on_closed=lambda: remove_sockets(folder),
    )


def prepare_home(folder: Folder, file: CometFile, genesis: Genesis, state_sync: comet.StateSync | None = None) -> Paths:
    """Make what CometBFT needs to start on ``folder``, and return where it is; :func:`remove_sockets` takes the sockets away.

    What is known of the validator's votes stays. Raises :class:`OperationalError`.
    """
    binary = require()
    home = folder.cometbft_home.absolute()
    for place in (home / "config", home / "data", folder.log.parent):
        make_folder(place)
    if not (home / comet.VALIDATOR_STATE_FILE).exists():
        write_file(home / comet.VALIDATOR_STATE_FILE, comet.validator_state_text(), OWNER_ONLY)
    sockets = _make_sockets(folder)
    write_home(folder, file, genesis, sockets, state_sync)
    return Paths(binary, home, sockets / ABCI_NAME, sockets / RPC_NAME, comet_log(folder), file.listen)


def write_home(
    folder: Folder, file: CometFile, genesis: Genesis, sockets: Path, state_sync: comet.StateSync | None = None
) -> None:
    """Write what CometBFT reads when it starts; its genesis file only where there is none. Raises :class:`OperationalError`."""
    home = folder.cometbft_home
    sections = comet.settings(
        sockets / ABCI_NAME,
        sockets / RPC_NAME,
        file.moniker,
        file.listen,
        file.known_peers,
        file.metrics,
        comet.STANDARD_INPUT,
        state_sync,
    )
    write_file(home / comet.CONFIG_FILE, comet.config_text(sections), OWNER_ONLY)
    node = ensure_key(folder.node_key, "node").unlock(None)
    write_file(home / comet.NODE_KEY_FILE, comet.node_key_text(node), OWNER_ONLY)
    path = home / comet.GENESIS_FILE
    if path.exists():
        return
    if file.initial_height != 1:
        raise OperationalError(
            f"There is no {path}.", "Take it over from another node of this network: all of them have the same one."
        )
    write_file(path, first_genesis(folder, genesis))


def first_genesis(folder: Folder, genesis: Genesis) -> bytes:
    """Return CometBFT's genesis file of a chain that it makes from the first block on: the same at every node."""
    root = folder.trust()
    members = founding_record(genesis, VALIDATORS_KEY).members
    moment = datetime.fromtimestamp(
        (genesis.time_ms + 1) / 1_000, UTC
    )  # later than the genesis: a first block has this time
    return comet.genesis_text(
        root.chain_id,
        f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}Z",
        1,
        b"",
        [Validator(member.public_key, member.power) for member in members],
    )


def comet_log(folder: Folder) -> Path:
    """Return the file with what CometBFT says."""
    return folder.log.with_name("cometbft.log")


def comet_status(folder: Folder) -> NodeStatus:
    """Return what the CometBFT of a running node says of itself. Raises :class:`OperationalError` where it does not answer."""
    rpc = comet_rpc(folder)
    try:
        return rpc.status()
    finally:
        rpc.close()


def comet_rpc(folder: Folder) -> Rpc:
    """Return what asks the CometBFT of a running node; to be closed."""
    return Rpc(_sockets(folder) / RPC_NAME, lambda: last_words(comet_log(folder)))


def require_votes(folder: Folder, height: int, initial_height: int) -> None:
    """Raise :class:`OperationalError` where it is not known any more what the validator of ``folder`` signed last.

    ``height``: where its chain stands. A folder without any block has signed nothing.
    """
    path = folder.cometbft_home / comet.VALIDATOR_STATE_FILE
    blocks = (folder.cometbft_home / BLOCKS).exists()
    data = read_file(path)
    if data is None and (height >= initial_height or blocks):
        raise OperationalError(
            f"There is no {path}, and the chain has blocks: what this validator signed last is not known any more, and one "
            "that signs a height twice breaks the protocol.",
            f"Restore the file as it was when the node stopped, never an older one. Without it: {_RECOVER}",
        )
    if data is not None and _signed_height(data) is None:
        raise OperationalError(
            f"{path} is damaged: what this validator signed last is not known any more.",
            f"Restore the file as it was when the node stopped. Without it: {_RECOVER}",
        )
    if height >= initial_height and not blocks:
        raise OperationalError(
            f"The chain in {folder.chain} has blocks, and CometBFT's folder {folder.cometbft_home} has none of them.",
            f"Restore both from one backup. Without it: {_RECOVER}",
        )


def signed_height(folder: Folder) -> int | None:
    """Return the height at which the validator of ``folder`` signed last, as far as is known; None where it is not."""
    data = read_file(folder.cometbft_home / comet.VALIDATOR_STATE_FILE)
    return None if data is None else _signed_height(data)


def _signed_height(data: bytes) -> int | None:
    try:
        height = int(msgspec.json.decode(data, type=_SignState).height)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
    return height if height >= 0 else None


def _make_sockets(folder: Folder) -> Path:
    """Return a folder for the sockets, whose path is short enough for them; it is for this user alone."""
    run = (folder.home / RUN_NAME).absolute()
    make_folder(run)
    remove_sockets(folder)
    if len(os.fsencode(run / ABCI_NAME)) <= SOCKET_PATH_BYTES_MAX:
        return run
    place = Path(tempfile.mkdtemp(prefix=SOCKETS_PREFIX))
    (run / SHORT_NAME).symlink_to(place, target_is_directory=True)
    return place


def remove_sockets(folder: Folder) -> None:
    """Remove the folder outside of ``folder`` that its node used, or an earlier one, if it is one of ours."""
    link = folder.home / RUN_NAME / SHORT_NAME
    if not link.is_symlink():
        return
    place = link.readlink()
    link.unlink()
    if place.name.startswith(SOCKETS_PREFIX) and not place.is_symlink():
        with contextlib.suppress(OSError):
            if place.stat().st_uid == os.geteuid():
                shutil.rmtree(place)


def _sockets(folder: Folder) -> Path:
    link = folder.home / RUN_NAME / SHORT_NAME
    return link.readlink() if link.is_symlink() else link.parent
