"""What ``fujie.store.base.Store`` promises, over every store there is."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fujie.core.errors import OperationalError
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import Table, number_key
from fujie.store.opening import StoreKind, open_store
from fujie.store.sqlite import SqliteStore
from tests.store.faults import Fault, FaultyStore
from tests.store.kinds import KINDS, OPENERS

Opener = Callable[[], Store]


@pytest.fixture(params=[*KINDS, "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore.open(None) if request.param == "memory" else OPENERS[request.param](tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    return lambda: OPENERS[request.param](tmp_path)


def put(store: Store, table: Table, **values: bytes) -> None:
    batch = WriteBatch()
    for key, value in values.items():
        batch.put(table, key.encode(), value)
    store.commit(batch)


def test_an_empty_store_has_nothing(store):
    for table in Table:
        assert store.get(table, b"k") is None
        assert store.get_many(table, [b"a", b"b"]) == [None, None]
        assert store.get_many(table, []) == []
        assert list(store.scan(table)) == []
        assert store.last(table) is None


def test_an_empty_batch_commits(store):
    store.commit(WriteBatch())


def test_one_batch_writes_over_all_tables(store):
    batch = WriteBatch()
    for table in Table:
        batch.put(table, b"key", table.prefix)
    store.commit(batch)
    for table in Table:
        assert store.get(table, b"key") == table.prefix
        assert list(store.scan(table)) == [(b"key", table.prefix)]


def test_the_last_word_on_a_key_wins(store):
    batch = WriteBatch()
    batch.put(Table.STATE, b"a", b"1")
    batch.delete(Table.STATE, b"a")
    batch.delete(Table.STATE, b"b")
    batch.put(Table.STATE, b"b", b"2")
    batch.put_many(Table.STATE, {b"b": b"3", b"c": None})
    store.commit(batch)
    assert list(store.scan(Table.STATE)) == [(b"b", b"3")]


def test_deletes_what_is_there_and_what_is_not(store):
    put(store, Table.STATE, a=b"1", b=b"2")
    batch = WriteBatch()
    batch.delete(Table.STATE, b"a")
    batch.delete(Table.STATE, b"never there")
    store.commit(batch)
    assert store.get(Table.STATE, b"a") is None
    assert store.get(Table.STATE, b"b") == b"2"


def test_keeps_empty_and_large_values(store):
    put(store, Table.BLOCKS, empty=b"", large=bytes(3_000_000))
    assert store.get(Table.BLOCKS, b"empty") == b""
    assert store.get(Table.BLOCKS, b"large") == bytes(3_000_000)


def test_scans_in_byte_order_within_its_bounds(store):
    keys = [b"\x00", b"\x00\x00", b"\x01", b"a", b"a\x00", b"b", b"\xff", b"\xff\xff"]
    batch = WriteBatch()
    for key in reversed(keys):
        batch.put(Table.VERSIONS, key, b"v" + key)
    batch.put(Table.VALIDATORS, b"a", b"of another table")
    batch.put(Table.LOG_TILES, b"a", b"of another table")
    store.commit(batch)
    assert [key for key, _ in store.scan(Table.VERSIONS)] == keys
    assert list(store.scan(Table.VERSIONS, b"a", b"b")) == [(b"a", b"va"), (b"a\x00", b"va\x00")]
    assert [key for key, _ in store.scan(Table.VERSIONS, b"a\x00\x00")] == [b"b", b"\xff", b"\xff\xff"]
    assert list(store.scan(Table.VERSIONS, b"b", b"b")) == []
    assert list(store.scan(Table.VERSIONS, b"b", b"a")) == []


def test_last_is_the_greatest_key_of_its_table(store):
    batch = WriteBatch()
    for height in (9, 255, 256, 70_000):
        batch.put(Table.BLOCKS, number_key(height), b"%d" % height)
    batch.put(Table.STATE, b"\xff" * 33, b"x")
    store.commit(batch)
    assert store.last(Table.BLOCKS) == (number_key(70_000), b"70000")
    assert store.last(Table.BUCKETS) is None


@pytest.mark.parametrize("count", [1, 2, 3, 511, 512, 513, 1_500])
def test_get_many_answers_in_the_order_of_the_question(store, count):
    batch = WriteBatch()
    for number in range(0, count, 2):
        batch.put(Table.STATE, number_key(number), b"%d" % number)
    store.commit(batch)
    asked = [number_key(number) for number in reversed(range(count))] + [number_key(0)]
    expected = [b"%d" % number if number % 2 == 0 else None for number in reversed(range(count))] + [b"0"]
    assert store.get_many(Table.STATE, asked) == expected
    answers = []
    reader = threading.Thread(target=lambda: answers.append(store.get_many(Table.STATE, asked)))
    reader.start()
    reader.join()
    assert answers == [expected]


@given(
    batches=st.lists(
        st.dictionaries(st.binary(min_size=1, max_size=3), st.none() | st.binary(max_size=4), max_size=12), max_size=6
    ),
    bounds=st.tuples(st.binary(max_size=3), st.none() | st.binary(min_size=1, max_size=3)),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_behaves_like_a_sorted_dict(store, batches, bounds):
    model: dict[bytes, bytes] = {}
    clean = WriteBatch()
    for key, _ in list(store.scan(Table.STATE)):
        clean.delete(Table.STATE, key)
    store.commit(clean)
    for items in batches:
        batch = WriteBatch()
        batch.put_many(Table.STATE, dict(items))
        store.commit(batch)
        for key, value in items.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
    start, end = bounds
    inside = [(key, model[key]) for key in sorted(model) if key >= start and (end is None or key < end)]
    assert list(store.scan(Table.STATE, start, end)) == inside
    assert store.last(Table.STATE) == (max(model.items()) if model else None)
    assert store.get_many(Table.STATE, sorted(model)) == [model[key] for key in sorted(model)]


def test_what_was_committed_is_there_after_opening_again(opener):
    first = opener()
    put(first, Table.STATE, a=b"1")
    put(first, Table.STATE, a=b"2", b=b"3")
    first.close()
    second = opener()
    assert list(second.scan(Table.STATE)) == [(b"a", b"2"), (b"b", b"3")]
    second.close()


def test_closes_more_than_once_and_says_so_afterwards(opener):
    store = opener()
    put(store, Table.STATE, a=b"1")
    store.close()
    store.close()
    with pytest.raises(OperationalError):
        store.get(Table.STATE, b"a")
    with pytest.raises(OperationalError):
        list(store.scan(Table.STATE))
    with pytest.raises(OperationalError):
        store.commit(WriteBatch())


def test_a_scan_shows_one_state_whatever_commits_meanwhile(store):
    batch = WriteBatch()
    for number in range(2_000):
        batch.put(Table.STATE, number_key(number), b"old")
    store.commit(batch)
    rows = store.scan(Table.STATE)
    seen = [next(rows)]
    batch = WriteBatch()
    for number in range(2_000):
        batch.put(Table.STATE, number_key(number), b"new")
    store.commit(batch)
    seen += rows
    assert len(seen) == 2_000
    assert {value for _, value in seen} == {b"old"}


def test_a_scan_left_half_way_does_not_stand_in_the_way(store):
    put(store, Table.STATE, a=b"1", b=b"2")
    rows = store.scan(Table.STATE)
    next(rows)
    del rows
    put(store, Table.STATE, a=b"3")
    assert [value for _, value in store.scan(Table.STATE)] == [b"3", b"2"]


def test_readers_in_other_threads_see_whole_commits_only(store):
    keys = [number_key(number) for number in range(700)]  # more than one statement holds
    stop = threading.Event()
    torn: list[object] = []
    reads = [0]

    def read() -> None:
        while not stop.is_set():
            values = set(store.get_many(Table.STATE, keys))
            scanned = {value for _, value in store.scan(Table.STATE)}
            if len(values) > 1 or len(scanned) > 1:
                torn.append((values, scanned))
            reads[0] += 1

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    rounds = 0
    while rounds < 20 or reads[0] < 10:
        batch = WriteBatch()
        batch.put_many(Table.STATE, dict.fromkeys(keys, b"%d" % rounds))
        store.commit(batch)
        assert store.get(Table.STATE, keys[0]) == b"%d" % rounds  # the writer reads what it wrote
        rounds += 1
    stop.set()
    for reader in readers:
        reader.join()
    assert torn == []


def test_a_failing_commit_writes_nothing_and_closes_the_store_to_writes(opener):
    store = opener()
    put(store, Table.STATE, a=b"1")
    batch = WriteBatch()
    batch.put(Table.META, b"a", b"2")
    batch.put(Table.STATE, b"a", "no bytes")  # type: ignore[arg-type] # what a broken caller would do
    batch.put(Table.STATE, b"b", object())  # type: ignore[arg-type] # what a broken caller would do
    with pytest.raises((OperationalError, TypeError)):
        store.commit(batch)
    assert store.get(Table.META, b"a") is None
    with pytest.raises(OperationalError, match="earlier commit"):
        store.commit(WriteBatch())
    store.close()
    again = opener()
    assert list(again.scan(Table.STATE)) == [(b"a", b"1")]
    assert list(again.scan(Table.META)) == []
    put(again, Table.STATE, a=b"3")
    again.close()


@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_faulty_store_loses_or_keeps_a_whole_commit(opener, number: int, fault: Fault):
    store = FaultyStore(opener(), {number: fault})
    for height in range(number + 1):
        batch = WriteBatch()
        batch.put(Table.META, b"round", b"%d" % height)
        batch.put(Table.BLOCKS, number_key(height), b"block")
        if height < number:
            store.commit(batch)
        else:
            with pytest.raises(OperationalError, match=fault):
                store.commit(batch)
    with pytest.raises(OperationalError, match="earlier"):
        store.commit(WriteBatch())
    store.close()
    again = opener()
    blocks = number + (fault == "persisted")
    assert len(list(again.scan(Table.BLOCKS))) == blocks
    assert again.get(Table.META, b"round") == (b"%d" % (blocks - 1) if blocks else None)
    again.close()


# -- a second process

CHILD = """
import sys
from pathlib import Path
from fujie.core.errors import OperationalError
from fujie.store.base import WriteBatch
from fujie.store.layout import Table, number_key
from fujie.store.opening import open_store

