"""Checkpoints: the examples of the specification verify, ours verify, and every damage fails at the step it belongs to."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fujie.core.errors import VerificationError
from fujie.core.hashing import app_hash
from fujie.core.signing import Signer, new_seed
from fujie.proof.checkpoint import (
    CHECKPOINT_BYTES_MAX,
    Checkpoint,
    CheckpointSigner,
    VerifierKey,
    check_agrees_with_header,
    decode_checkpoint,
    decode_verifier_key,
    encode_checkpoint,
    log_origin,
    sign_note,
    verify_checkpoint,
    verify_note,
)
from fujie.proof.merkle_log import LOG_SIZE_MAX
from tests.light.embedded_chain import make_chain

# The example of c2sp.org/signed-note.
KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

SIGNER = CheckpointSigner(log_origin("town-0123456789abcdef0123456789abcdef"), Signer(bytes(range(32))))
ROOT = bytes(range(100, 132))
SIGNED = SIGNER.sign(20_852_163, ROOT)


def step_of(note: bytes, key: VerifierKey = SIGNER.key, origin: str | None = None) -> str:
    with pytest.raises(VerificationError) as error:
        verify_checkpoint(note, key, origin)
    return error.value.step


def test_the_note_of_the_specification_verifies_under_its_key():
    key = decode_verifier_key(KEY)
    assert verify_note(NOTE, key) == "This is an example message.\n"
    assert key.encode() == KEY
    assert key.key_id.hex() == "530d903a"


def test_a_checkpoint_has_the_three_lines_of_the_specification():
    text = verify_note(SIGNED, SIGNER.key)
    assert text == f"town-0123456789abcdef0123456789abcdef/log\n20852163\n{b64encode(ROOT).decode()}\n"
    assert verify_checkpoint(SIGNED, decode_verifier_key(SIGNER.key.encode())) == Checkpoint(
        SIGNER.origin, 20_852_163, ROOT
    )


def test_the_same_log_gives_the_same_bytes():
    assert SIGNER.sign(20_852_163, ROOT) == SIGNED


def test_signatures_of_witnesses_are_passed_over():
    text = SIGNED.decode()
    witness = VerifierKey("witness.example", Signer(new_seed()).public_key)
    cosigned = sign_note(text.partition("\n\n")[0] + "\n", witness, Signer(new_seed())).decode().rpartition("\n\n")[2]
    assert verify_checkpoint((text + cosigned).encode(), SIGNER.key).size == 20_852_163


def test_extension_lines_of_others_are_kept():
    checkpoint = Checkpoint(SIGNER.origin, 7, ROOT, ("one", "two"))
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint


@given(size=st.integers(0, LOG_SIZE_MAX), root=st.binary(min_size=32, max_size=32))
def test_every_log_signs_and_verifies(size, root):
    assert verify_checkpoint(SIGNER.sign(size, root), SIGNER.key) == Checkpoint(SIGNER.origin, size, root)


@given(place=st.integers(0, len(SIGNED) - 1), bit=st.integers(0, 7))
def test_refuses_a_note_with_any_bit_turned(place, bit):
    damaged = bytearray(SIGNED)
    damaged[place] ^= 1 << bit
    assert step_of(bytes(damaged)) in {"note-form", "note-key", "note-signature"}


@given(st.binary(max_size=300))
def test_refuses_bytes_that_are_no_note(data):
    assert step_of(data) in {"note-form", "note-key"}


def test_refuses_a_note_of_another_key_with_its_name():
    other = CheckpointSigner(SIGNER.origin, Signer(new_seed()))
    assert step_of(other.sign(1, ROOT)) == "note-key"


def test_refuses_a_forged_signature_under_the_name_and_id_of_the_key():
    forged = sign_note(f"{SIGNER.origin}\n1\n{b64encode(ROOT).decode()}\n", SIGNER.key, Signer(new_seed()))
    assert step_of(forged) == "note-signature"


def test_refuses_one_bad_signature_beside_a_good_one():
    bad = sign_note("other\n", SIGNER.key, Signer(new_seed())).decode().rpartition("\n\n")[2]
    assert step_of(SIGNED + bad.encode()) == "note-signature"


def test_refuses_the_checkpoint_of_another_log():
    assert step_of(SIGNED, origin="another/log") == "checkpoint-origin"


def test_refuses_a_note_that_is_too_long_or_has_too_many_signatures():
    line = SIGNED.decode().rpartition("\n\n")[2]
    assert step_of(SIGNED + line.encode() * 100) == "note-form"
    assert step_of(b"x" * CHECKPOINT_BYTES_MAX + SIGNED) == "note-form"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "log\n1\n",
        f"\n1\n{b64encode(ROOT).decode()}\n",
        f"log\n01\n{b64encode(ROOT).decode()}\n",
        f"log\n-1\n{b64encode(ROOT).decode()}\n",
        f"log\n\u0661\n{b64encode(ROOT).decode()}\n",
        f"log\n{LOG_SIZE_MAX + 1}\n{b64encode(ROOT).decode()}\n",
        f"log\n1\n{b64encode(ROOT[:-1]).decode()}\n",
        f"log\n1\n{b64encode(ROOT).decode()[:-1]}\n",
        f"log\n1\n{ROOT.hex()}\n",
        f"log\n1\n{b64encode(ROOT).decode()}",
        f"log\n1\n{b64encode(ROOT).decode()}\n\n",
        f"log\n1\n{b64encode(ROOT).decode()}\n\ttab\n",
    ],
)
def test_refuses_text_that_is_no_checkpoint(text):
    with pytest.raises(VerificationError) as error:
        decode_checkpoint(text)
    assert error.value.step == "checkpoint-form"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        KEY.replace("530d903a", "530d903b"),
        KEY.replace("530d903a", "530D903A"),
        KEY.replace("example.com/foo", "example.com/bar"),
        KEY.replace("example.com/foo", ""),
        KEY.replace("example.com/foo", "a name"),
        KEY[:-4],
        KEY.replace("+Ae", "+Be"),
        "x" * 1_000 + KEY,
    ],
)
def test_refuses_text_that_is_no_verifier_key(text):
    with pytest.raises(VerificationError) as error:
        decode_verifier_key(text)
    assert error.value.step == "verifier-key"


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "tab\t", "line\n", "wide\u3000space"])
def test_refuses_to_sign_under_a_name_that_is_none(origin):
    with pytest.raises(ValueError, match="cannot name a key"):
        CheckpointSigner(origin, Signer(new_seed()))


def test_a_header_agrees_with_its_log_and_with_no_other():
    header = make_chain([{1: 10}])[0].header
    state_root = bytes(32)
    header = replace(header, app_hash=app_hash(state_root, ROOT, 5))
    check_agrees_with_header(Checkpoint("log", 5, ROOT), header, state_root)
    for other in (Checkpoint("log", 6, ROOT), Checkpoint("log", 5, bytes(32))):
        with pytest.raises(VerificationError) as error:
            check_agrees_with_header(other, header, state_root)
        assert error.value.step == "checkpoint-header"
