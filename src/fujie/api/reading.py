"""POST /read and GET /receipts: answers with proof, to whoever may have them."""

import asyncio
import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from fujie.api import media, pages, parameters
from fujie.api.parameters import takes
from fujie.api.problems import RETRY_AFTER_S, Kind, Problem
from fujie.api.serving import (
    QUERY_BYTES_MAX,
    Answer,
    AnyRequest,
    Serving,
    bytes_answer,
    page_answer,
    parse_json,
    wanted,
)
from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import OperationalError
from fujie.core.json_form import from_json, to_json
from fujie.core.limits import BULK_ITEMS_MAX
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.core.units import TIME_MS_MAX, TimeMs
from fujie.engine.base import Served
from fujie.engine.reading import answer
from fujie.modules.catalog import QUERY, RECEIPT, TRANSACTION, codec_of
from fujie.proof.bundle import BUNDLE_SUFFIX, Bundle, Logged, Present
from fujie.proof.light_block import decode_light_block
from fujie.proof.past import in_force

INLINE_QUERIES_MAX: Final = 8  # more are proven beside the event loop: each costs about 0.1 ms
PROOF_TIMEOUT_S: Final = 10.0  # how long a receipt waits for the block that proves it; one is made within 0.1 s or so
PROOF_POLL_S: Final = 0.01

_TRANSACTION_ID: Final = re.compile(r"([0-9a-f]{64})(\.fujie)?")

_question = msgspec.msgpack.Decoder(
    tuple[
        Annotated[list[bytes], Meta(min_length=1, max_length=BULK_ITEMS_MAX)],
        bytes | None,
        Annotated[int, Meta(ge=0, le=TIME_MS_MAX)] | None,
    ]
)


# The JSON form of what is asked: queries by name, a grant in hexadecimal, a time.
_QUESTION: Final[Any] = msgspec.defstruct(
    "Question",
    [
        ("queries", Annotated[tuple[QUERY.type, ...], Meta(min_length=1, max_length=BULK_ITEMS_MAX)]),  # type: ignore[name-defined]  # built from the catalog
        ("grant", bytes | None),
        ("time_ms", TimeMs | None),
    ],
    frozen=True,
)


@takes(since=parameters.SINCE)
async def read(serving: Serving, request: AnyRequest, since: str | None) -> Answer:
    """Answer queries with proof, one item for each, in order.

    Body: MessagePack ``[[query, …], grant or nil, time or nil]`` with canonical queries (1 to ``BULK_ITEMS_MAX``) and a
    signed read grant, or JSON ``{"queries": [{"type": …}], "grant": hex, "time_ms": …}``. With a time, each record comes
    with the old versions that reach back to it. Without a grant in the body the header Authorization says who asks.
    ``since`` concerns bundles alone.

    Problems, in order: MALFORMED (query), MEDIA_TYPE_UNSUPPORTED, NOT_ACCEPTABLE, TOO_LARGE, NODE_BUSY, BODY_TIMEOUT,
    MALFORMED, those of a credential, the reasons of ``engine.reading.answer``, UNAVAILABLE, VALIDATORS_UNKNOWN, and in
    JSON TIME_NOT_PROVEN_YET, HISTORY_NOT_KEPT.
    """
    sent = media.sent_type(request.headers.get("content-type"), (media.READ, media.JSON))
    own, other = (media.BUNDLE, media.JSON) if sent == media.READ else (media.JSON, media.BUNDLE)
    form = wanted(request, (own, other))
    body = await serving.body(request, QUERY_BYTES_MAX)
    queries, grant, time_ms = _decode(body) if sent == media.READ else _from_json(parse_json(body))
    reader = None
    if grant is None and request.headers.get("authorization") is not None:
        reader = serving.reader(request).name or None
    if len(queries) <= INLINE_QUERIES_MAX and time_ms is None:
        bundle = answer(serving.engine, queries, grant, None, reader)
    else:
        bundle = await asyncio.to_thread(answer, serving.engine, queries, grant, time_ms, reader)
    if form == media.BUNDLE:
        return bytes_answer(serving.encoded(bundle, since), media.BUNDLE, private=True)
    if time_ms is not None:
        require_proven(bundle, time_ms)
    return page_answer(read_page(bundle, time_ms), private=True)


