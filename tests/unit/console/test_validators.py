"""The page of the validators: who signs, what was voted and is to come, and what is on record against whom."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fujie.machine.genesis import compose
from fujie.modules.membership.records import SetValidator, Visibility
from fujie.proof.validators import validator_address
from tests import world
from tests.engine.mirroring import mirroring
from tests.engine.several import SeveralChain, voted_twice
from tests.unit.console.site import Served, Visitor
from tests.world import VALIDATOR

OTHERS = [world.signer(f"validator {number}") for number in range(4)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Four validators, of whom one voted twice in two rounds; a fifth is voted in, and one of the four out."""
    genesis = compose("world", world.START_MS, world.parts(("membership",), visibility=Visibility.PUBLIC))
    chain = SeveralChain([VALIDATOR, *OTHERS], genesis=genesis)
    chain.vote(*(SetValidator(each.public_key, 10, "world") for each in OTHERS[:3]))
    chain.make((), [voted_twice(OTHERS[1], 3), voted_twice(OTHERS[1], 4)])
    actions = SetValidator(OTHERS[3].public_key, 7, "world"), SetValidator(OTHERS[2].public_key, 0, "world")
    chain.make([raw for number, action in enumerate(actions) for raw in chain.signing.decide(action, 50 + number)])
    chain.make()
    with mirroring(chain, genesis=genesis) as twin:
        twin.catch_up()
        assert twin.engine.failure is None
        made = Served(Path(tmp_path_factory.mktemp("site")), twin.engine)  # type: ignore[arg-type]  # any engine will do
        yield made
        made.close()


def test_shows_who_signs_with_power_and_address(served: Served) -> None:
    page = Visitor(served).get("/console/validators")
    for each in (VALIDATOR, *OTHERS[:3]):
        assert validator_address(each.public_key).hex()[:16] in page.text


def test_shows_what_was_voted_and_is_not_in_force_yet(served: Served) -> None:
    said = json.loads(Visitor(served).get("/console/validators?format=json").content)
    assert {each["public_key"]: (each["power"], each["power_voted"]) for each in said["changing"]} == {
        OTHERS[2].public_key.hex(): (10, 0),
        OTHERS[3].public_key.hex(): (0, 7),
    }
    page = Visitor(served).get("/console/validators")
    assert "joins, with power 7" in page.text
    assert "leaves; its power was 10" in page.text


@pytest.mark.parametrize(
    ("language", "words"), [("en", ["2 acts", "voted twice in one round"]), ("zh", ["2 次违规", "在同一轮中投票两次"])]
)
def test_shows_what_is_on_record_against_whom(served: Served, language: str, words: list[str]) -> None:
    page = Visitor(served, language=language).get("/console/validators")
    [record] = json.loads(Visitor(served).get("/console/validators?format=json").content)["misbehaviour"]
    assert record["address"] == validator_address(OTHERS[1].public_key).hex()
    for each in words:
        assert each in page.text
