"""POST /transactions and POST /dry-run: signed transactions in, what became of each out.

The status is 200 whenever every transaction has an outcome: a refusal by a rule is an answer, durable and provable, and
no fault of the request. Only when none of them could be taken in is the answer a problem.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from fujie.api import media, pages
from fujie.api.problems import RETRY_AFTER_S, Kind, Problem, advice_for
from fujie.api.serving import (
    SUBMIT_BYTES_MAX,
    Answer,
    AnyRequest,
    Serving,
    bytes_answer,
    json_answer,
    outcome_of,
    parse_json,
    wanted,
)
from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, Refused
from fujie.core.json_form import from_json, to_json
from fujie.core.limits import KEYS_MAX, SUBMIT_BATCH_MAX, TRANSACTION_BYTES_MAX
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import SignedTransaction
from fujie.core.units import Signature
from fujie.engine.base import Outcome, Served
from fujie.modules.catalog import TRANSACTION, reason

_ACCEPTED: Final = (media.TRANSACTIONS, media.JSON)
JSON_BYTES_MAX: Final = 2_097_152  # a thousand payments: what people write; programs send large batches as MessagePack
_ONE_BYTES_MAX: Final = (
    4 * TRANSACTION_BYTES_MAX
)  # of one transaction: its JSON form has two digits for a byte, and names
STALLED_S: Final = 15.0  # without a block; validators that are away make one late, by seconds

_SPACE: Final = b" \t\r\n"  # before a value, RFC 8259
_batch = msgspec.msgpack.Decoder(list[bytes])
_items = msgspec.json.Decoder(list[msgspec.Raw])


class _Signatures(msgspec.Struct, frozen=True):
    """The part of a transaction's JSON form that is not signed."""

    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=KEYS_MAX)]


async def submit(serving: Serving, request: AnyRequest) -> Answer:
    """Submit signed transactions; answer when each is durable or refused.

    Body: a MessagePack array of canonical signed transactions (at most ``SUBMIT_BATCH_MAX``), or the JSON form of one
    or an array of them (at most ``JSON_BYTES_MAX``). Each succeeds or fails by itself. The same bytes again give the first receipt again.

    Problems, in order: MIRROR_READ_ONLY, MEDIA_TYPE_UNSUPPORTED, NOT_ACCEPTABLE, TOO_LARGE, NODE_BUSY, BODY_TIMEOUT,
    MALFORMED, ADMISSION_QUEUE_FULL (429, none was taken in), UNAVAILABLE, OUTCOME_PENDING (they were taken in, and the chain
    makes no block now).
    """
    if source := serving.settings.mirror_of:
        raise Problem(Kind.MIRROR_READ_ONLY, f"Submit to {source}.", source=source)
    sent = media.sent_type(request.headers.get("content-type"), _ACCEPTED)
    form = _answer_form(request, sent)
    one = False
    if sent == media.TRANSACTIONS:
        transactions = _decode_batch(await serving.body(request, SUBMIT_BYTES_MAX))
    else:
        body = await serving.body(request, JSON_BYTES_MAX, f"Send a larger batch as {media.TRANSACTIONS}.")
        one, transactions = await serving.parsed(_from_json, body)
    outcomes = await waited(serving.engine, serving.engine.submit(transactions))
    if outcomes and all(_was_turned_away_full(outcome) for outcome in outcomes):
        raise Refused(TransactionReason.ADMISSION_QUEUE_FULL)
    return _answer(outcomes, form, one)


async def waited(engine: Served, future: "Future[list[Outcome]]", stalled_s: float = STALLED_S) -> list[Outcome]:
    """Wait for outcomes as long as the chain makes blocks. Raises :class:`Problem` OUTCOME_PENDING when it does not.

    What was submitted stays so: a later block may still carry it out, until it expires.
    """
    waiting = asyncio.ensure_future(outcome_of(future))
    try:
        while True:
            height = engine.head.height
            await asyncio.wait((waiting,), timeout=stalled_s)
            if waiting.done():
                return waiting.result()
            if engine.head.height == height:
                raise Problem(
                    Kind.OUTCOME_PENDING,
                    f"What was submitted waits since block {height}, and may still be carried out until it expires: more than "
                    "two thirds of the validators must run and reach one another. Submit the same bytes again, here or at "
                    "another node; nothing is carried out twice.",
                )
    finally:
        waiting.cancel()


async def dry_run(serving: Serving, request: AnyRequest) -> Answer:
    """Carry one signed transaction out on the committed state and forget it.

    Body and answer as in :func:`submit`, with exactly one transaction (TOO_LARGE otherwise); the receipt says what
    would happen now, and nothing remembers it.

    Problems, in order: MEDIA_TYPE_UNSUPPORTED, NOT_ACCEPTABLE, TOO_LARGE, NODE_BUSY, BODY_TIMEOUT, MALFORMED,
    NODE_BUSY (too many are rehearsed), UNAVAILABLE.
    """
    sent = media.sent_type(request.headers.get("content-type"), _ACCEPTED)
    form = _answer_form(request, sent)
    body = await serving.body(request, _ONE_BYTES_MAX)
    one = True
    if sent == media.TRANSACTIONS:
        transactions = _decode_batch(body)
    else:
        one, transactions = await serving.parsed(_from_json, body)
    if len(transactions) != 1:
        raise Problem(Kind.TOO_LARGE if transactions else Kind.MALFORMED, "Rehearse one transaction at a time.")
    outcome = await serving.dry_runs.run(serving.engine, transactions[0])
    return _answer([outcome], form, one)


