"""Key files: what opens them, what does not, and that no secret shows."""

import json
import logging
import stat
from hashlib import sha256

import msgspec
import pytest

from fujie.client import keys
from fujie.client.keys import (
    KeyFileDamaged,
    KeyFileExists,
    KeyFileMissing,
    KeyFileUnsafe,
    NotAKeyFile,
    PassphraseNeeded,
    WrongPassphrase,
    change_passphrase,
    create_key,
    load_key,
    save_key,
)
from fujie.client.sealing import Cost
from fujie.core.errors import OperationalError
from fujie.core.signing import new_seed, public_key

CHEAP = Cost(1, 8_192)  # the least that libsodium takes: these tests are not about cost
PASSPHRASE = "correct horse battery staple 符节"


@pytest.fixture
def sealed(tmp_path):
    return save_key(tmp_path / "a.key", new_seed(), PASSPHRASE, label="alice", cost=CHEAP)


def test_opens_what_it_sealed_with_the_passphrase(tmp_path):
    seed = new_seed()
    path = tmp_path / "a.key"
    save_key(path, seed, PASSPHRASE, label="alice", cost=CHEAP)
    found = load_key(path)
    assert (found.label, found.public_key, found.protection) == ("alice", public_key(seed), "passphrase")
    assert found.unlock(PASSPHRASE).seed == seed


def test_opens_an_unprotected_key_without_passphrase(tmp_path):
    created = create_key(tmp_path / "v.key", None, label="validator")
    assert load_key(created.path).protection == "none"
    assert load_key(created.path).unlock().public_key == created.public_key


def test_states_its_cost_in_the_file(sealed):
    secret = json.loads(sealed.path.read_text())["secret"]
    assert secret["argon2id"]["operations"] == CHEAP.operations
    assert secret["argon2id"]["memory_bytes"] == CHEAP.memory_bytes


def test_default_cost_is_at_least_moderate(tmp_path):
    created = create_key(tmp_path / "m.key", PASSPHRASE)
    argon2id = json.loads(created.path.read_text())["secret"]["argon2id"]
    assert argon2id["memory_bytes"] >= 256 * 1024 * 1024
    assert argon2id["operations"] >= 3


def test_file_is_for_its_owner_only_and_leaves_nothing_beside_it(sealed):
    assert stat.S_IMODE(sealed.path.stat().st_mode) == 0o600
    assert [path.name for path in sealed.path.parent.iterdir()] == ["a.key"]


def test_never_overwrites(sealed):
    before = sealed.path.read_bytes()
    with pytest.raises(KeyFileExists):
        create_key(sealed.path, None)
    assert sealed.path.read_bytes() == before
    assert [path.name for path in sealed.path.parent.iterdir()] == ["a.key"]


def test_two_files_of_one_key_differ_in_salt_and_nonce(tmp_path):
    seed = new_seed()
    first = save_key(tmp_path / "1", seed, PASSPHRASE, cost=CHEAP).path.read_text()
    second = save_key(tmp_path / "2", seed, PASSPHRASE, cost=CHEAP).path.read_text()
    one, two = json.loads(first)["secret"], json.loads(second)["secret"]
    assert one["nonce"] != two["nonce"]
    assert one["argon2id"]["salt"] != two["argon2id"]["salt"]
    assert one["sealed"] != two["sealed"]


