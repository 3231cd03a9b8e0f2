"""What an answer costs: no question of a list, a filter or a search reads a table from end to end."""

import contextlib

import pytest

from fujie.reader.projection import history, postings, schema
from fujie.reader.projection.lists import Lists
from tests import world
from tests.reader.projection.files import catch_up
from tests.reader.projection.histories import History

SMALL = {"position", "p", "instruments"}  # a row (``p`` in statistics), or one for each instrument
TEXTS = (
    "ZZ.156",
    "ZZ.156.1301-X1",
    "gas works",
    "市",
    "石家庄市",
    "GBT2260 1301",
    "130100",
    "desk",
    "12",
    "a" * 200,
    world.wallet_id(0).hex(),
    world.wallet_id(0).hex()[:8],
    "f" * 64,
    "GB/T 2260:1301",
    "/console/blocks/7",
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Every statement, with its values, by which the lists of a small ledger answer every kind of question."""
    folder = tmp_path_factory.mktemp("plans")
    path = folder / "projection.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        for module in (schema, postings, history):
            patch.setattr(module, "SEGMENT", 64)
        with world.running("memory", folder) as engine:
            History(engine, 77).run(200)
            catch_up(path, engine)
            with contextlib.closing(Lists.open(path)) as lists:
                statements: list[str] = []
                lists.position()
                lists._open().set_trace_callback(statements.append)
                ask_everything(lists, engine)
                # What the full-text index asks of tables of its own is not ours.
                yield path, sorted({text for text in statements if text.startswith("SELECT") and "main" not in text})


def ask_everything(lists, engine):
    wallet = f"wallet/{world.wallet_id(0).hex()}"
    lists.position()
    lists.statistics()
    lists.per_minute(engine.head.time_ms)
    lists.blocks(None, 50)
    lists.blocks(7, 50)
    lists.block(3)
    for filters in (
        {},
        {"height": 5},
        {"code": 0},
        {"party": wallet},
        {"party": wallet, "operation": "pay", "code": 0},
        {"parties": frozenset({wallet, "account/institution"}), "operation": "open_wallet"},
        {"parties": frozenset({"id/ZZ.156"}), "party": "account/root", "height": 9},
    ):
        lists.transactions(None, 200, **filters)
        lists.transactions(70, 3, **filters)
    for of in (lists.children, lists.places):
        of("ZZ.156", None, 50)
        of("ZZ.156", "ZZ.156.N3A", 50)
    for count in (lists.child_count, lists.place_count):
        count("ZZ.156")
        count("ZZ")
    lists.names(["ZZ.156", "ZZ.156.N1A"])
    lists.accounts(None, 50)
    lists.accounts("institution", 50, "world")
    lists.account("root")
    lists.organisations("a", 50)
    lists.instruments()
    lists.proposals(50)
    lists.proposals(50, open_at_ms=5)
    lists.wallets(2, 50)
    lists.wallets(2, 50, institution="institution")
    for text in TEXTS:
        lists.search(text, 50, index_of=engine.index_of)
        lists.search(text, 50, institution="institution")


def test_no_question_reads_a_table_from_end_to_end(asked):
    path, questions = asked
    assert len(questions) > 60
    tables = 0
    with contextlib.closing(schema.connect_to_read(path)) as connection:
        for question in questions:
            for *_, step in connection.execute("EXPLAIN QUERY PLAN " + question):
                words = step.split()
                if words[0] == "SCAN" and "VIRTUAL TABLE" not in step:
                    assert words[1] in SMALL or bounded(question), (step, question)
                tables += words[0] in ("SCAN", "SEARCH")
    assert tables > len(questions)


def bounded(question):
    """Tell whether a scan reads an index in the order of the list, and no more of it than the page is long."""
    return "ORDER BY" in question and "LIMIT" in question


def test_no_question_sorts_more_than_it_answers(asked):
    path, questions = asked
    with contextlib.closing(schema.connect_to_read(path)) as connection:
        for question in questions:
            plan = [step for *_, step in connection.execute("EXPLAIN QUERY PLAN " + question)]
            assert not any("TEMP B-TREE" in step for step in plan), (plan, question)
