"""State proofs: built here by hand over a small tree, verified, and every change refused."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, VerificationError
from fujie.proof.merkle_state import (
    StateProof,
    bucket_number,
    compress_siblings,
    empty_digests,
    key_hash,
    state_proof_codec,
    value_digest,
    verify_exclusion,
    verify_inclusion,
)

DEPTH = 4
SALT = b"\x07" * 32
STATE = {b"account/%d" % number: b"balance %d" % number for number in range(25)}
ABSENT = [b"nobody/%d" % number for number in range(40)]


def rows(state: dict[bytes, bytes], depth: int) -> tuple[list[bytes], list[list[bytes]]]:
    """The buckets of a state, and every row of the tree, buckets first."""
    buckets = [b""] * (1 << depth)
    for key, path in sorted((key_hash(path), path) for path in state):
        buckets[bucket_number(key, depth)] += key + value_digest(SALT, state[path])
    row = [sha256(b"\x22" + bucket).digest() for bucket in buckets]
    tree = [row]
    while len(row) > 1:
        row = [sha256(b"\x23" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
        tree.append(row)
    return buckets, tree


BUCKETS, TREE = rows(STATE, DEPTH)
ROOT = TREE[-1][0]


def proof_of(path: bytes, depth: int = DEPTH, buckets: list[bytes] = BUCKETS, tree: list[list[bytes]] = TREE):
    number = bucket_number(key_hash(path), depth)
    siblings = [tree[height][(number >> height) ^ 1] for height in range(depth)]
    return StateProof(buckets[number], *compress_siblings(siblings))


def with_(proof: StateProof, **changes: bytes) -> StateProof:
    fields = {"leaves": proof.leaves, "present": proof.present, "siblings": proof.siblings} | changes
    return StateProof(**fields)


def test_digests_are_those_of_the_specification():
    assert key_hash(b"p") == sha256(b"\x20p").digest()
    assert value_digest(b"", b"r") == sha256(b"\x21\x00r").digest()
    assert value_digest(SALT, b"r") == sha256(b"\x21\x20" + SALT + b"r").digest()
    assert empty_digests(1) == (sha256(b"\x22").digest(), sha256(b"\x23" + 2 * sha256(b"\x22").digest()).digest())


def test_a_salt_cannot_be_moved_into_the_record():
    assert value_digest(SALT, b"r") != value_digest(b"", SALT + b"r")


def test_proves_every_record_and_every_absence():
    for path, record in STATE.items():
        verify_inclusion(ROOT, DEPTH, path, SALT, record, proof_of(path))
    for path in ABSENT:
        verify_exclusion(ROOT, DEPTH, path, proof_of(path))


def test_a_tree_with_one_record_needs_no_siblings():
    for depth in (4, 8, 9, 18):
        path = b"alone"
        leaf = key_hash(path) + value_digest(b"", b"r")
        number = bucket_number(key_hash(path), depth)
        current = sha256(b"\x22" + leaf).digest()
        for height, empty in enumerate(empty_digests(depth)[:-1]):
            pair = empty + current if number >> height & 1 else current + empty
            current = sha256(b"\x23" + pair).digest()
        proof = StateProof(leaf, bytes((depth + 7) // 8), b"")
        verify_inclusion(current, depth, path, b"", b"r", proof)


PATH = next(path for path in STATE if len(proof_of(path).leaves) >= 128)
GOOD = proof_of(PATH)
LEAVES = [GOOD.leaves[at : at + 64] for at in range(0, len(GOOD.leaves), 64)]
FOREIGN = next(proof_of(path).leaves[:64] for path in STATE if proof_of(path).leaves != GOOD.leaves)
OWN = next(leaf for leaf in LEAVES if leaf[:32] == key_hash(PATH))
WITHOUT_OWN = b"".join(leaf for leaf in LEAVES if leaf != OWN)


@pytest.mark.parametrize(
    ("step", "proof"),
    [
        ("state-bucket", with_(GOOD, leaves=GOOD.leaves[:-1])),
        ("state-bucket", with_(GOOD, leaves=b"".join(reversed(LEAVES)))),
        ("state-bucket", with_(GOOD, leaves=GOOD.leaves + LEAVES[-1])),
        ("state-bucket", with_(GOOD, leaves=b"".join(sorted([*LEAVES, FOREIGN])))),
        ("state-bucket", with_(GOOD, leaves=bytes(64 * 65_537))),
        ("state-leaf", with_(GOOD, leaves=b"")),
        ("state-leaf", with_(GOOD, leaves=WITHOUT_OWN)),
        ("state-leaf", with_(GOOD, leaves=GOOD.leaves.replace(OWN, OWN[:32] + bytes(32)))),
        ("state-path", with_(GOOD, present=b"")),
        ("state-path", with_(GOOD, present=GOOD.present + b"\0")),
        ("state-path", with_(GOOD, present=bytes((GOOD.present[0] | 0x10,)), siblings=GOOD.siblings + bytes(32))),
        ("state-path", with_(GOOD, siblings=GOOD.siblings + bytes(32))),
        ("state-path", with_(GOOD, siblings=GOOD.siblings[:-32])),
        ("state-path", with_(GOOD, siblings=GOOD.siblings[:-1])),
        ("state-path", StateProof(GOOD.leaves, b"\x0f", b"".join(empty_digests(4)[:4]))),
        ("state-root", with_(GOOD, siblings=bytes(len(GOOD.siblings)))),
        ("state-root", StateProof(OWN, GOOD.present, GOOD.siblings)),
        ("state-root", StateProof(GOOD.leaves, b"\0", b"")),
    ],
)
def test_names_the_step_at_which_an_inclusion_fails(step, proof):
    with pytest.raises(VerificationError) as failure:
        verify_inclusion(ROOT, DEPTH, PATH, SALT, STATE[PATH], proof)
    assert failure.value.step == step


def test_refuses_other_arguments_than_the_proven_ones():
    record = STATE[PATH]
    for step, root, depth, path, salt, value in [
        ("state-salt", ROOT, DEPTH, PATH, SALT[:31], record),
        ("state-salt", ROOT, 3, PATH, SALT[:31], record),
        ("state-depth", ROOT, 3, PATH, SALT, record),
        ("state-depth", ROOT, 25, PATH, SALT, record),
        ("state-leaf", ROOT, DEPTH, PATH, b"", record),
        ("state-leaf", ROOT, DEPTH, PATH, bytes(32), record),
        ("state-leaf", ROOT, DEPTH, PATH, SALT, record + b"0"),
        ("state-root", bytes(32), DEPTH, PATH, SALT, record),
        ("state-root", b"", DEPTH, PATH, SALT, record),
    ]:
        with pytest.raises(VerificationError) as failure:
            verify_inclusion(root, depth, path, salt, value, GOOD)
        assert failure.value.step == step


def test_refuses_the_absence_of_what_is_there():
    with pytest.raises(VerificationError, match="state-leaf: a record stands"):
        verify_exclusion(ROOT, DEPTH, PATH, GOOD)
    with pytest.raises(VerificationError, match="state-root"):
        verify_exclusion(ROOT, DEPTH, PATH, with_(GOOD, leaves=WITHOUT_OWN))
    with pytest.raises(VerificationError, match="state-root"):
        verify_exclusion(ROOT, DEPTH, PATH, with_(GOOD, leaves=b""))
    elsewhere = next(path for path in ABSENT if proof_of(path).leaves not in (b"", GOOD.leaves))
    with pytest.raises(VerificationError, match="state-bucket"):
        verify_exclusion(ROOT, DEPTH, PATH, proof_of(elsewhere))


@given(data=st.data())
def test_refuses_any_changed_bit(data):
    path = data.draw(st.sampled_from(sorted(STATE) + ABSENT))
    proof = proof_of(path)
    field = data.draw(st.sampled_from([name for name in ("leaves", "present", "siblings") if getattr(proof, name)]))
    value = bytearray(getattr(proof, field))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    broken = with_(proof, **{field: bytes(value)})
    if path in STATE:
        with pytest.raises(VerificationError):
            verify_inclusion(ROOT, DEPTH, path, SALT, STATE[path], broken)
    else:
        with pytest.raises(VerificationError):
            verify_exclusion(ROOT, DEPTH, path, broken)


@given(leaves=st.binary(max_size=200), present=st.binary(max_size=3), siblings=st.binary(max_size=200))
def test_no_bytes_make_a_verifier_fail_in_another_way(leaves, present, siblings):
    proof = StateProof(leaves, present, siblings)
    for depth in (4, 8, 18):
        with pytest.raises(VerificationError):
            verify_inclusion(ROOT, depth, PATH, SALT, b"r", proof)
        with pytest.raises(VerificationError):
            verify_exclusion(ROOT, depth, PATH, proof)


@given(leaves=st.binary(max_size=200), present=st.binary(max_size=3), siblings=st.binary(max_size=200))
def test_proofs_encode_and_decode(leaves, present, siblings):
    proof = StateProof(leaves, present, siblings)
    data = encode(proof)
    assert state_proof_codec.decode(data) == proof
    with pytest.raises(DecodeError):
        state_proof_codec.decode(data + b"\0")
    with pytest.raises(DecodeError):
        state_proof_codec.decode(data[:-1])
