"""Model-based: what is said of generated steps is what an oracle counts, what public files expect, and what CometBFT says."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fujie.core.errors import VerificationError
from fujie.proof.light import NotEnoughTrust, Terms, TrustLevel, verify
from fujie.proof.light_block import LightBlock, encode_light_block
from tests.light import comet_light, mbt
from tests.light.comet_answers import rfc3339, signed_header, validators
from tests.light.embedded_chain import set_of
from tests.light.scenarios import INVALID, NOT_ENOUGH_TRUST, SUCCESS, Scenario, make_block, make_scenario

SEEDS = 400
FOLDER = "FUJIE_MBT"
OWN = Path(__file__).with_name("changing_validators.json")
PERIOD_MS = 120_000  # CometBFT is asked with one period for all scenarios


def verdict_here(trusted: LightBlock, block: LightBlock, now_ms: int, terms: Terms) -> str:
    try:
        verify(trusted.header, trusted.validators, block, now_ms, terms)
    except NotEnoughTrust:
        return NOT_ENOUGH_TRUST
    except VerificationError:
        return INVALID
    return SUCCESS


def terms_of(scenario: Scenario) -> Terms:
    level = TrustLevel(scenario.level.numerator, scenario.level.denominator)
    return Terms(scenario.period_ms, level, scenario.drift_ms)


def test_every_step_is_judged_as_the_oracle_counts():
    verdicts: Counter[str] = Counter()
    for seed in range(SEEDS):
        scenario = make_scenario(seed)
        trusted, terms = make_block(scenario.trusted), terms_of(scenario)
        for number, (now_ms, modelled, expected) in enumerate(scenario.steps):
            block = make_block(modelled)
            assert verdict_here(trusted, block, now_ms, terms) == expected, f"seed {seed}, step {number}"
            verdicts[expected] += 1
            if expected == SUCCESS:
                trusted = block
    assert min(verdicts[verdict] for verdict in (SUCCESS, NOT_ENOUGH_TRUST, INVALID)) > 50, verdicts


def as_file(scenario: Scenario) -> dict[str, Any]:
    """A scenario in the form of the public files, which know one trust level and one drift of clocks."""

    def told(listed: dict[int, int]) -> dict[str, Any]:
        return {"validators": validators(set_of(listed))}

    return {
        "description": f"seed {scenario.seed}",
        "initial": {
            "signed_header": signed_header(make_block(scenario.trusted)),
            "next_validator_set": told(scenario.trusted.announced),
            "trusting_period": str(scenario.period_ms * 1_000_000),
            "now": rfc3339(scenario.trusted.time_ms * 1_000_000),
        },
        "input": [
            {
                "block": {
                    "signed_header": signed_header(made := make_block(block)),
                    "validator_set": {"validators": validators(made.validators)},
                    "next_validator_set": told(block.announced),
                    "provider": "00" * 20,
                },
                "now": rfc3339(now_ms * 1_000_000),
                "verdict": verdict,
            }
            for now_ms, block, verdict in scenario.steps
        ],
    }


def test_runs_files_in_the_published_form(tmp_path: Path):
    ran = 0
    for seed in range(SEEDS):
        scenario = make_scenario(seed, published=True)
        path = tmp_path / f"{seed}.json"
        path.write_text(json.dumps(as_file(scenario)))
        for step in mbt.run(path):
            assert step.given == step.expected, f"seed {seed}: {step}"
            ran += 1
    assert ran > SEEDS


def test_a_file_with_a_wrong_verdict_is_found(tmp_path: Path):
    content = as_file(make_scenario(1, published=True))
    content["input"][0]["verdict"] = "SOMETHING"
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(content))
    assert mbt.run(path)[0].given != mbt.run(path)[0].expected


def test_files_are_judged_as_they_expect():
    """One file lies here; ``FUJIE_MBT`` names a folder of others, such as the public ones."""
    folder = os.environ.get(FOLDER)
    files = [OWN, *sorted(Path(folder).rglob("*.json"))] if folder else [OWN]
    judged = [(path.name, step) for path in files for step in mbt.run(path)]
    assert {step.expected for _, step in judged} == {SUCCESS, NOT_ENOUGH_TRUST, INVALID}
    assert [(name, step) for name, step in judged if step.given != step.expected] == []


@pytest.mark.go
def test_cometbft_says_the_same():
    """But for one thing: CometBFT lacks trust before it asks whether a header's own validators signed it."""
    scenarios = [make_scenario(seed) for seed in range(SEEDS)]
    agreed: Counter[str] = Counter()
    for numerator, denominator in ((1, 3), (1, 2), (2, 3), (1, 1)):
        level = TrustLevel(numerator, denominator)
        pairs, ours = [], []
        for scenario in scenarios:
            if (scenario.level.numerator, scenario.level.denominator) != (numerator, denominator):
                continue
            believed = make_block(scenario.trusted)
            for now_ms, modelled, verdict in scenario.steps:
                block = make_block(modelled)
                pairs.append((encode_light_block(believed), encode_light_block(block), now_ms))
                ours.append(verdict_here(believed, block, now_ms, Terms(PERIOD_MS, level)))
                if verdict == SUCCESS:
                    believed = block
        theirs = comet_light.steps(pairs, trusting_period_ms=PERIOD_MS, numerator=numerator, denominator=denominator)
        for (said, reason), here in zip(theirs, ours, strict=True):
            there = INVALID if said == "EXPIRED" else said
            if there != here:
                assert (there, here) == (NOT_ENOUGH_TRUST, INVALID), reason
            agreed[there if there == here else "lacks trust there, bad here"] += 1
    assert min(agreed[verdict] for verdict in (SUCCESS, NOT_ENOUGH_TRUST, INVALID)) > 30, agreed
