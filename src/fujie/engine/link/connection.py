"""The other end of the link, in threads: a connection that waits, and requests that do not."""

import contextlib
import itertools
import logging
import queue
import select
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError
from fujie.core.limits import PENDING_BYTES_MAX, PENDING_TRANSACTIONS_MAX
from fujie.core.reasons import TransactionReason
from fujie.engine.base import Outcome
from fujie.engine.feed import Rows
from fujie.engine.intake import turned_away
from fujie.engine.link import messages, outcomes
from fujie.engine.link.address import connect, same_user
from fujie.engine.link.messages import LENGTH_BYTES, PROTOCOL, LinkError, Welcome
from fujie.store.layout import Table

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0

_TABLES: Final = {table.prefix: table for table in Table}
_numbers = itertools.count(1)


class Connection:
    """A greeted connection to the ledger. One thread receives, one sends."""

    def __init__(self, home: Path, *, ledger_pid: int | None = None, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        """Connect and greet. Raises :class:`LinkError` where no ledger listens, or another process than ``ledger_pid``."""
        self._socket = connect(home, timeout_s)
        self._socket.settimeout(None)  # whoever waits for too long is woken by `shut`
        self._prefix = bytearray(LENGTH_BYTES)
        try:
            if not same_user(self._socket):
                raise LinkError("The socket of the node belongs to another user.", "Run this as the user of the node.")
            self.send(messages.Hello(PROTOCOL))
            welcome = self.receive(timeout_s)
            if welcome is None:
                raise LinkError("The node did not answer in time.", "See its log; it may be stopped.")
            if not isinstance(welcome, Welcome) or welcome.protocol != PROTOCOL:
                raise LinkError("The node speaks another protocol.", "Use the release that runs there.")
            if ledger_pid is not None and welcome.pid != ledger_pid:
                raise LinkError("Another node runs on this data folder.", "Stop one of them.")
        except BaseException:
            self._socket.close()
            raise
        self.welcome = welcome

    def send(self, message: messages.Request) -> None:
        """Send a message; blocks while the other end takes nothing. Raises :class:`LinkError` when it is gone."""
        data = messages.frame(message)
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _lost(error) from error

    def receive(self, timeout_s: float | None = None) -> messages.Reply | None:
        """Return the next message; None when none has begun within ``timeout_s``. Raises :class:`LinkError`."""
        try:
            if timeout_s is not None and not self._readable(timeout_s):
                return None
            self._fill(memoryview(self._prefix))
            body = bytearray(messages.body_length(bytes(self._prefix)))
            self._fill(memoryview(body))
        except (OSError, ValueError) as error:  # ValueError: it was closed in another thread
            raise _lost(error) from error
        return messages.decode_reply(body)

    def receive_rows(self, block: messages.Block) -> dict[Table, Rows]:
        """Return the rows of a block whose head has arrived, which follow it. Raises :class:`LinkError`."""
        tables: dict[Table, Rows] = {}
        for _ in range(block.frames):
            piece = self.receive()
            if not isinstance(piece, messages.Rows) or piece.table not in _TABLES:
                raise LinkError("A block of the link is not complete.", "It is sent again.")
            rows = tables.setdefault(_TABLES[piece.table], piece.rows)
            if rows is not piece.rows:
                rows.update(piece.rows)
        return tables

    def shut(self) -> None:
        """Wake whoever receives: the connection is over. Any thread."""
        with contextlib.suppress(OSError):  # the other end did so before
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back. Idempotent."""
        self._socket.close()

    def _readable(self, timeout_s: float) -> bool:
        poll = select.poll()  # select() takes no descriptor beyond 1,023
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def _fill(self, target: memoryview) -> None:
        while target:
            count = self._socket.recv_into(target)
            if not count:
                raise LinkError("The ledger process has closed the link.", "It is started again by itself.")
            target = target[count:]


class _Asked:
    """A request that was sent or soon will be: how many transactions and bytes, and what has come of the answer."""

    __slots__ = ("bytes", "count", "future", "outcomes")

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.bytes = size
        self.outcomes: list[Outcome] = []
        self.future: Future[list[Outcome]] = Future()
        self.future.set_running_or_notify_cancel()  # what is sent cannot be called back


class Requests:
    """Requests to the ledger from any thread, over one connection that is made when it is needed, and made again.

    What was sent when the connection is lost fails with :class:`OperationalError`: what became of it is then found by
    submitting the same bytes again. Bounded as the ledger's own intake.
    """

    def __init__(self, home: Path, ledger_pid: int | None = None) -> None:
        self._home = home
        self._ledger_pid = ledger_pid
        self._lock = threading.Lock()
        self._waiting: dict[int, _Asked] = {}
        self._count = self._bytes = 0
        self._outgoing: queue.SimpleQueue[messages.Request | None] = queue.SimpleQueue()
        self._connection: Connection | None = None
        self._receiver: threading.Thread | None = None
        self._closed = False
        self._sender = threading.Thread(target=self._send_all, name="fujie-link-out", daemon=True)
        self._sender.start()

    def submit(self, transactions: Sequence[bytes]) -> "Future[list[Outcome]]":
        """See ``Engine.submit``."""
        if not transactions:
            nothing: Future[list[Outcome]] = Future()
            nothing.set_result([])
            return nothing
        number = next(_numbers)
        size = sum(map(len, transactions))
        return self._ask(messages.Submit(number, list(transactions)), _Asked(len(transactions), size))

    def dry_run(self, transaction: bytes) -> "Future[list[Outcome]]":
        """See ``Engine.dry_run``; the future holds one outcome."""
        return self._ask(messages.DryRun(next(_numbers), transaction), _Asked(1, len(transaction)))

    def close(self) -> None:
        """Fail what waits and stop. Idempotent."""
        with self._lock:
            self._closed = True
            connection = self._connection
        self._outgoing.put(None)
        if connection is not None:
            connection.shut()
        self._sender.join()
        self._fail(LinkError("The reader was closed.", "Submit the same bytes again."))

    def _ask(self, message: messages.Submit | messages.DryRun, asked: _Asked) -> "Future[list[Outcome]]":
        with self._lock:
            if self._closed:
                raise LinkError("The reader is closed.", "Open it again.")
            full = self._count + asked.count > PENDING_TRANSACTIONS_MAX or self._bytes + asked.bytes > PENDING_BYTES_MAX
            if not full:
                self._waiting[message.number] = asked
                self._count += asked.count
                self._bytes += asked.bytes
                self._outgoing.put(message)
                return asked.future
        asked.future.set_result([turned_away(TransactionReason.ADMISSION_QUEUE_FULL)] * asked.count)
        return asked.future

    def _send_all(self) -> None:
        """Send what is asked, connecting where there is no connection."""
        while (message := self._outgoing.get()) is not None:
            connection = self._connection
            try:
                if connection is None:
                    connection = self._connect()
                connection.send(message)
            except Exception as error:
                lost = error if isinstance(error, LinkError) else _lost(error)
                if lost is not error:
                    log.exception("the ledger could not be asked")  # whoever asks next is answered all the same
                if connection is None:
                    self._fail(lost)
                else:
                    connection.shut()  # its receiver fails what waits, this as well
        if self._receiver is not None:
            self._receiver.join()

    def _connect(self) -> Connection:
        if self._receiver is not None:
            self._receiver.join()  # it has failed all that was sent before
        connection = Connection(self._home, ledger_pid=self._ledger_pid)
        with self._lock:
            self._connection = connection
            if self._closed:
                connection.shut()
        self._receiver = threading.Thread(
            target=self._receive_all, args=(connection,), name="fujie-link-in", daemon=True
        )
        self._receiver.start()
        return connection

    def _receive_all(self, connection: Connection) -> None:
        """Settle what is answered until the connection ends."""
        try:
            while True:
                answer = connection.receive()
                if isinstance(answer, messages.Outcomes | messages.Failed):
                    self._settle(answer)
        except LinkError as error:
            with self._lock:
                self._connection = None
            connection.close()
            self._fail(
                LinkError(
                    f"The ledger did not answer: {error.what}",
                    "Submit the same bytes again; nothing is carried out twice.",
                )
            )

    def _settle(self, answer: messages.Outcomes | messages.Failed) -> None:
        with self._lock:
            asked = self._waiting.get(answer.number)
        if asked is None:
            return
        if isinstance(answer, messages.Outcomes):
            asked.outcomes += outcomes.read(answer)
            if answer.more:
                return
        with self._lock:
            if self._waiting.pop(answer.number, None) is None:
                return  # it has failed meanwhile
            self._count -= asked.count
            self._bytes -= asked.bytes
        if isinstance(answer, messages.Failed):
            asked.future.set_exception(OperationalError(answer.what, answer.do))
        else:
            asked.future.set_result(asked.outcomes)

    def _fail(self, error: LinkError) -> None:
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
            self._count = self._bytes = 0
        for asked in waiting:
            asked.future.set_exception(error)


def ask(home: Path, request: messages.Request, timeout_s: float = CONNECT_TIMEOUT_S) -> messages.Answer:
    """Send one request and return its answer. Raises :class:`OperationalError` where no ledger answers, or it refuses."""
    connection = Connection(home, timeout_s=timeout_s)
    try:
        connection.send(request)
        answer = connection.receive(timeout_s)
    finally:
        connection.close()
    if answer is None:
        raise LinkError(f"The node gave no answer within {timeout_s:.0f} s.", "See its log.")
    if isinstance(answer, messages.Failed):
        raise OperationalError(answer.what, answer.do)
    if isinstance(answer, messages.Answer):
        return answer
    raise LinkError("The node answered with something else.", "Use the release that runs there.")


def _lost(error: Exception) -> LinkError:
    return LinkError(f"The link to the ledger was lost ({error}).", "It is made again by itself.")
