"""What a node serves by HTTP, put together: the interface over an engine, what stands beside it, and the console."""

from typing import Any, Final

from fujie.api.app import create_app
from fujie.api.serving import Settings
from fujie.client.explorer import Explorer
from fujie.client.in_process import InProcessTransport
from fujie.console.app import create_console
from fujie.console.settings import ConsoleSettings
from fujie.engine.base import Served
from fujie.node.config_keys import Config
from fujie.node.folder import Folder
from fujie.node.keyring import log_signer
from fujie.node.mirror_file import read_source
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
            metrics_access="key" if config.metrics_need_key else "anyone",
            reader_number=number,
            mirror_of=read_source(folder) if folder.require().world == "mirror" else "",
        ),
    )
    if config.console.enabled:
        settings = ConsoleSettings(language=config.console.language, trust=encode_trust(folder.trust()).decode())
        app.console = create_console(Explorer(InProcessTransport(app)), settings)
    return app
