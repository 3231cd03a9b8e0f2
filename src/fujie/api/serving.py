"""What every handler works with: the engine and what stands beside it, who asks, and the ways from bytes to an answer."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import msgspec
from litestar import Request, Response
from prometheus_client import CollectorRegistry

from fujie.api import media
from fujie.api.pages import Page
from fujie.api.problems import RETRY_AFTER_S, Kind, Problem
from fujie.api.streams import Hub
from fujie.core.errors import Refused
from fujie.core.limits import PENDING_BYTES_MAX
from fujie.core.query import Query
from fujie.core.reasons import ReadReason
from fujie.engine.base import Outcome, Served
from fujie.engine.pivots import Paths
from fujie.engine.reading import ProvenState, is_public
from fujie.proof.bundle import Bundle, encode_bundle, with_path
from fujie.proof.light_block import decode_light_block
from fujie.reader.access import STRANGER, Access, Means, Reader, may_read, sees_all, visible_parties
from fujie.reader.credentials import Scope

if TYPE_CHECKING:
    from fujie.reader.projection.lists import Lists

T = TypeVar("T")

SUBMIT_BYTES_MAX: Final = PENDING_BYTES_MAX + 65_536  # what may wait for a block, and the framing of 10,000 pieces
QUERY_BYTES_MAX: Final = 262_144  # 500 queries of 200 bytes and a grant, with room for the JSON form
BODIES_BYTES_MAX: Final = (
    4 * PENDING_BYTES_MAX
)  # bodies in memory at once, over all requests: bounds what strangers cost
BODY_TIMEOUT_S: Final = 30.0  # for one body; ten times what the largest takes over 50 Mbit/s
INLINE_BYTES_MAX: Final = 65_536  # a larger body is parsed beside the event loop, so that others are answered meanwhile
DRY_RUNS_MAX: Final = 2  # at a time in one process; the ledger has better to do
DRY_RUNS_WAITING_MAX: Final = 16  # a second's worth or so
PARSERS_MAX: Final = 2  # large bodies parsed at a time: what a parser makes of one takes ten times its size in memory

STREAMS_MAX_DEFAULT: Final = 1_000  # an open stream costs some 50 KiB and a socket

_IN_HAND: Final = "fujie.body_bytes"  # in the scope of a request: how much of its body is counted

AnyRequest = Request[Any, Any, Any]
Answer = Response[bytes]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decides of the interface.

    ``hosts`` are the names by which requests may call the node (``api.hosts``). ``metrics_access`` ``auto`` is anyone on a public
    chain and a key with the scope metrics on a restricted one. ``reader_number`` tells the processes of one node apart in
    metrics. ``mirror_of`` is the URL of the node that this one mirrors; empty for a ledger of its own.
    """

    hosts: tuple[str, ...] = ()
    streams_max: int = STREAMS_MAX_DEFAULT
    metrics_access: Literal["auto", "anyone", "key"] = "auto"
    reader_number: int = 0
    mirror_of: str = ""


