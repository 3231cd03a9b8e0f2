"""What a node serves by HTTP, put together."""

import asyncio

import httpx

import fujie
from fujie.client.in_process import InProcessTransport
from fujie.node.config_keys import Config
from fujie.node.folder import Folder
from fujie.node.web import compose


def test_a_page_is_one_request_and_what_the_console_asks_for_it_is_none(tmp_path):
    with fujie.open(tmp_path / "town") as ledger:
        app = compose(ledger.engine, Folder(tmp_path / "town"), Config())

        async def ask(path):
            async with httpx.AsyncClient(transport=InProcessTransport(app), base_url="http://localhost") as client:
                return await client.get(path)

        def counted(route):
            labels = {"method": "GET", "reader": "0", "route": route, "status": "200"}
            return app.metrics.registry.get_sample_value("fujie_http_requests_total", labels)

        assert "fujie" in asyncio.run(ask("/console/about")).text.lower()
        assert counted("/console/about") == 1
        assert counted("/status") is None, "every page asks for it"
        assert asyncio.run(ask("/status")).status_code == 200
        assert counted("/status") == 1
        app.stop()
