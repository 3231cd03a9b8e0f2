"""Domain tags: distinct, one byte, and the same in the code, on the page and in the digests."""

import re
from hashlib import sha256

from fujie.core import hashing
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "spec" / "01-hashing.md").read_text("utf-8")
TAGS = {name.removeprefix("TAG_"): value for name, value in vars(hashing).items() if name.startswith("TAG_")}


def test_tags_are_distinct_and_have_one_byte() -> None:
    assert len(set(TAGS.values())) == len(TAGS)
    assert all(len(value) == 1 for value in TAGS.values())


def test_the_page_has_exactly_the_tags_of_the_code() -> None:
    rows = re.findall(r"^\| `([0-9a-f]{2})` \| (\w+) \| \S", PAGE, re.MULTILINE)
    assert {name: bytes.fromhex(tag) for tag, name in rows} == TAGS


def test_digest_is_sha256_over_tag_and_parts() -> None:
    assert hashing.digest(b"\x20", b"a", b"", b"bc") == sha256(b"\x20abc").digest()
    assert hashing.version_digest(b"record") == sha256(b"\x34record").digest()
    root, log = b"\x01" * 32, b"\x02" * 32
    assert hashing.app_hash(root, log, 258) == sha256(b"\x30" + root + log + bytes(6) + b"\x01\x02").digest()
    assert bytes(32) == hashing.ZERO_DIGEST
