"""Every room follows one plan, and what its page says is what its code says."""

from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.room_plan import operations_of, problems_of, reasons_of
from tests.architecture.source import PACKAGE, ROOMS, name_of, python_files, rooms

FIRST_ROOMS = ("membership", "identity", "currency")

GOOD_README = """# Toy

## Nouns
A toy.

## Operations
| number | operation | who |
|---|---|---|
| 9001 | `Wind` | anyone |

## Keys
`toy/{name}`

## Reasons
| number | reason | sentence |
|---|---|---|
| 9001 | `TOY_BROKEN` | The toy is broken. |
| 9002 | `SPRING_TIGHT` | The spring is wound up already. |

## Invariants
None.
"""
GOOD_REASONS = '''"""Reasons."""
from fujie.core.errors import Reason


class ToyReason(Reason):
    """Why."""

    TOY_BROKEN = 9001, "The toy is broken."
    SPRING_TIGHT = 9002, "The spring is wound up already."
'''
GOOD_OPERATIONS = '''"""Operations."""
from fujie.core.room import Operation


class Wind(Operation, tag=9001):
    """Wind the toy up."""
'''


@pytest.mark.parametrize("name", FIRST_ROOMS)
def test_room_exists(name):
    assert (ROOMS / name / "README.md").is_file()


@pytest.mark.parametrize("room", rooms(), ids=lambda room: room.name)
def test_room_follows_the_plan(room):
    assert problems_of(room) == []


def test_reason_numbers_and_names_are_unique_over_everything():
    reasons = [reason for path in python_files(PACKAGE) for reason in reasons_of(path)]
    numbers = Counter(reason.number for reason in reasons)
    names = Counter(reason.name for reason in reasons)
    assert [each for counts in (numbers, names) for each, count in counts.items() if count > 1] == []


def test_reasons_outside_the_rooms_stay_below_one_thousand():
    for path in python_files(PACKAGE):
        if not path.is_relative_to(ROOMS):
            for reason in reasons_of(path):
                assert 0 < reason.number < 1000, f"{name_of(path)}: {reason}"


def test_reasons_of_a_room_stand_in_reasons_py():
    strays = [path for room in rooms() for path in python_files(room) if path.name != "reasons.py" and reasons_of(path)]
    assert strays == []


def test_each_room_keeps_to_its_own_thousand():
    taken: dict[int, str] = {}
    for room in rooms():
        numbered = [*reasons_of(room / "reasons.py"), *operations_of(room / "operations.py")]
        thousands = {item.number // 1000 for item in numbered}
        assert len(thousands) == 1, f"{room.name} uses the thousands {sorted(thousands)}"
        (thousand,) = thousands
        assert thousand > 0, f"{room.name} uses numbers that belong to no room"
        assert all(item.number % 1000 for item in numbered), f"{room.name}: x000 stands for no reason or operation"
        assert thousand not in taken, f"{room.name} and {taken[thousand]} share a thousand"
        taken[thousand] = room.name


def test_every_reason_is_a_sentence():
    for path in python_files(PACKAGE):
        for reason in reasons_of(path):
            where = f"{name_of(path)}: {reason.name}"
            assert reason.name == reason.name.upper(), where
            assert reason.sentence[:1].isupper(), where
            assert reason.sentence.endswith("."), where
            assert "\n" not in reason.sentence, where


# The plan itself is tested on a room that a test makes up and then spoils.


@pytest.fixture
def toy(tmp_path):
    room = tmp_path / "toy"
    room.mkdir()
    (room / "README.md").write_text(GOOD_README)
    (room / "reasons.py").write_text(GOOD_REASONS)
    (room / "operations.py").write_text(GOOD_OPERATIONS)
    for name in ("records.py", "state_keys.py", "queries.py", "invariants.py", "transitions.py"):
        (room / name).write_text('"""Empty."""\n')
    return room


def test_plan_accepts_a_good_room(toy: Path):
    assert problems_of(toy) == []
    (toy / "events.py").write_text("")
    (toy / "transitions.py").unlink()
    (toy / "transitions").mkdir()
    assert problems_of(toy) == []


@pytest.mark.parametrize("name", ["README.md", "records.py", "reasons.py", "queries.py", "transitions.py"])
def test_plan_misses_a_file(toy: Path, name: str):
    (toy / name).unlink()
    assert any(name in problem for problem in problems_of(toy))


def test_plan_refuses_an_unexpected_file(toy: Path):
    (toy / "utils.py").write_text("")
    assert problems_of(toy) == ["toy: utils.py is not in the plan"]


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("## Keys", "## State", "README.md has the sections"),
        ("| 9002 | `SPRING_TIGHT` |", "| 9003 | `SPRING_TIGHT` |", "table under 'Reasons'"),
        ("| 9002 | `SPRING_TIGHT` | The spring is wound up already. |\n", "", "table under 'Reasons'"),
        ("| 9001 | `Wind` |", "| 9001 | `Rewind` |", "table under 'Operations'"),
    ],
)
def test_plan_finds_a_page_that_drifted(toy: Path, good: str, bad: str, complaint: str):
    assert good in GOOD_README
    (toy / "README.md").write_text(GOOD_README.replace(good, bad))
    (problem,) = problems_of(toy)
    assert complaint in problem


def test_plan_finds_reasons_told_in_another_order(toy: Path):
    lines = GOOD_README.splitlines()
    at = next(index for index, line in enumerate(lines) if "TOY_BROKEN" in line)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    (toy / "README.md").write_text("\n".join(lines))
    (problem,) = problems_of(toy)
    assert "another order" in problem
