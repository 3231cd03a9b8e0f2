"""The benchmark of several validators, small: real nodes and the bound beside them, with one validator."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.go, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
GIVE_UP_S = 300.0


def test_real_nodes_and_nodes_that_only_check_signatures_take_the_same_payments(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench.cluster", "--validators", "1", "--wallets", "128", "--seconds", "1",
         "--rounds", "1", "--rates", "40", "--parts", "rates", "most"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "XDG_DATA_HOME": str(tmp_path / "user")},
        capture_output=True,
        text=True,
        timeout=GIVE_UP_S,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(each["application"], each["load"]) for each in found] == [
        ("fujie", 40),
        ("fujie", "most"),
        ("echo", 40),
        ("echo", "most"),
    ]
    assert [each["refused"] for each in found] == [0, 0, 0, 0]
    assert [each["payments"] for each in found if each["load"] == 40] == [40, 40]
    for each in found:
        assert 0 < each["p50_ms"] <= each["p99_ms"]
        assert each["cpu_us_per_payment"]["cometbft"] > 0
    assert {"ledger", "reader", "verifier"} <= found[0]["cpu_us_per_payment"].keys()
    assert "| validators | payments/s | bound | ratio |" in run.stderr
    assert not list(tmp_path.glob(".bench/cluster-run/node1/run/*.sock")), "a node still runs"
