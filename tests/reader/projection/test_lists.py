"""What comes out: every list and every filter, against a naive reading of the whole ledger; and a file that goes away."""

from types import SimpleNamespace

import pytest

from fujie.core.json_form import type_name
from fujie.modules.catalog import OPERATIONS
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.membership import state_keys as membership_keys
from fujie.reader.projection import history as pages
from fujie.reader.projection import postings, schema
from fujie.reader.projection.lists import LIMIT_MAX, Lists
from fujie.reader.projection.projection import Projection
from fujie.reader.projection.rows import ProjectionUnavailable
from tests import world
from tests.reader.projection.files import catch_up
from tests.reader.projection.histories import History, above, naive_records, naive_transactions

TRANSACTIONS = 500


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """A ledger with a history in stretches of 64 entries, its projection, and what a naive reading gives."""
    folder = tmp_path_factory.mktemp("lists")
    path = folder / "projection.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        for module in (schema, postings, pages):
            patch.setattr(module, "SEGMENT", 64)
        with world.running("memory", folder) as engine:
            history = History(engine, 1_000)
            history.run(TRANSACTIONS)
            catch_up(path, engine)
            yield SimpleNamespace(
                path=path,
                engine=engine,
                history=history,
                lists=Lists.open(path),
                naive=naive_transactions(engine),
                identities=naive_records(engine, identity_keys.IDENTITY_PREFIX),
            )


def all_pages(lists, limit, **filters):
    """Return the rows of all pages, and how many pages there were."""
    rows, before, count = [], None, 0
    while True:
        page = lists.transactions(before, limit, **filters)
        rows += page.rows
        count += 1
        assert len(page.rows) <= limit
        if page.next is None:
            return rows, count
        assert before is None or page.next < before
        before = page.next


def facts(row):
    return {
        "index": row.index,
        "height": row.height,
        "time_ms": row.time_ms,
        "transaction_id": row.transaction_id,
        "code": row.code,
        "operations": row.operations,
        "parties": frozenset(row.parties),
        "instrument": row.instrument,
        "amount_minor": row.amount_minor,
        "payer": row.payer,
        "payee": row.payee,
        "postings": row.postings,
    }


def test_transactions_are_those_of_the_log_newest_first(laid_out):
    for limit in (1, 7, 200):
        rows, _ = all_pages(laid_out.lists, limit)
        assert [facts(row) for row in rows] == laid_out.naive
        assert all(row.party_count == len(row.parties) for row in rows)


def test_rows_say_who_pays_whom_and_how_many_postings_there_are(laid_out):
    rows = [facts(row) for row in all_pages(laid_out.lists, 200)[0]]
    sides = {(row["payer"].partition("/")[0], row["payee"].partition("/")[0]) for row in rows if row["payee"]}
    assert sides >= {("wallet", "wallet"), ("vault", "wallet")}
    assert {row["postings"] for row in rows} >= {0, 2, 4}
    assert any(row["code"] and row["payer"] for row in rows), "a refused one says what was asked for"
    assert all((row["payer"] is None) == (row["postings"] == 0) for row in rows)


def test_every_filter_finds_what_a_naive_reading_finds(laid_out):
    naive = laid_out.naive
    parties = sorted({party for row in naive for party in row["parties"]})
    assert len(parties) > 40
    for party in parties:
        wanted = [row["index"] for row in naive if party in row["parties"]]
        assert [row.index for row in all_pages(laid_out.lists, 5, party=party)[0]] == wanted
    for operation in map(type_name, OPERATIONS):
        wanted = [row["index"] for row in naive if operation in row["operations"]]
        assert [row.index for row in all_pages(laid_out.lists, 20, operation=operation)[0]] == wanted
    codes = sorted({row["code"] for row in naive})
    assert len(codes) > 5
    for code in codes:
        wanted = [row["index"] for row in naive if row["code"] == code]
        assert [row.index for row in all_pages(laid_out.lists, 20, code=code)[0]] == wanted
    for height in range(laid_out.engine.head.height + 2):
        wanted = [row["index"] for row in naive if row["height"] == height]
        assert [row.index for row in all_pages(laid_out.lists, 3, height=height)[0]] == wanted


