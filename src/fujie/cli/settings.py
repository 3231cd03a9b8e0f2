"""What every command shares: the data folder, the node to ask, the trust root, and the options that repeat."""

import shlex
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from fujie.cli import output
from fujie.core.errors import OperationalError

if TYPE_CHECKING:
    from fujie.client.client import Client
    from fujie.client.explorer import Explorer
    from fujie.client.pending import PendingFolder
    from fujie.node.folder import Folder
    from fujie.node.keyring import Keyring
    from fujie.proof.trust import TrustRoot


T = TypeVar("T")


def _set_json(value: bool) -> bool:
    output.use_json(value)  # also where it is not wished: one process may run several commands
    return value


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.", callback=_set_json, is_eager=True)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Trust = Annotated[
    Path | None,
    typer.Option("--trust", help="Trust root file [default: trust.json of the data folder]", show_default=False),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="NAME",
        help="Name or path of a key to sign with [default: those here that the ledger asks for]",
    ),
]


class Settings:
    """The global options of one run."""

    def __init__(
        self, home: Path | None, url: str | None, witnesses: Sequence[str] = (), *, typed_home: bool = False
    ) -> None:
        """``typed_home``: the data folder was named in the command, and not by the environment."""
        self._home = home
        self._typed_home = typed_home
        self._url = url
        self._witnesses = tuple(witnesses)

    @property
    def folder(self) -> "Folder":
        """The data folder."""
        from fujie.node.folder import home_folder

        return home_folder(self._home)

    @property
    def given_url(self) -> str | None:
        """The node that was named on the command line, if one was."""
        return self._url

    def command(self, words: str, *, asks_node: bool = False) -> str:
        """Return how to type a further command: with the data folder, and for one that ``asks_node`` the node, as they were here."""
        home = ["--home", str(self._home)] if self._typed_home else []
        url = ["--url", self._url] if asks_node and self._url else []
        return f"{shlex.join(['fujie', *home, *url])} {words}"

    @property
    def url(self) -> str:
        """The node to ask: the one named, or the one that runs on the data folder, or the one that is configured."""
        if self._url:
            return self._url
        from fujie.node.address import running_url
        from fujie.node.config import resolve_config

        configured = resolve_config(self.folder).config.url
        # FUJIE_PORT may be meant for another folder: a mirror and its source on one machine have two ports.
        return running_url(self.folder) or configured

    @property
    def keyring(self) -> "Keyring":
        """The keys of the data folder; sealed ones are asked for on a terminal."""
        from fujie.node.keyring import Keyring

        return Keyring(self.folder, output.ask_passphrase)

    def pending(self, trust: Path | None = None) -> "PendingFolder":
        """Return what was submitted with the data folder and has no outcome yet; ``trust`` is the option that was given."""
        from fujie.client.pending import PENDING_NAME, PendingFolder

        root = "" if trust is None else f" --trust {shlex.quote(str(trust))}"
        return PendingFolder(
            self.folder.home / PENDING_NAME, lambda words: f"{self.command(words, asks_node=True)}{root}"
        )

    def trust(self, given: Path | None = None) -> "TrustRoot":
        """Return the trust root in the file ``given``, or the one pinned in the data folder."""
        if given is None:
            return self.folder.trust()
        from fujie.node.folder import read_trust

        return read_trust(given)

    def client(self, trust: Path | None = None) -> "Client":
        """Return a client of the node, which remembers in the data folder what it has seen of the chain and has submitted."""
        from fujie.cli.speaking import SpeakingTransport
        from fujie.client.client import Client
        from fujie.client.heads import HeadMemory
        from fujie.client.light.following import store_in
        from fujie.client.light.node import NodeProvider
        from fujie.client.verifier import Verifier

        root = self.trust(trust)
        home = self.folder.home
        seen, store = (home / "heads.json", store_in(home, root)) if home.is_dir() else (None, None)
        own = self._url is None  # the folder's own node: what goes to its address stays on this machine
        pending = self.pending(trust)
        slow = (
            "No answer yet: as a rule no block has it so far. Ctrl-C takes nothing back: "
            f"`{pending.command('transaction pending')}` tells what becomes of it."
        )
        transport = SpeakingTransport(self.url, slow, plain_http=own)
        verifier = Verifier(root, memory=HeadMemory(seen), store=store)
        witnesses = [NodeProvider(url) for url in self._witnesses]
        return Client(transport, root, verifier=verifier, witnesses=witnesses, pending=pending)

    def explore(self, ask: "Callable[[Explorer], Awaitable[T]]", api_key: str = "") -> T:
        """Return what ``ask`` finds with an explorer of the node, on whose word it stands: nothing of it is proven.

        Raises :class:`OperationalError`, of the kind ``ProblemError`` where the node refuses.
        """
        import asyncio

        from httpx import ConnectError

        from fujie.client.explorer import Explorer, UnreachableError
        from fujie.client.http import usable_url

        url = self.url
        usable_url(url, plain_http=self._url is None)

        async def run() -> T:
            explorer = Explorer(url=url)
            try:
                return await ask(explorer.reading_as(api_key or None))
            finally:
                await explorer.close()

        try:
            return asyncio.run(run())
        except UnreachableError as error:
            if isinstance(error.__cause__, ConnectError):
                raise OperationalError(
                    f"No node answers at {url}.", "Check that the node runs (`fujie up`) and that the URL is right."
                ) from None
            raise OperationalError(f"{error.what} Asked was {url}.", error.do) from None

    def listed(self, ask: "Callable[[Explorer], Awaitable[Any]]", rows: str, name: str) -> list[str]:
        """Return what is called ``name`` in each of the ``rows`` that :meth:`explore` finds. Raises as that does."""
        found = self.explore(ask).get(rows)
        if not isinstance(found, list) or not all(isinstance(row, dict) and name in row for row in found):
            raise OperationalError(f"{self.url} answers without a list of {rows}.", "Check the version of the node.")
        return [str(row[name]) for row in found]


def examples(*lines: str) -> str:
    """Return the end of a help text: lines that can be typed as they stand."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def settings_of(context: typer.Context) -> Settings:
    """Return the global options."""
    found = context.find_root().obj
    assert isinstance(found, Settings), "the callback of the program sets them"
    return found
