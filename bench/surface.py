"""The surface of a node that has 50,000 blocks and 1,000,000 accounts: pages, JSON, lists, streams.

    python -m bench.surface                       all parts
    python -m bench.surface --parts pages streams
    python -m bench.surface --accounts 10000 --blocks 1000      a small world, to try it

pages        every page of the console and every JSON route, p50 and p99 over 4 connections, beside nothing else
rebuild      the projection made anew from the whole ledger, in a process of its own, with the node stopped
lag          how far lists are behind while payments come in batches as fast as the ledger takes them
streams      500 open event streams while payments come one after another: when each stream has heard of each
paint        the browser's first contentful paint of some pages

The node is `fujie up` with its processes; the load generator shares the two cores with it.
"""

import argparse
import json
import random
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench import http_load
from bench.node import PROGRAM, Node, bearer, get, serving, wait_for_lists
from bench.payments import signed_payments
from bench.world import PREFIX, node, prepared, wallet_id
from fujie.api import media

PARTS: Final = ("pages", "streams", "lag", "rebuild", "paint")
CONNECTIONS: Final = 4
PAINTED: Final = ("/console/", f"/console/ids/{PREFIX}", "/console/transactions")
SESSION_COOKIE: Final = "fujie_session"
HTML: Final = "text/html"


def program(target: Node, *arguments: str) -> Any:
    """Return what a command of the program prints as JSON."""
    done = subprocess.run(
        [*PROGRAM, "--home", str(target.folder.home), *arguments, "--json"], capture_output=True, check=True
    )
    return json.loads(done.stdout)


class Sample:
    """Random things of the world to ask for."""

    def __init__(self, target: Node, credential: str, accounts: int, identifiers: int) -> None:
        self.dice = random.Random(11)
        self.accounts, self.identifiers = accounts, identifiers
        status = get(target, "/status")
        self.height, self.log_size = status["height"], status["log_size"]
        self.transactions = [
            row["transaction_id"]
            for _ in range(20)
            for row in get(target, f"/transactions?limit=50&before={self.index()}", credential)["transactions"]
        ]

    def index(self) -> int:
        """Return a place in the log, near its end or anywhere."""
        return self.dice.randrange(1, self.log_size)

    def block(self) -> int:
        """Return a height."""
        return self.dice.randrange(2, self.height)

    def identifier(self) -> str:
        """Return an identifier."""
        return f"{PREFIX}.{node(self.dice.randrange(self.identifiers))}"

    def wallet(self) -> str:
        """Return the id of a wallet, as text."""
        return wallet_id(self.dice.randrange(self.accounts)).hex()

    def transaction(self) -> str:
        """Return the id of a transaction, as text."""
        return str(self.dice.choice(self.transactions))


def routes(sample: Sample) -> dict[str, Callable[[], str]]:
    """Return what is asked for, by the name of its row: JSON routes, then pages."""
    json_routes: dict[str, Callable[[], str]] = {
        "/status": lambda: "/status",
        "/statistics": lambda: "/statistics",
        "/blocks": lambda: f"/blocks?before={sample.block() + 1}",
        "/blocks/{height}": lambda: f"/blocks/{sample.block()}",
        "/blocks/{height}/transactions": lambda: f"/blocks/{sample.block()}/transactions",
        "/transactions": lambda: f"/transactions?before={sample.index()}",
        "/transactions?party": lambda: f"/transactions?party=wallet/{sample.wallet()}",
        "/transactions/{id}": lambda: f"/transactions/{sample.transaction()}",
        "/receipts/{id}": lambda: f"/receipts/{sample.transaction()}",
        "/ids/{id}": lambda: f"/ids/{sample.identifier()}",
        "/ids/{id}/children": lambda: f"/ids/{PREFIX}/children",
        "/ids/{id}/history": lambda: f"/ids/{sample.identifier()}/history",
        "/search name": lambda: f"/search?q=Asset+{sample.dice.randrange(sample.identifiers)}",
        "/search wallet": lambda: f"/search?q={sample.wallet()[:8]}",
        "/search prefix": lambda: "/search?q=Asset",
        "/accounts": lambda: "/accounts",
        "/wallets/{id}": lambda: f"/wallets/{sample.wallet()}",
        "/supply": lambda: "/supply",
        "/metrics": lambda: "/metrics",
        "/log/checkpoint": lambda: "/log/checkpoint",
        "/log/tile/0": lambda: "/log/tile/0/000",
    }
    pages: dict[str, Callable[[], str]] = {
        "/console/": lambda: "/console/",
        "/console/search": lambda: f"/console/search?q=Asset+{sample.dice.randrange(10, 100)}",
        "/console/blocks": lambda: f"/console/blocks?before={sample.block() + 1}",
        "/console/blocks/{height}": lambda: f"/console/blocks/{sample.block()}",
        "/console/transactions": lambda: f"/console/transactions?before={sample.index()}",
        "/console/transactions/{id}": lambda: f"/console/transactions/{sample.transaction()}",
        "/console/ids/{id}": lambda: f"/console/ids/{sample.identifier()}",
        "/console/ids/{root}": lambda: f"/console/ids/{PREFIX}",
        "/console/accounts": lambda: "/console/accounts",
        "/console/wallets/{id}": lambda: f"/console/wallets/{sample.wallet()}",
        "/console/money": lambda: "/console/money",
        "/console/validators": lambda: "/console/validators",
        "/console/live": lambda: "/console/live",
        "/console/proof": lambda: f"/console/proof?of=/ids/{sample.identifier()}.fujie",
        "/console/about": lambda: "/console/about",
    }
    return json_routes | pages


