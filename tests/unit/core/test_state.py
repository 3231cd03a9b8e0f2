"""The overlay: what a transaction writes, keeps, drops and merges, and how salts advance by themselves."""

import pytest

from fujie.core.encoding import Codec, encode
from fujie.core.hashing import TAG_SALT_FIRST, TAG_SALT_NEXT, digest, version_digest
from fujie.core.meter import Meter
from fujie.core.state import BlockOverlay, Key, Overlay
from tests.unit.modules.harness import Bench

METER: Codec[Meter] = Codec(Meter)
OPEN: Key[Meter] = Key("test/open", METER)
SALTED: Key[Meter] = Key("test/salted", METER, salted=True)
OTHER: Key[Meter] = Key("test/other", METER, salted=True)
SEED, NONCE, NEXT_NONCE = b"\x05" * 32, b"\x01" * 16, b"\x02" * 16


def block() -> BlockOverlay:
    return BlockOverlay(Bench())


def created(key: Key[Meter] = SALTED, seed: bytes = SEED) -> BlockOverlay:
    made = block()
    overlay = Overlay(made)
    overlay.create(key, Meter(1, 1), seed)
    overlay.merge(NONCE)
    return made


def salt(of: BlockOverlay, key: Key[Meter] = SALTED) -> bytes:
    leaf = of.leaf(key)
    assert leaf is not None
    return leaf.salt


def test_key_hash_is_the_tagged_hash_of_the_path() -> None:
    assert OPEN.hash == digest(b"\x20", b"test/open")
    assert repr(OPEN) == "Key(test/open)"


def test_a_transaction_sees_its_own_writes_and_others_only_after_merge() -> None:
    made = block()
    overlay, beside = Overlay(made), Overlay(made)
    overlay.put(OPEN, Meter(1, 1))
    assert overlay.get(OPEN) == Meter(1, 1)
    assert beside.get(OPEN) is None
    assert made.get(OPEN) is None
    overlay.merge(NONCE)
    assert beside.get(OPEN) == made.get(OPEN) == Meter(1, 1)
    assert salt(made, OPEN) == b""


def test_what_is_not_merged_leaves_no_trace() -> None:
    made = block()
    overlay = Overlay(made)
    overlay.put(OPEN, Meter(1, 1))
    overlay.archive(Meter(1, 1))
    assert made.leaves == {}
    assert made.archive == {}


def test_drop_without_keep_forgets_everything() -> None:
    made = block()
    overlay = Overlay(made)
    overlay.put(OPEN, Meter(1, 1))
    overlay.create(SALTED, Meter(1, 1), SEED)
    version = overlay.archive(Meter(9, 9))
    overlay.drop()
    assert overlay.get(OPEN) is None
    assert overlay.archived(version) is None
    overlay.merge(NONCE)
    assert made.leaves == {}
    assert made.archive == {}


def test_drop_goes_back_to_where_keep_was_called() -> None:
    made = created()
    overlay = Overlay(made)
    overlay.put(OPEN, Meter(1, 1))
    overlay.put(SALTED, Meter(1, 2))
    overlay.keep()
    overlay.put(OPEN, Meter(1, 99))
    overlay.put(SALTED, Meter(1, 99))
    overlay.create(OTHER, Meter(1, 99), SEED)
    overlay.drop()
    assert overlay.get(OPEN) == Meter(1, 1)
    assert overlay.get(OTHER) is None
    overlay.merge(NEXT_NONCE)
    assert made.get(OPEN) == Meter(1, 1)
    assert made.get(SALTED) == Meter(1, 2)
    assert made.get(OTHER) is None


def test_what_was_created_and_archived_before_keep_survives_drop() -> None:
    made = block()
    overlay = Overlay(made)
    overlay.create(SALTED, Meter(1, 1), SEED)
    version = overlay.archive(Meter(9, 9))
    overlay.keep()
    overlay.put(SALTED, Meter(1, 2))
    overlay.drop()
    overlay.merge(NONCE)
    assert made.get(SALTED) == Meter(1, 1)
    assert salt(made) == digest(TAG_SALT_FIRST, SEED, SALTED.hash)
    assert made.archived(version) == encode(Meter(9, 9))


def test_first_salt_comes_from_the_seed_and_differs_by_key() -> None:
    assert salt(created()) == digest(TAG_SALT_FIRST, SEED, SALTED.hash)
    assert salt(created(OTHER), OTHER) == digest(TAG_SALT_FIRST, SEED, OTHER.hash)
    assert salt(created()) != salt(created(OTHER), OTHER)
    assert salt(created(seed=b"\x06" * 32)) != salt(created())


def test_creating_and_writing_again_in_one_transaction_is_one_salt() -> None:
    made = block()
    overlay = Overlay(made)
    overlay.create(SALTED, Meter(1, 1), SEED)
    overlay.put(SALTED, Meter(1, 2))
    overlay.merge(NONCE)
    assert made.get(SALTED) == Meter(1, 2)
    assert salt(made) == digest(TAG_SALT_FIRST, SEED, SALTED.hash)


def test_salt_advances_once_a_transaction_however_often_it_writes() -> None:
    made = created()
    before = salt(made)
    overlay = Overlay(made)
    for used in range(5):
        overlay.put(SALTED, Meter(1, used))
    overlay.merge(NEXT_NONCE)
    once = digest(TAG_SALT_NEXT, before, NEXT_NONCE, SALTED.hash)
    assert salt(made) == once
    overlay = Overlay(made)
    overlay.put(SALTED, Meter(1, 4))  # the same record: the salt advances all the same
    overlay.merge(NONCE)
    assert salt(made) == digest(TAG_SALT_NEXT, once, NONCE, SALTED.hash)


def test_salt_stays_where_a_transaction_only_reads() -> None:
    made = created()
    before = salt(made)
    overlay = Overlay(made)
    overlay.get(SALTED)
    overlay.put(OPEN, Meter(2, 2))
    overlay.merge(NEXT_NONCE)
    assert salt(made) == before


def test_writing_a_salted_key_that_was_never_created_is_a_mistake_of_the_program() -> None:
    overlay = Overlay(block())
    overlay.put(SALTED, Meter(1, 1))
    with pytest.raises(AssertionError, match="before it was created"):
        overlay.merge(NONCE)


def test_archive_is_by_digest_and_seen_at_once() -> None:
    made = block()
    overlay = Overlay(made)
    version = overlay.archive(Meter(3, 4))
    assert version == version_digest(encode(Meter(3, 4)))
    assert overlay.archived(version) == encode(Meter(3, 4))
    assert made.archived(version) is None
    overlay.merge(NONCE)
    assert made.archived(version) == Overlay(made).archived(version) == encode(Meter(3, 4))
    assert not made.remembers(bytes(32), 0)
