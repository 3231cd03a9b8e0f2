"""A proxy before a real node that passes its answers on truthfully until it is told to lie, and mirrors of what it shows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from fujie.api.serving import Settings
from fujie.client.replication import REPLICATION_TYPE
from fujie.core.encoding import encode
from fujie.node.config import Config
from fujie.node.folder import Folder
from fujie.node.mirror import Mirroring, open_mirror
from tests.e2e.http_node import serving
from tests.e2e.lying_server import Answer, Lie, Server, send, truth

SECONDS_MAX: Final = 300  # after which a test gives up waiting; nothing is measured by it

Items = list[tuple[bytes, list[bytes], list[bytes]]]
AboutBlocks = Callable[[int, Items], Items]


class LyingProxy:
    """Passes requests on to ``node`` and its answers back through ``lie``. ``requests`` lists what was asked for."""

    def __init__(self, node: str, server: ThreadingHTTPServer) -> None:
        self.node = node
        self.lie: Lie = truth
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        self.requests.append(path)
        try:
            honest = httpx.get(self.node + path, headers=headers, timeout=60)
            return self.lie(path, Answer(honest.status_code, honest.headers["content-type"], honest.content))
        except httpx.HTTPError:
            return Answer(502, "text/plain")


def about_blocks(lie: AboutBlocks) -> Lie:
    """A lie about the blocks of an answer: it gets the height asked for and the items."""

    def lying(path: str, honest: Answer) -> Answer:
        if not path.startswith("/replication/") or honest.status != 200:
            return honest
        height = int(path.removeprefix("/replication/").partition("?")[0])
        items = lie(height, msgspec.msgpack.decode(honest.body, type=Items))
        return Answer(200, REPLICATION_TYPE, encode(items))

    return lying


@contextmanager
def lying_proxy(node: str) -> Iterator[LyingProxy]:
    """A proxy on a port of its own for as long as the context lasts."""
    server = Server(("127.0.0.1", 0), _Handler)
    proxy = LyingProxy(node, server)
    server.proxy = proxy  # type: ignore[attr-defined]  # the handler knows nothing but its server
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def opened(folder: Path, url: str | None, **options: Any) -> Iterator[Mirroring]:
    """The mirror of ``url`` in ``folder``, neither caught up nor started; patient for a short while only."""
    mirroring = open_mirror(Folder(folder), Config(), source=url, worker=False, **options)
    mirroring.engine._poll_ms, mirroring.engine._retry_max_s = 500, 0.05
    try:
        yield mirroring
    finally:
        mirroring.engine.close()


@contextmanager
def mirrored(folder: Path, url: str, **options: Any) -> Iterator[Any]:
    """A mirror of ``url`` that has caught up, follows, and is served: a ``Node`` whose engine is the mirror."""
    with opened(folder, url, **options) as mirroring:
        engine = mirroring.engine
        engine.catch_up(lambda _height, _goal: None, lambda: False)
        engine.start()
        with serving(engine, settings=Settings(mirror_of=url)) as node:  # type: ignore[arg-type]  # any engine will do
            yield node


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5.0

    def do_GET(self) -> None:
        wanted = {name: value for name in ("Accept", "Authorization") if (value := self.headers.get(name))}
        answer = self.server.proxy.answer(self.path, wanted)  # type: ignore[attr-defined]  # see above
        send(self, answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the standard library gives it
        pass
