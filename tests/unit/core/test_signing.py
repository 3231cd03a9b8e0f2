"""Ed25519 through one library: the edge cases on which libraries disagree, and the properties everyone relies on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core import signing
from tests.conftest import ROOT


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "vectors" / name).read_text("utf-8"))["cases"]
    return found


SIGNATURES = cases("signatures.json")
KEYS = cases("public-keys.json")
seeds = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("vector", SIGNATURES, ids=lambda vector: vector["name"])
def test_signature_is_judged_as_the_vector_says(vector: dict[str, Any]) -> None:
    key, message, signature = (bytes.fromhex(vector[name]) for name in ("public_key", "message", "signature"))
    assert signing.verify(key, message, signature) == (vector["expect"] == "valid")


@pytest.mark.parametrize("vector", KEYS, ids=lambda vector: vector["name"])
def test_key_is_judged_as_the_vector_says(vector: dict[str, Any]) -> None:
    assert signing.is_sound_public_key(bytes.fromhex(vector["public_key"])) == (vector["expect"] == "valid")


def test_refuses_the_key_under_which_openssl_accepts_any_message() -> None:
    identity = b"\x01" + bytes(31)
    for message in (b"", b"pay me", bytes(1000)):
        assert not signing.verify(identity, message, identity + bytes(32))
    assert not signing.is_sound_public_key(identity)


@given(seeds, st.binary(max_size=200))
def test_what_is_signed_verifies_and_signing_is_deterministic(seed: bytes, message: bytes) -> None:
    signer = signing.Signer(seed)
    signature = signer.sign(message)
    assert signature == signing.sign(seed, message)
    assert signer.public_key == signing.public_key(seed)
    assert signing.verify(signer.public_key, message, signature)
    assert signing.is_sound_public_key(signer.public_key)


@given(seeds, st.binary(max_size=100), st.integers(0, 511))
def test_one_flipped_bit_anywhere_is_refused(seed: bytes, message: bytes, bit: int) -> None:
    signer = signing.Signer(seed)
    signature = bytearray(signer.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    assert not signing.verify(signer.public_key, message, bytes(signature))
    assert not signing.verify(signer.public_key, message + b"\x00", signer.sign(message))


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=160))
def test_verify_never_raises(key: bytes, message: bytes, signature: bytes) -> None:
    assert not signing.verify(key, message, signature)
    assert isinstance(signing.is_sound_public_key(key), bool)


def test_seeds_are_random_and_signers_do_not_show_them() -> None:
    seed = signing.new_seed()
    assert len(seed) == signing.SEED_BYTES
    assert seed != signing.new_seed()
    assert seed.hex() not in repr(signing.Signer(seed))
    assert signing.Signer(seed).public_key.hex() in repr(signing.Signer(seed))
