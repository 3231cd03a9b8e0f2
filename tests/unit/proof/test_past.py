"""The past of a record from its present: true over thousands of versions, and false for every tampered path."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.hashing import version_digest
from fujie.core.limits import VERSION_PATH_MAX
from fujie.core.versions import Standing, skip_target
from fujie.proof import past
from fujie.proof.past import in_force, path_to

FIRST_MS = 1_000_000
VERSIONS = 10_000


class Note(Record, tag=1):
    subject: str
    text: str
    standing: Standing


NOTE: Codec[Note] = Codec(Note)


class History:
    """Versions 1 to n of one note, each standing ``step_ms`` after the one before; the last is today's."""

    def __init__(self, count: int, step_ms: int = 10, subject: str = "note") -> None:
        self.data = [b""]  # by number, from 1
        self.archive: dict[bytes, bytes] = {}
        for number in range(1, count + 1):
            target = skip_target(number)
            standing = Standing(
                number,
                number,
                FIRST_MS + (number - 1) * step_ms,
                1,
                FIRST_MS,
                version_digest(self.data[number - 1]) if number > 1 else b"",
                version_digest(self.data[target]) if target else b"",
            )
            self.data.append(encode(Note(subject, f"text {number}", standing)))
            self.archive[version_digest(self.data[-1])] = self.data[-1]
        self.today = NOTE.decode(self.data[-1])

    def since(self, number: int) -> int:
        return NOTE.decode(self.data[number]).standing.since_ms

    def path(self, time_ms: int) -> list[bytes]:
        return path_to(self.today, time_ms, self.archive.get, NOTE)


@cache
def long_history() -> History:
    return History(VERSIONS)


def fails(step: str, today: Note, older: list[bytes], time_ms: int) -> None:
    assert step in past.STEPS
    with pytest.raises(VerificationError) as failure:
        in_force(today, older, time_ms, NOTE, lambda note: note.subject)
    assert failure.value.step == step


def forged(history: History, at: int, **changes: object) -> tuple[Note, list[bytes]]:
    """Today's record, as if the version before it, ``at``, had always been another: a chain that links."""
    old = NOTE.decode(history.data[at])
    data = encode(replace(old, standing=replace(old.standing, **changes)))
    today = replace(history.today, standing=replace(history.today.standing, previous=version_digest(data)))
    return today, [data]


def test_every_version_of_ten_thousand_is_reached_within_the_bound():
    history = long_history()
    longest = 0
    for number in [*range(1, VERSIONS + 1, 97), *range(VERSIONS - 40, VERSIONS + 1), 1, 2, 3]:
        path = history.path(history.since(number))
        longest = max(longest, len(path))
        found = in_force(history.today, path, history.since(number), NOTE, lambda note: note.subject)
        assert found is not None
        assert found.standing.number == number
    assert longest <= 40 <= VERSION_PATH_MAX


@given(st.integers(min_value=FIRST_MS - 5, max_value=FIRST_MS + 10 * VERSIONS + 5))
def test_the_answer_at_any_time_is_the_version_in_force(time_ms):
    history = long_history()
    found = in_force(history.today, history.path(time_ms), time_ms, NOTE)
    if time_ms < FIRST_MS:
        assert found is None
    else:
        assert found is not None
        assert found.standing.number == min((time_ms - FIRST_MS) // 10 + 1, VERSIONS)


@given(st.integers(1, 60), st.integers(0, 60))
def test_path_is_the_shortest_there_is(count, back):
    history = History(count)
    target = max(count - back, 1)
    # Breadth first over both links down to target + 1, then the step to target.
    goal = min(target + 1, count)
    steps = {count: 0}
    queue = [count]
    for number in queue:
        for lower in (number - 1, skip_target(number)):
            if lower >= goal and lower not in steps:
                steps[lower] = steps[number] + 1
                queue.append(lower)
    assert len(history.path(history.since(target))) == steps[goal] + (target < count)


def test_several_versions_in_one_block_give_the_last_of_them():
    history = History(9, step_ms=0)
    assert history.path(FIRST_MS) == []
    found = in_force(history.today, [], FIRST_MS, NOTE)
    assert found is not None
    assert found.standing.number == 9


def test_a_time_before_the_creation_is_proven_absence():
    history = long_history()
    assert history.path(FIRST_MS - 1) == []
    assert in_force(history.today, [], FIRST_MS - 1, NOTE) is None


def test_a_time_after_the_last_change_is_answered_by_todays_record():
    history = long_history()
    assert in_force(history.today, history.path(2**53), 2**53, NOTE) == history.today


def test_a_missing_old_version_says_what_to_do():
    history = History(5)
    with pytest.raises(OperationalError, match="Restore the archive"):
        path_to(history.today, FIRST_MS, lambda _version: None, NOTE)


def test_refuses_a_path_that_is_too_long():
    history = History(5)
    fails("past-length", history.today, [history.data[1]] * (VERSION_PATH_MAX + 1), FIRST_MS)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"created_ms": FIRST_MS + 10_000},
        {"created_height": 99},
        {"previous": b""},
        {"skip": bytes(32)},
    ],
)
def test_refuses_a_current_record_that_contradicts_itself(changes):
    history = History(3)  # version 3 has no leap
    standing = replace(history.today.standing, **changes)
    fails("past-standing", replace(history.today, standing=standing), [], FIRST_MS)


