"""A small HTTP/1.1 load generator: keep-alive connections, one request under way on each, latency of every answer.

It parses no more of an answer than its length, so that on a machine of two cores it leaves most of one to the server.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Load(NamedTuple):
    """What a run saw. Latencies in ms."""

    answers: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_second(self) -> int:
        """Answers per second."""
        return round(self.answers / self.seconds)


class Connection:
    """One keep-alive connection and what has arrived of the answer to its request."""

    __slots__ = ("needed", "received", "sent_at", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.needed = -1
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received.clear()
        self.needed = -1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool | None:
        """Read what is there; True or False (status 200 or not) when the answer is whole, None before."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        received = self.received
        received += chunk
        if self.needed < 0:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = bytes(received[:end]).lower()
            at = head.find(b"content-length:")
            self.needed = end + 4 + int(head[at + 15 : (head.find(b"\r\n", at) + 1 or len(head) + 1) - 1])
        if len(received) < self.needed:
            return None
        return received[9:12] == b"200"

    def exchange(self, request: bytes) -> bytes:
        """Send a request, wait for its answer, return the answer's body. Raises ConnectionError for any status but 200."""
        self.send(request)
        while (good := self.receive()) is None:
            pass
        if not good:
            raise ConnectionError(bytes(self.received[:200]).decode("latin-1"))
        return bytes(self.received[self.received.find(b"\r\n\r\n") + 4 :])


def run(host: str, port: int, connections: int, seconds: float, next_request: Callable[[], bytes]) -> Load:
    """Send requests from ``next_request`` over ``connections`` for ``seconds`` and return what was seen."""
    return _drive(host, port, connections, time.perf_counter() + seconds, next_request)


def run_all(host: str, port: int, connections: int, requests: Sequence[bytes]) -> Load:
    """Send every one of ``requests`` over ``connections`` and return what was seen."""
    left = iter(requests)
    return _drive(host, port, connections, float("inf"), lambda: next(left, None))


def _drive(host: str, port: int, connections: int, ends: float, next_request: Callable[[], bytes | None]) -> Load:
    epoll = select.epoll()
    opened = {}
    for _ in range(connections):
        connection = Connection(host, port)
        first = next_request()
        if first is not None:
            opened[connection.socket.fileno()] = connection
            epoll.register(connection.socket.fileno(), select.EPOLLIN)
            connection.send(first)
    latencies = []
    errors = 0
    started = now = time.perf_counter()
    while now < ends and opened:
        for number, _ in epoll.poll(1.0):
            connection = opened[number]
            good = connection.receive()
            if good is None:
                continue
            latencies.append(time.perf_counter() - connection.sent_at)
            errors += not good
            following = next_request()
            if following is None:
                epoll.unregister(number)
                opened.pop(number).socket.close()
            else:
                connection.send(following)
        now = time.perf_counter()
    for connection in opened.values():
        connection.socket.close()
    latencies.sort()
    count = len(latencies)
    return Load(
        count,
        errors,
        now - started,
        round(latencies[count // 2] * 1000, 2),
        round(latencies[count * 99 // 100] * 1000, 2),
        round(latencies[-1] * 1000, 2),
    )


def request(
    method: str, path: str, accept: str, body: bytes = b"", content_type: str = "", headers: Sequence[str] = ()
) -> bytes:
    """Return the bytes of a request; ``headers`` are further lines."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Accept: {accept}", *headers]
    if body or method == "POST":
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
