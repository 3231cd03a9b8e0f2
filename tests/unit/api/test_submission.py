"""Whoever submits waits as long as the chain makes blocks, and is told by name when it makes none."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from fujie.api.problems import Kind, Problem
from fujie.api.submission import waited
from fujie.engine.base import Outcome

STALLED_S = 0.02
PAID = [Outcome(b"\1" * 32, 0, None, None)]


class Growing:
    """An engine as far as a submission looks at it, that has another height at each look, and an outcome in the end."""

    def __init__(self, looks: int) -> None:
        self.future: Future[list[Outcome]] = Future()
        self._looks = looks
        self._height = 0

    @property
    def head(self) -> Any:
        self._height += 1
        if self._height == self._looks:
            self.future.set_result(PAID)
        return SimpleNamespace(height=self._height)


def test_an_outcome_is_waited_for_while_there_are_blocks() -> None:
    engine = Growing(8)
    assert asyncio.run(waited(engine, engine.future, STALLED_S)) == PAID  # type: ignore[arg-type]  # see the class


def test_a_chain_that_stands_still_is_a_problem_with_a_name_and_what_was_submitted_stays_so() -> None:
    future: Future[list[Outcome]] = Future()
    engine: Any = SimpleNamespace(head=SimpleNamespace(height=7))
    with pytest.raises(Problem, match="waits since block 7") as caught:
        asyncio.run(waited(engine, future, STALLED_S))
    assert caught.value.kind is Kind.OUTCOME_PENDING
    future.set_result(PAID)  # by a later block: nobody waits, and nothing fails


def test_what_failed_fails_for_who_waits() -> None:
    future: Future[list[Outcome]] = Future()
    future.set_exception(ValueError("the ledger has stopped"))
    engine: Any = SimpleNamespace(head=SimpleNamespace(height=7))
    with pytest.raises(ValueError, match="the ledger has stopped"):
        asyncio.run(waited(engine, future, STALLED_S))
