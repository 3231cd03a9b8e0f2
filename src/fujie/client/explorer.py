"""Looking around a chain over HTTP: the JSON routes of a node (docs/spec/09-http.md), asynchronously, nothing verified.

For programs that trust their own node, such as the console beside it. Who must not trust a node uses ``client.client``,
which verifies. Nothing here writes to the ledger.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import httpx
import msgspec

from fujie.client.http import JSON_TYPE, PROBLEM_TYPE
from fujie.core.errors import OperationalError

Answer = dict[str, Any]
Parameters = Mapping[str, str | int | None]

BYTES_MAX: Final = 16_777_216  # a page of 200 transactions, or one transaction of 64 KiB with all it names
PROBLEM_BYTES_MAX: Final = 65_536
TIMEOUT_S: Final = 20.0
EVENT_BYTES_MAX: Final = 262_144  # one event of a stream
_BASE: Final = "http://localhost"  # of a node in the same process; no connection is made to it


class ProblemError(OperationalError):
    """The node answered with a problem document (RFC 9457). ``name`` is the last part of its type."""

    def __init__(self, status: int, document: Answer) -> None:
        self.status = status
        self.document = document
        self.name = str(document.get("type", "")).rpartition("/")[2]
        super().__init__(
            str(document.get("title") or f"The node answers with status {status}."),
            str(document.get("detail") or "Try again, or ask the operator of the node."),
        )


class UnreachableError(OperationalError):
    """No node answers, or what answers is none."""


class StreamEvent(NamedTuple):
    """One event of a stream: its id, from which a stream goes on, its name, and its data, parsed."""

    id: str
    name: str
    data: Any


class Explorer:
    """Reads one node. Cheap to copy: :meth:`reading_as` shares the connections.

    Every method raises :class:`ProblemError` for what the node refuses and :class:`UnreachableError` where none answers.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None, url: str = _BASE) -> None:
        """Read the node behind ``transport``, or the one at ``url`` over the network."""
        self._client = httpx.AsyncClient(
            transport=transport,
            base_url=url,
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
        )
        self._token: str | None = None

    def reading_as(self, token: str | None) -> Self:
        """Return this explorer with a credential: an API key or the token of a session; None for a stranger."""
        copy = self.__class__.__new__(self.__class__)
        copy._client, copy._token = self._client, token
        return copy

    async def close(self) -> None:
        """Close the connections, for every copy."""
        await self._client.aclose()

    # -- the chain

    async def status(self) -> Answer:
        """Where chain and node stand."""
        return await self.get("/status")

    async def statistics(self) -> Answer:
        """Counts, transactions per minute, and what needs attention."""
        return await self.get("/statistics")

    async def readiness(self) -> Answer:
        """Whether the node serves. A node that does not is an answer here: ``status`` is then ``not-ready``."""
        try:
            return await self.get("/health/ready")
        except ProblemError as error:
            return {"status": "not-ready", "detail": error.do}

    async def search(self, text: str, limit: int = 30) -> Answer:
        """Find anything by a text."""
        return await self.get("/search", {"q": text, "limit": limit})

    async def me(self) -> Answer:
        """As whom this explorer reads."""
        return await self.get("/me")

    async def read(self, *queries: Answer) -> list[Answer | None]:
        """Return the record that answers each query (in JSON, with ``type``), or None where nothing stands."""
        if not queries:
            return []
        answer = await self._ask("POST", "/read", body={"queries": list(queries)})
        return [item["record"] for item in answer["items"]]

    # -- blocks and transactions

    async def blocks(self, before: int | str | None = None, limit: int = 50) -> Answer:
        """Blocks, newest first."""
        return await self.get("/blocks", {"before": before, "limit": limit})

    async def block(self, height: int | str) -> Answer:
        """Header, commit and validators of a block; ``latest`` is a height too."""
        return await self.get(f"/blocks/{_part(str(height))}")

    async def block_transactions(self, height: int, before: int | str | None = None, limit: int = 50) -> Answer:
        """The transactions of one block."""
        return await self.get(f"/blocks/{height}/transactions", {"before": before, "limit": limit})

    async def transactions(self, parameters: Parameters | None = None) -> Answer:
        """Transactions, newest first; ``parameters`` are those of the route."""
        return await self.get("/transactions", parameters)

    async def transaction(self, identifier: str) -> Answer:
        """One transaction, decoded, with its events and postings."""
        return await self.get(f"/transactions/{_part(identifier)}")

    # -- who and what

    async def identifier(self, identifier: str) -> Answer:
        """The record of an identifier."""
        return await self.get(f"/ids/{_part(identifier)}")

    async def children(self, identifier: str, after: str | None = None, limit: int = 50, by: str = "prefix") -> Answer:
        """What stands directly under an identifier; ``by="place"``: what is browsed under it."""
        return await self.get(f"/ids/{_part(identifier)}/children", {"by": by, "after": after, "limit": limit})

    async def history(self, identifier: str) -> Answer:
        """The versions of a record, newest first, and its lineage."""
        return await self.get(f"/ids/{_part(identifier)}/history")

    async def accounts(self, after: str | None = None, limit: int = 50, organisation: str | None = None) -> Answer:
        """Accounts by name; of one organisation or all."""
        return await self.get("/accounts", {"after": after, "limit": limit, "organisation": organisation})

    async def account(self, name: str) -> Answer:
        """One account."""
        return await self.get(f"/accounts/{_part(name)}")

    async def wallet(self, identifier: str) -> Answer:
        """A wallet and its balances."""
        return await self.get(f"/wallets/{_part(identifier)}")

    async def supply(self) -> Answer:
        """Every instrument with what is in circulation of it."""
        return await self.get("/supply")

    # -- sessions

    async def sign_in(self, code: str) -> Answer:
        """Exchange a one-time code for a session: its token, account and end."""
        return await self._ask("POST", "/sessions", body={"code": code})

    async def sign_out(self) -> None:
        """End the session whose token this explorer carries."""
        await self._ask("DELETE", "/sessions")

    # -- events

    @asynccontextmanager
    async def events(self, after: str | None = None) -> AsyncIterator[AsyncIterator[StreamEvent | None]]:
        """Open the stream of events, from behind the event ``after`` on. None comes for every sign of life between them."""
        headers = self._headers("text/event-stream")
        if after:
            headers["Last-Event-ID"] = after
        request = self._client.build_request(
            "GET", "/events", headers=headers, timeout=httpx.Timeout(TIMEOUT_S, read=None)
        )
        response = await self._send(request, stream=True)
        try:
            if response.status_code != httpx.codes.OK:
                raise _problem(response.status_code, await _body(response, PROBLEM_BYTES_MAX))
            yield _events(response)
        finally:
            await response.aclose()

    # -- inside

    async def get(self, path: str, parameters: Parameters | None = None) -> Answer:
        """Return the JSON at ``path``; parameters that are None are left out."""
        given = {name: str(value) for name, value in (parameters or {}).items() if value not in (None, "")}
        return await self._ask("GET", path, given)

    async def file(self, path: str, media_type: str) -> bytes:
        """Return the bytes at ``path``, such as those of a proof."""
        return await self._exchange(self._client.build_request("GET", path, headers=self._headers(media_type)))

    async def _ask(
        self, method: str, path: str, parameters: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        headers = self._headers(f"{JSON_TYPE}, {PROBLEM_TYPE}")
        content = None
        if body is not None:
            headers["Content-Type"], content = JSON_TYPE, msgspec.json.encode(body)
        request = self._client.build_request(method, path, params=parameters or None, headers=headers, content=content)
        answer = _decoded(await self._exchange(request))
        if not isinstance(answer, dict):
            raise UnreachableError("The node answers with something else than an object.", "Check its version.")
        return answer

    async def _exchange(self, request: httpx.Request) -> bytes:
        response = await self._send(request, stream=True)
        try:
            data = await _body(response, BYTES_MAX)
        finally:
            await response.aclose()
        if response.status_code >= httpx.codes.BAD_REQUEST:
            raise _problem(response.status_code, data)
        return data

    async def _send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            response = await self._client.send(request, stream=stream)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"The node does not answer ({type(error).__name__}).", "Check that it runs; try again in a moment."
            ) from error
        packed = response.headers.get("content-encoding", "identity").lower() != "identity"
        if packed or response.has_redirect_location:  # what unpacks without bound, or leads elsewhere, is no node
            await response.aclose()
            raise UnreachableError("What answers is no node.", "Check the URL, and what stands before the node.")
        return response

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers


