"""The queue of one peer of the link: bounded by what waits now, and gone with the peer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from fujie.engine.link import peer
from fujie.engine.link.peer import PeerConnection
from tests.reader.ledgers import GIVE_UP_S

BIG = 1_000_000  # more than the buffers between the two ends hold


class Ends(NamedTuple):
    """The ledger's end, the task that sends, and the other end."""

    peer: PeerConnection
    sending: "asyncio.Task[None]"
    other: asyncio.StreamReader


@asynccontextmanager
async def connected(bytes_max: int = 100 * BIG) -> AsyncIterator[Ends]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    other, other_writer = await asyncio.open_unix_connection(sock=theirs, limit=1_024)
    connection = PeerConnection(reader, writer, bytes_max)
    sending = asyncio.create_task(connection.send_queued())
    try:
        async with asyncio.timeout(GIVE_UP_S):
            yield Ends(connection, sending, other)
    finally:
        connection.cut()
        other_writer.transport.abort()
        await sending


def test_a_peer_that_always_has_something_waiting_and_keeps_up_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "QUEUE_BLOCKS_MAX", 3)

    async def run() -> None:
        async with connected() as ends:
            ends.peer.queue_block([bytes(BIG), bytes(BIG)])
            for _ in range(10):
                ends.peer.queue_block([bytes(BIG), bytes(BIG)])
                await ends.other.readexactly(2 * BIG)
                assert ends.peer._queue, "something always waits"
            assert len(await ends.other.readexactly(2 * BIG)) == 2 * BIG

    asyncio.run(run())


def test_a_peer_with_too_many_blocks_waiting_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "QUEUE_BLOCKS_MAX", 3)

    async def run() -> None:
        async with connected() as ends:
            for _ in range(3):
                ends.peer.queue_block([bytes(BIG)])
            assert len(ends.peer._queue) == 3
            ends.peer.queue_block([bytes(BIG)])
            assert not ends.peer._queue
            await ends.sending

    asyncio.run(run())


@pytest.mark.parametrize("bound", ["bytes", "frames"])
def test_what_is_sent_to_a_peer_that_takes_nothing_is_bounded(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "QUEUE_FRAMES_MAX", 20 if bound == "frames" else 10**9)

    async def run() -> None:
        async with connected(10 * BIG if bound == "bytes" else 10**12) as ends:
            most = 0
            for _ in range(100):
                ends.peer.send(bytes(BIG))
                most = max(most, len(ends.peer._queue))
            assert most == (10 if bound == "bytes" else 20)
            assert not ends.peer._queue, "it is cut off, and nothing is queued for it any more"
            ends.peer.queue_block([b"x"])
            assert not ends.peer._queue

    asyncio.run(run())


def test_a_peer_that_is_cut_off_while_something_is_sent_ends_the_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with connected() as ends:

            async def drain() -> None:
                ends.peer.cut()  # as the loop may do between the last byte taken and the next step of the sender

            monkeypatch.setattr(ends.peer._writer, "drain", drain)
            ends.peer.send(b"x")
            await ends.sending

    asyncio.run(run())


def test_a_peer_is_stuck_only_while_something_waits_and_nothing_is_taken() -> None:
    async def run() -> None:
        async with connected() as ends:
            assert ends.peer.stuck_s == 0
            ends.peer.send(bytes(2 * BIG))
            ends.peer.send(bytes(2 * BIG))
            ends.peer._moved_s -= 1_000
            assert ends.peer.stuck_s > 999
            await ends.other.readexactly(2 * BIG + 1)
            assert ends.peer.stuck_s < 999
            await ends.other.readexactly(2 * BIG - 1)
            ends.peer._moved_s -= 1_000
            await asyncio.sleep(0.01)  # for the sender to see that it is through
            assert not ends.peer._queue
            assert ends.peer.stuck_s == 0

    asyncio.run(run())
