"""A follower says why it does not follow, and gives every moment back that it takes."""

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.link.server import LinkServer
from fujie.reader import absence, follower
from fujie.reader.follower import Follower
from fujie.reader.picture import head_of
from tests.reader.ledgers import EAGER, GIVE_UP_S, eventually, linked
from tests.world import Signing

FAILURES = 6


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[str, int], int]:
    """Counts the records of a level that hold a text."""
    caplog.set_level(logging.INFO, "fujie.reader.absence")
    return lambda text, level: sum(text in record.getMessage() and record.levelno == level for record in caplog.records)


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
    """Does what ``inner`` does, and raises at every other call that is one of ``which``."""

    def __init__(self, inner: Callable[..., Any], which: Callable[[Any], bool]) -> None:
        self._inner = inner
        self._which = which
        self._calls = self.failures = 0

    def __call__(self, argument: Any) -> Any:
        if self._which(argument):
            self._calls += 1
            if self._calls % 2 == 0:
                self.failures += 1
                raise OperationalError("It does not read.", "Nothing.")
        return self._inner(argument)


@pytest.mark.parametrize("place", ["its head", "the first picture of it", "the first picture over a newer one"])
def test_gives_a_moment_back_when_it_cannot_be_used(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {
        "its head": lambda: _Fails(head_of, lambda _moment: True),
        "the first picture of it": lambda: _Fails(lambda _picture: None, lambda picture: picture.changes is None),
        "the first picture over a newer one": lambda: _Fails(
            lambda _picture: None, lambda picture: picture.changes == ()
        ),
    }[place]()
    options: dict[str, Any] = {}
    if place == "its head":
        monkeypatch.setattr(follower, "head_of", failing)
    else:
        options["watch"] = failing
    with (
        linked("rocks", tmp_path) as (engine, first),
        closing(Follower(tmp_path, limits=EAGER, **options)) as following,
    ):
        link = first
        signing = Signing(engine.chain_id)
        following.wait_attached(GIVE_UP_S)
        while failing.failures < FAILURES:
            engine.submit([signing.pay(0, 1)]).result(GIVE_UP_S)
            if place == "the first picture of it":  # have it attach anew
                link.close()
                link = LinkServer(engine, tmp_path, "rocks")
            eventually(lambda: following.head.height >= engine.head.height - 1, "following again")
        link.close()
        # One in use, one that is to take its place, and one more while they change.
        assert moments(following) <= 3
