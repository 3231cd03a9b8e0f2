"""Limits: each says why it has this number, agrees with what it bounds, and stands on the pages that name it."""

import inspect
import re

from fujie.core import limits
from fujie.core.transaction import SIGNED_TRANSACTION, SignedTransaction
from tests.conftest import ROOT

LIMITS = {name: value for name, value in vars(limits).items() if name.isupper()}
SPEC = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "docs" / "spec").glob("*.md")))


def test_every_limit_is_a_positive_integer_with_a_unit_or_count_in_its_name() -> None:
    assert LIMITS
    for name, value in LIMITS.items():
        assert isinstance(value, int), name
        assert value > 0, name
        assert re.search(r"_MAX$|_MS$|_KEPT$", name), name


def test_every_limit_is_explained() -> None:
    lines = inspect.getsource(limits).splitlines()
    explained = False
    for line in lines:
        if match := re.match(r"([A-Z_]+): Final", line):
            assert explained or "#" in line, match[1]
        explained = line.startswith("#") or (bool(line) and explained)


def test_pages_name_the_limits_that_a_verifier_needs() -> None:
    for name in ("TRANSACTION_BYTES_MAX", "OPERATIONS_MAX", "KEYS_MAX", "BULK_ITEMS_MAX", "VERSION_PATH_MAX"):
        assert re.search(rf"(?<![\d,]){LIMITS[name]:,}(?![\d,])", SPEC), name
    assert f"{limits.IDENTIFIER_NODES_MAX} nodes" in SPEC
    assert f"6 to {limits.IDENTIFIER_BYTES_MAX} bytes" in SPEC
    assert f"1 to {limits.IDENTIFIER_NODE_BYTES_MAX} of 0-9 A-Z" in SPEC


def test_limits_fit_into_one_another() -> None:
    assert limits.BLOCK_TRANSACTIONS_MAX * 260 <= limits.BLOCK_BYTES_MAX
    assert limits.TRANSACTION_BYTES_MAX < limits.BLOCK_BYTES_MAX
    assert limits.PENDING_TRANSACTIONS_MAX >= 2 * limits.BLOCK_TRANSACTIONS_MAX
    assert limits.PENDING_BYTES_MAX >= 2 * limits.BLOCK_BYTES_MAX
    assert limits.SUBMIT_BATCH_MAX <= limits.PENDING_TRANSACTIONS_MAX


def test_the_envelope_takes_a_body_of_the_largest_size_and_no_larger() -> None:
    from fujie.core.encoding import encode
    from tests.unit.core.canonical import accepts

    signature = (bytes(64),)
    assert accepts(SIGNED_TRANSACTION, encode(SignedTransaction(bytes(limits.TRANSACTION_BYTES_MAX), signature)))
    assert not accepts(
        SIGNED_TRANSACTION, encode(SignedTransaction(bytes(limits.TRANSACTION_BYTES_MAX + 1), signature))
    )
