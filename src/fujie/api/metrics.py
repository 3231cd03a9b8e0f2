"""GET /metrics: figures for Prometheus, CometBFT's under CometBFT's names and the node's own under ``fujie_``.

What is of the chain is read from the engine when it is asked for. What is counted (requests, streams, block intervals) is of
the one process that answers, since it started: its label ``reader`` tells the processes of a node apart.

Source: CometBFT 0.38, "Metrics" (namespace ``cometbft``, label ``chain_id``).
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from litestar import Response
from prometheus_client import Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fujie.api.problems import Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving
from fujie.core.errors import OperationalError
from fujie.engine.executor import Head
from fujie.engine.reading import is_public
from fujie.proof.light_block import decode_light_block
from fujie.proof.vote import BlockIDFlag
from fujie.reader.access import Means
from fujie.reader.credentials import Scope

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
INTERVAL_BUCKETS_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
UNMATCHED: Final = "unmatched"  # the label of paths that no route has: what strangers type is no label
ENTRIES_COUNTED_MAX: Final = 2_000  # of a block whose size is measured; beyond that the size is estimated from these

Figures = Mapping[str, tuple[str, int]]
"""Name without ``cometbft_`` → what it is about, and its value."""

log = logging.getLogger(__name__)


class Metrics:
    """The figures of one process: its registry, and what is counted as requests and blocks come."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self.registry = serving.registry
        self._reader = str(serving.settings.reader_number)
        chain = serving.engine.chain_id
        self._requests = Counter(
            "fujie_http_requests",
            "Requests answered, by route, method and status.",
            ("reader", "method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "fujie_http_request_seconds",
            "Time from the head of a request to the head of its answer, in seconds.",
            ("reader", "route"),
            buckets=REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._intervals = Histogram(
            "cometbft_consensus_block_interval_seconds",
            "Time between a block and the one before, in seconds, by their headers.",
            ("chain_id",),
            buckets=INTERVAL_BUCKETS_S,
            registry=self.registry,
        ).labels(chain)
        self._counted: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self.registry.register(_Figures(serving))
        self._newest = serving.engine.head
        self.stop = serving.engine.subscribe(self._block_was_made)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request. ``route`` is the template of its path, never the path."""
        kept = self._counted.get((route, method, status))
        if kept is None:
            kept = self._counted[route, method, status] = (
                self._requests.labels(self._reader, method, route, str(status)).inc,
                self._seconds.labels(self._reader, route).observe,
            )
        count, observe = kept
        count()
        observe(seconds)

    def _block_was_made(self) -> None:
        """Note the time between blocks; called in a thread of the engine.

        A replica also tells when the ledger comes or goes, which is no block; and several may have been made by now.
        """
        before, self._newest = self._newest, self._serving.engine.head
        blocks = self._newest.height - before.height
        if blocks > 0:
            self._intervals.observe((self._newest.time_ms - before.time_ms) / 1000 / blocks)


class _Figures(Collector):
    """What the engine and the projection are asked for at every scrape."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def collect(self) -> Iterator[Metric]:
        """Yield every figure. What cannot be read now is left out: some missing lines, and not the whole page."""
        head = self._serving.engine.head
        for read in (self._chain, self._validators, self._newest_block):
            try:
                found = read(head)
            except OperationalError as error:
                log.warning("some figures are left out, as they cannot be read: %s", error.what)
                continue
            for name, (about, value) in found.items():
                yield _gauge(f"cometbft_{name}", about, value, chain_id=self._serving.engine.chain_id)
        yield from self._node()

    def _chain(self, head: Head) -> Figures:
        return {
            "consensus_height": ("Height of the chain.", head.height),
            "consensus_latest_block_height": ("Height of the newest block.", head.height),
            "consensus_total_txs": ("Transactions committed, over all blocks.", head.log_size),
            "mempool_size": ("Transactions that wait for a block.", self._serving.engine.pending),
        }

    def _validators(self, head: Head) -> Figures:
        block = self._serving.engine.light_block(head.height) if head.height else None
        if block is None:
            return {}
        members = block.validators.validators
        signed = [member.flag is not BlockIDFlag.ABSENT for member in block.commit.signatures]
        missing = [member.voting_power for member, here in zip(members, signed, strict=True) if not here]
        return {
            "consensus_validators": ("Number of validators.", len(members)),
            "consensus_validators_power": ("Voting power of all validators.", sum(m.voting_power for m in members)),
            "consensus_missing_validators": ("Validators who did not sign the newest block.", len(missing)),
            "consensus_missing_validators_power": ("Voting power of those who did not sign.", sum(missing)),
        }

    def _newest_block(self, head: Head) -> Figures:
        engine = self._serving.engine
        block = engine.block(head.height) if head.height else None
        if block is None:
            return {}
        row = block.stored
        counted = min(row.transactions, ENTRIES_COUNTED_MAX)
        entries = engine.entries(row.first_index, row.first_index + counted) if counted else []
        size = sum(len(entry.transaction) for entry in entries)
        size = size * row.transactions // max(len(entries), 1) + len(row.header) + len(row.commit)
        return {
            "consensus_num_txs": ("Transactions in the newest block.", row.transactions),
            "consensus_block_size_bytes": ("Size of the newest block, in bytes.", size),
        }

    def _node(self) -> Iterator[Metric]:
        serving = self._serving
        engine = serving.engine
        now_ms = time.time_ns() // 1_000_000
        proven_ms = decode_light_block(engine.proven.light_block).header.time_ms
        reader = str(serving.settings.reader_number)
        yield _gauge("fujie_log_size", "Entries of the transaction log.", engine.head.log_size)
        yield _gauge("fujie_pending_transactions", "Submitted transactions without an outcome.", engine.pending)
        yield _gauge("fujie_block_age_seconds", "Age of the newest block.", (now_ms - engine.head.time_ms) / 1000)
        yield _gauge(
            "fujie_proof_age_seconds", "Age of the header that proofs stand under.", (now_ms - proven_ms) / 1000
        )
        yield _gauge(
            "fujie_ledger_stopped", "1 when the ledger has stopped by itself.", int(engine.failure is not None)
        )
        yield _gauge("fujie_streams_open", "Event streams open at this process.", serving.hub.open, reader=reader)
        yield _counter(
            "fujie_streams_dropped",
            "Event streams dropped because a client was slow.",
            serving.hub.dropped,
            reader=reader,
        )
        behind = _behind(serving)
        if behind is not None:
            yield _gauge("fujie_projection_behind", "Log entries that lists do not have yet.", behind)


async def metrics(serving: Serving, request: AnyRequest) -> Answer:
    """Return figures for Prometheus. On a restricted chain a key with the scope metrics is needed.

    Problems, in order: CREDENTIAL_UNKNOWN and the others of a credential, CREDENTIAL_REQUIRED, SCOPE_MISSING.
    """
    if _needs_key(serving):
        reader = serving.authenticated(request)
        if reader.means is Means.NOTHING:
            raise Problem(Kind.CREDENTIAL_REQUIRED, "Send an API key with the scope metrics as Authorization: Bearer.")
        if Scope.METRICS not in reader.scopes:
            raise Problem(Kind.SCOPE_MISSING, "The key needs the scope metrics.")
    body = generate_latest(serving.registry)
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
    return Response(body, status_code=200, media_type=MEDIA_TYPE, headers=headers)


def _needs_key(serving: Serving) -> bool:
    access = serving.settings.metrics_access
    return access == "key" or (access == "auto" and not is_public(serving.state))


def _behind(serving: Serving) -> int | None:
    lists = serving.find_lists()
    if lists is None:
        return None
    try:
        return max(serving.engine.head.log_size - lists.position().log_size, 0)
    except OperationalError:
        return None


def _counter(name: str, about: str, value: float, **labels: str) -> Metric:
    """Return a figure that only grows while the process lives; its lines are called ``name`` with ``_total``."""
    family = CounterMetricFamily(name, about, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _gauge(name: str, about: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, about, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