@pytest.mark.parametrize("wrong", ["", "x", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_wrong_passphrase_has_its_own_error(sealed, wrong):
    with pytest.raises(WrongPassphrase):
        load_key(sealed.path).unlock(wrong)


def test_missing_passphrase_has_its_own_error(sealed):
    with pytest.raises(PassphraseNeeded):
        load_key(sealed.path).unlock()


def test_missing_file_has_its_own_error(tmp_path):
    with pytest.raises(KeyFileMissing):
        load_key(tmp_path / "none.key")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff\xfe",
        b"-----BEGIN PRIVATE KEY-----",
        b'{"format":"fujie-key-9"}',
        b"[" * 9_000,
        b" " * 5_000,
    ],
)
def test_a_file_that_is_something_else_has_its_own_error(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(NotAKeyFile):
        load_key(path)


def test_a_folder_is_no_key_file(tmp_path):
    with pytest.raises(NotAKeyFile):
        load_key(tmp_path)


@pytest.mark.parametrize("rights", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_an_unprotected_key_that_others_can_reach_is_refused(tmp_path, rights):
    created = create_key(tmp_path / "v.key", None)
    created.path.chmod(rights)
    with pytest.raises(KeyFileUnsafe, match="chmod 600"):
        load_key(created.path)


def test_a_sealed_key_that_others_can_read_still_opens(sealed):
    sealed.path.chmod(0o644)
    assert load_key(sealed.path).unlock(PASSPHRASE).public_key == sealed.public_key


@pytest.mark.parametrize("protection", [PASSPHRASE, None])
def test_every_changed_byte_is_noticed(tmp_path, protection):
    path = tmp_path / "a.key"
    created = save_key(path, new_seed(), protection, label="alice", cost=CHEAP)
    data = path.read_bytes()
    for place in range(len(data)):
        for change in (1, 0x10):
            path.write_bytes(data[:place] + bytes([data[place] ^ change]) + data[place + 1 :])
            try:
                opened = load_key(path).unlock(protection)
            except (KeyFileDamaged, NotAKeyFile):
                continue
            # White space between the parts means nothing.
            assert data[place : place + 1] in (b" ", b"\n"), (place, data[place : place + 1])
            assert opened.public_key == created.public_key


@pytest.mark.parametrize("length", [0, 1, 100, 300, -2])
def test_a_cut_file_is_noticed(sealed, length):
    sealed.path.write_bytes(sealed.path.read_bytes()[:length])
    with pytest.raises((KeyFileDamaged, NotAKeyFile)):
        load_key(sealed.path)


def retouched(data: bytes, **changes: object) -> bytes:
    """A key file with changed fields and a checksum that fits them, as somebody who means it would make it."""
    content = json.loads(data)
    for name, value in changes.items():
        content[name] = value
    content["checksum"] = ""
    parsed = msgspec.json.decode(json.dumps(content).encode(), type=keys._KeyFile)
    return msgspec.json.encode(
        msgspec.structs.replace(parsed, checksum=sha256(msgspec.json.encode(parsed)).hexdigest())
    )


def test_a_label_changed_on_purpose_is_noticed_when_opening(sealed):
    sealed.path.write_bytes(retouched(sealed.path.read_bytes(), label="mallory"))
    with pytest.raises(KeyFileDamaged):
        load_key(sealed.path).unlock(PASSPHRASE)


def test_a_public_key_changed_on_purpose_is_noticed_when_opening(sealed, tmp_path):
    other = public_key(new_seed()).hex()
    sealed.path.write_bytes(retouched(sealed.path.read_bytes(), public_key=other))
    with pytest.raises(KeyFileDamaged):
        load_key(sealed.path).unlock(PASSPHRASE)
    plain = create_key(tmp_path / "v.key", None)
    plain.path.write_bytes(retouched(plain.path.read_bytes(), public_key=other))
    with pytest.raises(KeyFileDamaged):
        load_key(plain.path).unlock()


@pytest.mark.parametrize(("operations", "memory_bytes"), [(10_000, 8_192), (1, 2**40), (0, 8_192), (1, 0)])
def test_a_cost_that_would_stop_the_machine_is_refused(sealed, operations, memory_bytes):
    content = json.loads(sealed.path.read_text())
    content["secret"]["argon2id"] |= {"operations": operations, "memory_bytes": memory_bytes}
    sealed.path.write_text(json.dumps(content))
    with pytest.raises(KeyFileDamaged):
        load_key(sealed.path)


def test_a_new_passphrase_replaces_the_old_one(sealed):
    change_passphrase(sealed.path, PASSPHRASE, "another", cost=CHEAP)
    found = load_key(sealed.path)
    assert (found.label, found.public_key) == ("alice", sealed.public_key)
    assert found.unlock("another").public_key == sealed.public_key
    with pytest.raises(WrongPassphrase):
        found.unlock(PASSPHRASE)
    assert stat.S_IMODE(sealed.path.stat().st_mode) == 0o600


def test_a_failed_change_of_passphrase_changes_nothing(sealed):
    before = sealed.path.read_bytes()
    with pytest.raises(WrongPassphrase):
        change_passphrase(sealed.path, "wrong", "another", cost=CHEAP)
    with pytest.raises(OperationalError):
        change_passphrase(sealed.path, PASSPHRASE, "", cost=CHEAP)
    assert sealed.path.read_bytes() == before


@pytest.mark.parametrize("passphrase", ["", "x" * 1_025])
def test_refuses_a_passphrase_that_is_none(tmp_path, passphrase):
    with pytest.raises(OperationalError, match="passphrase"):
        create_key(tmp_path / "a.key", passphrase, cost=CHEAP)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("label", ["x" * 101, "a\nb", "\x1b[31m"])
def test_refuses_a_label_that_would_not_print(tmp_path, label):
    with pytest.raises(OperationalError, match="label"):
        create_key(tmp_path / "a.key", None, label=label)


def test_no_secret_shows_in_text_log_or_error(tmp_path, caplog):
    seed = new_seed()
    path = tmp_path / "v.key"
    written = save_key(path, seed, None, label="v")
    shown = [repr(written), str(written), repr(written._content), f"{load_key(path)!r}", repr(written.unlock())]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger().debug("%r %s", written, vars(written))
    shown.append(caplog.text)
    for broken in (path.read_bytes()[:-40], path.read_bytes().replace(b'"none"', b'"some"'), path.read_bytes()[1:]):
        path.write_bytes(broken)
        with pytest.raises((KeyFileDamaged, NotAKeyFile)) as error:
            load_key(path)
        shown += [str(error.value), repr(error.value), repr(error.value.__cause__), repr(error.value.args)]
    assert not [text for text in shown if seed.hex() in text or repr(seed) in text]