def _answer_form(request: AnyRequest, sent: str) -> str:
    """Return the form to answer in: where the request does not mind, the one it was sent in."""
    own, other = (media.OUTCOMES, media.JSON) if sent == media.TRANSACTIONS else (media.JSON, media.OUTCOMES)
    return wanted(request, (own, other))


def _decode_batch(body: bytes) -> list[bytes]:
    """Return the byte strings of a MessagePack array. What they hold is for admission to say."""
    _check_count(_array_length(body))
    try:
        return _batch.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Problem(Kind.MALFORMED, f"The body is no MessagePack array of byte strings: {error}.") from None


def _array_length(body: bytes) -> int:
    """Return how many items a MessagePack array announces, before anything is made of them; 0 for anything else."""
    first = body[0] if body else 0
    if first == 0xDC:
        return int.from_bytes(body[1:3], "big")
    if first == 0xDD:
        return int.from_bytes(body[1:5], "big")
    return first & 0x0F if first & 0xF0 == 0x90 else 0


def _check_count(count: int) -> None:
    if count > SUBMIT_BATCH_MAX:
        raise Problem(
            Kind.TOO_LARGE,
            f"{count} transactions; send at most {SUBMIT_BATCH_MAX} at a time.",
            retry_after_s=RETRY_AFTER_S,
        )


def _from_json(body: bytes) -> tuple[bool, list[bytes]]:
    """Return whether a body is one transaction and no array, and the canonical signed transactions whose form it is.

    An array is taken apart before anything is made of its items, so that what does not fit costs little. Raises
    :class:`Problem` MALFORMED, TOO_LARGE, and :class:`DecodeError`.
    """
    if body.lstrip(_SPACE)[:1] != b"[":
        if len(body) > _ONE_BYTES_MAX:
            raise Problem(Kind.TOO_LARGE, f"One transaction has at most {_ONE_BYTES_MAX} bytes in JSON.")
        return True, [_signed(parse_json(body), "$")]
    try:
        items = _items.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(Kind.MALFORMED, f"The body is no JSON: {error}.") from None
    _check_count(len(items))
    transactions = []
    for number, item in enumerate(items):
        if len(memoryview(item)) > _ONE_BYTES_MAX:
            raise Problem(Kind.TOO_LARGE, f"$[{number}]: a transaction has at most {_ONE_BYTES_MAX} bytes in JSON.")
        transactions.append(_signed(parse_json(bytes(item)), f"$[{number}]"))
    return False, transactions


def _signed(value: Any, path: str) -> bytes:
    """Return one canonical signed transaction: its body has the members of a transaction, and ``signatures`` besides."""
    if not isinstance(value, dict):
        raise DecodeError(f"{path}: expected a signed transaction")
    body = {name: member for name, member in value.items() if name != "signatures"}
    signatures = {"signatures": value["signatures"]} if "signatures" in value else {}
    try:
        transaction = from_json(TRANSACTION.type, body)
        signed = from_json(_Signatures, signatures)
    except DecodeError as error:
        raise DecodeError(path + error.detail.removeprefix("$")) from None
    return encode(SignedTransaction(encode(transaction), signed.signatures))


def _was_turned_away_full(outcome: Outcome) -> bool:
    return outcome.receipt is None and outcome.code == TransactionReason.ADMISSION_QUEUE_FULL


def _answer(outcomes: Sequence[Outcome], form: str, one: bool) -> Answer:
    if form == media.JSON:
        told = [_page(outcome) for outcome in outcomes]
        return json_answer(told[0] if one else told, private=True)
    rows = [
        (
            outcome.transaction_id,
            outcome.code,
            None if outcome.receipt is None else encode(outcome.receipt),
            outcome.log_index,
        )
        for outcome in outcomes
    ]
    return bytes_answer(encode(rows), media.OUTCOMES, private=True)


def _page(outcome: Outcome) -> pages.Outcome:
    """Return what people are told of one outcome."""
    known = reason(outcome.code)
    return pages.Outcome(
        transaction_id=outcome.transaction_id.hex(),
        code=outcome.code,
        reason=None if known is None else known.name,
        sentence=None if known is None else known.sentence,
        do=None if known is None else advice_for(known),
        receipt=None if outcome.receipt is None else to_json(outcome.receipt),
        log_index=outcome.log_index,
        proof=None if outcome.log_index is None else f"/receipts/{outcome.transaction_id.hex()}.fujie",
    )
