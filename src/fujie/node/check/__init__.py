"""`fujie check`: whether everything in a data folder is what the chain's signed headers say, and keeps every invariant.

One pass over all records, blocks and log entries, of a stopped node or (store ``sqlite``) beside a running one. Nothing
is changed, and nothing that the folder says of itself is believed: roots are computed again from the rows.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from fujie.client.light.following import store_in
from fujie.core.errors import OperationalError, Refused, VerificationError
from fujie.core.hashing import app_hash
from fujie.engine.executor import FOLDER_FORMAT, HEAD, Head
from fujie.machine import genesis as genesis_form
from fujie.machine.genesis import Genesis, chain_id
from fujie.node.check.beginning import check_beginning
from fujie.node.check.chain import ChainCheck, Origin
from fujie.node.check.report import Report
from fujie.node.check.state import check_state
from fujie.node.folder import Folder
from fujie.node.founding import trust_root
from fujie.proof.light_block import LightBlock
from fujie.proof.merkle_log import EMPTY_ROOT
from fujie.proof.merkle_state import key_hash, value_digest
from fujie.proof.trust import TrustRoot
from fujie.store.base import ReadOnlyStore
from fujie.store.layout import META_FORMAT, META_HEAD, Table
from fujie.store.reading import open_for_reading
from fujie.store.rebuild import StateFold
from fujie.store.snapshot import META_ORIGIN, read_origin

__all__ = ["Report", "check_folder", "check_store"]

GENESIS_PLACE: Final = "genesis"


def check_folder(folder: Folder) -> Report:
    """Check the chain in ``folder`` against the trust root that is pinned there.

    Raises :class:`OperationalError` when there is no chain, the store does not open, or (store ``rocks``) a node runs.
    """
    description = folder.require()
    trust = folder.trust()
    store = open_for_reading(description.store, folder.chain)
    try:
        return check_store(store, trust, _believed(folder, trust))
    finally:
        store.close()


def check_store(store: ReadOnlyStore, trust: TrustRoot, light: Sequence[LightBlock] = ()) -> Report:
    """Check everything in ``store`` against ``trust``. Raises :class:`OperationalError` when it holds no chain.

    ``light`` may lead from ``trust`` to the first block, where a snapshot brought nothing along that does; it is not believed.
    """
    report = Report()
    if store.get(Table.META, META_HEAD) is None:
        raise OperationalError("The data folder holds no chain.", "Start one with `fujie up`, or check the path.")
    if store.get(Table.META, META_FORMAT) != FOLDER_FORMAT:
        report.find("format", "meta/format", "this version of Fujie does not know the format of the folder")
    genesis = _genesis(store, trust, report)
    try:
        head = HEAD.decode(store.get(Table.META, META_HEAD) or b"")
        origin = _origin(store, genesis, trust.state_tree_depth)
    except VerificationError as error:
        report.find("head-is-canonical", "meta/head", error.detail)
        return report
    report.height = head.height
    report.chain_id = trust.chain_id
    _check_head(head, report)
    check_state(store, trust.state_tree_depth, head.state_root, report)
    if origin.height > 1:
        check_beginning(store, trust, origin.height, light, report)
    ChainCheck(store, trust, head, origin, report).run()
    return report


def _believed(folder: Folder, trust: TrustRoot) -> list[LightBlock]:
    """Return the headers that the light client of a mirror has kept, ascending; none where they do not read."""
    try:
        light = store_in(folder.home, trust)
        found = [light.at(height) for height in light.heights()]
    except OperationalError:
        return []
    return [block for block in found if block is not None]


def _genesis(store: ReadOnlyStore, trust: TrustRoot, report: Report) -> Genesis | None:
    """Return the stored genesis if it is the one that the trust root names."""
    try:
        genesis = genesis_form.load(store.get(Table.GENESIS, b"genesis") or b"")
        pinned = trust_root(genesis)
    except (VerificationError, Refused) as error:
        report.find("genesis-is-canonical", GENESIS_PLACE, str(error))
        return None
    if chain_id(genesis) != trust.chain_id:
        report.find("genesis-of-the-chain", GENESIS_PLACE, f"it is of {chain_id(genesis)}, trusted is {trust.chain_id}")
        return None
    if (pinned.validators_hash, pinned.state_tree_depth) != (trust.validators_hash, trust.state_tree_depth):
        report.find("trust-root", "trust.json", "its validators or tree depth are not those of the genesis")
    return genesis


def _origin(store: ReadOnlyStore, genesis: Genesis | None, depth: int) -> Origin:
    """Return where the stored chain begins. Raises :class:`DecodeError`."""
    loaded = store.get(Table.META, META_ORIGIN)
    if loaded is not None:
        known = read_origin(loaded)
        return Origin(known.height, known.first_index, b"")
    if genesis is None:
        return Origin(1, 0, b"")
    root = _root_of(((leaf.path, leaf.salt, leaf.record) for leaf in genesis.leaves), depth)
    return Origin(1, 0, app_hash(root, EMPTY_ROOT, 0))


def _root_of(leaves: Iterable[tuple[str, bytes, bytes]], depth: int) -> bytes:
    fold = StateFold(depth)
    for key, value in sorted((key_hash(path.encode()), value_digest(salt, record)) for path, salt, record in leaves):
        fold.add(key, value)
    return fold.root()


def _check_head(head: Head, report: Report) -> None:
    """The head's app hash is that of its own roots."""
    if app_hash(head.state_root, head.log_root, head.log_size) != head.app_hash:
        report.find("head-hangs-together", "meta/head", "its app hash is not that of its roots")