try:
    store = open_store(sys.argv[1], Path(sys.argv[2]))
except OperationalError as error:
    print("refused", error, flush=True)
    sys.exit(3)
print("open", flush=True)
sys.stdin.readline()
number = 0
while True:
    batch = WriteBatch()
    batch.put(Table.META, b"head", number_key(number))
    batch.put(Table.BLOCKS, number_key(number), bytes(2_000))
    batch.put_many(Table.STATE, {number_key(key): number_key(number) for key in range(200)})
    store.commit(batch)
    print(number, flush=True)
    number += 1
"""


def child(kind: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, kind, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_refuses_a_folder_that_another_process_holds_and_names_it(kind: StoreKind, tmp_path):
    store = open_store(kind, tmp_path / "data")
    with child(kind, tmp_path / "data") as process:
        out, _ = process.communicate("\n", timeout=300)
    assert process.returncode == 3
    assert f"in use by process {os.getpid()}" in out
    with pytest.raises(OperationalError, match=f"in use by process {os.getpid()}"):
        open_store(kind, tmp_path / "data")
    put(store, Table.STATE, a=b"1")
    store.close()
    again = open_store(kind, tmp_path / "data")
    assert again.get(Table.STATE, b"a") == b"1"
    assert again.name == kind
    again.close()
    again.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_committed_survives_a_killed_process_whole(kind: StoreKind, tmp_path):
    with child(kind, tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        process.stdin.write("\n")
        process.stdin.flush()
        answered = -1
        while answered < 10:
            answered = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            answered = int(line)
    store = open_store(kind, tmp_path)
    head = store.get(Table.META, b"head")
    assert head is not None
    height = int.from_bytes(head, "big")
    assert height in (answered, answered + 1)
    assert store.last(Table.BLOCKS) == (head, bytes(2_000))
    assert [value for _, value in store.scan(Table.STATE)] == [head] * 200
    store.close()


def test_refuses_a_folder_with_the_other_kind_of_store(tmp_path):
    open_store("sqlite", tmp_path).close()
    with pytest.raises(OperationalError, match="of kind 'sqlite', not 'rocks'"):
        open_store("rocks", tmp_path)
    open_store("sqlite", tmp_path).close()  # the refusal gave the lock back


def test_refuses_a_file_that_is_no_store(tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"this is not a database" * 1_000)
    with pytest.raises(OperationalError, match="does not open"):
        open_store("sqlite", tmp_path)


def test_refuses_a_data_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OperationalError, match="cannot be made"):
        open_store("sqlite", tmp_path / "file")


def test_a_moment_stays_what_it_was(opener: Opener) -> None:
    store = opener()
    put(store, Table.META, a=b"1", b=b"1")
    moment = store.moment()
    change = WriteBatch()
    change.put(Table.META, b"a", b"2")
    change.delete(Table.META, b"b")
    change.put(Table.META, b"c", b"2")
    store.commit(change)
    found: list[bytes | None] = []
    reading = threading.Thread(target=lambda: found.extend(moment.get(Table.META, key) for key in (b"a", b"b", b"c")))
    reading.start()
    reading.join()
    assert found == [b"1", b"1", None], "read from another thread than the one that made it"
    assert list(moment.scan(Table.META)) == [(b"a", b"1"), (b"b", b"1")]
    assert list(moment.scan(Table.META, b"b", b"c")) == [(b"b", b"1")]
    assert moment.last(Table.META) == (b"b", b"1")
    assert moment.last(Table.STATE) is None
    moment.close()
    assert store.get(Table.META, b"a") == b"2"
    store.close()
