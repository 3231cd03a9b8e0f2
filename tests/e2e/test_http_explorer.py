"""Lists, records and their proofs on a running node: what is shown is what the ledger holds, and what is proven."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from fujie.api.serving import Settings
from fujie.engine.embedded import EmbeddedEngine
from fujie.modules.currency.operations import Pay
from fujie.modules.identity.operations import UpdateRecord
from fujie.modules.membership.records import Visibility
from fujie.proof.bundle import Absent, Logged, Present, verify
from tests.e2e.http_node import (
    ABSENT,
    ANNA,
    CITY,
    FUNDS_MINOR,
    INSTRUMENT,
    REGISTRAR,
    SECONDS_MAX,
    WALLETS,
    Node,
    allocate,
    open_chain,
    project,
    running,
    serving,
)

WALLET = WALLETS["anna"].hex()
VERSIONS = 40  # of one record: more than a few links back


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("chain")
    engine = open_chain(folder / "chain")
    carry(engine, Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 1_250), ANNA)
    carry(engine, Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 10**12), ANNA)
    for number in range(2, VERSIONS):
        carry(engine, UpdateRecord(CITY, number, f"Name {number + 1}", (), b"", ""), REGISTRAR)
    allocate(engine, 120)
    lists = project(engine, folder / "projection.sqlite")
    with serving(engine, lists=lists) as made:
        yield made
    lists.close()
    engine.close()


@pytest.fixture
def http(node: Node) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=node.url, timeout=SECONDS_MAX) as client:
        yield client


def carry(engine: EmbeddedEngine, operation: Any, signer: Any) -> None:
    outcome = engine.submit([Node("", engine).sign([operation], signer)]).result(SECONDS_MAX)[0]
    assert outcome.receipt is not None, outcome


def pages(http: httpx.Client, path: str, member: str, cursor: str, **asked: str | int) -> list[dict[str, Any]]:
    """All rows of a list, page by page; the page size is small, so that there are several."""
    found: list[dict[str, Any]] = []
    following: Any = None
    while True:
        more = {} if following is None else {cursor: following}
        page = http.get(path, params={"limit": 7, **asked, **more}).json()
        assert len(page[member]) <= 7
        found += page[member]
        following = page["next"]
        if following is None:
            return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_blocks_are_listed_page_by_page_down_to_the_first(node: Node, http: httpx.Client) -> None:
    rows = pages(http, "/blocks", "blocks", "before")
    assert [row["height"] for row in rows] == list(range(node.engine.head.height, 0, -1))
    for row in rows[:: len(rows) // 5]:
        block = http.get(f"/blocks/{row['height']}").json()["header"]
        assert (block["app_hash"], block["proposer_address"]) == (row["app_hash"], row["proposer"])
    heights = {row["height"]: row for row in rows}
    # The id of a block is named by the block after it.
    assert http.get("/blocks/3").json()["header"]["last_block_id"]["hash"] == heights[2]["block_hash"]


def test_transactions_are_listed_page_by_page_and_each_opens(node: Node, http: httpx.Client) -> None:
    rows = pages(http, "/transactions", "transactions", "before")
    assert [row["index"] for row in rows] == list(range(node.engine.head.log_size - 1, -1, -1))
    for row in rows[:: len(rows) // 6]:
        page = http.get(f"/transactions/{row['transaction_id']}").json()
        assert {name: page[name] for name in ("index", "height", "time_ms", "code", "reason")} == {
            name: row[name] for name in ("index", "height", "time_ms", "code", "reason")
        }
        item = verify(http.get(page["proof"]).content, node.trust).items[0]
        assert isinstance(item, Logged)
        assert item.transaction.hex() == page["raw_bytes"]


def test_a_payment_is_shown_with_its_postings(http: httpx.Client) -> None:
    [row] = pages(http, "/transactions", "transactions", "before", operation="pay", code=0)
    page = http.get(f"/transactions/{row['transaction_id']}").json()
    assert [event["type"] for event in page["events"]] == ["paid"]
    assert page["decimals"] == {INSTRUMENT: 2}
    assert sum(line["debit_minor"] for line in page["postings"]) == 1_250
    assert sum(line["credit_minor"] for line in page["postings"]) == 1_250
    assert page["signers"] == [ANNA.public_key.hex()]


def test_a_list_says_who_pays_whom(http: httpx.Client) -> None:
    paid, refused = pages(http, "/transactions", "transactions", "before", operation="pay")[::-1]
    anna, ben = (f"wallet/{WALLETS[name].hex()}" for name in ("anna", "ben"))
    for row, amount_minor in ((paid, 1_250), (refused, 10**12)):
        assert (row["payer"], row["payee"], row["postings"]) == (anna, ben, 2)
        assert row["amount_minor"] == amount_minor
    shown = http.get(f"/transactions/{paid['transaction_id']}").json()["postings"]
    assert {line["ledger_account"]: line["debit_minor"] - line["credit_minor"] for line in shown} == {
        paid["payer"]: -1_250,
        paid["payee"]: 1_250,
    }
    issued = pages(http, "/transactions", "transactions", "before", operation="update_record")[0]
    assert (issued["payer"], issued["payee"], issued["postings"]) == (None, None, 0)


def test_accounts_are_listed_by_organisation(http: httpx.Client) -> None:
    everybody = pages(http, "/accounts", "accounts", "after")
    for organisation in {row["organisation"] for row in everybody}:
        members = pages(http, "/accounts", "accounts", "after", organisation=organisation)
        assert members == [row for row in everybody if row["organisation"] == organisation]
    assert problem(http.get("/accounts?organisation=nobody")) == (404, "ORGANISATION_ABSENT")
    assert problem(http.get("/accounts?organisation=No one")) == (400, "MALFORMED")


def test_an_operation_that_there_is_not_is_a_problem_with_the_nearest_names(http: httpx.Client) -> None:
    for text, nearest in (("pey", "pay"), ("allocate_manny", "allocate_many"), ("Pay", "pay")):
        answer = http.get("/transactions", params={"operation": text})
        assert problem(answer) == (400, "OPERATION_UNKNOWN")
        assert answer.json()["nearest"][0] == nearest
        assert nearest in answer.json()["detail"]
    assert http.get("/transactions?operation=qqqqqq").json()["nearest"] == []
    assert "1 to 200" in http.get("/transactions?limit=201").json()["detail"]


@pytest.mark.parametrize(
    "rest", ["", ".fujie", "/children?by=place&limit=3", "/history", "?versionTime=2026-01-01T00:00:00%2B08:00"]
)
@pytest.mark.parametrize("written", [CITY.lower(), f"{CITY}-X1", f"{CITY[:6]} {CITY[6:]}-x1"])
def test_an_identifier_as_people_write_it_is_redirected_to_its_one_spelling(
    http: httpx.Client, written: str, rest: str
) -> None:
    answer = http.get(f"/ids/{written}{rest}")
    assert problem(answer) == (308, "IDENTIFIER_REDIRECTED")
    assert answer.headers["location"] == f"/ids/{CITY}{rest}"
    assert answer.json()["identifier"] == CITY
    assert http.get(answer.headers["location"]).status_code in (200, 404)


@pytest.mark.parametrize("rest", ["", ".fujie", "/children", "/history"])
def test_check_characters_that_do_not_fit_are_a_fault(http: httpx.Client, rest: str) -> None:
    answer = http.get(f"/ids/{CITY}-X2{rest}")
    assert problem(answer) == (400, "IDENTIFIER_MALFORMED")
    assert (answer.json()["fault"], answer.json()["position"]) == ("check", len(CITY) + 1)


def test_a_refusal_is_shown_with_its_reason_and_moves_nothing(http: httpx.Client) -> None:
    rows = pages(http, "/transactions", "transactions", "before", operation="pay", party=f"wallet/{WALLET}")
    [row] = [row for row in rows if row["code"]]
    page = http.get(f"/transactions/{row['transaction_id']}").json()
    assert page["reason"] == row["reason"]
    assert page["sentence"]
    assert (page["events"], page["postings"]) == ([], [])


def test_the_children_of_a_prefix_are_all_there_once(http: httpx.Client) -> None:
    rows = pages(http, "/ids/ZZ.156/children", "children", "after")
    names = [row["identifier"] for row in rows]
    assert names == sorted(set(names))
    page = http.get("/ids/ZZ.156/children").json()
    assert page["total"] == len(rows) == 121
    assert [row["identifier"] for row in http.get("/ids/ZZ/children").json()["children"]] == ["ZZ.156"]
    assert problem(http.get(f"/ids/{ABSENT}/children")) == (404, "IDENTIFIER_ABSENT")
    assert problem(http.get("/ids/nothing/children")) == (400, "IDENTIFIER_MALFORMED")
    assert problem(http.get("/ids/AA/children")) == (400, "IDENTIFIER_MALFORMED")


def test_the_history_of_a_record_is_whole_from_any_version_on(http: httpx.Client) -> None:
    rows = pages(http, f"/ids/{CITY}/history", "versions", "before")
    assert [row["number"] for row in rows] == list(range(VERSIONS, 0, -1))
    assert rows[0]["until_ms"] is None
    for newer, older in pairwise(rows):
        assert older["until_ms"] == newer["since_ms"]
        assert older["record"]["standing"]["number"] == older["number"]
    for before in range(1, VERSIONS + 3):
        page = http.get(f"/ids/{CITY}/history", params={"before": before, "limit": 1}).json()
        assert page["versions"] == [row for row in rows if row["number"] < before][:1], before
    assert problem(http.get(f"/ids/{ABSENT}/history")) == (404, "IDENTIFIER_ABSENT")


def test_an_account_comes_with_its_organisation_and_a_proof_of_both(node: Node, http: httpx.Client) -> None:
    rows = pages(http, "/accounts", "accounts", "after")
    assert [row["name"] for row in rows] == ["auditor", "central-bank", "institution", "other", "root"]
    page = http.get("/accounts/institution").json()
    assert {name: page[name] for name in rows[2]} == rows[2]
    items = verify(http.get(page["proof"]).content, node.trust).items
    assert [item.path for item in items if isinstance(item, Present)] == [
        "membership/account/institution",
        "membership/organisation/town",
    ]
    answer = http.get("/accounts/nobody")
    assert problem(answer) == (404, "ACCOUNT_ABSENT")
    assert isinstance(verify(http.get(answer.json()["proof"]).content, node.trust).items[0], Absent)
    assert http.get("/organisations").json()["organisations"][0]["accounts"] == 5


def test_a_wallet_comes_with_its_balances_and_a_proof_of_all(node: Node, http: httpx.Client) -> None:
    page = http.get(f"/wallets/{WALLET}").json()
    [balance] = page["balances"]
    assert balance["balance_minor"] == FUNDS_MINOR - 1_250
    assert (balance["spent_today_minor"], balance["payments_today"]) == (1_250, 1)
    answer = http.get(page["proof"])
    assert answer.headers["content-disposition"] == f'attachment; filename="wallet-{WALLET}.fujie"'
    assert [type(item) for item in verify(answer.content, node.trust).items] == [Present, Present]
    assert problem(http.get("/wallets/" + "0" * 32)) == (404, "WALLET_ABSENT")
    assert problem(http.get("/wallets/x")) == (400, "MALFORMED")


def test_the_supply_adds_up_and_is_proven(node: Node, http: httpx.Client) -> None:
    [row] = http.get("/supply").json()["instruments"]
    assert row == http.get(f"/supply/{INSTRUMENT}").json()
    assert row["circulating_minor"] == row["issued_minor"] - row["redeemed_minor"] == 10 * FUNDS_MINOR
    assert [type(item) for item in verify(http.get(row["proof"]).content, node.trust).items] == [Present, Present]
    assert problem(http.get("/supply/NONE")) == (404, "INSTRUMENT_ABSENT")


def test_search_finds_each_kind_of_thing_by_what_names_it(node: Node, http: httpx.Client) -> None:
    paid = http.get("/transactions", params={"operation": "pay"}).json()["transactions"][0]["transaction_id"]
    for text, kind, key in (
        (CITY, "identifier", CITY),
        (WALLET, "wallet", WALLET),
        (paid, "transaction", paid),
        ("5", "block", "5"),
        ("institution", "account", "institution"),
        ("town", "organisation", "town"),
        (INSTRUMENT, "instrument", INSTRUMENT),
    ):
        matches = http.get("/search", params={"q": text}).json()["matches"]
        assert (kind, key) in [(match["kind"], match["key"]) for match in matches], text
    nothing = {"query": "nothing like this", "matches": [], "behind": 0}
    assert http.get("/search", params={"q": "nothing like this"}).json() == nothing
    assert problem(http.get("/search")) == (400, "MALFORMED")


def test_statistics_count_what_the_ledger_holds(node: Node, http: httpx.Client) -> None:
    page = http.get("/statistics").json()
    head = node.engine.head
    assert (page["height"], page["log_size"], page["transactions"]) == (head.height, head.log_size, head.log_size)
    assert (page["wallets"], page["accounts"], page["identifiers"]) == (2, 5, 122)
    assert page["refused"] == 1
    assert len(page["per_minute"]) == 60
    assert page["projection"] == {"log_size": head.log_size, "behind": 0, "enabled": True}


def test_without_lists_their_routes_say_so_and_records_are_served(tmp_path: Path) -> None:
    with running(tmp_path) as node, httpx.Client(base_url=node.url) as http:
        for path in (
            "/blocks",
            "/transactions",
            "/accounts",
            "/search?q=x",
            "/statistics",
            "/supply",
            "/ids/ZZ/children",
        ):
            assert problem(http.get(path)) == (503, "PROJECTION_OFF"), path
        for path in (f"/wallets/{WALLET}", "/accounts/root", f"/supply/{INSTRUMENT}", f"/ids/{CITY}/history"):
            assert http.get(path).status_code == 200, path


def test_lists_that_were_deleted_while_the_node_runs_are_a_problem_and_no_failure(tmp_path: Path) -> None:
    engine = open_chain(tmp_path / "chain")
    path = tmp_path / "projection.sqlite"
    with serving(engine, lists=project(engine, path)) as node, httpx.Client(base_url=node.url) as http:
        assert http.get("/blocks").status_code == 200
        for file in tmp_path.glob("projection.sqlite*"):
            file.unlink()
        assert problem(http.get("/blocks")) == (503, "PROJECTION_OFF")
        project(engine, path).close()
        assert http.get("/blocks").status_code == 200
    engine.close()


def test_figures_are_those_of_the_chain_and_name_no_path_that_was_asked_for(node: Node, http: httpx.Client) -> None:
    for path in (f"/ids/{CITY}", "/nothing/secret-path", f"/wallets/{WALLET}", "/ids/secret-name/children"):
        http.get(path)
    http.get("/status", headers={"host": "secret-host.example"})
    lines = http.get("/metrics").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    chain, head = f'{{chain_id="{node.engine.chain_id}"}}', node.engine.head
    assert float(figures[f"cometbft_consensus_height{chain}"]) == head.height
    assert float(figures[f"cometbft_consensus_total_txs{chain}"]) == head.log_size
    assert float(figures[f"cometbft_consensus_validators{chain}"]) == 1
    assert float(figures[f"cometbft_consensus_validators_power{chain}"]) == 10
    assert float(figures[f"cometbft_consensus_missing_validators{chain}"]) == 0
    assert float(figures["fujie_projection_behind"]) == 0
    assert (
        float(figures['fujie_http_requests_total{method="GET",reader="0",route="/ids/{identifier}",status="200"}']) > 0
    )
    assert any('route="unmatched"' in line and 'status="421"' in line for line in lines)
    assert any('route="/wallets/{wallet}"' in line for line in lines)
    assert not any("secret" in line or CITY in line or WALLET in line for line in lines)


@pytest.mark.parametrize(
    ("access", "visibility", "status"),
    [
        ("auto", Visibility.PUBLIC, 200),
        ("auto", Visibility.RESTRICTED, 401),
        ("anyone", Visibility.RESTRICTED, 200),
        ("key", Visibility.PUBLIC, 401),
    ],
)
def test_the_operator_decides_who_may_have_figures(
    tmp_path: Path, access: Any, visibility: Visibility, status: int
) -> None:
    with running(tmp_path, visibility, settings=Settings(metrics_access=access)) as node:
        assert httpx.get(node.url + "/metrics").status_code == status


def test_a_mirror_takes_no_transactions_and_says_what_it_mirrors(tmp_path: Path) -> None:
    with running(tmp_path, settings=Settings(mirror_of="https://ledger.example")) as node:
        answer = httpx.post(node.url + "/transactions", json=[])
        assert problem(answer) == (403, "MIRROR_READ_ONLY")
        assert answer.json()["source"] == "https://ledger.example"
        assert httpx.get(node.url + "/status").json()["mirror"] == {"source": "https://ledger.example", "stopped": None}
