"""A header with its commit and its validators in one message, as light clients exchange them.

Source: ``tendermint.types.LightBlock``; CometBFT 0.38 specification, "Light client".
"""

from typing import Final

import msgspec

from fujie.core.errors import DecodeError
from fujie.proof.header import Header, decode_header, encode_header
from fujie.proof.validators import ValidatorSet, decode_validator_set, encode_validator_set
from fujie.proof.vote import Commit, decode_commit, encode_commit
from fujie.proof.wire import Reader, encode_message

LIGHT_BLOCK_BYTES_MAX: Final = 3_145_728  # 10,000 validators: 1.1 MB of commit, under 1 MB of set, and room


class LightBlock(msgspec.Struct, frozen=True):
    """Everything that ``commit.verify_commit`` needs. Nothing in it is verified yet."""

    header: Header
    commit: Commit
    validators: ValidatorSet


def encode_light_block(block: LightBlock) -> bytes:
    """Return the bytes of ``tendermint.types.LightBlock``."""
    signed_header = encode_message(1, encode_header(block.header)) + encode_message(2, encode_commit(block.commit))
    return encode_message(1, signed_header) + encode_message(2, encode_validator_set(block.validators))


def decode_light_block(data: bytes) -> LightBlock:
    """Return the light block of canonical bytes (at most 3 MiB). Raises :class:`DecodeError`."""
    if len(data) > LIGHT_BLOCK_BYTES_MAX:
        raise DecodeError(f"light block of {len(data)} bytes is longer than {LIGHT_BLOCK_BYTES_MAX}")
    reader = Reader(data, "LightBlock")
    signed_header = reader.required(1, "signed_header")
    header, commit = signed_header.message(1), signed_header.message(2)
    signed_header.finish()
    validators = reader.message(2)
    reader.finish()
    if header is None or commit is None or validators is None:
        raise DecodeError("LightBlock: header, commit or validators are missing")
    return LightBlock(decode_header(header), decode_commit(commit), decode_validator_set(validators))
