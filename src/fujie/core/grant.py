"""Read grants: a holder's signed, expiring permission to be shown what only the holder may read.

A grant is not a transaction: it changes nothing and leaves no trace on the ledger. It names who reads, so that the node
can look up that reader's key policy, and until when.
"""

from typing import Annotated

from msgspec import Meta

from fujie.core.encoding import Codec, Record, encode
from fujie.core.hashing import TAG_READ_GRANT
from fujie.core.limits import KEYS_MAX
from fujie.core.signing import Signer
from fujie.core.transaction import ChainId
from fujie.core.units import Nonce, PublicKey, Signature, TimeMs


class Grant(Record, tag=1):
    """What is signed. ``reader`` is ``account/<name>``, ``wallet/<hex>`` or ``id/<identifier>``."""

    chain_id: ChainId
    reader: Annotated[str, Meta(min_length=1, max_length=200)]
    expires_at_ms: TimeMs
    nonce: Nonce
    public_keys: Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=KEYS_MAX)]


class SignedGrant(Record, tag=1):
    """What travels: the canonical grant, and one signature for each of its public keys, in the same order."""

    body: Annotated[bytes, Meta(max_length=1024)]
    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=KEYS_MAX)]


GRANT: Codec[Grant] = Codec(Grant)
SIGNED_GRANT: Codec[SignedGrant] = Codec(SignedGrant)


def sign_grant(grant: Grant, signers: list[Signer]) -> bytes:
    """Return the canonical signed grant. ``signers`` must match ``grant.public_keys``, in any order."""
    by_key = {signer.public_key: signer for signer in signers}
    body = encode(grant)
    return encode(SignedGrant(body, tuple(by_key[key].sign(TAG_READ_GRANT + body) for key in grant.public_keys)))