@pytest.mark.parametrize("work", [pages.WORK_MAX, 50])
def test_combinations_of_filters_find_what_a_naive_reading_finds(laid_out, monkeypatch, work):
    monkeypatch.setattr(pages, "WORK_MAX", work)
    naive = laid_out.naive
    parties = sorted({party for row in naive for party in row["parties"]})
    random = laid_out.history.random
    found_some = short = 0
    for _ in range(150):
        some = sorted(random.choice(naive)["parties"])
        party = random.choice([None, *some])
        others = frozenset(random.sample(parties, random.randint(0, 5)))
        seen = random.choice([None, others, frozenset(some[:1]), frozenset(["account/institution"])])
        operation = random.choice([None, "pay", "pay", "allocate_many", "open_wallet"])
        code = random.choice([None, None, 0, *{row["code"] for row in naive}])
        wanted = [
            row["index"]
            for row in naive
            if (party is None or party in row["parties"])
            and (seen is None or seen & row["parties"])
            and (operation is None or operation in row["operations"])
            and (code is None or code == row["code"])
        ]
        rows, count = all_pages(laid_out.lists, 10, party=party, parties=seen, operation=operation, code=code)
        assert [row.index for row in rows] == wanted
        found_some += bool(wanted)
        short += count > len(wanted) // 10 + 2
    assert found_some > 20
    assert (short > 0) == (work == 50), "little work for a page makes more pages, and nothing is lost"


def test_names_that_nobody_has_match_nothing(laid_out):
    for party in ("account/nobody", "wallet/zz", "wallet/" + "0" * 32, "id/ZZ.999", "", "operation/pay\0", "\ud800"):
        assert laid_out.lists.transactions(None, 10, party=party).rows == ()
    assert laid_out.lists.transactions(None, 10, operation="no_such_operation").rows == ()
    assert laid_out.lists.transactions(None, 10, parties=frozenset()).rows == ()
    assert laid_out.lists.transactions(None, 10, code=-3).rows == ()
    assert laid_out.lists.transactions(0, 10) == laid_out.lists.transactions(-5, 10)
    assert laid_out.lists.transactions(2**80, 3).rows[0].index == laid_out.naive[0]["index"]
    assert laid_out.lists.transactions(None, 10, height=2**80).rows == ()


def test_no_list_is_longer_than_its_limit(laid_out):
    assert len(laid_out.lists.transactions(None, 10_000).rows) == LIMIT_MAX
    assert laid_out.lists.transactions(None, 0).rows == ()
    assert laid_out.lists.transactions(None, -1).rows == ()


def test_blocks_are_those_of_the_ledger(laid_out):
    engine, found, before = laid_out.engine, [], None
    while rows := laid_out.lists.blocks(before, 7):
        found += rows
        before = rows[-1].height
    assert [row.height for row in found] == list(range(engine.head.height, 0, -1))
    for row in found:
        block = world.load_block(engine.executor, row.height)
        assert (row.app_hash, row.block_hash, row.proposer, row.transactions, row.first_index, row.time_ms) == (
            block.header.app_hash,
            block.commit.block_id.hash,
            block.header.proposer_address,
            block.stored.transactions,
            block.stored.first_index,
            block.header.time_ns // 1_000_000,
        )
    assert laid_out.lists.block(3) == found[-3]
    assert laid_out.lists.block(10**9) is None


def test_children_and_places_follow_the_records(laid_out):
    identities, lists = laid_out.identities, laid_out.lists
    assert len(identities) > 40
    for parent in ("ZZ", *identities):
        children = sorted(name for name in identities if above(name) == parent)
        places = sorted(name for name, record in identities.items() if (record.within or above(name)) == parent)
        for page, count, wanted in (
            (lists.children, lists.child_count, children),
            (lists.places, lists.place_count, places),
        ):
            found, after = [], None
            while rows := page(parent, after, 7):
                found += [row.identifier for row in rows]
                after = rows[-1].identifier
            assert (found, count(parent)) == (wanted, len(wanted))
    for name, record in identities.items():
        row = lists.identifiers([name])[name]
        assert (row.name, row.kind, row.status, row.within) == (record.name, record.kind, record.status, record.within)
        assert row.version == record.standing.number
        assert row.children == lists.child_count(name)
        assert row.places == lists.place_count(name)
    assert lists.names(["ZZ.156", "ZZ.777"]) == {"ZZ.156": "A country"}
    assert lists.names([]) == {}
    assert lists.children("ZZ.777", None, 5) == []
    assert lists.child_count("ZZ.777") == 0


