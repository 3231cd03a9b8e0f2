"""Tools of a forger: bundles taken apart, changed and put together again, and headers signed by the wrong people."""

from collections.abc import Callable
from typing import Any

import msgspec

from fujie.core.encoding import encode
from fujie.core.signing import Signer
from fujie.proof.block import make_block_id
from fujie.proof.bundle import BUNDLE, Bundle
from fujie.proof.commit import sign_commit
from fujie.proof.header import Header
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from fujie.proof.vote import EMPTY_COMMIT, Commit

replace = msgspec.structs.replace


def item_of(data: bytes) -> Any:
    """The first item of the bundle ``data``, of whichever kind the test knows it to be."""
    return BUNDLE.decode(data).items[0]


def with_fields(data: bytes, **changes: Any) -> bytes:
    """The bundle ``data`` with other fields."""
    return encode(replace(BUNDLE.decode(data), **changes))


def with_item(data: bytes, **changes: Any) -> bytes:
    """The bundle ``data`` with other fields in its first item."""
    bundle = BUNDLE.decode(data)
    return encode(replace(bundle, items=(replace(bundle.items[0], **changes), *bundle.items[1:])))


def with_item_proof(data: bytes, **changes: Any) -> bytes:
    """The bundle ``data`` with other fields in the proof of its first item."""
    return with_item(data, proof=replace(item_of(data).proof, **changes))


def with_light_block(data: bytes, change: Callable[[LightBlock], LightBlock]) -> bytes:
    """The bundle ``data`` with another light block."""
    bundle = BUNDLE.decode(data)
    return encode(replace(bundle, light_block=encode_light_block(change(decode_light_block(bundle.light_block)))))


def with_header(data: bytes, **changes: Any) -> bytes:
    """The bundle ``data`` with other fields in its header, and nobody's signature for it."""
    return with_light_block(data, lambda block: replace(block, header=replace(block.header, **changes)))


def with_commit(data: bytes, commit: Commit) -> bytes:
    """The bundle ``data`` with another commit."""
    return with_light_block(data, lambda block: replace(block, commit=commit))


def signed_by(signer: Signer, header: Header) -> LightBlock:
    """A light block of ``header`` whose only validator is ``signer``."""
    validators = ValidatorSet.of([Validator(signer.public_key, 1)])
    header = replace(header, validators_hash=validator_set_hash(validators))
    block_id = make_block_id(header, [], EMPTY_COMMIT)
    commit = sign_commit(header.chain_id, header, block_id, validators, [signer.seed], time_ms=header.time_ms)
    return LightBlock(header, commit, validators)


def resigned(data: bytes, signer: Signer, **changes: Any) -> bytes:
    """The bundle ``data`` with other fields in its header, signed by ``signer`` as the only validator."""
    return with_light_block(data, lambda block: signed_by(signer, replace(block.header, **changes)))


def flipped(data: bytes, place: int = 0) -> bytes:
    """``data`` with one bit changed."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def parts(data: bytes) -> tuple[Bundle, LightBlock]:
    """A bundle and its light block."""
    bundle = BUNDLE.decode(data)
    return bundle, decode_light_block(bundle.light_block)
