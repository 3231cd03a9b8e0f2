"""Payments over HTTP to several nodes: as many as they take, or so many a second whatever they take.

One loop, one thread. The clock of a payment starts when it was due, not when it was sent, so that a node that falls behind
cannot make its own latency look better; it stops when the whole answer has arrived.
"""

import select
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bench.http_load import Connection, request
from fujie.api import media

CONNECTIONS_MAX = 800  # of all nodes together
ANSWER_S = 60.0  # for what is under way when the time is over


class Answer(NamedTuple):
    """One request: when it was due and when it was answered, how many payments it had, and the answer."""

    due_s: float
    done_s: float
    payments: int
    body: bytes


class Load(NamedTuple):
    """What a run saw."""

    began_s: float  # by the clock of the answers
    answers: list[Answer]

    @property
    def payments(self) -> int:
        """How many payments were answered."""
        return sum(answer.payments for answer in self.answers)

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return max(answer.done_s for answer in self.answers) - self.began_s

    def latency_ms(self, percent: float) -> float:
        """Return the ms within which so many percent of the payments were answered."""
        spent = sorted((answer.done_s - answer.due_s, answer.payments) for answer in self.answers)
        wanted = self.payments * percent / 100
        seen = 0
        for seconds, payments in spent:
            seen += payments
            if seen >= wanted:
                return round(seconds * 1_000, 1)
        return 0.0

    def refused(self) -> int:
        """Return how many payments were answered with a reason."""
        return sum(outcome[1] != 0 for answer in self.answers for outcome in msgspec.msgpack.decode(answer.body))


def batches(payments: Sequence[bytes], size: int) -> deque[tuple[int, bytes]]:
    """Return requests of ``size`` payments each: how many, and the bytes to send."""
    made: deque[tuple[int, bytes]] = deque()
    for first in range(0, len(payments), size):
        part = payments[first : first + size]
        body = msgspec.msgpack.encode(part)
        made.append((len(part), request("POST", "/transactions", media.OUTCOMES, body, media.TRANSACTIONS)))
    return made


class _Lines:
    """The connections to one node: those with a request under way, and those without."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[Connection] = []


class Generator:
    """Sends requests to nodes, one after another in turn, and keeps what they answer."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._nodes = [_Lines(port) for port in ports]
        self._epoll = select.epoll()
        self._busy: dict[int, tuple[Connection, _Lines, float, int]] = {}
        self._open = 0
        self._answers: list[Answer] = []

    def as_many_as_go(self, seconds: float, under_way: int, requests: deque[tuple[int, bytes]]) -> Load:
        """Keep ``under_way`` requests under way at each node until the time is over or no request is left."""
        began_s = now_s = time.perf_counter()
        for node in self._nodes * under_way:
            if requests:
                self._send(node, now_s, requests)
        while now_s < began_s + seconds and self._busy:
            for node in self._collect(0.2):
                if requests:
                    self._send(node, time.perf_counter(), requests)
            now_s = time.perf_counter()
        return self._finish(began_s)

    def at_a_rate(self, seconds: float, per_second: float, requests: deque[tuple[int, bytes]]) -> Load:
        """Send ``per_second`` requests a second, each to the next node, whether or not others have been answered."""
        began_s = time.perf_counter()
        count = min(int(seconds * per_second), len(requests))
        for number in range(count):
            due_s = began_s + number / per_second
            while (left_s := due_s - time.perf_counter()) > 0:
                self._collect(left_s)
            self._collect(0)
            self._send(self._nodes[number % len(self._nodes)], due_s, requests)
        return self._finish(began_s)

    def close(self) -> None:
        """Close every connection."""
        for node in self._nodes:
            for connection in node.idle:
                connection.socket.close()
        self._epoll.close()

    def _send(self, node: _Lines, due_s: float, requests: deque[tuple[int, bytes]]) -> None:
        payments, data = requests.popleft()
        if node.idle:
            connection = node.idle.pop()
        else:
            self._open += 1
            if self._open > CONNECTIONS_MAX:
                raise RuntimeError(f"{CONNECTIONS_MAX} requests are not answered: this rate is too much")
            connection = Connection("127.0.0.1", node.port)
            self._epoll.register(connection.socket.fileno(), select.EPOLLIN)
        self._busy[connection.socket.fileno()] = (connection, node, due_s, payments)
        connection.send(data)

    def _collect(self, wait_s: float) -> list[_Lines]:
        """Wait for answers; return the node of each that came."""
        answered = []
        for number, _ in self._epoll.poll(wait_s):
            connection, node, due_s, payments = self._busy[number]
            good = connection.receive()
            if good is None:
                continue
            if not good:
                raise RuntimeError(bytes(connection.received[:300]).decode("latin-1"))
            received = connection.received
            body = bytes(received[received.find(b"\r\n\r\n") + 4 :])
            self._answers.append(Answer(due_s, time.perf_counter(), payments, body))
            del self._busy[number]
            node.idle.append(connection)
            answered.append(node)
        return answered

    def _finish(self, began_s: float) -> Load:
        give_up_s = time.perf_counter() + ANSWER_S
        while self._busy:
            if time.perf_counter() > give_up_s:
                raise RuntimeError(f"{len(self._busy)} requests are not answered after {ANSWER_S:.0f} s")
            self._collect(0.2)
        answers, self._answers = self._answers, []
        return Load(began_s, answers)
