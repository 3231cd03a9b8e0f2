"""What a rule may know besides the state: the block it runs in and the transaction it runs for."""

import msgspec


class Context(msgspec.Struct, frozen=True, gc=False):
    """Given to every transition. ``time_ms`` is the time of the block, the only clock of a rule."""

    chain_id: str
    height: int
    time_ms: int
    transaction_id: bytes  # 32 bytes
    nonce: bytes  # 16 bytes
    signers: frozenset[bytes]  # public keys whose signatures on this transaction were verified
