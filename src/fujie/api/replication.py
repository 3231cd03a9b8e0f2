"""GET /replication/{height}: the chain itself, block by block, for mirrors that verify and carry out all of it.

On a public chain anyone may have it. On a restricted one its blocks hold what only auditors may read.
"""

import asyncio
import contextlib
import re
from typing import Final

from fujie.api import media
from fujie.api.parameters import takes, whole
from fujie.api.problems import RETRY_AFTER_S, Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving, bytes_answer
from fujie.core.encoding import encode
from fujie.engine.base import Served
from fujie.proof.light_block import encode_light_block

WAIT_MS_MAX: Final = 30_000  # below the idle time of common proxies (60 s)
BLOCKS_MAX: Final = 500  # in one answer
BLOCKS_DEFAULT: Final = 100
ANSWER_BYTES_TARGET: Final = 4_194_304  # no block is added from here on, so an answer has at most one more than this
WAITING_MAX: Final = 100  # mirrors that wait for a block at one process; each holds a connection

_HEIGHT: Final = re.compile(r"[1-9][0-9]{0,15}")


@takes(
    wait_ms=whole(0, WAIT_MS_MAX, "How long to wait for a block that does not exist yet.", 0),
    limit=whole(1, BLOCKS_MAX, "How many blocks at most.", BLOCKS_DEFAULT),
)
async def replication(serving: Serving, request: AnyRequest, wait_ms: int, limit: int) -> Answer:
    """Return blocks from a height on: each its light block, its signed transactions in their order, and the evidence in it.

    ``limit`` (1 to 500, default 100) bounds the blocks; an answer ends early when it has 4 MiB. Where the height does not
    exist yet, the answer is empty, after at most ``wait_ms`` (0 to 30,000, default 0) in which it may come to exist.

    Problems, in order: MALFORMED (query), what ``Serving.reader`` raises, CREDENTIAL_REQUIRED, READER_NOT_ENTITLED (on a
    restricted chain, for whoever does not see everything), MALFORMED (height), NODE_BUSY (too many wait), BLOCK_ABSENT
    (from before the snapshot that the node was loaded from).
    """
    serving.require_all(serving.reader(request))
    text = str(request.path_params["height"])
    if _HEIGHT.fullmatch(text) is None:
        raise Problem(Kind.MALFORMED, "A height is a whole number from 1.")
    height = int(text)
    if serving.engine.head.height < height and wait_ms:
        await _waited(serving, height, wait_ms / 1_000)
    items = await asyncio.to_thread(blocks_from, serving.engine, height, limit)
    return bytes_answer(encode(items), media.REPLICATION, private=True)


def blocks_from(engine: Served, height: int, limit: int) -> list[tuple[bytes, list[bytes], list[bytes]]]:
    """Return up to ``limit`` blocks from ``height`` on, as they travel. Raises :class:`Problem` BLOCK_ABSENT."""
    items: list[tuple[bytes, list[bytes], list[bytes]]] = []
    size = 0
    for number in range(height, min(height + limit - 1, engine.head.height) + 1):
        block, found = engine.light_block(number), engine.block(number)
        if block is None or found is None:
            if items:
                break  # its votes are not here yet
            raise Problem(Kind.BLOCK_ABSENT)
        first, count = found.stored.first_index, found.stored.transactions
        transactions = [entry.transaction for entry in engine.entries(first, first + count)] if count else []
        if len(transactions) != count:
            raise Problem(Kind.BLOCK_ABSENT)
        data = encode_light_block(block)
        items.append((data, transactions, list(found.evidence)))
        size += len(data) + sum(map(len, transactions)) + sum(map(len, found.evidence))
        if size >= ANSWER_BYTES_TARGET:
            break
    return items


async def _waited(serving: Serving, height: int, timeout_s: float) -> None:
    """Wait until there is a block at ``height``, ledger or server stop, or the time is over. Raises NODE_BUSY."""
    engine = serving.engine
    if len(serving.waiting) >= WAITING_MAX:
        raise Problem(Kind.NODE_BUSY, retry_after_s=RETRY_AFTER_S)
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def announce() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(news.set)

    serving.waiting.add(news)
    unsubscribe = engine.subscribe(announce)
    try:
        async with asyncio.timeout(timeout_s):
            while engine.head.height < height and engine.failure is None and not serving.stopping:
                await news.wait()
                news.clear()
    except TimeoutError:
        pass
    finally:
        unsubscribe()
        serving.waiting.discard(news)