def test_refuses_a_first_version_that_began_after_its_creation():
    history = History(1)
    standing = replace(history.today.standing, since_ms=FIRST_MS + 1)
    fails("past-standing", replace(history.today, standing=standing), [], FIRST_MS)


def test_refuses_versions_after_the_answer():
    history = History(5)
    path = history.path(history.since(3))
    fails("past-needless", history.today, [*path, history.data[2]], history.since(3))
    fails("past-needless", history.today, [history.data[4]], history.since(5))


def test_refuses_versions_where_absence_is_the_answer():
    history = History(5)
    fails("past-needless", history.today, [history.data[4]], FIRST_MS - 1)


def test_refuses_a_version_of_another_record():
    history, other = History(3), History(3, subject="other")
    fails("past-link", history.today, [other.data[2]], history.since(2))


def test_refuses_a_version_that_is_left_out_changed_or_moved():
    history = long_history()
    time_ms = history.since(1_234)
    path = history.path(time_ms)
    for index in range(len(path) - 1):
        fails("past-link", history.today, path[:index] + path[index + 1 :], time_ms)
    for index, data in enumerate(path):
        changed = data[:-1] + bytes([data[-1] ^ 1])
        fails("past-link", history.today, [*path[:index], changed, *path[index + 1 :]], time_ms)
    for index, (first, second) in enumerate(pairwise(path)):
        fails("past-link", history.today, [*path[:index], second, first, *path[index + 2 :]], time_ms)


def test_refuses_linked_bytes_that_are_no_record():
    history = History(3)
    today = replace(history.today, standing=replace(history.today.standing, previous=version_digest(b"junk")))
    fails("past-decode", today, [b"junk"], FIRST_MS)


def test_refuses_a_link_that_leads_to_another_number():
    history = History(4)
    today, path = forged(history, 3, number=2, skip=bytes(32))
    fails("past-number", today, path, history.since(3))


def test_refuses_a_version_that_tells_another_creation():
    history = History(4)
    today, path = forged(history, 3, created_ms=FIRST_MS - 1)
    fails("past-created", today, path, history.since(3))


def test_refuses_a_version_that_stands_since_later_than_the_next():
    history = History(4)
    today, path = forged(history, 3, since_ms=FIRST_MS + 10_000)
    fails("past-time", today, path, history.since(3))
    today, path = forged(history, 3, since_height=99)
    fails("past-time", today, path, history.since(3))


def test_refuses_an_old_version_that_contradicts_itself():
    history = History(4)
    today, path = forged(history, 3, since_ms=FIRST_MS - 1)
    fails("past-standing", today, path, history.since(3))


def test_refuses_a_version_about_something_else():
    history = History(4)
    data = encode(replace(NOTE.decode(history.data[3]), subject="other"))
    today = replace(history.today, standing=replace(history.today.standing, previous=version_digest(data)))
    fails("past-subject", today, [data], history.since(3))


def test_refuses_a_leap_over_the_version_that_ended_the_answer():
    history = History(6)
    assert skip_target(6) == 3
    fails("past-incomplete", history.today, [history.data[3]], history.since(3))


def test_refuses_a_path_that_stops_short():
    history = long_history()
    for number in (1, 17, 5_000, VERSIONS - 1):
        path = history.path(history.since(number))
        fails("past-incomplete", history.today, path[:-1], history.since(number))


@given(st.data())
def test_nothing_but_the_named_error_comes_out_of_mutated_paths(data):
    history = long_history()
    time_ms = data.draw(st.integers(FIRST_MS, FIRST_MS + 10 * VERSIONS - 11))
    path = history.path(time_ms)
    index = data.draw(st.integers(0, len(path) - 1))
    position = data.draw(st.integers(0, len(path[index]) - 1))
    changed = bytearray(path[index])
    changed[position] ^= data.draw(st.integers(1, 255))
    fails("past-link", history.today, [*path[:index], bytes(changed), *path[index + 1 :]], time_ms)
