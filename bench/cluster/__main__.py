"""Several validators on this machine: payments/s, latency, processor time, beside nodes that only check signatures.

    python -m bench.cluster                       1 and 4 validators, 10,000 wallets; about seven minutes
    python -m bench.cluster --validators 4 --parts most --rounds 3 --wallets 100000
    python -m bench.cluster --parts rates --rates 50 1000
    python -m bench.cluster --parts start         only how long fresh and killed validators take

Real nodes with real CometBFT, made and started as `fujie network` does; payments come over HTTP to every node in turn, and
one counts when its node answers that it is durable. *most*: as many payments as the nodes take. *rates*: so many a second,
whether or not those before are answered, which is how latency is measured. Real nodes alternate with nodes that only check
the signatures of the very same payments (`bench.cluster.echo`): the bound that CometBFT and this machine set. One line of
JSON for each measurement, tables at the end.
"""

import argparse
import json
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from bench.cluster import networks, processor, starting, tables
from bench.cluster.load import Generator, Load, batches
from bench.payments import signed_payments
from bench.world import WORLD_ROOT
from fujie.node.folder import Folder
from fujie.store.opening import StoreKind

APPLICATIONS = ("fujie", "echo")
MOST = 0  # in place of a rate: as many as go
BATCH = 250  # payments in a request where as many as can go
REQUESTS_PER_S = 50  # at a rate, so that a request has few payments
WARM_UP = 2_000  # payments before anything is measured
BY_VALIDATORS: dict[int, tuple[int, int, list[int]]] = {  # payments: under way, a second at most, rates
    1: (8_000, 14_000, [500, 2_000, 4_000]),
    4: (4_000, 4_500, [100, 300, 600]),
}


class Plan(NamedTuple):
    """What is measured."""

    validators: int
    wallets: int
    seconds: float
    store: StoreKind
    applications: Sequence[str]

    @property
    def shape(self) -> tuple[int, int, list[int]]:
        """Payments under way, a second at most, and the rates."""
        return BY_VALIDATORS.get(self.validators, BY_VALIDATORS[4])

    def payments(self, chain: str, rate: int) -> list[bytes]:
        """Return signed payments, as many as can be needed."""
        return signed_payments(chain, self.wallets, WARM_UP + int((rate or self.shape[1]) * self.seconds))


def measured(running: networks.Running, plan: Plan, payments: list[bytes], rate: int) -> dict[str, Any]:
    """Put load on nodes that run; return the figures."""
    generator = Generator(running.ports)
    try:
        generator.as_many_as_go(60.0, 2, batches(payments[:WARM_UP], BATCH))
        height, before = running.height(), _spent_s(running)
        load = _load(generator, plan, rate, payments[WARM_UP:])
        after = _spent_s(running)
        blocks = running.height() - height
    finally:
        generator.close()
    spent = processor.difference(after, before)
    count = load.payments
    return {
        "application": running.name,
        "validators": plan.validators,
        "wallets": plan.wallets,
        "load": rate or "most",
        "payments": count,
        "refused": load.refused(),
        "per_second": round(count / load.seconds),
        "p50_ms": load.latency_ms(50),
        "p99_ms": load.latency_ms(99),
        "blocks_per_s": round(blocks / load.seconds, 2),
        "payments_per_block": round(count / max(blocks, 1)),
        "cpu_us_per_payment": {kind: round(1e6 * each / count, 1) for kind, each in sorted(spent.items())},
        "cpu_us_in_all": round(1e6 * sum(spent.values()) / count, 1),
    }


def _load(generator: Generator, plan: Plan, rate: int, payments: list[bytes]) -> Load:
    if not rate:
        requests = max(1, plan.shape[0] // BATCH // plan.validators)
        return generator.as_many_as_go(plan.seconds, requests, batches(payments, BATCH))
    size = max(1, rate // REQUESTS_PER_S)
    return generator.at_a_rate(plan.seconds, rate / size, batches(payments, size))


def _spent_s(running: networks.Running) -> dict[str, float]:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return processor.spent_s(running.roots) | {"load": own.ru_utime + own.ru_stime}


def run(plan: Plan, rounds: int, parts: Sequence[str], rates: Sequence[int]) -> list[dict[str, Any]]:
    """Alternate between the applications; print a line for each measurement, and return them all."""
    place = networks.prepared(plan.validators, plan.wallets, plan.store)
    chain = Folder(place / "node1").trust().chain_id
    found = []
    for number in range(rounds):
        loads = [MOST] if "most" in parts else []
        if number == 0 and "rates" in parts:
            loads = [*(rates or plan.shape[2]), *loads]
        payments = {load: plan.payments(chain, load) for load in loads}
        for name in plan.applications:
            with _serving(name, plan, place) as running:
                for load in loads:
                    figures = measured(running, plan, payments[load], load)
                    print(json.dumps(figures), flush=True)
                    found.append(figures)
    return found


def _serving(name: str, plan: Plan, place: Path) -> AbstractContextManager[networks.Running]:
    if name == "fujie":
        return networks.serving(place)
    return networks.echoing(WORLD_ROOT / "cluster-echo-run", plan.validators)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validators", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--wallets", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument(
        "--rounds", type=int, default=2, help="of `most`, whose medians count; `rates` are in the first"
    )
    parser.add_argument(
        "--rates", type=int, nargs="+", default=[], help="payments a second, other than those by default"
    )
    parser.add_argument("--parts", nargs="+", choices=("most", "rates", "start"), default=["most", "rates", "start"])
    parser.add_argument("--applications", nargs="+", choices=APPLICATIONS, default=APPLICATIONS)
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="rocks")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nodes that run are stopped on the way out
    found = []
    starts = []
    for validators in arguments.validators:
        if {"most", "rates"} & set(arguments.parts):
            plan = Plan(validators, arguments.wallets, arguments.seconds, arguments.store, arguments.applications)
            found += run(plan, arguments.rounds, arguments.parts, arguments.rates)
        if "start" in arguments.parts:
            starts.append(starting.measured(validators, arguments.store))
            print(json.dumps(starts[-1]), flush=True)
    tables.show(found, starts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
