"""RFC 9162 proofs: small trees checked by hand, all trees up to a size, and every change refused."""

from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, VerificationError
from fujie.proof.merkle_log import (
    EMPTY_ROOT,
    LogConsistencyProof,
    LogProof,
    leaf_hash,
    log_consistency_proof_codec,
    log_proof_codec,
    node_hash,
    verify_log_consistency,
    verify_log_inclusion,
)
from tests.unit.proof.naive_log import naive_consistency, naive_path, naive_root

ENTRIES = [b"entry %d" % number for number in range(40)]


def h(text: bytes) -> bytes:
    return sha256(text).digest()


def inclusion(index: int, size: int) -> LogProof:
    return LogProof(index, size, b"".join(naive_path(index, ENTRIES[:size])))


def consistency(old_size: int, new_size: int) -> LogConsistencyProof:
    return LogConsistencyProof(old_size, new_size, b"".join(naive_consistency(old_size, ENTRIES[:new_size])))


def test_hashes_are_those_of_the_rfc():
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    # The hash of one empty entry, sha256(00), as certificate transparency's own test trees begin.
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(b"l", b"r") == h(b"\x01lr")


def test_the_tree_of_seven_entries_as_the_rfc_draws_it():
    # Section 2.1.5: d0 ... d6 under a ... j, then k, l under g, h, i, j.
    a, b, c, d, e, f, j = (h(b"\x00" + entry) for entry in ENTRIES[:7])
    g, hh, i = h(b"\x01" + a + b), h(b"\x01" + c + d), h(b"\x01" + e + f)
    k, l = h(b"\x01" + g + hh), h(b"\x01" + i + j)  # noqa: E741 # the name in the RFC
    root = h(b"\x01" + k + l)
    for index, path in [(0, b + hh + l), (3, c + g + l), (4, f + j + k), (6, i + k)]:
        verify_log_inclusion(root, 7, ENTRIES[index], LogProof(index, 7, path))
    root3, root4, root6 = h(b"\x01" + g + c), k, h(b"\x01" + k + i)
    verify_log_consistency(root3, 3, root, 7, LogConsistencyProof(3, 7, c + d + g + l))
    verify_log_consistency(root4, 4, root, 7, LogConsistencyProof(4, 7, l))
    verify_log_consistency(root6, 6, root, 7, LogConsistencyProof(6, 7, i + j + k))


def test_every_proof_of_every_small_tree_verifies():
    for size in range(1, 34):
        root = naive_root(ENTRIES[:size])
        for index in range(size):
            verify_log_inclusion(root, size, ENTRIES[index], inclusion(index, size))
        for old_size in range(size + 1):
            verify_log_consistency(naive_root(ENTRIES[:old_size]), old_size, root, size, consistency(old_size, size))


def test_an_entry_proves_at_its_own_index_only():
    for size in range(1, 12):
        root = naive_root(ENTRIES[:size])
        for index in range(size):
            for other in range(size):
                if other != index:
                    with pytest.raises(VerificationError):
                        verify_log_inclusion(root, size, ENTRIES[index], inclusion(other, size))
                    moved = LogProof(other, size, inclusion(index, size).path)
                    with pytest.raises(VerificationError):
                        verify_log_inclusion(root, size, ENTRIES[index], moved)


@pytest.mark.parametrize(
    ("step", "proof", "size", "entry"),
    [
        ("log-size", inclusion(2, 7), 8, 2),
        ("log-index", LogProof(7, 7, inclusion(2, 7).path), 7, 2),
        ("log-index", LogProof(-1, 7, inclusion(2, 7).path), 7, 2),
        ("log-path", LogProof(2, 7, inclusion(2, 7).path[:-1]), 7, 2),
        ("log-path", LogProof(2, 7, inclusion(2, 7).path[:-32]), 7, 2),
        ("log-path", LogProof(2, 7, inclusion(2, 7).path + bytes(32)), 7, 2),
        ("log-path", LogProof(2, 7, bytes(32 * 65)), 7, 2),
        ("log-root", inclusion(2, 7), 7, 3),
        ("log-root", LogProof(2, 7, bytes(96)), 7, 2),
    ],
)
def test_names_the_step_at_which_an_inclusion_fails(step, proof, size, entry):
    with pytest.raises(VerificationError) as failure:
        verify_log_inclusion(naive_root(ENTRIES[:7]), size, ENTRIES[entry], proof)
    assert failure.value.step == step