class Serving:
    """The engine behind the routes, what stands beside it, and how many bytes of bodies are in memory.

    ``lists`` reads the projection; ``access`` tells readers by keys and sessions;
    ``checkpoints`` signs those of the log. Without them the routes that need them say so.
    """

    def __init__(
        self,
        engine: Served,
        *,
        lists: "Lists | None" = None,
        access: Access | None = None,
        checkpoints: Any = None,
        settings: Settings | None = None,
    ) -> None:
        self.engine = engine
        self.access = access or Access()
        self.checkpoints = checkpoints
        self.settings = settings or Settings()
        self.hub = Hub(engine, self.settings.streams_max)
        self.registry = CollectorRegistry(auto_describe=False)  # of the figures that /metrics shows
        self.routes: tuple[Any, ...] = ()  # rows of api.app.ROUTES, for the description of them
        self._lists = lists
        self._paths = Paths(engine)
        self.waiting: set[asyncio.Event] = set()  # of requests that wait for a block (api.replication)
        self.stopping = False
        self.kept: dict[str, bytes] = {}  # answers that never change, by what they are
        self.dry_runs = DryRuns()
        self._parsers = ThreadPoolExecutor(PARSERS_MAX, "fujie-parse")
        self._bytes_in_hand = 0

    def end_waiting(self) -> None:
        """Have every request answered that waits for a block: the server stops. Call it in the event loop."""
        self.stopping = True
        for event in self.waiting:
            event.set()

    @property
    def state(self) -> ProvenState:
        """The newest proven state."""
        return ProvenState(self.engine)

    @property
    def is_public(self) -> bool:
        """Whether everybody may read everything; else an answer that depends on who asks belongs to him alone."""
        return is_public(self.state)

    def encoded(self, bundle: Bundle, since: str | None) -> bytes:
        """Return a bundle as it travels; with ``since``, a validators hash, with the path from those to its signers.

        Raises :class:`Problem` VALIDATORS_UNKNOWN.
        """
        if since is None:
            return encode_bundle(bundle)
        path = self._paths.to(decode_light_block(bundle.light_block), bytes.fromhex(since))
        made = None if path is None else with_path(bundle, path)
        if made is None:
            raise Problem(Kind.VALIDATORS_UNKNOWN)
        return encode_bundle(made)

    def find_lists(self) -> "Lists | None":
        """Return the projection to read, or None where the node keeps none."""
        return self._lists

    def lists(self) -> "Lists":
        """Return the projection to read. Raises :class:`Problem` PROJECTION_OFF."""
        found = self.find_lists()
        if found is None:
            raise Problem(Kind.PROJECTION_OFF, retry_after_s=RETRY_AFTER_S)
        return found

    def authenticated(self, request: AnyRequest) -> Reader:
        """Return who asks, by whatever is shown. Raises as ``Access.authenticate``."""
        return self.access.authenticate(self.engine, request.headers.get("authorization"))

    def reader(self, request: AnyRequest) -> Reader:
        """Return who asks. On a public chain, where everybody may read everything, nobody is asked to show anything.

        Raises as ``Access.authenticate``, then :class:`Problem` SCOPE_MISSING for a key that is not made for reading.
        """
        if self.is_public:
            return STRANGER
        found = self.authenticated(request)
        if found.means is not Means.NOTHING and Scope.READ not in found.scopes:
            raise Problem(Kind.SCOPE_MISSING, "The key needs the scope read.")
        return found

    def require(self, reader: Reader, query: Query) -> None:
        """Refuse unless ``reader`` may have the answer to ``query``: CREDENTIAL_REQUIRED, READER_NOT_ENTITLED."""
        if not may_read(self.state, query, reader):
            raise _not_entitled(reader)

    def require_all(self, reader: Reader) -> None:
        """Refuse unless ``reader`` may see every transaction: CREDENTIAL_REQUIRED, READER_NOT_ENTITLED."""
        if not sees_all(self.state, reader):
            raise _not_entitled(reader)

    def visible(self, reader: Reader) -> frozenset[str] | None:
        """Return the parties whose transactions ``reader`` sees: None for all, empty for none."""
        return visible_parties(self.state, reader)

    async def body(self, request: AnyRequest, bytes_max: int, advice: str = "Send the rest separately.") -> bytes:
        """Return the body of a request. It counts as in memory until :meth:`let_go`.

        ``advice`` is what to do with more than ``bytes_max``.

        Raises :class:`Problem`, in order: TOO_LARGE (by its announced length, or as it grows), NODE_BUSY (the bodies of
        all requests together), BODY_TIMEOUT.
        """
        announced = request.headers.get("content-length", "0")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > bytes_max:
            raise _too_large(bytes_max, advice)
        scope: dict[str, Any] = request.scope  # type: ignore[assignment]  # with a member of this module's own
        chunks = []
        size = 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._bytes_in_hand += len(chunk)
                    scope[_IN_HAND] = size
                    if size > bytes_max:
                        raise _too_large(bytes_max, advice)
                    if self._bytes_in_hand > BODIES_BYTES_MAX:
                        raise Problem(Kind.NODE_BUSY, retry_after_s=RETRY_AFTER_S)
                    chunks.append(chunk)
        except TimeoutError:
            raise Problem(Kind.BODY_TIMEOUT) from None
        return b"".join(chunks)

    def let_go(self, request: AnyRequest) -> None:
        """Count the body of a request no longer: its answer is made."""
        scope: dict[str, Any] = request.scope  # type: ignore[assignment]  # as in `body`
        self._bytes_in_hand -= scope.pop(_IN_HAND, 0)

    async def parsed(self, parse: "Callable[[bytes], T]", body: bytes) -> T:
        """Return what ``parse`` makes of a body: at once, or beside the event loop when it is large."""
        if len(body) <= INLINE_BYTES_MAX:
            return parse(body)
        return await asyncio.get_running_loop().run_in_executor(self._parsers, parse, body)


