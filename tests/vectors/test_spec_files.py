"""docs/spec/08-files.md is what the code reads and writes: its example opens, its tables and numbers are those of the code."""

import re

import pytest

from fujie.client import heads, http, keys, sealing, wallet
from fujie.client.keys import WrongPassphrase, load_key
from fujie.core.signing import public_key
from fujie.node import folder
from fujie.store import snapshot
from fujie.store.layout import Table
from tools.render_spec import SPEC
from tools.vector_sets.examples import KEY_FILE_PASSPHRASE

PAGE = (SPEC / "08-files.md").read_text("utf-8")
FLAT = re.sub(r"\s+", " ", PAGE)


@pytest.fixture
def example(tmp_path):
    found = re.search(r"<!-- example: key-file -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert found
    path = tmp_path / "anna.key"
    path.write_text(found[1])
    return path


def test_the_key_file_of_the_page_opens(example):
    file = load_key(example)
    assert file.label == "Anna"
    assert f"`{KEY_FILE_PASSPHRASE}`" in PAGE
    assert file.unlock(KEY_FILE_PASSPHRASE).public_key == file.public_key == public_key(bytes(range(32)))
    with pytest.raises(WrongPassphrase):
        file.unlock(KEY_FILE_PASSPHRASE + " ")


def test_members_of_a_new_key_file_are_those_of_the_page(tmp_path):
    for passphrase in ("a", None):
        path = tmp_path / f"{passphrase}.key"
        keys.create_key(path, passphrase, cost=sealing.Cost(1, sealing.MEMORY_BYTES_MIN))
        for member in re.findall(r'"(\w+)":', path.read_text()):
            assert f"`{member}`" in PAGE, member


def test_tables_are_those_of_the_page_in_their_order():
    found = re.search(r"<!-- tables -->\n(.*?)<!-- end of tables -->", PAGE, re.DOTALL)
    assert found
    named = re.findall(r"^\| `(\w+)` \| `(\w)` \|", found[1], re.MULTILINE)
    assert named == [(table.sql_name, table.prefix.decode()) for table in Table]


def test_rows_of_a_snapshot_stand_in_the_order_of_the_page():
    section = PAGE[PAGE.index("## Snapshot") : PAGE.index("## Data folder")]
    named = re.findall(r"^\| `(\w)` \| [a-z ]+ \|", section, re.MULTILINE)
    assert [prefix.encode() for prefix in named] == [table.prefix for table in snapshot._ORDER]


def test_numbers_in_the_text_are_those_of_the_code():
    for shown in (
        f"| `fujie-key-1` | {keys.KEY_FILE_BYTES_MAX:,} |",
        f"| `fujie-wallet-1` | {wallet.WALLET_FILE_BYTES_MAX:,} |",
        f'"Trust root" | {folder.SMALL_FILE_BYTES_MAX:,} |',
        f"| `fujie-heads-1` | {heads.HEADS_FILE_BYTES_MAX:,} |",
        f'"Bundle" | {http.ANSWER_BYTES_MAX:,} |',
        f"none; {snapshot.FRAME_BYTES_MAX:,} a frame",
        f"reach {snapshot.CHUNK_BYTES:,} bytes",
        f"text of 0 to {keys.LABEL_CHARACTERS_MAX} characters",
        f"1 to {keys.PASSPHRASE_BYTES_MAX:,} bytes of UTF-8",
        f"`operations` {sealing.OPERATIONS_MIN} to {sealing.OPERATIONS_MAX}",
        f"`memory_bytes` {sealing.MEMORY_BYTES_MIN:,} to {sealing.MEMORY_BYTES_MAX:,}",
        f"{sealing.MODERATE.operations} passes over {sealing.MODERATE.memory_bytes:,} bytes",
        f"At most {heads.CHAINS_MAX:,} chains",
        f"`format` {folder.FOLDER_FORMAT}",
        f"the default is `{folder.HOME_DEFAULT}`",
    ):
        assert shown in FLAT, shown
    assert snapshot.MAGIC == b"fujie-snapshot-1\n"