def test_accounts_organisations_wallets_and_proposals_follow_the_records(laid_out):
    engine, lists = laid_out.engine, laid_out.lists
    organisations = naive_records(engine, membership_keys.ORGANISATION_PREFIX)
    assert {row.name: (row.title, row.suspended, row.accounts) for row in lists.organisations(None, 200)} == {
        name: (record.title, record.status != "active", record.accounts) for name, record in organisations.items()
    }
    accounts = naive_records(engine, membership_keys.ACCOUNT_PREFIX)
    assert any(record.status != "active" for record in accounts.values())
    assert {row.name: row for row in lists.accounts(None, 200)} == {name: lists.account(name) for name in accounts}
    for name in {record.organisation for record in accounts.values()}:
        members = sorted(each for each, record in accounts.items() if record.organisation == name)
        assert [row.name for row in lists.accounts(None, 200, name)] == members
        assert [row.name for row in lists.accounts(members[0], 1, name)] == members[1:2]
    for name, record in accounts.items():
        row = lists.account(name)
        assert row is not None
        assert row.roles == tuple(record.roles)
        assert row.title == organisations[record.organisation].title
        assert row.suspended == (record.status != "active")
    wallets = naive_records(engine, "currency/wallet/")
    rows, after = [], None
    while page := lists.wallets(after, 3):
        rows += page
        after = page[-1].number
    assert rows == lists.wallets(None, 200, institution="institution")
    assert {row.wallet.hex(): (row.wallet_class, row.kind, row.status, row.opened_ms) for row in rows} == {
        wallet: (record.wallet_class, record.kind, record.status, record.opened_ms)
        for wallet, record in wallets.items()
    }
    assert {row.institution for row in rows} == {"institution"}
    assert lists.wallets(None, 10, institution="nobody") == []
    proposals = naive_records(engine, membership_keys.PROPOSAL_PREFIX)
    assert {row.id.hex(): (row.status, row.votes, row.proposer) for row in lists.proposals(200)} == {
        name: (record.status, len(record.votes), record.proposer) for name, record in proposals.items()
    }
    still_open = {name for name, record in proposals.items() if record.status == "open" and record.deadline_ms > 5}
    assert {row.id.hex() for row in lists.proposals(200, open_at_ms=5)} == still_open
    assert [row.instrument for row in lists.instruments()] == ["CNY"]


def test_totals_count_what_there_is(laid_out):
    engine, naive = laid_out.engine, laid_out.naive
    totals = laid_out.lists.statistics()
    assert (totals.height, totals.log_size, totals.time_ms) == (
        engine.head.height,
        engine.head.log_size,
        engine.head.time_ms,
    )
    assert totals.transactions == len(naive)
    assert totals.refused == sum(row["code"] != 0 for row in naive)
    assert totals.identifiers == len(laid_out.identities)
    assert totals.wallets == len(naive_records(engine, "currency/wallet/"))
    assert totals.accounts == len(naive_records(engine, membership_keys.ACCOUNT_PREFIX))
    assert totals.organisations == len(naive_records(engine, membership_keys.ORGANISATION_PREFIX))
    assert laid_out.lists.position().log_size == engine.head.log_size


def test_transactions_per_minute_are_counted_by_the_time_of_their_blocks(tmp_path):
    path = tmp_path / "projection.sqlite"
    clock = world.Clock(world.START_MS)
    with world.running("memory", tmp_path, clock_ms=clock) as engine:
        signing = world.Signing(engine.chain_id)
        for minute, count in ((0, 3), (1, 0), (2, 5), (5, 1)):
            clock.now_ms = world.START_MS + minute * 60_000
            engine.submit([signing.pay(0, 1) for _ in range(count)]).result()
        catch_up(path, engine)
        lists = Lists.open(path)
        assert lists.per_minute(clock.now_ms, 6) == [3, 0, 5, 0, 0, 1]
        assert lists.per_minute(clock.now_ms, 3) == [0, 0, 1]
        assert lists.per_minute(clock.now_ms + 60_000, 60) == [0] * 53 + [3, 0, 5, 0, 0, 1, 0]
        assert lists.per_minute(0, 2) == [0, 0]


def test_a_reader_finds_the_file_that_is_there_now(tmp_path):
    path = tmp_path / "projection.sqlite"
    lists = Lists.open(path)
    with pytest.raises(ProjectionUnavailable, match="no projection here"):
        lists.position()
    with world.running("memory", tmp_path) as engine:
        History(engine, 3).run(20)
        catch_up(path, engine)
        assert lists.position().log_size == engine.head.log_size
        for name in ("projection.sqlite", "projection.sqlite-wal", "projection.sqlite-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        with pytest.raises(ProjectionUnavailable):
            lists.statistics()
        catch_up(path, engine)
        assert lists.position().log_size == engine.head.log_size
        path.write_bytes(b"")
        with pytest.raises(ProjectionUnavailable):
            lists.search("gas", 5)
        with Projection(path, engine.chain_id):
            assert lists.position().log_size == 0
        lists.close()
        schema.remove_files(path)
        path.write_bytes(b"no database" * 999)
        with pytest.raises(ProjectionUnavailable):
            lists.blocks(None, 5)


def test_a_reader_sees_one_moment_while_batches_come(tmp_path):
    path = tmp_path / "projection.sqlite"
    with world.running("memory", tmp_path) as engine:
        lists = Lists.open(path)
        history = History(engine, 4)
        for _ in range(10):
            history.run(10)
            catch_up(path, engine, at_once=3)
            assert lists.position().log_size == engine.head.log_size
            assert lists.transactions(None, 1).rows[0].index == engine.head.log_size - 1
