"""The HTTP server: uvicorn, in a reader process of a node, or beside the threads of an engine in one process.

Where the event loop and threads that compute share one interpreter, Python takes it from a thread that computes only after
``sys.getswitchinterval()`` (5 ms by default), so a request that arrives while a block is made waits up to 5 ms before
its few 0.1 ms of work begin. See :data:`SWITCH_INTERVAL_S`.
"""

import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from fujie.api.connections import CONNECTIONS_MAX_DEFAULT, bounded_to
from fujie.api.listening import BACKLOG, HOST_DEFAULT, accept, address_of, listen

KEEP_ALIVE_S: Final = 75  # longer than the idle time of common proxies (60 s), so that they close first
STOP_TIMEOUT_S: Final = 10  # for requests in hand when the node stops

SWITCH_INTERVAL_S: Final = 0.0005
"""How long a computing thread keeps the interpreter while another wants it, in seconds.

Resolving over 16 connections beside 2,000 payments/s, runs taken in turn on two cores that other work kept busy: 3,000
and 6,100 answers/s (p99 24 and 18 ms) at Python's 5 ms, 4,500 and 9,500 (p99 21 and 13 ms) at 0.5 ms, 6,200 (p99 15 ms)
at 0.1 ms; all payments were made in time in each. Two runs at one setting differ as much as the settings do, so this
says which way it goes and not how far.
"""


def serve(
    app: Any,
    host: str = HOST_DEFAULT,
    port: int = 0,
    on_ready: Callable[[str], None] | None = None,
    stop_event: threading.Event | None = None,
) -> None:
    """Serve an ASGI application until ``stop_event`` is set; then finish the requests in hand and return.

    Blocks the calling thread, any thread. ``on_ready`` is called with the base address once connections are accepted;
    port 0 lets the system choose one. Signals are the caller's: it sets ``stop_event``, which is seen within 0.1 s.

    Raises :class:`OperationalError` when the address cannot be bound.
    """
    with listen(host, port) as listener:
        serve_on(listener, app, on_ready, stop_event)


def serve_on(
    listener: socket.socket,
    app: Any,
    on_ready: Callable[[str], None] | None = None,
    stop_event: threading.Event | None = None,
    on_turn: Callable[[], None] = lambda: None,
) -> None:
    """As :func:`serve`, on a bound TCP socket, which the caller closes; several processes may share it.

    ``on_turn`` is called several times a second, for as long as requests are answered. The application may say in
    ``connections_max`` how many connections it is made for. Raises :class:`OperationalError` when another program accepts
    on the port already.
    """
    accept(listener)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=bounded_to(getattr(app, "connections_max", CONNECTIONS_MAX_DEFAULT)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # an address line per request would name what holders read
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        _Server(config, address_of(listener), on_ready, stop_event or threading.Event(), on_turn).run([listener])
    finally:
        sys.setswitchinterval(before_s)


class _Server(uvicorn.Server):
    """uvicorn that stops at an event and leaves signals alone."""

    def __init__(
        self,
        config: uvicorn.Config,
        address: str,
        on_ready: Callable[[str], None] | None,
        stop_event: threading.Event,
        on_turn: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._address = address
        self._on_ready = on_ready
        self._stop_event = stop_event
        self._on_turn = on_turn

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signal handlers as they are."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, and say so."""
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready(self._address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what would not end by itself (event streams), then finish the requests in hand."""
        stop = getattr(self.config.app, "stop", None)
        if stop is not None:
            stop()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop; asked ten times a second."""
        self._on_turn()
        return await super().on_tick(counter) or self._stop_event.is_set()
