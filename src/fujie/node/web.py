"""What a node serves by HTTP, put together: the interface over an engine, what stands beside it, and the console."""

import asyncio
import threading
from typing import Any, Final

from fujie.api.app import create_app
from fujie.api.serving import Settings
from fujie.engine.base import Served
from fujie.node.config_keys import Config
from fujie.node.folder import Folder
from fujie.node.keyring import log_signer
from fujie.proof.trust import encode_trust
from fujie.reader.access import Access
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.schema import FILE_NAME

ACCESS_NAME: Final = "access"


def compose(engine: Served, folder: Folder, config: Config, number: int = 0) -> Any:
    """Return the ASGI application for ``engine`` with the services of ``folder`` that ``config`` asks for."""
    app = create_app(
        engine,
        lists=Lists.open(folder.home / FILE_NAME) if config.projection.enabled else None,
        access=Access(folder.home / ACCESS_NAME),
        checkpoints=log_signer(folder, engine.chain_id),
        settings=Settings(
            hosts=config.http.hosts,
            streams_max=config.streams.connections_max,
            metrics_access=config.metrics.access,
            reader_number=number,
            mirror_of=_source(folder),
        ),
    )
    if config.console.enabled:
        app.console = LateConsole(app, folder, config)
    return app


def _source(folder: Folder) -> str:
    """Return what a mirror mirrors; nothing for another node."""
    if folder.require().world != "mirror":
        return ""
    from fujie.node.mirror_file import read_source  # for mirrors alone: it loads a client, a tenth of a reader's start

    return read_source(folder)


class LateConsole:
    """The console, loaded beside the event loop when the interface serves already: it is a third of a reader's start."""

    def __init__(self, app: Any, folder: Folder, config: Config) -> None:
        self._app = app
        self._folder = folder
        self._config = config
        self._lock = threading.Lock()
        self._console: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; the first ones wait until the console is loaded."""
        if self._console is None:
            await asyncio.to_thread(self.load)
        await self._console(scope, receive, send)

    def load(self) -> None:
        """Load it, once. Any thread."""
        with self._lock:
            if self._console is not None:
                return
            from fujie.client.explorer import Explorer
            from fujie.client.in_process import InProcessTransport
            from fujie.console.app import create_console
            from fujie.console.settings import ConsoleSettings

            trust = encode_trust(self._folder.trust()).decode()
            settings = ConsoleSettings(language=self._config.console.language, trust=trust)
            self._console = create_console(Explorer(InProcessTransport(self._app.answer)), settings)
