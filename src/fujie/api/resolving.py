"""GET /ids/{identifier}: the question that a city's chain is asked most, so the one route without a framework around it.

A plain ASGI callable in front of Litestar: at ten thousand answers a second, routing and response objects would cost
more than the proof. Encoded bundles are kept for as long as the header that proves them is the newest.
"""

import re
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote

import msgspec

from fujie.api import media, queries
from fujie.api.pages import Identity
from fujie.api.problems import Kind, Problem, answer_for
from fujie.api.reading import record_at_time, require_proven
from fujie.api.serving import Answer, AnyRequest, Serving
from fujie.core.encoding import encode
from fujie.core.json_form import to_json
from fujie.engine.proving import Proven
from fujie.engine.reading import answer
from fujie.modules.identity.queries import IdentityQuery
from fujie.modules.identity.state_keys import identity
from fujie.proof.bundle import BUNDLE_SUFFIX, Bundle, Present
from fujie.proof.light_block import decode_light_block

PREFIX: Final = "/ids/"
CACHE_BYTES_MAX: Final = 33_554_432  # about 15,000 bundles
_ENTRY_BYTES: Final = 400  # what an entry costs besides its bundle
_QUERY_CHARACTERS_MAX: Final = 200

_BUNDLE_ACCEPT: Final = media.BUNDLE.encode()
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_FRACTION: Final = re.compile(r"\.(\d+)")
_HASH: Final = re.compile(queries.HASH_PATTERN)
_KNOWN: Final = "the parameters are versionTime and since, each at most once."

_BUNDLE_HEADERS: Final = (
    (b"content-type", _BUNDLE_ACCEPT),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
    (b"vary", b"accept"),
)

_Start = dict[str, Any]  # an ASGI message


async def resolve(serving: Serving, request: AnyRequest) -> Answer:
    """Return what an identifier stands for, or the proof that nothing stands there; with ``versionTime`` what stood then.
    ``since`` concerns bundles alone.

    Problems, in order: METHOD_NOT_ALLOWED, IDENTIFIER_REDIRECTED, IDENTIFIER_MALFORMED, MALFORMED (query), NOT_ACCEPTABLE,
    TIME_NOT_PROVEN_YET, IDENTIFIER_ABSENT, UNAVAILABLE, VALIDATORS_UNKNOWN.
    """
    # The application hands these paths to the Resolver, in front of its router. What the router finds here it has tidied
    # up before (``//ids/ZZ``), and such a path names nothing.
    raise Problem(Kind.NOT_FOUND)


class Resolver:
    """Answers with the record of an identifier, or with the proof that there is none.

    As a bundle (``Accept: application/vnd.fujie.bundle``, or ``<identifier>.fujie`` for a file) both are 200: the proof
    is the answer. As JSON, an absence is a problem that links to its proof. ``versionTime`` (RFC 3339) asks for the
    record that was in force then, ``since`` for a bundle that says how its signers came after those validators.

    Problems, in order: METHOD_NOT_ALLOWED, IDENTIFIER_REDIRECTED, IDENTIFIER_MALFORMED, MALFORMED (query), NOT_ACCEPTABLE,
    TIME_NOT_PROVEN_YET, IDENTIFIER_ABSENT, UNAVAILABLE, VALIDATORS_UNKNOWN.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._engine = serving.engine
        self._under: Proven | None = None
        self._cache: OrderedDict[str, tuple[_Start, _Start]] = OrderedDict()
        self._cache_bytes = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request for a path below ``/ids/``."""
        text = scope["path"][len(PREFIX) :]
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise Problem(Kind.METHOD_NOT_ALLOWED)
            accept = None
            for name, value in scope["headers"]:
                if name == b"accept":
                    accept = value if accept is None else accept + b"," + value
            if accept == _BUNDLE_ACCEPT and not scope["query_string"] and not text.endswith(BUNDLE_SUFFIX):
                start, body = self._kept(text)
            else:
                start, body = self._chosen(text, accept, scope["query_string"])
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a problem document
            start, body = _problem(error, scope["path"])
        await send(start)
        await send(body)

    def _kept(self, text: str) -> tuple[_Start, _Start]:
        """Return the bundle for an identifier under the newest header, made once for each header."""
        newest = self._engine.proven
        cache = self._cache
        if newest is not self._under:
            cache.clear()
            self._cache_bytes = 0
            self._under = newest
        kept = cache.get(text)
        if kept is not None:
            cache.move_to_end(text)
            return kept
        made = _bundle_messages(encode(self._prove(text)))
        cache[text] = made
        self._cache_bytes += len(made[1]["body"]) + _ENTRY_BYTES
        while self._cache_bytes > CACHE_BYTES_MAX:
            self._cache_bytes -= len(cache.popitem(last=False)[1][1]["body"]) + _ENTRY_BYTES
        return made

    def _chosen(self, text: str, accept: bytes | None, query: bytes) -> tuple[_Start, _Start]:
        """Return the answer in whatever form, and as of whatever time, is asked for."""
        as_file = text.endswith(BUNDLE_SUFFIX)
        text = text.removesuffix(BUNDLE_SUFFIX)
        identifier = queries.identifier(text, BUNDLE_SUFFIX if as_file else "", query)
        time_ms, since = _asked(query)
        form = media.BUNDLE
        if not as_file:
            form = media.wanted_type(None if accept is None else accept.decode("latin-1"), (media.JSON, media.BUNDLE))
        bundle = self._prove(identifier)
        if time_ms is not None:
            require_proven(bundle, time_ms)
            bundle = answer(self._engine, [encode(IdentityQuery(identifier))], time_ms=time_ms)
        if form == media.JSON:
            return _json_messages(_page(identifier, bundle, time_ms, query))
        data = self._serving.encoded(bundle, since)
        return _bundle_messages(data, identifier + BUNDLE_SUFFIX if as_file else "")

    def _prove(self, text: str) -> Bundle:
        return self._engine.prove([identity(queries.identifier(text))])


