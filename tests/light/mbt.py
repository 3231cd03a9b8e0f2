"""Runs model-based tests of light clients in the JSON form in which they are published.

A file begins with a signed header, the validators that it announces and a trust period, and gives light blocks one after
another, each with a time and a verdict: SUCCESS (the next ones are verified for its sake), NOT_ENOUGH_TRUST or INVALID.
Files of a folder are run with ``FUJIE_MBT=folder pytest tests/light/test_mbt.py``, or one by one with
``python -m tests.light.mbt FILE …``.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fujie.core.errors import VerificationError
from fujie.proof.comet_json import (
    SignedHeaderJson,
    ValidatorJson,
    read_commit,
    read_header,
    read_time,
    read_validators,
)
from fujie.proof.header import NANOSECONDS_PER_MS, Header
from fujie.proof.light import NotEnoughTrust, Terms, verify
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import ValidatorSet
from fujie.proof.vote import BlockIDFlag

CLOCK_DRIFT_MS = 1_000  # what the published suites assume


class Step(NamedTuple):
    """One light block of a file: from which height to which, and the verdict expected and given."""

    heights: str
    expected: str
    given: str
    reason: str


def run(path: Path) -> list[Step]:
    """Return the steps of a file with the verdicts given here."""
    case = msgspec.json.decode(path.read_bytes())
    initial = case["initial"]
    trusted, _ = _signed_header(initial["signed_header"])
    validators = _validators(initial["next_validator_set"])
    terms = Terms(int(initial["trusting_period"]) // NANOSECONDS_PER_MS, clock_drift_ms=CLOCK_DRIFT_MS)
    steps = []
    for given in case["input"]:
        block = given["block"]
        now_ms = read_time(given["now"]) // NANOSECONDS_PER_MS
        heights = f"{trusted.height} to {block['signed_header']['header']['height']}"
        verdict, reason = "SUCCESS", ""
        try:
            light_block = _light_block(block)
            verify(trusted, validators, light_block, now_ms, terms)
            trusted, validators = light_block.header, _validators(block["next_validator_set"])
        except NotEnoughTrust as error:
            verdict, reason = "NOT_ENOUGH_TRUST", str(error)
        except VerificationError as error:
            verdict, reason = "INVALID", str(error)
        steps.append(Step(heights, given["verdict"], verdict, reason))
    return steps


def _light_block(told: Any) -> LightBlock:
    header, signed = _signed_header(told["signed_header"])
    return LightBlock(header, read_commit(signed.commit), _validators(told["validator_set"]))


def _signed_header(told: Any) -> tuple[Header, SignedHeaderJson]:
    """Read a signed header.

    Generators name the parts of a block in two ways; one adds what is not hashed, and fills in who is absent, and when.
    """
    for unhashed in ("hash", "bit_array"):
        told["commit"].pop(unhashed, None)
    for entry in told["commit"]["signatures"] or ():
        if entry["block_id_flag"] == BlockIDFlag.ABSENT:
            entry.update(validator_address=None, timestamp=None)
    for block_id in (told["header"]["last_block_id"], told["commit"]["block_id"]):
        if block_id is not None and "part_set_header" in block_id:
            block_id["parts"] = block_id.pop("part_set_header")
    signed = msgspec.convert(told, SignedHeaderJson)
    return read_header(signed.header), signed


def _validators(told: Any) -> ValidatorSet:
    """Read a set; one generator writes validators in any order and leaves it to its reader to put them into theirs."""
    listed = [
        read_validators([each]).validators[0] for each in msgspec.convert(told["validators"], list[ValidatorJson])
    ]
    return ValidatorSet.of(listed) if listed else read_validators([])


def main() -> int:
    """Run the files that are named; return how many have a step with another verdict."""
    wrong = 0
    for name in sys.argv[1:]:
        steps = run(Path(name))
        for step in steps:
            mark = "ok   " if step.expected == step.given else "WRONG"
            print(f"{mark} {name}: {step.heights}: {step.expected}, here {step.given} {step.reason}")
        wrong += any(step.expected != step.given for step in steps)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