def root_of(size: int) -> bytes:
    return naive_root(ENTRIES[:size])


@pytest.mark.parametrize(
    ("step", "old_root", "old_size", "new_root", "new_size", "proof"),
    [
        ("log-size", root_of(3), 3, root_of(7), 7, consistency(4, 7)),
        ("log-size", root_of(7), 7, root_of(3), 3, LogConsistencyProof(7, 3, b"")),
        ("log-path", root_of(3), 3, root_of(7), 7, LogConsistencyProof(3, 7, b"")),
        ("log-path", root_of(3), 3, root_of(7), 7, LogConsistencyProof(3, 7, consistency(3, 7).path[:-32])),
        ("log-path", root_of(3), 3, root_of(7), 7, LogConsistencyProof(3, 7, consistency(3, 7).path + bytes(32))),
        ("log-path", root_of(3), 3, root_of(7), 7, LogConsistencyProof(3, 7, consistency(3, 7).path + b"\0")),
        ("log-path", EMPTY_ROOT, 0, root_of(7), 7, LogConsistencyProof(0, 7, bytes(32))),
        ("log-path", root_of(7), 7, root_of(7), 7, LogConsistencyProof(7, 7, bytes(32))),
        ("log-old-root", root_of(1), 0, root_of(7), 7, LogConsistencyProof(0, 7, b"")),
        ("log-old-root", root_of(6), 7, root_of(7), 7, LogConsistencyProof(7, 7, b"")),
        ("log-old-root", root_of(5), 3, root_of(7), 7, consistency(3, 7)),
        ("log-root", root_of(3), 3, root_of(8), 7, consistency(3, 7)),
        ("log-root", root_of(4), 4, root_of(7), 7, LogConsistencyProof(4, 7, bytes(32))),
    ],
)
def test_names_the_step_at_which_a_consistency_fails(step, old_root, old_size, new_root, new_size, proof):
    with pytest.raises(VerificationError) as failure:
        verify_log_consistency(old_root, old_size, new_root, new_size, proof)
    assert failure.value.step == step


@given(size=st.integers(2, 40), data=st.data())
def test_refuses_any_changed_bit(size, data):
    root = naive_root(ENTRIES[:size])
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(index, size)
    path = bytearray(proof.path)
    path[data.draw(st.integers(0, len(path) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VerificationError):
        verify_log_inclusion(root, size, ENTRIES[index], LogProof(index, size, bytes(path)))
    old_size = data.draw(st.integers(1, size - 1))
    path = bytearray(consistency(old_size, size).path)
    path[data.draw(st.integers(0, len(path) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VerificationError):
        verify_log_consistency(
            root_of(old_size), old_size, root, size, LogConsistencyProof(old_size, size, bytes(path))
        )


@given(index=st.integers(-3, 70), size=st.integers(-3, 70), path=st.binary(max_size=300))
def test_no_bytes_make_a_verifier_fail_in_another_way(index, size, path):
    assume((index, size, path) != (0, 1, b""))
    with pytest.raises(VerificationError):
        verify_log_inclusion(bytes(32), size, b"entry", LogProof(index, size, path))
    if not (index == size and path == b""):
        with pytest.raises(VerificationError):
            verify_log_consistency(b"a" * 32, index, b"b" * 32, size, LogConsistencyProof(index, size, path))


@given(index=st.integers(0, 2**63 - 1), size=st.integers(0, 2**63 - 1), path=st.binary(max_size=96))
def test_proofs_encode_and_decode(index, size, path):
    proof = LogProof(index, size, path)
    assert log_proof_codec.decode(encode(proof)) == proof
    relation = LogConsistencyProof(index, size, path)
    assert log_consistency_proof_codec.decode(encode(relation)) == relation


def test_decoding_refuses_numbers_out_of_bounds():
    for index in (-1, 2**63):
        with pytest.raises(DecodeError):
            log_proof_codec.decode(encode(LogProof(index, 1, b"")))
