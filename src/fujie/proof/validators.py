"""Validators and their set: who may sign a header, with which power, in which order.

The set is ordered by voting power, highest first, and by address where powers are equal; a commit refers to validators
by that order. The hash of the set stands in the header and covers keys and powers only. Proposer and priorities are
carried because CometBFT writes them and other tools want them; nothing is verified by them.

Source: CometBFT 0.38 specification, "Data structures", section "ValidatorSet"; ``tendermint.types.ValidatorSet``.
"""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Final, Self

import msgspec

from fujie.core.errors import DecodeError
from fujie.core.signing import PUBLIC_KEY_BYTES
from fujie.proof.header import ADDRESS_BYTES
from fujie.proof.simple_merkle import merkle_root
from fujie.proof.wire import INT64_MAX, Reader, encode_bytes, encode_integer, encode_message

VALIDATORS_MAX: Final = 10_000  # CometBFT's MaxVotesCount; a commit of that many has 1.1 MB
VOTING_POWER_TOTAL_MAX: Final = INT64_MAX // 8  # CometBFT's MaxTotalVotingPower


class Validator(msgspec.Struct, frozen=True, gc=False):
    """An Ed25519 key (32 bytes) and its voting power (at least 1). The priority is CometBFT's turn-taking, unsigned."""

    public_key: bytes
    voting_power: int
    proposer_priority: int = 0

    @property
    def address(self) -> bytes:
        """The 20 bytes by which a commit names this validator."""
        return validator_address(self.public_key)


class ValidatorSet(msgspec.Struct, frozen=True, dict=True):
    """Validators in their order. ``proposer`` is one of them or None, and proves nothing."""

    validators: tuple[Validator, ...]
    proposer: Validator | None = None

    @classmethod
    def of(cls, validators: Iterable[Validator]) -> Self:
        """Return the ordered set of ``validators``, the first as proposer.

        Raises ValueError when it is empty, too many, too powerful, or names a key twice.
        """
        ordered = tuple(sorted(validators, key=_precedence))
        made = cls(ordered, ordered[0] if ordered else None)
        if problem := validator_set_problem(made):
            raise ValueError(problem)
        return made

    @cached_property
    def total_power(self) -> int:
        """Voting power of all together."""
        return sum(validator.voting_power for validator in self.validators)

    @cached_property
    def addresses(self) -> tuple[bytes, ...]:
        """Address of each validator, in order."""
        return tuple(validator.address for validator in self.validators)


def validator_address(public_key: bytes) -> bytes:
    """Return the 20-byte address of an Ed25519 validator key."""
    return sha256(public_key).digest()[:ADDRESS_BYTES]


def validator_set_hash(validators: ValidatorSet) -> bytes:
    """Return the 32-byte root over ``tendermint.types.SimpleValidator`` (key and power) of each, in order."""
    return merkle_root(
        encode_message(1, _encode_public_key(validator.public_key)) + encode_integer(2, validator.voting_power)
        for validator in validators.validators
    )


def validator_set_problem(validators: ValidatorSet) -> str | None:
    """Say what makes a set unacceptable by itself, or None."""
    listed = validators.validators
    if not 1 <= len(listed) <= VALIDATORS_MAX:
        return f"{len(listed)} validators are not 1 to {VALIDATORS_MAX}"
    for index, validator in enumerate(listed):
        if len(validator.public_key) != PUBLIC_KEY_BYTES:
            return f"validator {index}: key has {len(validator.public_key)} bytes"
        if not 1 <= validator.voting_power <= VOTING_POWER_TOTAL_MAX:
            return f"validator {index}: voting power out of range"
        if not -INT64_MAX - 1 <= validator.proposer_priority <= INT64_MAX:
            return f"validator {index}: proposer priority out of range"
    if validators.total_power > VOTING_POWER_TOTAL_MAX:
        return f"total voting power is more than {VOTING_POWER_TOTAL_MAX}"
    if len(set(validators.addresses)) != len(listed):
        return "a validator is listed twice"
    if any(_precedence(left) > _precedence(right) for left, right in pairwise(listed)):
        return "not ordered by voting power and address"
    if validators.proposer is not None and validators.proposer not in listed:
        return "the proposer is not one of the set"
    return None


def encode_validator_set(validators: ValidatorSet) -> bytes:
    """Return the bytes of ``tendermint.types.ValidatorSet``. CometBFT itself reads it only with a proposer."""
    parts = [encode_message(1, encode_validator(validator)) for validator in validators.validators]
    if validators.proposer is not None:
        parts.append(encode_message(2, encode_validator(validators.proposer)))
    return b"".join(parts)


def decode_validator_set(data: bytes) -> ValidatorSet:
    """Return the set of canonical bytes of ``tendermint.types.ValidatorSet``.

    Raises :class:`DecodeError`, also for keys other than Ed25519 and for a written total, which CometBFT leaves out.
    """
    reader = Reader(data, "ValidatorSet")
    listed = tuple(decode_validator(item) for item in reader.repeated(1, VALIDATORS_MAX))
    proposer = reader.message(2)
    reader.finish()
    validators = ValidatorSet(listed, None if proposer is None else decode_validator(proposer))
    if problem := validator_set_problem(validators):
        raise DecodeError(problem)
    if encode_validator_set(validators) != data:
        raise DecodeError("not the canonical encoding of this validator set")
    return validators


def _precedence(validator: Validator) -> tuple[int, bytes]:
    return (-validator.voting_power, validator.address)


def _encode_public_key(public_key: bytes) -> bytes:
    return encode_bytes(1, public_key)  # tendermint.crypto.PublicKey, field 1 is Ed25519


def encode_validator(validator: Validator) -> bytes:
    """Return the bytes of ``tendermint.types.Validator``."""
    return b"".join(
        (
            encode_bytes(1, validator.address),
            encode_message(2, _encode_public_key(validator.public_key)),
            encode_integer(3, validator.voting_power),
            encode_integer(4, validator.proposer_priority),
        )
    )


def decode_validator(data: bytes) -> Validator:
    """Return the validator of bytes of ``tendermint.types.Validator``. Raises :class:`DecodeError`."""
    reader = Reader(data, "Validator")
    address = reader.byte_string(1, ADDRESS_BYTES)
    key = reader.required(2, "pub_key")
    validator = Validator(key.byte_string(1, PUBLIC_KEY_BYTES), reader.unsigned(3, INT64_MAX), reader.int64(4))
    key.finish()
    reader.finish()
    if address != validator.address:
        raise DecodeError("Validator: the address is not that of the key")
    return validator