def _part(text: str) -> str:
    """Return ``text`` as one part of a path, whatever it holds: two dots, too, are a name here and no way up."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


async def _body(response: httpx.Response, bytes_max: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > bytes_max:
                raise UnreachableError(f"The node answers with more than {bytes_max} bytes.", "Ask for less at a time.")
            pieces.append(piece)
    except httpx.HTTPError as error:
        raise UnreachableError("The node stopped in the middle of its answer.", "Try again in a moment.") from error
    return b"".join(pieces)


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnreachableError("The node answers with something else than JSON.", "Check the URL.") from None


def _problem(status: int, data: bytes) -> ProblemError:
    """Return what a problem document says; an empty one where the body is something else."""
    try:
        document = msgspec.json.decode(data[:PROBLEM_BYTES_MAX])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        document = None
    return ProblemError(status, document if isinstance(document, dict) else {})


async def _events(response: httpx.Response) -> AsyncIterator[StreamEvent | None]:
    """Yield the events of a stream (HTML standard, "Server-sent events"), as far as nodes use the format."""
    kept = b""
    try:
        async for piece in response.aiter_bytes():
            *blocks, kept = (kept + piece).replace(b"\r\n", b"\n").split(b"\n\n")
            for block in blocks:
                yield _event(block.decode("utf-8", "replace").split("\n"))
            if len(kept) > EVENT_BYTES_MAX:
                raise UnreachableError("The node sends an event without end.", "Check the URL.")
    except httpx.HTTPError as error:
        raise UnreachableError("The stream of events broke.", "Connect again; it goes on where it stopped.") from error


def _event(lines: Sequence[str]) -> StreamEvent | None:
    fields = {"id": "", "event": "message"}
    data: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name:
            fields[name] = value
    return StreamEvent(fields["id"], fields["event"], _decoded("\n".join(data).encode())) if data else None
