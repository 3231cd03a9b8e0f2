"""Closes the stores in memory that a test opened."""

from collections.abc import Iterator

import pytest

from tests.store.kinds import close_memory_stores


@pytest.fixture(autouse=True)
def _closed_memory_stores() -> Iterator[None]:
    yield
    close_memory_stores()
