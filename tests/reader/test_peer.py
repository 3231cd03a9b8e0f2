"""The queue of one peer of the link: bounded by what waits now, and gone with the peer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from fujie.engine.link import messages, peer
from fujie.engine.link.peer import PeerConnection
from tests.reader.ledgers import GIVE_UP_S

BIG = 1_000_000  # more than the buffers between the two ends hold


class Ends(NamedTuple):
    """The ledger's end, the task that sends, and the other end."""

    peer: PeerConnection
    sending: "asyncio.Task[None]"
    other: asyncio.StreamReader
    other_writer: asyncio.StreamWriter


@asynccontextmanager
async def connected(bytes_max: int = 100 * BIG) -> AsyncIterator[Ends]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    other, other_writer = await asyncio.open_unix_connection(sock=theirs, limit=1_024)
    connection = PeerConnection(reader, writer, bytes_max)
    sending = asyncio.create_task(connection.send_queued())
    try:
        async with asyncio.timeout(GIVE_UP_S):
            yield Ends(connection, sending, other, other_writer)
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


def test_the_silence_of_a_peer_ends_with_whatever_it_sends() -> None:
    async def run() -> None:
        async with connected() as ends:
            ends.peer.silent_s = 1_000.0
            data = messages.frame(messages.Alive())
            ends.other_writer.write(data[:2])
            receiving = asyncio.create_task(ends.peer.receive())
            await asyncio.sleep(0.01)
            assert ends.peer.silent_s == 1_000.0, "a message that has not come is none"
            ends.other_writer.write(data[2:])
            assert messages.decode_request(await receiving) == messages.Alive()
            assert ends.peer.silent_s == 0.0

    asyncio.run(run())


def test_an_answer_in_pieces_waits_for_the_peer_and_may_be_longer_than_its_queue() -> None:
    made = 0

    def pieces() -> Iterator[bytes]:
        nonlocal made
        for _ in range(60):
            made += 1
            yield bytes(BIG)

    async def run() -> None:
        async with connected(10 * BIG) as ends:
            sending = asyncio.create_task(ends.peer.send_pieces(pieces()))
            await asyncio.sleep(0.05)
            assert made < 10, "the rest is not made while nothing is taken"
            for _ in range(60):
                assert len(await ends.other.readexactly(BIG)) == BIG
            await sending
            assert made == 60

    asyncio.run(run())


def test_an_answer_in_pieces_ends_with_its_peer() -> None:
    async def run() -> None:
        async with connected(10 * BIG) as ends:
            frames = (bytes(BIG) for _ in range(60))
            sending = asyncio.create_task(ends.peer.send_pieces(frames))
            ends.peer.keep(sending)
            await asyncio.sleep(0.05)
            ends.peer.cut()
            with pytest.raises(asyncio.CancelledError):
                await sending

    asyncio.run(run())