def _asked(query: bytes) -> tuple[int | None, str | None]:
    """Return the time in milliseconds that ``versionTime`` names, and ``since``. Raises :class:`Problem` MALFORMED."""
    if not query:
        return None, None
    text = query.decode("latin-1")
    if len(text) > _QUERY_CHARACTERS_MAX:
        raise Problem(Kind.MALFORMED, f"The query is too long; {_KNOWN}")
    try:
        # A plus sign of an offset arrives as itself or encoded; form decoding would make a space of the former.
        parameters = parse_qs(text.replace("+", "%2B"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise Problem(Kind.MALFORMED, f"The query is no form; {_KNOWN}") from None
    if not parameters.keys() <= {"versionTime", "since"} or any(len(each) != 1 for each in parameters.values()):
        raise Problem(Kind.MALFORMED, f"A parameter is unknown, or comes twice; {_KNOWN}")
    times, [since] = parameters.get("versionTime"), parameters.get("since", [None])
    if since is not None and _HASH.fullmatch(since) is None:
        raise Problem(Kind.MALFORMED, "since is 64 digits of lower-case hexadecimal.")
    return None if times is None else _moment_ms(times[0]), since


def _moment_ms(text: str) -> int:
    try:
        if _RFC3339.fullmatch(text) is None or not text.isascii():
            raise ValueError
        # Record times are whole milliseconds, so what lies below them decides nothing.
        moment = datetime.fromisoformat(_FRACTION.sub(lambda found: "." + (found[1] + "000")[:3], text))
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Problem(Kind.MALFORMED, "versionTime is a time as RFC 3339 writes it: 2026-01-31T08:00:00Z.") from None
    milliseconds = since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    return max(milliseconds, 0)  # before 1970 there was nothing, as at 1970


def _page(identifier: str, bundle: Bundle, time_ms: int | None, query: bytes) -> Identity:
    """Return what people are told; raises :class:`Problem` IDENTIFIER_ABSENT."""
    item = bundle.items[0]
    proof = f"{PREFIX}{identifier}{BUNDLE_SUFFIX}"
    if query:
        proof += "?" + quote(query, safe=queries.QUERY_SAFE)
    header = decode_light_block(bundle.light_block).header
    about: dict[str, Any] = {
        "chain_id": bundle.chain_id,
        "height": header.height,
        "time_ms": header.time_ms,
        "proof": proof,
    }
    record = record_at_time(item, time_ms) if isinstance(item, Present) else None
    if record is None:
        detail = "" if time_ms is None else "Nothing was allocated here at that time; the link `proof` proves it."
        raise Problem(Kind.IDENTIFIER_ABSENT, detail, identifier=identifier, **about)
    return Identity(identifier=identifier, record=to_json(record), **about)


def _bundle_messages(body: bytes, file_name: str = "") -> tuple[_Start, _Start]:
    headers = [*_BUNDLE_HEADERS, (b"content-length", b"%d" % len(body))]
    if file_name:
        headers.append((b"content-disposition", f'attachment; filename="{file_name}"'.encode("ascii")))
    return _messages(200, headers, body)


def _json_messages(page: Identity) -> tuple[_Start, _Start]:
    body = msgspec.json.encode(page)
    headers = [(b"content-type", media.JSON.encode()), *_BUNDLE_HEADERS[1:], (b"content-length", b"%d" % len(body))]
    return _messages(200, headers, body)


def _problem(error: Exception, path: str) -> tuple[_Start, _Start]:
    told = answer_for(error, path)
    headers = [(name.encode(), value.encode()) for name, value in told.headers.items()]
    headers += [(b"content-length", b"%d" % len(told.body)), (b"vary", b"accept")]
    if told.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    return _messages(told.status, headers, told.body)


def _messages(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[_Start, _Start]:
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )
