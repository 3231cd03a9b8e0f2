"""HTTP/1.1 to one server at a Unix socket, over connections that stay open.

The standard library's client, which costs a fifth of what a general one does: the ledger asks its CometBFT many times a
second, and shares the processor with it.
"""

import http.client
import select
import socket
import threading
from pathlib import Path


class _Connection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect, where the class above would look up a host."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(str(self._path))
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class UnixHttp:
    """Posts to one server. Any thread may; each call under way has a connection to itself."""

    def __init__(self, path: Path, timeout_s: float, answer_bytes_max: int) -> None:
        """Nothing is connected yet. ``timeout_s``: for each step of a call. An answer beyond the bound is not read on."""
        self._path = path
        self._timeout_s = timeout_s
        self._answer_bytes_max = answer_bytes_max
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._closed = False

    def post(self, body: bytes, content_type: str) -> tuple[int, bytes]:
        """Post ``body`` to ``/`` once; return the status and at most a byte more of the answer than is allowed.

        Raises ``OSError`` or ``http.client.HTTPException``.
        """
        connection = self._take()
        try:
            connection.request("POST", "/", body, {"content-type": content_type})
            answer = connection.getresponse()
            content = answer.read(self._answer_bytes_max + 1)
            whole = answer.isclosed()
            if not whole and len(content) <= self._answer_bytes_max:
                raise http.client.IncompleteRead(content)
        except BaseException:
            connection.close()
            raise
        if whole and connection.sock is not None:
            self._give_back(connection)
        else:
            connection.close()
        return answer.status, content

    def close(self) -> None:
        """Close what is open and not under way; what is under way closes when it is done. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> _Connection:
        """Return an idle connection that the server has not closed, or a new one."""
        while True:
            with self._lock:
                if not self._idle:
                    return _Connection(self._path, self._timeout_s)
                connection = self._idle.pop()
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()  # nothing is due to come: this is its end

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
