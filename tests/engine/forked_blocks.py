"""Blocks that a validator would sign who breaks the protocol, for tests of those who must notice."""

from typing import Any

from fujie.core.signing import Signer
from fujie.proof.block import data_hash, make_block_id
from fujie.proof.commit import sign_commit
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from tests.light.tampering import changed

Item = tuple[bytes, list[bytes], list[bytes]]


def signed_anew(item: Item, signer: Signer, raws: list[bytes] | None = None, **fields: Any) -> Item:
    """The block of ``item`` with other transactions or fields, signed by ``signer`` as its only validator."""
    block = decode_light_block(item[0])
    raws = item[1] if raws is None else raws
    validators = ValidatorSet.of([Validator(signer.public_key, 10)])
    fields = {"data_hash": data_hash(raws), "validators_hash": validator_set_hash(validators), **fields}
    header = changed(block.header, **fields)
    block_id = make_block_id(header, raws, block.commit)
    commit = sign_commit(header.chain_id, header, block_id, validators, [signer.seed], header.time_ms)
    return encode_light_block(LightBlock(header, commit, validators)), raws, item[2]


def later(item: Item, signer: Signer) -> Item:
    """The same block a millisecond later, which is another block of the same height."""
    time_ns = decode_light_block(item[0]).header.time_ns + 1_000_000
    return signed_anew(item, signer, time_ns=time_ns)
