"""Streams that catch up take turns, failures end streams properly, and what is not kept here is said at once."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from fujie.api import streams
from fujie.api.moments import STEP, Moment, Moments, Position, View
from fujie.api.problems import Kind, Problem
from fujie.api.streams import GREETING, HEARTBEAT, Hub
from fujie.core.errors import OperationalError

ALL = View(None, None, None)
BEGINNING = Position(0, 0)


class Told(Moments):
    """Empty blocks up to the head of a ledger that a test lets grow; every one below ``first`` is not kept."""

    def __init__(self, ledger: "Ledger") -> None:
        super().__init__(ledger)  # type: ignore[arg-type]  # a ledger as far as the hub looks at it
        self.ledger = ledger
        self.reads = 0
        self.fail_at = 0

    def after(self, position: Position, count: int, until: Position) -> tuple[list[Moment], Position]:
        self.reads += position < until
        found: list[Moment] = []
        while position < until and len(found) < count and position.height + 1 >= self.ledger.first:
            position = Position(position.height + 1, 0)
            if position.height == self.fail_at:
                self.fail_at = 0
                raise OperationalError("The state changes faster than it can be proven.", "Ask again.")
            found.append(Moment(b"%d " % position.height, None, ()))
        return found, position


class Ledger:
    """The head of a ledger without transactions, and whoever is told of blocks."""

    def __init__(self, height: int, first: int = 1) -> None:
        self.head = SimpleNamespace(height=height, log_size=0)
        self.first = first
        self.listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def block(self, height: int) -> Any:
        if not self.first <= height <= self.head.height:
            return None
        return SimpleNamespace(stored=SimpleNamespace(first_index=0, transactions=0))

    def grow(self, count: int = 1) -> None:
        self.head.height += count
        for listener in self.listeners:
            listener()


class Client:
    """A stream of a hub, and what was sent to it."""

    def __init__(self, hub: Hub, start: Position | None, allowed: Callable[[], bool] = lambda: True) -> None:
        self.got = b""
        self.sends = 0
        self.takes = asyncio.Event()
        self.takes.set()
        self.task = asyncio.create_task(hub.run(hub.admit(ALL), self.send, start, allowed))

    async def send(self, data: bytes) -> None:
        self.sends += 1
        await self.takes.wait()
        self.got += data

    @property
    def heights(self) -> list[int]:
        return [int(each) for each in self.got.replace(GREETING, b"").replace(HEARTBEAT, b"").split()]


def hub_on(ledger: Ledger) -> tuple[Hub, Told]:
    hub = Hub(ledger, 1_000)  # type: ignore[arg-type]  # as above
    told = Told(ledger)
    hub._moments = told
    return hub, told


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - whatever a test waits for; nothing sets an event for it
            await asyncio.sleep(0)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def everything(height: int) -> list[int]:
    return list(range(1, height + 1))


def test_streams_that_catch_up_take_turns_of_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TURN_S", 0.0)

    async def test() -> None:
        hub, _ = hub_on(Ledger(40 * STEP))
        clients = [Client(hub, BEGINNING) for _ in range(6)]
        while any(len(client.heights) < 40 * STEP for client in clients):
            told = [len(client.heights) for client in clients]
            assert max(told) - min(told) <= 2 * STEP  # nobody is far ahead of the others
            await asyncio.sleep(0)
        assert all(client.heights == everything(40 * STEP) for client in clients)

    run(test())


def test_a_turn_ends_after_its_time_and_rests_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    rests: list[float] = []
    sleep = asyncio.sleep

    async def resting(delay: float) -> None:
        rests.append(delay)
        await sleep(0)

    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)

    async def test() -> None:
        hub, told = hub_on(Ledger(20 * STEP))
        after = told.after

        def slow(*asked: Any) -> Any:
            clock.now += streams.TURN_S * 0.75
            return after(*asked)

        monkeypatch.setattr(told, "after", slow)
        monkeypatch.setattr(asyncio, "sleep", resting)
        client = Client(hub, BEGINNING)
        async with asyncio.timeout(60):
            while len(client.heights) < 20 * STEP:
                await sleep(0)
        monkeypatch.setattr(asyncio, "sleep", sleep)
        assert client.sends == 1 + 10  # the greeting, and two steps in each turn
        assert [rest for rest in rests if rest] == pytest.approx([streams.TURN_S * 1.5] * 10)

    run(test())


def test_who_takes_nothing_holds_up_nobody() -> None:
    async def test() -> None:
        hub, _ = hub_on(Ledger(500))
        stuck = [Client(hub, BEGINNING) for _ in range(5)]
        for client in stuck:
            client.takes.clear()
        quick = Client(hub, BEGINNING)
        await until(lambda: quick.heights == everything(500))
        assert all(client.got == b"" for client in stuck)
        for client in stuck:
            client.takes.set()
        await until(lambda: all(client.heights == everything(500) for client in stuck))

    run(test())


def test_who_waits_for_his_turn_has_heartbeats_and_a_credential_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(streams, "CHECK_S", 0.0)

    async def test() -> None:
        hub, _ = hub_on(Ledger(5))
        holds = True
        await hub._turn.acquire()
        client = Client(hub, BEGINNING, lambda: holds)
        await until(lambda: client.got.startswith(GREETING + HEARTBEAT * 2))
        holds = False
        await asyncio.wait_for(client.task, 60)
        assert client.heights == []
        assert hub.open == 0

    run(test())


def test_history_that_one_stream_has_read_is_not_read_again_for_another() -> None:
    async def test() -> None:
        hub, told = hub_on(Ledger(10 * STEP))
        first = Client(hub, BEGINNING)
        await until(lambda: first.heights == everything(10 * STEP))
        before = told.reads
        second = Client(hub, BEGINNING)
        await until(lambda: second.heights == everything(10 * STEP))
        assert told.reads == before

    run(test())


def test_one_failure_ends_the_live_streams_and_the_next_starts_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        ledger = Ledger(1)
        hub, told = hub_on(ledger)
        clients = [Client(hub, None) for _ in range(3)]
        await until(lambda: bool(ledger.listeners))
        ledger.grow()
        await until(lambda: all(client.heights == [2] for client in clients))
        told.fail_at = 3
        ledger.grow()
        await asyncio.wait_for(asyncio.gather(*(client.task for client in clients)), 60)  # ended, without an error
        assert hub.open == 0
        assert "live event streams end" in caplog.text
        again = Client(hub, Position(2, 0))
        await until(lambda: again.heights == [3])
        ledger.grow()
        await until(lambda: again.heights == [3, 4])

    run(test())


@pytest.mark.parametrize("position", [BEGINNING, Position(20, 0), Position(39, 0)])
def test_refuses_to_go_on_from_before_a_snapshot(position: Position) -> None:
    async def test() -> None:
        hub, _ = hub_on(Ledger(50, first=40))
        with pytest.raises(Problem) as caught:
            await hub.resumed(position)
        assert caught.value.kind is Kind.EVENT_ABSENT
        assert await hub.resumed(Position(40, 0)) == (40, 0)
        assert await hub.resumed(Position(50, 0)) == (50, 0)

    run(test())


@pytest.mark.parametrize("holds", [True, False], ids=["not kept any more", "a credential that ends"])
def test_a_stream_that_comes_no_further_ends(monkeypatch: pytest.MonkeyPatch, holds: bool) -> None:
    monkeypatch.setattr(streams, "RESUME_WAIT_S", 0.05 if holds else 60)
    monkeypatch.setattr(streams, "CHECK_S", 0.0)

    async def test() -> None:
        hub, _ = hub_on(Ledger(50, first=40))
        client = Client(hub, BEGINNING, lambda: holds)
        await asyncio.wait_for(client.task, 30)
        assert client.heights == []

    run(test())
