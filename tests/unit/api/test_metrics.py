"""Figures that are counted as blocks come, and those that are read when they are asked for."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from fujie.api.app import create_app
from fujie.api.metrics import Metrics
from fujie.api.serving import Settings
from fujie.core.errors import OperationalError
from tests import world


class Ledger:
    """The head of a ledger, and whoever is told of it."""

    chain_id = "c"

    def __init__(self) -> None:
        self.head = SimpleNamespace(height=1, time_ms=1_000, log_size=0)
        self.tell: Callable[[], None] = lambda: None

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.tell = listener
        return lambda: None


def test_time_between_blocks_is_noted_when_there_is_a_block_and_not_when_the_ledger_comes_or_goes():
    ledger, registry = Ledger(), CollectorRegistry(auto_describe=False)
    serving: Any = SimpleNamespace(engine=ledger, registry=registry, settings=Settings())
    Metrics(serving)

    def figure(name: str) -> float | None:
        figures = {sample.name: sample.value for metric in counted.collect() for sample in metric.samples}
        return figures[f"cometbft_consensus_block_interval_seconds_{name}"]

    counted = next(each for each in registry._collector_to_names if "interval" in getattr(each, "_name", ""))
    for _ in range(10):
        ledger.tell()  # as a replica does whenever it loses its ledger, or tries to find it
    assert figure("count") == 0
    ledger.head = SimpleNamespace(height=2, time_ms=1_500, log_size=0)
    ledger.tell()
    ledger.tell()
    assert (figure("count"), figure("sum")) == (1, 0.5)
    ledger.head = SimpleNamespace(height=4, time_ms=2_500, log_size=0)  # two blocks, told together
    ledger.tell()
    assert (figure("count"), figure("sum")) == (2, 1.0)


def test_what_cannot_be_read_is_left_out_and_the_rest_is_told(tmp_path, monkeypatch, caplog):
    def fails(_height: int) -> None:
        raise OperationalError("The store does not answer.", "Look at the disk.")

    with world.running("memory", tmp_path) as engine:
        serving = create_app(engine).serving
        whole = generate_latest(serving.registry)
        monkeypatch.setattr(engine, "light_block", fails)
        told = generate_latest(serving.registry)
    for name in (b"cometbft_consensus_height", b"cometbft_consensus_block_size_bytes", b"fujie_log_size"):
        assert b"\n" + name + b"{" in told or b"\n" + name + b" " in told, name
    assert b"consensus_validators" in whole
    assert b"consensus_validators" not in told
    assert "The store does not answer." in caplog.text


def test_what_only_grows_is_a_counter_named_as_one(tmp_path):
    with world.running("memory", tmp_path) as engine:
        serving = create_app(engine).serving
        serving.hub.dropped = 3
        told = generate_latest(serving.registry).decode()
    assert "# TYPE fujie_streams_dropped_total counter" in told
    assert 'fujie_streams_dropped_total{reader="0"} 3.0' in told
    kinds = dict(line.split()[2:] for line in told.splitlines() if line.startswith("# TYPE"))
    assert {name for name, kind in kinds.items() if name.endswith("_total")} == {
        name for name, kind in kinds.items() if kind == "counter"
    }