def pages(target: Node, credential: str, accounts: int, identifiers: int, seconds: float) -> None:
    """Print the latencies of every route."""
    sample = Sample(target, credential, accounts, identifiers)
    for name, path in routes(sample).items():
        page = name.startswith("/console")
        headers = (f"Cookie: {SESSION_COOKIE}={credential}",) if page else bearer(credential)

        def request(path: Callable[[], str] = path, page: bool = page, headers: tuple[str, ...] = headers) -> bytes:
            return http_load.request("GET", path(), HTML if page else media.JSON, headers=headers)

        http_load.run("127.0.0.1", target.port, 1, 0.2, request)
        load = http_load.run("127.0.0.1", target.port, CONNECTIONS, seconds, request)
        row = {"part": "pages", "route": name, "per_second": load.per_second}
        print(json.dumps(row | {"p50_ms": load.p50_ms, "p99_ms": load.p99_ms, "errors": load.errors}), flush=True)


def batches(payments: Sequence[bytes], size: int) -> list[bytes]:
    """Return requests that submit ``payments``, ``size`` at a time."""
    return [
        http_load.request(
            "POST",
            "/transactions",
            media.OUTCOMES,
            msgspec.msgpack.encode(payments[first : first + size]),
            media.TRANSACTIONS,
        )
        for first in range(0, len(payments), size)
    ]


