"""The console over the demonstration, in one process: what the tests of its pages visit."""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import httpx

from fujie.api.app import create_app
from fujie.client.explorer import Explorer
from fujie.client.in_process import InProcessTransport
from fujie.console.app import create_console
from fujie.console.settings import ConsoleSettings
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.transaction import Transaction, sign_transaction
from fujie.engine.base import Outcome
from fujie.engine.embedded import EmbeddedEngine
from fujie.modules.currency.operations import Pay
from fujie.modules.identity.operations import Allocate, NamedItem, UpdateRecord
from fujie.node.demo import fill, found_demo
from fujie.node.demo_world import DemoWorld
from fujie.node.folder import Folder
from fujie.node.founding import open_engine
from fujie.node.keyring import load_demo_keys, validator_signer
from fujie.reader.access import Access
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.projection import Projection
from fujie.reader.projection.source import EngineSource

HOST: Final = "localhost"
ORIGIN: Final = f"http://{HOST}"
CITY: Final = "ZZ.156.1301"
DEPARTMENT: Final = f"{CITY}.GAS"
HOSTILE: Final = (
    "Gas </title><script>alert(1)</script> <img src=x onerror=\"alert(2)\"> & 'Söhne' {{ 7*7 }} {0} \u202eevil\u2066"
)
HOSTILE_SHOWN: Final = HOSTILE.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066")


class Served:
    """A chain, its API with its console, and one event loop to visit them in."""

    def __init__(self, home: Path, engine: EmbeddedEngine) -> None:
        self.engine = engine
        self._projection = Projection(home / "projection.sqlite", engine.chain_id)
        self.project()
        self.access = Access(home / "access")
        self.lists = Lists.open(home / "projection.sqlite")
        self.api = create_app(engine, lists=self.lists, access=self.access)
        self.explorer = Explorer(InProcessTransport(self.api))
        self.api.console = create_console(self.explorer, ConsoleSettings())
        self.runner = asyncio.Runner()

    def project(self) -> None:
        """Bring the lists up to the ledger."""
        source = EngineSource(self.engine)
        while self._projection.advance(source):
            pass

    def close(self) -> None:
        """Stop everything."""
        self.runner.run(self.explorer.close())
        self.runner.close()
        self.lists.close()
        self._projection.close()
        self.engine.close()


class Site(Served):
    """The demonstration with a few transactions more."""

    def __init__(self, home: Path) -> None:
        folder = Folder(home)
        found_demo(folder)
        keys = load_demo_keys(folder)
        assert keys is not None
        self.keys = keys
        engine = open_engine(folder, validator_signer(folder))
        assert isinstance(engine, EmbeddedEngine)
        self.engine = engine
        fill(engine, DemoWorld(keys))
        wallet = keys.wallet_id
        self.paid = self.submit([Pay(wallet("alice"), wallet("shop"), "CNY", 1250)], keys.signer("alice"))
        self.refused = self.submit([Pay(wallet("carol"), wallet("shop"), "CNY", 999_999)], keys.signer("carol"))
        item = NamedItem("GAS", "department", HOSTILE, (("phone", "<b>0311</b>"),), b"", "", None, None)
        self.allocated = self.submit([Allocate(CITY, item)], keys.registrar(CITY))
        self.taken = self.submit([Allocate(CITY, item)], keys.registrar(CITY))
        self.updated = self.submit([UpdateRecord(DEPARTMENT, 1, HOSTILE, (), b"", "")], keys.registrar(CITY))
        super().__init__(home, engine)

    def submit(self, operations: Sequence[Operation], *signers: Signer) -> Outcome:
        """Submit a transaction, and wait for its outcome and the block that proves it: pages show what is proven."""
        public = tuple(sorted(signer.public_key for signer in signers))
        expiry_ms = time.time_ns() // 1_000_000 + 300_000
        body: Transaction[Any] = Transaction(
            self.engine.chain_id, secrets.token_bytes(16), expiry_ms, tuple(operations), public
        )
        [outcome] = self.engine.submit([sign_transaction(body, list(signers))]).result(300)
        if outcome.log_index is not None:
            assert self.engine.wait_proven(outcome.log_index, 300)
        return outcome


def paths(site: Site) -> list[str]:
    """A visit to every page, and more than one where a page has several faces."""
    assert site.paid.receipt is not None
    return [
        "/console/",
        "/console/search",
        "/console/search?q=%E5%B7%9E",
        "/console/search?q=nothing-has-this-name",
        "/console/blocks",
        "/console/blocks?before=20",
        "/console/blocks/1",
        "/console/blocks/latest",
        f"/console/blocks/{site.paid.receipt.height}",
        "/console/transactions",
        "/console/transactions?operation=pay&code=0",
        "/console/transactions?operation=pay&code=3032&party=bank-west",
        f"/console/transactions/{site.paid.transaction_id.hex()}",
        f"/console/transactions/{site.refused.transaction_id.hex()}",
        f"/console/transactions/{site.allocated.transaction_id.hex()}",
        "/console/ids",
        "/console/ids/ZZ.156",
        "/console/ids/ZZ.156.13",
        f"/console/ids/{CITY}",
        f"/console/ids/{CITY}/children",
        f"/console/ids/{DEPARTMENT}",
        f"/console/ids/{DEPARTMENT}/history",
        "/console/accounts",
        "/console/accounts/central-bank",
        "/console/organisations/bank-east",
        "/console/validators",
        "/console/money",
        "/console/money/CNY",
        f"/console/wallets/{site.keys.wallet_id('alice').hex()}",
        "/console/live",
        "/console/proof",
        f"/console/proof?of=/ids/{CITY}.fujie",
        "/console/sign-in",
        "/console/about",
    ]


class Visitor:
    """A browser without JavaScript: keeps cookies, follows nothing by itself. ``app`` is the API with its console."""

    def __init__(self, site: Served, app: Any = None, language: str = "en") -> None:
        self._site = site
        self._app = site.api if app is None else app
        self.cookies: dict[str, str] = {}
        self._language = language

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a page."""
        return self._ask("GET", path, headers, None)

    def page(self, path: str) -> "Html":
        """Ask for a page that has to be there, and parse it."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2_000])
        return Html(answer.text)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> httpx.Response:
        """Send a form, as from a page of this console unless ``Origin`` says otherwise."""
        return self._ask("POST", path, {"Origin": ORIGIN, **headers}, fields)

    def sign_in(self, account: str) -> httpx.Response:
        """Sign in with a code that the operator made."""
        credentials = self._site.access.credentials
        assert credentials is not None
        return self.post("/console/sign-in", {"code": credentials.new_code(account).code, "back": "/console/accounts"})

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], fields: Mapping[str, str] | None
    ) -> httpx.Response:
        sent = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": self._language, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=InProcessTransport(self._app), base_url=ORIGIN) as client:
                return await client.request(method, path, headers=sent, data=fields)

        answer = self._site.runner.run(ask())
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return answer


class Html(HTMLParser):
    """A parsed page: its tags with their attributes, its text, and its links."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._pieces: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._pieces.append(data)

    @property
    def text(self) -> str:
        """The words of the page, spaces made one."""
        return re.sub(r"\s+", " ", "".join(self._pieces)).strip()

    @property
    def links(self) -> list[str]:
        """Where the page's links lead."""
        return [href for tag, attributes in self.tags if tag == "a" and (href := attributes.get("href"))]
