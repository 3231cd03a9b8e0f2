"""Bringing back a node whose chain, or whose record of its own votes, is lost: it fetches everything anew from the others.

What is dangerous is not the chain, which the others have, but the votes: a validator that does not know what it signed last
could sign a height twice. So the height up to which it signs nothing more is given by a person, who looks at the others.
"""

import shutil
import time
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from fujie.client.files import OWNER_ONLY, read_bounded
from fujie.core.errors import OperationalError
from fujie.engine.cometbft import home as comet
from fujie.engine.cometbft import locks
from fujie.engine.executor import HEAD
from fujie.machine import genesis as genesis_form
from fujie.machine.genesis import Genesis, chain_id
from fujie.node.cometbft_file import read_comet_file, write_comet_file
from fujie.node.cometbft_home import signed_height
from fujie.node.folder import Folder, closed_to_others, make_folder, write_file
from fujie.node.founding import found_from, read_genesis
from fujie.node.handover import Handover, handover_folder, join_handed_over, read_handover
from fujie.node.ledger import GENESIS_FILE_BYTES_MAX
from fujie.proof.trust import TrustRoot
from fujie.store.layout import META_HANDED_OVER, META_HEAD, Table
from fujie.store.opening import FolderLock
from fujie.store.reading import open_for_reading

ASIDE: Final = "set-aside"
MOVED: Final = ("chain", "projection.sqlite", "projection.sqlite-wal", "projection.sqlite-shm")


def recover(
    folder: Folder,
    above: int,
    genesis_file: Path | None = None,
    handover: Path | None = None,
    *,
    from_snapshot: bool = False,
) -> Path:
    """Found the chain of ``folder`` anew, with its keys, so that its next start fetches every block from the others.

    It signs nothing up to height ``above``. What was there is moved to the folder that is returned; nothing is removed.
    ``genesis_file``: of `fujie genesis export` at another node, where the folder's own does not read any more.
    ``handover``: of a chain that grew, its handover folder, unless this folder has it; older blocks are those that nobody has.
    ``from_snapshot``: the node is going to begin from a snapshot of its peers, for which the genesis is enough.

    Raises :class:`OperationalError`: a node runs, chain or votes stand above that height, the genesis or the handover folder is
    missing or of another chain; and as ``node.handover.read_handover``.
    """
    description, trust = folder.require(), folder.trust()
    file = read_comet_file(folder)
    handed_over = _handover(folder, handover, trust, file.initial_height > 1, from_snapshot)
    if folder.chain.is_dir():
        FolderLock(folder.chain).release()
    if folder.cometbft_home.is_dir():
        locks.FolderLock(folder.cometbft_home.absolute()).release()
    genesis = None if handed_over else _genesis(folder, genesis_file)
    if genesis is not None and chain_id(genesis) != trust.chain_id:
        raise OperationalError(
            f"The genesis is that of {chain_id(genesis)}; the trust root of this folder pins {trust.chain_id}.",
            "Take that of the same chain.",
        )
    height = _height(folder)
    if height > above:
        raise OperationalError(
            f"The chain in this folder stands at block {height}, and you say that nothing above {above} was signed.",
            "Give the greatest height that any node shows (`fujie status --url …`), and some more to be safe.",
        )
    signed = signed_height(folder)
    if signed is not None and signed > above:
        raise OperationalError(
            f"The validator of this folder has signed at height {signed}, and you say that nothing above {above} was signed.",
            f"Give {signed} or more: the greatest height that any node shows, and some more to be safe.",
        )
    aside = folder.home / ASIDE / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    make_folder(aside)
    with closed_to_others():
        # CometBFT's folder first: an old chain beside a new one of those does not start, and a key without its votes never does.
        _move(folder, aside, "cometbft")
        make_folder(folder.cometbft_home / "data")
        write_file(folder.cometbft_home / comet.VALIDATOR_STATE_FILE, comet.validator_state_text(above), OWNER_ONLY)
        for name in MOVED:
            _move(folder, aside, name)
        if handed_over is not None:
            join_handed_over(folder, handed_over, description.store, file)
            folder.write_description(description.store, description.world)
        elif genesis is not None:
            write_comet_file(folder, replace(file, initial_height=1))
            found_from(folder, description.store, description.world, genesis)
        folder.write_trust(trust)  # with its own period
    return aside


def _move(folder: Folder, aside: Path, name: str) -> None:
    if (folder.home / name).exists():
        shutil.move(folder.home / name, aside / name)


def _handover(folder: Folder, given: Path | None, trust: TrustRoot, grew: bool, from_snapshot: bool) -> Handover | None:
    """Return the handover folder of a chain that grew, which must be of the chain that ``trust`` pins; None where none is needed."""
    place = given or handover_folder(folder)
    if given is None and not (grew or _handed_over(folder)):
        return None
    if given is None and from_snapshot and not place.is_dir():
        return None
    if not place.is_dir():
        raise OperationalError(
            "This chain grew out of an embedded one: the other nodes have no older blocks to give.",
            "Take the handover folder from any of them, and name it: --handover FOLDER. Or begin from a snapshot of theirs: "
            "--state-sync URL --state-sync URL.",
        )
    found = read_handover(place)
    if found.trust.chain_id != trust.chain_id:
        raise OperationalError(
            f"{place} is of {found.trust.chain_id}; the trust root of this folder pins {trust.chain_id}.",
            "Take that of the same chain.",
        )
    return found


def _genesis(folder: Folder, given: Path | None) -> Genesis:
    if given is not None:
        return genesis_form.load(read_bounded(given, GENESIS_FILE_BYTES_MAX))
    try:
        return read_genesis(folder)[1]
    except OperationalError as error:
        raise OperationalError(
            f"The genesis in this folder does not read: {error.what}",
            "Take that of another node: `fujie genesis export FILE` there, and --genesis FILE here.",
        ) from error


def _height(folder: Folder) -> int:
    """Return the height at which the chain in the folder stands, or 0 where that does not read."""
    row = _meta(folder, META_HEAD)
    return 0 if row is None else HEAD.decode(row).height


def _handed_over(folder: Folder) -> bool:
    """Tell whether the chain in the folder says that it grew out of an embedded one."""
    return _meta(folder, META_HANDED_OVER) is not None


def _meta(folder: Folder, key: bytes) -> bytes | None:
    try:
        store = open_for_reading(folder.require().store, folder.chain)
    except OperationalError:
        return None
    try:
        return store.get(Table.META, key)
    finally:
        store.close()