def lag(target: Node, credential: str, accounts: int, count: int) -> None:
    """Print how far lists are behind while the ledger takes payments as fast as it can."""
    payments = signed_payments(target.chain_id, accounts, count)
    behind: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            size = get(target, "/status")["log_size"]
            behind.append(max(0, size - get(target, "/statistics", credential)["projection"]["log_size"]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    load = http_load.run_all("127.0.0.1", target.port, 8, batches(payments, 1_000))
    over.set()
    watcher.join()
    caught_up_s = wait_for_lists(target, credential)
    behind.sort()
    print(
        json.dumps(
            {
                "part": "lag",
                "payments": count,
                "ledger_per_second": round(count / load.seconds),
                "behind_p50": behind[len(behind) // 2],
                "behind_max": behind[-1],
                "caught_up_after_s": round(caught_up_s, 2),
                "with_catching_up_per_second": round(count / (load.seconds + caught_up_s)),
                "errors": load.errors,
            }
        ),
        flush=True,
    )


def streams(target: Node, credential: str, accounts: int, count: int, payments_count: int) -> None:
    """Print when ``count`` open streams have heard of payments that come one after another."""
    payments = signed_payments(target.chain_id, accounts, payments_count)
    size = get(target, "/status")["log_size"]
    selector = selectors.DefaultSelector()
    question = http_load.request("GET", "/events", "text/event-stream", headers=bearer(credential))
    heard: dict[int, list[float]] = {}
    opened_at = time.perf_counter()
    connections = []
    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", target.port))
        connection.sendall(question)
        selector.register(connection, selectors.EVENT_READ, number)
        connections.append(connection)
        heard[number] = []
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            for key, _ in selector.select(0.2):
                chunk = key.fileobj.recv(65_536)  # type: ignore[union-attr]  # they are sockets
                now = time.perf_counter()
                heard[key.data] += [now] * chunk.count(b"event: transaction")

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(2)
    open_s = time.perf_counter() - opened_at - 2
    payer = http_load.Connection("127.0.0.1", target.port)
    answered = []
    for request in batches(payments, 1):
        payer.exchange(request)
        answered.append(time.perf_counter())
        time.sleep(0.05)
    deadline = time.perf_counter() + 20
    while min(len(times) for times in heard.values()) < payments_count and time.perf_counter() < deadline:
        time.sleep(0.05)
    over.set()
    listener.join()
    for connection in connections:
        connection.close()
    delays = sorted(
        (when - answer) * 1000 for times in heard.values() for when, answer in zip(times, answered, strict=False)
    )
    print(
        json.dumps(
            {
                "part": "streams",
                "streams": count,
                "payments": payments_count,
                "from_log_index": size,
                "events_heard": len(delays),
                "of": count * payments_count,
                "open_all_s": round(open_s, 2),
                "delay_p50_ms": round(delays[len(delays) // 2], 1),
                "delay_p99_ms": round(delays[len(delays) * 99 // 100], 1),
                "delay_max_ms": round(delays[-1], 1),
            }
        ),
        flush=True,
    )


def rebuild(home: Path) -> None:
    """Print how long the projection takes to be made anew, with the node stopped."""
    started = time.perf_counter()
    done = subprocess.run(
        [*PROGRAM, "--home", str(home), "projection", "rebuild", "--json"], capture_output=True, check=True
    )
    size = sum(file.stat().st_size for file in home.glob("projection.sqlite*"))
    row = {"part": "rebuild", "seconds": round(time.perf_counter() - started, 1), "file_mb": size // 1_000_000}
    print(json.dumps(row | {"said": json.loads(done.stdout)}), flush=True)


def first_paint_ms(page: Any) -> float:
    """Return when the page that was loaded was first painted, from the start of its loading."""
    script = "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)"
    while not (found := page.evaluate(script)):  # the page's policy forbids to wait by a function in it
        page.wait_for_timeout(10)
    return float(found[0])


def paint(target: Node, credential: str) -> None:
    """Print the first contentful paint of some pages in Chromium, median of ten loads with an empty cache."""
    from playwright.sync_api import sync_playwright  # the benchmark's other parts need no browser

    executable = shutil.which("chromium")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory():
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        base = f"http://127.0.0.1:{target.port}"
        for path in PAINTED:
            found = []
            for _ in range(10):
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                context.add_cookies([{"name": SESSION_COOKIE, "value": credential, "url": base}])
                page = context.new_page()
                page.goto(base + path)
                found.append(first_paint_ms(page))
                context.close()
            row = {
                "part": "paint",
                "page": path,
                "median_ms": round(statistics.median(found)),
                "max_ms": round(max(found)),
            }
            print(json.dumps(row), flush=True)
        browser.close()


def main() -> int:
    """Run the benchmark and print one line of JSON for each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--identifiers", type=int, default=200_000)
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument("--payments", type=int, default=200_000, help="in the part `lag`")
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row of the part `pages`")
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="rocks")
    arguments = parser.parse_args()
    chain = prepared(arguments.store, arguments.accounts, arguments.identifiers, arguments.blocks)
    with serving(arguments.store, chain) as target:
        credential = program(target, "access", "key", "new", "central-bank", "--scope", "read", "--scope", "metrics")[
            "key"
        ]
        row = {"part": "first projection", "seconds": round(wait_for_lists(target, credential), 1)}
        print(json.dumps(row | {"store": arguments.store, "accounts": arguments.accounts}), flush=True)
        if "pages" in arguments.parts:
            pages(target, credential, arguments.accounts, arguments.identifiers, arguments.seconds)
        if "paint" in arguments.parts:
            paint(target, credential)
        if "streams" in arguments.parts:
            streams(target, credential, arguments.accounts, arguments.streams, 100)
        if "lag" in arguments.parts:
            lag(target, credential, arguments.accounts, arguments.payments)
    if "rebuild" in arguments.parts:
        rebuild(target.folder.home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
