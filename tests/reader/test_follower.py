"""A follower says why it does not follow, and gives every moment back that it takes."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fujie.core.errors import OperationalError
from fujie.reader import absence, follower
from fujie.reader.follower import Follower
from fujie.reader.picture import Picture
from tests.reader.ledgers import EAGER, GIVE_UP_S, eventually, linked
from tests.world import Signing

FAILURES = 6


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[str, int], int]]:
    """Counts the records of a level that hold a text."""
    caplog.set_level(logging.INFO, "fujie.reader.absence")
    yield lambda text, level: sum(text in record.getMessage() and record.levelno == level for record in caplog.records)


def test_says_each_reason_once_and_goes_on_trying(told: Callable[[str, int], int], tmp_path: Path) -> None:
    with closing(Follower(tmp_path, ledger_pid=1)) as following:
        eventually(lambda: told("No node runs", logging.INFO), "telling why")
        with linked("sqlite", tmp_path):
            eventually(lambda: told("Another node runs", logging.INFO), "telling another reason")
            attempts = iter(range(20))
            seen = following._absence.error
            for _ in attempts:  # each attempt brings an error of its own
                eventually(lambda seen=seen: following._absence.error is not seen, "trying again")  # type: ignore[misc]
                seen = following._absence.error
            assert told("Another node runs", logging.INFO) == 1
        assert told("No node runs", logging.INFO) <= 2
        assert told("", logging.WARNING) == 0


def test_warns_once_when_it_lasts(
    told: Callable[[str, int], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absence, "LONG_S", 0.0)
    with closing(Follower(tmp_path)) as following:
        seen = None
        for _ in range(5):
            eventually(lambda seen=seen: following._absence.error is not seen, "trying again")  # type: ignore[misc]
            seen = following._absence.error
        assert told("has not been followed for", logging.WARNING) == 1
        assert told("No node runs", logging.WARNING) == 1


def test_a_ledger_that_goes_is_told_as_a_warning(told: Callable[[str, int], int], tmp_path: Path) -> None:
    with linked("sqlite", tmp_path) as (_, link), closing(Follower.open(tmp_path)) as following:
        link.close()
        eventually(lambda: told("not followed for now", logging.WARNING), "telling why")
        assert not following.closed


def moments(following: Follower) -> int:
    """How many instances of the store are open: one for each moment that was ever in use at once."""
    assert following._moments is not None
    return len(following._moments._instances)


class _Fails:
    """Raises at every third call, so that everything before and after it happens as well."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        self._inner = inner
        self.calls = self.failures = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.calls % 3 == 0:
            self.failures += 1
            raise OperationalError("It does not read.", "Nothing.")
        return self._inner(*arguments)


@pytest.mark.parametrize("place", ["head_of", "watch"])
def test_gives_a_moment_back_when_it_cannot_be_used(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(_picture: Picture) -> None:
        pass

    failing = _Fails(follower.head_of if place == "head_of" else watch)
    if place == "head_of":
        monkeypatch.setattr(follower, "head_of", failing)
    watcher = failing if place == "watch" else watch
    with (
        linked("rocks", tmp_path) as (engine, _),
        closing(Follower.open(tmp_path, limits=EAGER, watch=watcher)) as following,
    ):
        signing = Signing(engine.chain_id)
        while failing.failures < FAILURES:
            engine.submit([signing.pay(0, 1)]).result(GIVE_UP_S)
            eventually(lambda: following.head.height >= engine.head.height - 1, "following again")
        # One in use, one that is to take its place, and one more while they change.
        assert moments(following) <= 3
        assert following.read is not None
