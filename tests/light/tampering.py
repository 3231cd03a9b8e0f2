"""Light blocks changed in one place, and signatures that only CometBFT accepts, for tests of refusals."""

from collections.abc import Mapping
from hashlib import sha512
from typing import Any, TypeVar

import msgspec
from nacl import bindings

from fujie.core.signing import public_key, sign
from fujie.proof.header import NANOSECONDS_PER_MS, header_hash
from fujie.proof.light_block import LightBlock
from fujie.proof.vote import ABSENT, VoteTemplate
from tests.light.embedded_chain import seed_of

T = TypeVar("T", bound=msgspec.Struct)

SMALL_ORDER_POINT = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")  # of order 8


def changed(value: T, **fields: Any) -> T:
    """A copy of a struct with some fields replaced."""
    return msgspec.structs.replace(value, **fields)


def with_entry(block: LightBlock, index: int, **fields: Any) -> LightBlock:
    """The block with fields of one commit entry replaced."""
    entries = list(block.commit.signatures)
    entries[index] = changed(entries[index], **fields)
    return changed(block, commit=changed(block.commit, signatures=tuple(entries)))


def voted_at(block: LightBlock, times_ms: Mapping[int, int]) -> LightBlock:
    """The block with the votes of test validators, by name, signed again at other times."""
    template = VoteTemplate(block.header.chain_id, block.commit.height, block.commit.round, block.commit.block_id)
    for name, time_ms in times_ms.items():
        time_ns = time_ms * NANOSECONDS_PER_MS
        signature = sign(seed_of(name), template.sign_bytes(time_ns))
        block = with_entry(block, index_of(block, name), time_ns=time_ns, signature=signature)
    return block


def without(block: LightBlock, *absent: int) -> LightBlock:
    """The block with the entries at these places absent."""
    entries = [ABSENT if index in absent else entry for index, entry in enumerate(block.commit.signatures)]
    return changed(block, commit=changed(block.commit, signatures=tuple(entries)))


def index_of(block: LightBlock, name: int) -> int:
    """The place of test validator ``name`` in the set."""
    return [validator.public_key for validator in block.validators.validators].index(public_key(seed_of(name)))


def odd_signature(seed: bytes, message: bytes) -> bytes:
    """A signature by the holder of ``seed`` that ZIP-215 accepts and libsodium does not: R has a part of small order."""
    expanded = bytearray(sha512(seed).digest())
    expanded[0] &= 248
    expanded[31] = expanded[31] & 127 | 64
    secret = bindings.crypto_core_ed25519_scalar_reduce(bytes(expanded[:32]) + bytes(32))
    nonce = bindings.crypto_core_ed25519_scalar_reduce(sha512(bytes(expanded[32:]) + message).digest())
    commitment = bindings.crypto_core_ed25519_add(
        bindings.crypto_scalarmult_ed25519_base_noclamp(nonce), SMALL_ORDER_POINT
    )
    challenge = bindings.crypto_core_ed25519_scalar_reduce(sha512(commitment + public_key(seed) + message).digest())
    product = bindings.crypto_core_ed25519_scalar_mul(challenge, secret)
    return commitment + bindings.crypto_core_ed25519_scalar_add(nonce, product)


def with_odd_signature(block: LightBlock, name: int) -> LightBlock:
    """The block with the signature of test validator ``name`` made odd."""
    commit, index = block.commit, index_of(block, name)
    template = VoteTemplate(block.header.chain_id, commit.height, commit.round, commit.block_id)
    message = template.sign_bytes(commit.signatures[index].time_ns)
    return with_entry(block, index, signature=odd_signature(seed_of(name), message))


def renumbered(block: LightBlock) -> LightBlock:
    """A header whose content was changed and whose commit was given the new hash, without new signatures."""
    header = changed(block.header, app_hash=bytes(32))
    block_id = changed(block.commit.block_id, hash=header_hash(header))
    return changed(block, header=header, commit=changed(block.commit, block_id=block_id))