class DryRuns:
    """A few dry runs at a time, in threads of their own: each asks the ledger process to compute, and waits."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(DRY_RUNS_MAX, "fujie-dry-run")
        self._in_hand = 0

    async def run(self, engine: Served, transaction: bytes) -> Outcome:
        """Carry a transaction out and forget it. Raises :class:`Problem` NODE_BUSY when too many wait already."""
        if self._in_hand >= DRY_RUNS_MAX + DRY_RUNS_WAITING_MAX:
            raise Problem(
                Kind.NODE_BUSY, "The node rehearses as many transactions as it can.", retry_after_s=RETRY_AFTER_S
            )
        self._in_hand += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, engine.dry_run, transaction)
        finally:
            self._in_hand -= 1


async def outcome_of(future: "Future[T]") -> T:
    """Wait in the event loop for a future that another thread settles; no thread waits meanwhile.

    ``asyncio.wrap_future`` would cancel the engine's future with the request: a client that goes away must not touch
    what it has submitted.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[T] = loop.create_future()

    def hand_over() -> None:
        if waiter.done():
            return
        error = future.exception()
        if error is not None:
            waiter.set_exception(error)
        else:
            waiter.set_result(future.result())

    def settled(_: "Future[T]") -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(hand_over)

    future.add_done_callback(settled)
    return await waiter


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text. Raises :class:`Problem` MALFORMED."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(Kind.MALFORMED, f"The body is no JSON: {error}.") from None


def bytes_answer(body: bytes, media_type: str, *, private: bool = False, file_name: str = "") -> Answer:
    """Return 200 with ``body``. ``private``: nobody on the way may keep it. ``file_name``: a browser saves it as that."""
    headers = {
        "x-content-type-options": "nosniff",
        "cache-control": "no-store" if private else "no-cache",
        "vary": "accept",
    }
    if file_name:
        headers["content-disposition"] = f'attachment; filename="{file_name}"'
    return Response(body, status_code=200, media_type=media_type, headers=headers)


def json_answer(value: Any, *, private: bool = False) -> Answer:
    """Return 200 with ``value`` as JSON."""
    return bytes_answer(msgspec.json.encode(value), media.JSON, private=private)


def page_answer(page: Page, *, private: bool = False) -> Answer:
    """Return 200 with a page as JSON."""
    return bytes_answer(msgspec.json.encode(page), media.JSON, private=private)


def wanted(request: AnyRequest, offered: Sequence[str]) -> str:
    """Return in which of the ``offered`` forms to answer."""
    return media.wanted_type(request.headers.get("accept"), offered)


def _not_entitled(reader: Reader) -> Exception:
    if reader.means is Means.NOTHING:
        return Problem(Kind.CREDENTIAL_REQUIRED)
    return Refused(ReadReason.READER_NOT_ENTITLED)


def _too_large(bytes_max: int, advice: str) -> Problem:
    return Problem(Kind.TOO_LARGE, f"At most {bytes_max} bytes at a time. {advice}")
