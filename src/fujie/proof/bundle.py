"""Proof bundles: an answer and everything needed to check it offline, in one file (docs/spec/04-proofs.md).

A bundle opens the app hash of one signed header and hangs any number of items under it: records that stand in state,
keys at which nothing stands, receipts in the log. :func:`verify` takes bytes, a trust root and nothing else.
"""

from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import VerificationError
from fujie.core.hashing import TAG_LOG_ENTRY, app_hash, digest
from fujie.core.limits import BULK_ITEMS_MAX, VERSION_PATH_MAX
from fujie.core.transaction import SIGNED_TRANSACTION, ChainId, transaction_id
from fujie.core.units import Count, Digest
from fujie.proof.commit import verify_commit
from fujie.proof.header import Header, header_hash
from fujie.proof.light_block import decode_light_block
from fujie.proof.merkle_log import LogProof, verify_log_inclusion
from fujie.proof.merkle_state import StateProof, verify_exclusion, verify_inclusion
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash

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


BUNDLE: Final[Codec[Bundle]] = Codec(Bundle)


class Verified(NamedTuple):
    """What a bundle proves: ``items`` hold under ``header``, which more than two thirds of the validators signed."""

    header: Header
    header_hash: bytes
    items: tuple[Item, ...]

    @property
    def time_ms(self) -> int:
        """Time of the header that proves the items."""
        return self.header.time_ms


def verify(data: bytes, trust: TrustRoot) -> Verified:
    """Return what the bundle in ``data`` proves under ``trust``.

    Steps, each of which raises :class:`VerificationError` under its name:

    1. ``decode``: the bytes are one canonical bundle, its light block one canonical light block.
    2. ``chain-id``: bundle and header name the chain of the trust root.
    3. ``validators``: the header's validator set is the one of the trust root.
    4. ``header-hash``, ``validator-set``, ``commit-…``: more than two thirds of it signed this very header.
    5. ``app-hash``: the roots of the bundle are what the header commits to.
    6. ``state-…``, ``log-…``: each item hangs under its root.

    What the caller still owes: that the items are about what was asked for (their paths, the transaction's id), that
    records, receipts and transactions are of their types and the transactions signed (their types stand above this
    layer), and that the header is as fresh as the purpose needs. ``client.verifier`` does all of it.
    """
    bundle = BUNDLE.decode(data)
    block = decode_light_block(bundle.light_block)
    if bundle.chain_id != trust.chain_id or block.header.chain_id != trust.chain_id:
        raise VerificationError(
            "chain-id", f"the answer is of chain {bundle.chain_id!r}, the trust root of {trust.chain_id!r}"
        )
    if validator_set_hash(block.validators).hex() != trust.validators_hash:
        raise VerificationError("validators", "the header was signed by other validators than those of the trust root")
    verify_commit(trust.chain_id, block.validators, block.header, block.commit)
    if app_hash(bundle.state_root, bundle.log_root, bundle.log_size) != block.header.app_hash:
        raise VerificationError("app-hash", "state root and log root are not those that the header commits to")
    for item in bundle.items:
        verify_item(item, bundle, trust.state_tree_depth)
    return Verified(block.header, header_hash(block.header), bundle.items)


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
