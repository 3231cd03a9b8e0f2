"""How a mirror begins: from the genesis of its source, or from a snapshot; and what its trust root vouches for."""

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from fujie.client.light.client import LightClient
from fujie.client.light.following import store_in
from fujie.client.light.node import NodeProvider
from fujie.client.light.provider import LightProvider
from fujie.client.replication import ReplicationSource
from fujie.core.errors import OperationalError, VerificationError
from fujie.machine.genesis import Genesis, load
from fujie.node.folder import Folder
from fujie.node.founding import found_from, trust_root
from fujie.node.snapshot import load_snapshot
from fujie.proof.header import header_hash
from fujie.proof.light import verify_path
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.trust import TrustRoot
from fujie.store.base import Store
from fujie.store.layout import Table
from fujie.store.opening import StoreKind
from fujie.store.snapshot import manifest_of

FirstTrust = Callable[[str, TrustRoot], None]
"""Gets the URL of the source, and the trust root that is taken from it."""


def found_from_source(
    folder: Folder,
    source: ReplicationSource,
    trust: TrustRoot | None,
    kind: StoreKind,
    on_first_trust: FirstTrust | None,
) -> bool:
    """Found the chain of the source in a new folder; tell whether nothing but its word said which one.

    A trust root that lies in the folder already, from a start that was broken off or put there, counts as given.
    """
    if trust is None and folder.trust_path.exists():
        trust = folder.trust()
    genesis = load(source.genesis())
    told = trust_root(genesis)
    if trust is not None and not same_chain(trust, told):
        raise other_chain(trust.chain_id, f"{source.url} serves {told.chain_id}")
    if trust is not None and not founds(trust, genesis):
        raise OperationalError(
            "The trust root names later validators than those that the chain was founded with.",
            "Give the trust root of the founding (--trust), or begin from a snapshot (--snapshot).",
        )
    if trust is None and on_first_trust is not None:
        on_first_trust(source.url, told)
    found_from(folder, kind, "mirror", genesis)
    if trust is not None:
        folder.write_trust(trust)  # as it was given, with its own period
    return trust is None


def found_from_snapshot(
    folder: Folder, url: str, trust: TrustRoot, snapshot: Path, kind: StoreKind, witnesses: Sequence[LightProvider] = ()
) -> None:
    """Load a snapshot into a new folder, whoever signed it: the node at ``url`` shows how they came after ``trust``.

    Raises as ``LightClient``, as ``load_snapshot``, and :class:`VerificationError` (``snapshot-block``) where the node has
    another block of that height.
    """
    claimed = decode_light_block(manifest_of(snapshot).light_block)
    provider = NodeProvider(url, plain_http=True)
    try:
        believed = LightClient(trust, provider, witnesses, store=store_in(folder.home, trust)).at(claimed.header.height)
    finally:
        provider.close()
    if header_hash(believed.header) != header_hash(claimed.header):
        raise VerificationError(
            "snapshot-block", f"{url} has another block {claimed.header.height} than the snapshot was made at"
        )
    vouched = msgspec.structs.replace(trust, validators_hash=believed.header.validators_hash.hex())
    load_snapshot(folder, snapshot, vouched, kind, world="mirror", pinned=trust)


def path_to_first(folder: Folder, trust: TrustRoot, store: Store) -> list[LightBlock]:
    """Return the way from ``trust`` to the first block of a store that began with a snapshot; empty where it is lost."""
    first = first_block(store)
    light = store_in(folder.home, trust)
    found = [light.at(height) for height in light.heights() if height <= first]
    path = [block for block in found if block is not None]
    try:
        verify_path(path)
    except VerificationError:
        return []  # blocks in between were let go of
    return path if path and path[-1].header.height == first else []


def first_block(store: Store) -> int:
    """Return the height of the first block that a store has; there is one."""
    [first] = [int.from_bytes(key, "big") for key, _ in islice(store.scan(Table.BLOCKS), 1)]
    return first


def same_chain(one: TrustRoot, other: TrustRoot) -> bool:
    """Tell whether two trust roots name one chain, whose id commits to its founding, and the shape of its state."""
    return (one.chain_id, one.state_tree_depth) == (other.chain_id, other.state_tree_depth)


def founds(trust: TrustRoot, genesis: Genesis) -> bool:
    """Tell whether a trust root names the validators that the chain was founded with."""
    return trust.validators_hash == trust_root(genesis).validators_hash


def other_chain(wanted: str, instead: str) -> OperationalError:
    """Return what is said of another chain than the one that the trust root names."""
    return OperationalError(
        f"The trust root is of the chain {wanted}, but {instead}.",
        "Check the URL and the trust root; one folder mirrors one chain.",
    )