@takes(since=parameters.SINCE)
async def receipt(serving: Serving, request: AnyRequest, since: str | None) -> Answer:
    """Return the proof of a receipt, once a signed header proves it. ``<id>.fujie`` is the bundle as a file.
    ``since`` concerns bundles alone.

    The id covers a nonce of 128 random bits and stands nowhere in the open: whoever knows it was party to the
    transaction, or was told by one, and may read.

    Problems, in order: MALFORMED (query, no id), NOT_ACCEPTABLE, RECEIPT_ABSENT, PROOF_PENDING, UNAVAILABLE,
    VALIDATORS_UNKNOWN.
    """
    match = _TRANSACTION_ID.fullmatch(str(request.path_params["transaction_id"]))
    if match is None:
        raise Problem(Kind.MALFORMED, "A transaction id is 64 digits of lower-case hexadecimal.")
    form = media.BUNDLE if match[2] else wanted(request, (media.JSON, media.BUNDLE))
    bundle = await _proven_receipt(serving.engine, bytes.fromhex(match[1]))
    if form == media.BUNDLE:
        data = serving.encoded(bundle, since)
        return bytes_answer(data, media.BUNDLE, private=True, file_name=match[1] + BUNDLE_SUFFIX)
    return page_answer(receipt_page(bundle, f"/receipts/{match[1]}{BUNDLE_SUFFIX}"), private=True)


def require_proven(bundle: Bundle, time_ms: int) -> None:
    """Raise :class:`Problem` TIME_NOT_PROVEN_YET when ``time_ms`` lies after the header of ``bundle``."""
    newest_ms = decode_light_block(bundle.light_block).header.time_ms
    if time_ms > newest_ms:
        raise Problem(
            Kind.TIME_NOT_PROVEN_YET, f"The newest proven block is of {newest_ms} ms; ask about that or before."
        )


def read_page(bundle: Bundle, time_ms: int | None = None) -> pages.Read:
    """Return what people are told of records: each item, and the header that proves them."""
    header = decode_light_block(bundle.light_block).header
    items = []
    for item in bundle.items:
        assert not isinstance(item, Logged), "a read answers with what stands in state"
        record = record_at_time(item, time_ms) if isinstance(item, Present) else None
        items.append(pages.StateItem(path=item.path, record=None if record is None else to_json(record)))
    return pages.Read(chain_id=bundle.chain_id, height=header.height, time_ms=header.time_ms, items=items)


def receipt_page(bundle: Bundle, proof: str) -> pages.Receipt:
    """Return what people are told of a receipt, and the header that proves it."""
    header = decode_light_block(bundle.light_block).header
    [item] = bundle.items
    assert isinstance(item, Logged), "the proof of a receipt is about the log"
    logged = pages.LoggedItem(
        log_index=item.proof.index,
        transaction=to_json(TRANSACTION.decode_trusted(SIGNED_TRANSACTION.decode_trusted(item.transaction).body)),
        receipt=to_json(RECEIPT.decode_trusted(item.receipt)),
    )
    return pages.Receipt(
        chain_id=bundle.chain_id, height=header.height, time_ms=header.time_ms, items=[logged], proof=proof
    )


def record_at_time(item: Present, time_ms: int | None) -> Record | None:
    """Return the record of an item, or with a time the version of it that was in force then, if there was one."""
    if time_ms is None:
        record: Record = codec_of(item.path).decode_trusted(item.record)
        return record
    current, codec = _versioned(item)
    return in_force(current, item.versions, time_ms, codec)


def _decode(body: bytes) -> tuple[list[bytes], bytes | None, int | None]:
    try:
        raw, grant, time_ms = _question.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Problem(Kind.MALFORMED, f"The body is no [[query, ...], grant or nil, time or nil]: {error}.") from None
    return raw, grant, time_ms


def _from_json(parsed: Any) -> tuple[list[bytes], bytes | None, int | None]:
    question = from_json(_QUESTION, parsed)
    return [encode(query) for query in question.queries], question.grant, question.time_ms


async def _proven_receipt(engine: Served, transaction_id: bytes) -> Bundle:
    """Return the proof of a receipt, waiting in the event loop for the block that proves it."""
    deadline = asyncio.get_running_loop().time() + PROOF_TIMEOUT_S
    while True:
        try:
            bundle = engine.prove_receipt(transaction_id, 0.0)
        except OperationalError:
            if engine.failure is not None:
                raise
            if asyncio.get_running_loop().time() >= deadline:
                raise Problem(Kind.PROOF_PENDING, retry_after_s=RETRY_AFTER_S) from None
            await asyncio.sleep(PROOF_POLL_S)
            continue
        if bundle is None:
            raise Problem(Kind.RECEIPT_ABSENT)
        return bundle


def _versioned(item: Present) -> tuple[Any, Codec[Any]]:
    codec = codec_of(item.path)
    record = codec.decode_trusted(item.record)
    if not hasattr(record, "standing"):
        raise Problem(Kind.HISTORY_NOT_KEPT, f"What stands at {item.path} keeps no history; read it without a time.")
    return record, codec
