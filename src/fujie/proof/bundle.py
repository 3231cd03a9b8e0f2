"""Proof bundles: an answer and everything needed to check it offline, in one file (docs/spec/04-proofs.md).

A bundle opens the app hash of one signed header and hangs any number of items under it: records that stand in state,
keys at which nothing stands, receipts in the log. Where other validators signed it than those of a trust root, a path of
light blocks leads from them to it. :func:`verify` takes bytes, a trust root and nothing else.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import DecodeError, VerificationError
from fujie.core.hashing import TAG_LOG_ENTRY, app_hash, digest
from fujie.core.limits import BULK_ITEMS_MAX, BUNDLE_PATH_BYTES_MAX, BUNDLE_PATH_MAX, VERSION_PATH_MAX
from fujie.core.transaction import SIGNED_TRANSACTION, ChainId, transaction_id
from fujie.core.units import Count, Digest
from fujie.proof.header import Header, header_hash
from fujie.proof.light import accountable, verify_path, verify_root
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.merkle_log import LogProof, verify_log_inclusion
from fujie.proof.merkle_state import StateProof, verify_exclusion, verify_inclusion
from fujie.proof.trust import TrustRoot

BUNDLE_SUFFIX: Final = ".fujie"

StatePath = Annotated[str, Meta(min_length=1, max_length=400)]


class Present(Record, tag=1):
    """A record stands at ``path``. ``versions``: older ones, newest first, that reach back to the moment asked about."""

    path: StatePath
    salt: Annotated[bytes, Meta(max_length=32)]
    record: bytes
    proof: StateProof
    versions: Annotated[tuple[bytes, ...], Meta(max_length=VERSION_PATH_MAX)]


class Absent(Record, tag=2):
    """Nothing stands at ``path``."""

    path: StatePath
    proof: StateProof


class Logged(Record, tag=3):
    """A transaction and its receipt stand in the log. ``transaction`` is the signed transaction."""

    salt: Digest
    transaction: bytes
    receipt: bytes
    proof: LogProof


Item = Present | Absent | Logged


class Bundle(Record, tag=1):
    """A signed header, the opening of its app hash, and what hangs under it.

    ``light_block``: header, commit and validator set as ``tendermint.types.LightBlock``. The app hash in header H stands
    for the state and log after block H - 1.
    """

    chain_id: ChainId
    light_block: bytes
    state_root: Digest
    log_root: Digest
    log_size: Count
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=BULK_ITEMS_MAX)]


class BundleWithPath(Bundle, tag=2):
    """A bundle, and what leads to its header from the validators of an older trust root.

    ``path``: light blocks as ``light_block`` is one, by ascending height, all before it, at most 4,194,304 bytes together.
    """

    path: Annotated[tuple[bytes, ...], Meta(max_length=BUNDLE_PATH_MAX)]


BUNDLE: Final[Codec[Bundle]] = Codec(Bundle | BundleWithPath)


class Opened(NamedTuple):
    """A bundle and its light blocks, decoded. Nothing of it is verified yet."""

    bundle: Bundle
    path: tuple[LightBlock, ...]
    block: LightBlock


class Verified(NamedTuple):
    """What a bundle proves: ``items`` hold under ``header``, which more than two thirds of its validators signed.

    ``path``: the headers that led from the validators of the trust root to those; empty where they are the same.
    ``within_period``: whether, going by the times in these headers, all who vouched for a change of validators could still
    be held to account (``light.accountable``).
    """

    header: Header
    header_hash: bytes
    items: tuple[Item, ...]
    path: tuple[Header, ...] = ()
    within_period: bool = True

    @property
    def time_ms(self) -> int:
        """Time of the header that proves the items."""
        return self.header.time_ms


def verify(data: bytes, trust: TrustRoot) -> Verified:
    """Return what the bundle in ``data`` proves under ``trust``.

    Steps, each of which raises :class:`VerificationError` under its name:

    1. ``decode``: the bytes are one canonical bundle of either form, its light blocks canonical light blocks.
    2. ``chain-id``: bundle and first light block (of the path, or the only one) name the chain of the trust root.
    3. ``validators``: the validator set of the first light block is the one of the trust root.
    4. ``header-…``, ``validator-set``, ``commit-…``: more than two thirds of it signed that very header.
    5. ``light-…``, and those of 4 again: each further light block, the one that proves at last, follows on the one before
       it (``light.verify_follows``).
    6. ``app-hash``: the roots of the bundle are what the header commits to.
    7. ``state-…``, ``log-…``: each item hangs under its root.

    What the caller still owes: that the items are about what was asked for (their paths, the transaction's id), that
    records, receipts and transactions are of their types and the transactions signed (their types stand above this
    layer), that the header is as fresh as the purpose needs, and to say so where ``within_period`` is false.
    ``client.verifier`` does all of it.
    """
    opened = open_bundle(data)
    require_chain(opened, trust)
    blocks = (*opened.path, opened.block)
    verify_root(trust, blocks[0])
    verify_path(blocks)
    headers = [block.header for block in blocks]
    within = all(accountable(before, after, trust.trust_period_ms) for before, after in pairwise(headers))
    return verify_contents(opened, trust)._replace(path=tuple(headers[:-1]), within_period=within)


def open_bundle(data: bytes) -> Opened:
    """Return the bundle in canonical bytes, with its light blocks. Raises :class:`DecodeError`."""
    bundle = BUNDLE.decode(data)
    path = bundle.path if isinstance(bundle, BundleWithPath) else ()
    if sum(map(len, path)) > BUNDLE_PATH_BYTES_MAX:
        raise DecodeError(f"the path of a bundle is longer than {BUNDLE_PATH_BYTES_MAX} bytes")
    return Opened(bundle, tuple(map(decode_light_block, path)), decode_light_block(bundle.light_block))


def require_chain(opened: Opened, trust: TrustRoot) -> None:
    """Raise :class:`VerificationError` (``chain-id``) for a bundle of another chain than that of ``trust``."""
    if opened.bundle.chain_id != trust.chain_id:
        raise VerificationError(
            "chain-id", f"the answer is of chain {opened.bundle.chain_id!r}, the trust root of {trust.chain_id!r}"
        )


def verify_contents(opened: Opened, trust: TrustRoot) -> Verified:
    """Return what a bundle proves under its header, which the caller believes: steps 6 and 7 of :func:`verify`."""
    bundle, header = opened.bundle, opened.block.header
    if app_hash(bundle.state_root, bundle.log_root, bundle.log_size) != header.app_hash:
        raise VerificationError("app-hash", "state root and log root are not those that the header commits to")
    for item in bundle.items:
        verify_item(item, bundle, trust.state_tree_depth)
    return Verified(header, header_hash(header), bundle.items)


def verify_item(item: Item, bundle: Bundle, depth: int) -> None:
    """Check one item against the roots of its bundle. Raises :class:`VerificationError`."""
    match item:
        case Present():
            verify_inclusion(bundle.state_root, depth, item.path.encode(), item.salt, item.record, item.proof)
        case Absent():
            verify_exclusion(bundle.state_root, depth, item.path.encode(), item.proof)
        case Logged():
            entry = digest(TAG_LOG_ENTRY, item.salt, logged_id(item), item.receipt)
            verify_log_inclusion(bundle.log_root, bundle.log_size, entry, item.proof)


def logged_id(item: Logged) -> bytes:
    """Return the id of a logged item's transaction: it follows from the body and is not taken from the server."""
    return transaction_id(SIGNED_TRANSACTION.decode(item.transaction).body)


def encode_bundle(bundle: Bundle) -> bytes:
    """Return the bytes of a bundle, as a ``.fujie`` file holds them."""
    return encode(bundle)


def with_path(bundle: Bundle, path: Sequence[LightBlock]) -> BundleWithPath | None:
    """Return ``bundle`` with what leads to its header, or None where that is more than a bundle takes."""
    blocks = tuple(map(encode_light_block, path))
    if len(blocks) > BUNDLE_PATH_MAX or sum(map(len, blocks)) > BUNDLE_PATH_BYTES_MAX:
        return None
    return BundleWithPath(
        bundle.chain_id,
        bundle.light_block,
        bundle.state_root,
        bundle.log_root,
        bundle.log_size,
        bundle.items,
        blocks,
    )
