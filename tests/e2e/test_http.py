"""The HTTP interface on a running server: every route, good and bad, and whatever strangers may send to it."""

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fujie.advice import advice_of
from fujie.api import media, submission
from fujie.api.app import ROUTES
from fujie.api.problems import Kind
from fujie.api.server import serve
from fujie.api.serving import DRY_RUNS_MAX, DRY_RUNS_WAITING_MAX, INLINE_BYTES_MAX
from fujie.client.http import HttpTransport
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.grant import Grant, sign_grant
from fujie.core.json_form import from_json, to_json
from fujie.core.limits import SUBMIT_BATCH_MAX
from fujie.core.reasons import ReadReason, TransactionReason
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.machine.genesis import chain_id, load
from fujie.modules.catalog import REASONS, RECEIPT, TRANSACTION
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.queries import BalanceQuery
from fujie.modules.identity.queries import IdentityQuery
from fujie.modules.identity.records import Identity
from fujie.modules.membership.queries import AccountQuery
from fujie.modules.membership.records import Visibility
from fujie.proof.bundle import BUNDLE, Absent, BundleWithPath, Logged, Present, verify
from fujie.proof.commit import verify_commit
from fujie.proof.light import verify_root
from fujie.proof.light_block import decode_light_block
from tests.e2e.http_node import (
    ABSENT,
    ANNA,
    BEN,
    CITY,
    INSTRUMENT,
    SECONDS_MAX,
    WALLETS,
    Node,
    key,
    open_chain,
    running,
)

DOCUMENTED = {200, *(kind.status for kind in Kind), 422, 429}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain")) as made:
        yield made


@pytest.fixture
def http(node: Node) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=node.url, timeout=SECONDS_MAX) as client:
        yield client


def pay(node: Node, amount_minor: int = 5, *signers: Any) -> bytes:
    return node.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, amount_minor)], *(signers or (ANNA,)))


def json_form(raw: bytes) -> dict[str, Any]:
    signed = SIGNED_TRANSACTION.decode(raw)
    form: dict[str, Any] = to_json(TRANSACTION.decode(signed.body))
    return form | {"signatures": [signature.hex() for signature in signed.signatures]}


def identifier_of(raw: bytes) -> bytes:
    return transaction_id(SIGNED_TRANSACTION.decode(raw).body)


def submit(http: httpx.Client, *transactions: bytes) -> list[Any]:
    answer = http.post(
        "/transactions", content=encode(list(transactions)), headers={"content-type": media.TRANSACTIONS}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media.OUTCOMES
    decoded: list[Any] = msgspec.msgpack.decode(answer.content)
    return decoded


def ask(http: httpx.Client, body: Any, **headers: str) -> httpx.Response:
    return http.post("/read", content=encode(body), headers={"content-type": media.READ, **headers})


def grant(node: Node, reader: str, *signers: Any) -> bytes:
    keys = tuple(sorted(signer.public_key for signer in signers))
    return sign_grant(
        Grant(node.engine.chain_id, reader, node.engine.head.time_ms + 60_000, bytes(16), keys), list(signers)
    )


def assert_problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == media.PROBLEM
    assert answer.headers["x-content-type-options"] == "nosniff"
    page: dict[str, Any] = answer.json()
    assert page["type"] == f"/problems/{name}", page
    assert page["status"] == status
    assert page["title"]
    assert page["detail"]
    assert page["instance"].startswith("/")
    return page


# --- Submitting -----------------------------------------------------------------------------------------------------


def test_a_batch_of_canonical_transactions_has_an_outcome_each(node: Node, http: httpx.Client) -> None:
    good, poor, stranger = pay(node), pay(node, 10**9), pay(node, 5, BEN)
    outcomes = submit(http, good, poor, stranger, b"junk")
    assert [outcome[0] for outcome in outcomes] == [*map(identifier_of, (good, poor, stranger)), b""]
    assert outcomes[0][1] == 0
    assert outcomes[1][1] // 1000 == 3  # a rule of the currency
    assert outcomes[2][1:] == [TransactionReason.POLICY_NOT_SATISFIED, None, None]
    assert outcomes[3][1:] == [TransactionReason.TRANSACTION_MALFORMED, None, None]
    receipt = RECEIPT.decode(outcomes[0][2])
    assert receipt.transaction_id == outcomes[0][0]
    assert node.engine.executor.index_of(outcomes[0][0]) == outcomes[0][3]


def test_the_same_bytes_again_give_the_first_receipt(node: Node, http: httpx.Client) -> None:
    raw = pay(node)
    first = submit(http, raw)
    assert submit(http, raw) == first


def test_an_empty_batch_has_no_outcomes(http: httpx.Client) -> None:
    assert submit(http) == []


def test_people_submit_one_transaction_or_several_in_json(node: Node, http: httpx.Client) -> None:
    one = http.post("/transactions", json=json_form(pay(node))).json()
    assert (one["code"], one["reason"], one["receipt"]["events"][0]["type"]) == (0, None, "paid")
    assert http.get(one["proof"]).status_code == 200
    several = http.post("/transactions", json=[json_form(pay(node)), json_form(pay(node, 10**9))]).json()
    assert [outcome["code"] > 0 for outcome in several] == [False, True]
    refused = REASONS[several[1]["code"]]
    assert (several[1]["sentence"], several[1]["do"]) == (refused.sentence, advice_of(refused))
    assert one["do"] is None


def test_the_answer_comes_in_the_form_that_is_accepted(node: Node, http: httpx.Client) -> None:
    answer = http.post("/transactions", json=json_form(pay(node)), headers={"accept": media.OUTCOMES})
    assert msgspec.msgpack.decode(answer.content)[0][1] == 0
    body = encode([pay(node)])
    answer = http.post(
        "/transactions", content=body, headers={"content-type": media.TRANSACTIONS, "accept": media.JSON}
    )
    assert answer.json()[0]["code"] == 0
    assert answer.headers["cache-control"] == "no-store"


def test_a_dry_run_says_what_would_happen_and_changes_nothing(node: Node, http: httpx.Client) -> None:
    raw = pay(node)
    size = node.engine.head.log_size
    answer = http.post("/dry-run", content=encode([raw]), headers={"content-type": media.TRANSACTIONS})
    assert msgspec.msgpack.decode(answer.content)[0][1] == 0
    assert http.post("/dry-run", json=json_form(pay(node, 10**9))).json()["code"] > 3000
    assert http.post("/dry-run", json=[json_form(pay(node, 10**9))]).json()[0]["code"] > 3000
    told = {"content-type": media.TRANSACTIONS, "accept": media.JSON}
    assert http.post("/dry-run", content=encode([raw]), headers=told).json()["code"] == 0
    assert node.engine.head.log_size == size
    assert http.get(f"/receipts/{identifier_of(raw).hex()}").status_code == 404


def test_bad_bodies_are_problems_that_name_the_place(node: Node, http: httpx.Client) -> None:
    form = json_form(pay(node))
    typed = {"content-type": media.TRANSACTIONS}
    assert_problem(http.post("/transactions", content=b"x"), 415, "MEDIA_TYPE_UNSUPPORTED")
    assert_problem(http.post("/transactions", content=b"\xc1", headers=typed), 400, "MALFORMED")
    assert_problem(http.post("/transactions", content=b"{", headers={"content-type": media.JSON}), 400, "MALFORMED")
    page = assert_problem(http.post("/transactions", json=[form, form | {"nonce": "00"}]), 400, "MALFORMED")
    assert "$[1].nonce" in page["detail"]
    page = assert_problem(http.post("/transactions", json={**form, "signatures": []}), 400, "MALFORMED")
    assert "$.signatures" in page["detail"]
    assert_problem(http.post("/transactions", json=form, headers={"accept": "text/html"}), 406, "NOT_ACCEPTABLE")
    assert_problem(http.post("/dry-run", json=[form, form]), 413, "TOO_LARGE")


def test_more_than_the_limits_is_refused_before_it_is_read(http: httpx.Client) -> None:
    typed = {"content-type": media.TRANSACTIONS}
    many = b"\xdd" + (SUBMIT_BATCH_MAX + 1).to_bytes(4, "big") + b"\xc4\x00" * (SUBMIT_BATCH_MAX + 1)
    assert_problem(http.post("/transactions", content=many, headers=typed), 413, "TOO_LARGE")
    assert_problem(http.post("/dry-run", content=bytes(1_000_000), headers=typed), 413, "TOO_LARGE")
    in_pieces = iter([bytes(100_000)] * 5)
    assert_problem(http.post("/dry-run", content=in_pieces, headers=typed), 413, "TOO_LARGE")


def test_json_beyond_its_bound_is_told_the_form_for_large_batches(node: Node, http: httpx.Client) -> None:
    typed = {"content-type": media.JSON}
    body = b"[" + b" " * submission.JSON_BYTES_MAX + b"]"
    for content in (body, iter([body[:1_000_000], body[1_000_000:]])):  # announced, and as it grows
        page = assert_problem(http.post("/transactions", content=content, headers=typed), 413, "TOO_LARGE")
        assert media.TRANSACTIONS in page["detail"]
    many = b"[" + b",".join([b"[]"] * (SUBMIT_BATCH_MAX + 1)) + b"]"
    assert_problem(http.post("/transactions", content=many, headers=typed), 413, "TOO_LARGE")
    long = b'[{"chain_id": "' + b"a" * 300_000 + b'"}]'
    for content in (long, long[1:-1]):
        assert_problem(http.post("/transactions", content=content, headers=typed), 413, "TOO_LARGE")
    several = [json_form(pay(node)) for _ in range(200)]
    outcomes = http.post("/transactions", json=several).json()
    assert {outcome["code"] for outcome in outcomes} == {0}
    page = assert_problem(http.post("/transactions", json=[*several, {}]), 400, "MALFORMED")
    assert "$[200]" in page["detail"]


def test_large_json_is_parsed_beside_the_event_loop(
    node: Node, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[str] = set()
    signed = submission._signed

    def seen(value: Any, path: str) -> bytes:
        threads.add(threading.current_thread().name.partition("_")[0])
        return signed(value, path)

    monkeypatch.setattr(submission, "_signed", seen)
    several = [json_form(pay(node)) for _ in range(200)]
    assert len(json.dumps(several)) > INLINE_BYTES_MAX
    assert http.post("/transactions", json=several).status_code == 200
    assert threads == {"fujie-parse"}


def test_a_body_counts_as_in_memory_until_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as node, httpx.Client(base_url=node.url, timeout=SECONDS_MAX) as http:
        raw = pay(node)
        held, begun = threading.Event(), threading.Event()
        rehearse = node.engine.dry_run

        def slow(transaction: bytes) -> Any:
            begun.set()
            held.wait(SECONDS_MAX)
            return rehearse(transaction)

        monkeypatch.setattr(node.engine, "dry_run", slow)
        monkeypatch.setattr("fujie.api.serving.BODIES_BYTES_MAX", len(encode([raw])) + 10)
        statuses: list[int] = []

        def ask_slowly() -> None:
            content, typed = encode([raw]), {"content-type": media.TRANSACTIONS}
            statuses.append(httpx.post(node.url + "/dry-run", content=content, headers=typed).status_code)

        caller = threading.Thread(target=ask_slowly)
        caller.start()
        begun.wait(SECONDS_MAX)
        question = {"queries": [to_json(IdentityQuery(CITY))]}
        assert_problem(http.post("/read", json=question), 429, "NODE_BUSY")
        held.set()
        caller.join(SECONDS_MAX)
        assert statuses == [200]
        assert http.post("/read", json=question).status_code == 200
        for _ in range(20):  # refused bodies count no longer either
            assert_problem(
                http.post("/sessions", content=b"{}", headers={"content-type": media.JSON}), 400, "MALFORMED"
            )
        assert http.post("/read", json=question).status_code == 200


def test_no_more_dry_runs_are_in_hand_than_the_node_rehearses(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    held, threads = threading.Event(), set()
    rehearse = node.engine.dry_run

    def slow(transaction: bytes) -> Any:
        threads.add(threading.current_thread().name)
        held.wait(SECONDS_MAX)
        return rehearse(transaction)

    monkeypatch.setattr(node.engine, "dry_run", slow)
    places = DRY_RUNS_MAX + DRY_RUNS_WAITING_MAX
    content, typed = encode([pay(node)]), {"content-type": media.TRANSACTIONS}
    with httpx.Client(base_url=node.url, timeout=SECONDS_MAX) as client, ThreadPoolExecutor(places + 4) as pool:
        asked = [pool.submit(client.post, "/dry-run", content=content, headers=typed) for _ in range(places + 4)]
        refused, _ = wait(asked, SECONDS_MAX, FIRST_COMPLETED)
        assert client.get("/blocks/latest").status_code == 200  # others are answered meanwhile
        while len(refused) < 4:
            refused, _ = wait(asked, 0.01)
        for each in refused:
            assert_problem(each.result(), 429, "NODE_BUSY")
        assert client.get("/replication/1").status_code == 200  # and the threads of others are free
        held.set()
        answers = [each.result(SECONDS_MAX).status_code for each in asked]
    assert sorted(answers) == [200] * places + [429] * 4
    assert len(threads) == DRY_RUNS_MAX


def test_a_full_queue_pushes_back_and_says_when_to_return(
    node: Node, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fujie.engine.intake.PENDING_TRANSACTIONS_MAX", 0)
    answer = http.post("/transactions", json=json_form(pay(node)))
    page = assert_problem(answer, 429, "ADMISSION_QUEUE_FULL")
    assert page["reason"] == TransactionReason.ADMISSION_QUEUE_FULL
    assert int(answer.headers["retry-after"]) >= 1


def test_two_hundred_callers_at_once_all_get_their_own_outcome(node: Node) -> None:
    raws = [pay(node, 1) for _ in range(200)]
    with httpx.Client(base_url=node.url, timeout=SECONDS_MAX) as client, ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(lambda raw: submit(client, raw)[0], raws))
    assert [outcome[0] for outcome in outcomes] == [identifier_of(raw) for raw in raws]
    assert {outcome[1] for outcome in outcomes} == {0}


def test_a_caller_that_goes_away_leaves_the_ledger_alone(node: Node, http: httpx.Client) -> None:
    body = encode([pay(node)])
    head = f"POST /transactions HTTP/1.1\r\nhost: x\r\ncontent-type: {media.TRANSACTIONS}\r\n"
    for cut in (len(body), 10):
        with socket.create_connection((httpx.URL(node.url).host, httpx.URL(node.url).port or 0)) as raw:
            raw.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:cut])
    assert submit(http, pay(node))[0][1] == 0


# --- Reading --------------------------------------------------------------------------------------------------------


def test_resolving_gives_a_bundle_that_verifies(node: Node, http: httpx.Client) -> None:
    for path in (CITY, f"{CITY}.fujie"):
        answer = http.get(f"/ids/{path}", headers={"accept": media.BUNDLE})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media.BUNDLE)
        item = verify(answer.content, node.trust).items[0]
        assert isinstance(item, Present)
        assert item.path == IdentityQuery(CITY).key().path
    assert "attachment" in http.get(f"/ids/{CITY}.fujie").headers["content-disposition"]
    item = verify(http.get(f"/ids/{ABSENT}", headers={"accept": media.BUNDLE}).content, node.trust).items[0]
    assert isinstance(item, Absent)


def test_every_bundle_can_show_the_way_from_older_validators(node: Node, http: httpx.Client) -> None:
    outcomes = submit(http, pay(node))
    question = encode([[encode(IdentityQuery(CITY))], None, None])
    own, stranger = {"since": node.trust.validators_hash}, {"since": "00" * 32}
    bundle_only = {"accept": media.BUNDLE}

    def asked(since: dict[str, str]) -> list[httpx.Response]:
        read = http.post("/read", params=since, content=question, headers=bundle_only | {"content-type": media.READ})
        paths = (f"/receipts/{outcomes[0][0].hex()}", f"/ids/{CITY}", "/accounts/central-bank", "/supply/CNY")
        return [read, *(http.get(path, params=since, headers=bundle_only) for path in paths)]

    for answer in asked(own):
        assert answer.status_code == 200, answer.text
        assert isinstance(BUNDLE.decode(answer.content), BundleWithPath)
        assert verify(answer.content, node.trust).path == ()  # they sign still
    for answer in asked(stranger):
        assert_problem(answer, 404, "VALIDATORS_UNKNOWN")
    for bad in ("", "00", "AB" * 32, "0" * 65):
        for answer in asked({"since": bad}):
            assert_problem(answer, 400, "MALFORMED")
    assert http.get(f"/ids/{CITY}", params=stranger).json()["identifier"] == CITY  # concerns bundles alone


def test_people_resolve_in_json_and_absence_links_to_its_proof(node: Node, http: httpx.Client) -> None:
    page = http.get(f"/ids/{CITY}").json()
    record = from_json(Identity, page["record"])
    assert record.name == "Shijiazhuang City"
    assert isinstance(verify(http.get(page["proof"]).content, node.trust).items[0], Present)
    problem = assert_problem(http.get(f"/ids/{ABSENT}"), 404, "IDENTIFIER_ABSENT")
    assert isinstance(verify(http.get(problem["proof"]).content, node.trust).items[0], Absent)


def test_resolving_sees_the_newest_proven_state_after_a_write(node: Node, http: httpx.Client) -> None:
    before = verify(http.get(f"/ids/{CITY}", headers={"accept": media.BUNDLE}).content, node.trust).header.height
    outcome = submit(http, pay(node))[0]
    assert node.engine.wait_proven(outcome[3], 10)
    after = verify(http.get(f"/ids/{CITY}", headers={"accept": media.BUNDLE}).content, node.trust).header.height
    assert after > before


def test_version_time_reaches_back_with_proof(node: Node, http: httpx.Client) -> None:
    record = from_json(Identity, http.get(f"/ids/{CITY}").json()["record"])
    created = rfc3339(record.standing.created_ms)
    page = http.get(f"/ids/{CITY}", params={"versionTime": created}).json()
    assert page["record"]["name"] == "Shijiazhuang"
    item = verify(http.get(page["proof"]).content, node.trust).items[0]
    assert isinstance(item, Present)
    assert len(item.versions) == 1
    before = http.get(f"/ids/{CITY}", params={"versionTime": "1999-12-31T23:59:59+08:00"})
    assert_problem(before, 404, "IDENTIFIER_ABSENT")
    later = http.get(f"/ids/{CITY}", params={"versionTime": "2999-01-01T00:00:00Z"})
    assert_problem(later, 400, "TIME_NOT_PROVEN_YET")
    for bad in ("yesterday", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", ""):
        assert_problem(http.get(f"/ids/{CITY}", params={"versionTime": bad}), 400, "MALFORMED")
    assert_problem(http.get(f"/ids/{CITY}", params={"version": "1"}), 400, "MALFORMED")


def rfc3339(time_ms: int) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ms // 1000))
    return f"{whole}.{time_ms % 1000:03d}Z"


@pytest.mark.parametrize("text", ["zz.15", "ZZ", "ZZ..1", "ZZ.156.", "ZZ.156.é", "x" * 300, "", "ZZ.156/1", "%00"])
def test_what_is_no_identifier_is_named(http: httpx.Client, text: str) -> None:
    assert_problem(http.get(f"/ids/{text}"), 400, "IDENTIFIER_MALFORMED")


def test_resolving_takes_no_other_method(http: httpx.Client) -> None:
    answer = http.post(f"/ids/{CITY}")
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD"
    assert http.head(f"/ids/{CITY}").status_code == 200


def test_queries_are_answered_in_order_with_one_proof(node: Node, http: httpx.Client) -> None:
    queries = [IdentityQuery(ABSENT), AccountQuery("institution"), *[IdentityQuery(CITY)] * 20]
    answer = ask(http, [[encode(query) for query in queries], None, None])
    items = verify(answer.content, node.trust).items
    assert [item.path for item in items if not isinstance(item, Logged)] == [query.key().path for query in queries]
    page = http.post("/read", json={"queries": [to_json(query) for query in queries]}).json()
    assert page["items"][0]["record"] is None
    assert page["items"][1]["record"]["name"] == "institution"


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("restricted"), Visibility.RESTRICTED) as made:
        yield made


def test_a_holder_reads_with_a_grant_and_others_do_not(restricted: Node) -> None:
    node, http = restricted, httpx.Client(base_url=restricted.url, timeout=SECONDS_MAX)
    query = encode(BalanceQuery(WALLETS["anna"], INSTRUMENT))
    page = assert_problem(ask(http, [[query], None, None]), 403, "GRANT_REQUIRED")
    assert page["reason"] == ReadReason.GRANT_REQUIRED
    bens = grant(node, f"wallet/{WALLETS['ben'].hex()}", BEN)
    assert_problem(ask(http, [[query], bens, None]), 403, "READER_NOT_ENTITLED")
    assert_problem(ask(http, [[query], b"junk", None]), 400, "GRANT_MALFORMED")
    stolen = grant(node, f"wallet/{WALLETS['anna'].hex()}", key("thief"))
    assert_problem(ask(http, [[query], stolen, None]), 403, "READER_POLICY_NOT_SATISFIED")
    own = grant(node, f"wallet/{WALLETS['anna'].hex()}", ANNA)
    answer = ask(http, [[query], own, None])
    assert answer.headers["cache-control"] == "no-store"
    assert isinstance(verify(answer.content, node.trust).items[0], Present)
    asked = {"queries": [{"type": "balance_query", "wallet": WALLETS["anna"].hex(), "instrument": INSTRUMENT}]}
    page = http.post("/read", json=asked | {"grant": own.hex()}).json()
    assert page["items"][0]["record"]["amount_minor"] > 0
    late = http.post("/read", json=asked | {"grant": own.hex(), "time_ms": 1})
    assert_problem(late, 422, "HISTORY_NOT_KEPT")
    http.close()


def test_on_a_public_chain_no_grant_is_needed_or_looked_at(node: Node, http: httpx.Client) -> None:
    query = encode(BalanceQuery(WALLETS["anna"], INSTRUMENT))
    for shown in (None, b"junk"):
        answer = ask(http, [[query], shown, None])
        assert isinstance(verify(answer.content, node.trust).items[0], Present)


def test_bad_questions_are_problems(http: httpx.Client) -> None:
    query = encode(IdentityQuery(CITY))
    assert_problem(ask(http, [[], None, None]), 400, "MALFORMED")
    assert_problem(ask(http, [[b""], None, None]), 400, "QUERY_MALFORMED")
    assert_problem(ask(http, [[query] * 501, None, None]), 400, "MALFORMED")
    assert_problem(ask(http, [[query], None, -1]), 400, "MALFORMED")
    assert_problem(ask(http, [[query], None, None], accept="text/csv"), 406, "NOT_ACCEPTABLE")
    page = assert_problem(http.post("/read", json={"queries": [{"type": "x"}]}), 400, "MALFORMED")
    assert "$.queries[0].type" in page["detail"]


def test_a_receipt_is_proven_as_soon_as_it_is_acknowledged(node: Node, http: httpx.Client) -> None:
    raw = pay(node)
    outcome = submit(http, raw)[0]
    name = outcome[0].hex()
    answer = http.get(f"/receipts/{name}", headers={"accept": media.BUNDLE})
    item = verify(answer.content, node.trust).items[0]
    assert isinstance(item, Logged)
    assert (item.transaction, item.receipt) == (raw, outcome[2])
    page = http.get(f"/receipts/{name}").json()
    assert page["items"][0]["transaction"]["operations"][0]["type"] == "pay"
    assert isinstance(verify(http.get(page["proof"]).content, node.trust).items[0], Logged)
    assert_problem(http.get("/receipts/" + "0" * 64), 404, "RECEIPT_ABSENT")
    assert_problem(http.get("/receipts/abc"), 400, "MALFORMED")


def test_says_where_validators_signed_last(node: Node, http: httpx.Client) -> None:
    path = f"/validators/{node.trust.validators_hash}"
    told = http.get(path, headers={"accept": media.LIGHT_BLOCK})
    assert (told.status_code, told.headers["content-type"]) == (200, media.LIGHT_BLOCK)
    block = decode_light_block(told.content)
    verify_root(node.trust, block)
    page = http.get(path).json()
    assert page["header"]["validators_hash"].lower() == node.trust.validators_hash
    assert set(page) == set(http.get("/blocks/latest").json())
    newest = decode_light_block(http.get("/blocks/latest", headers={"accept": media.LIGHT_BLOCK}).content)
    assert block.header.height <= newest.header.height, "they sign still, and that is as new as anything"
    with closing(HttpTransport(node.url)) as transport:
        again = transport.last_of(bytes.fromhex(node.trust.validators_hash))
        assert again is not None
        verify_root(node.trust, decode_light_block(again))
        assert transport.last_of(bytes(32)) is None
    assert_problem(http.get(f"/validators/{'00' * 32}"), 404, "VALIDATORS_UNKNOWN")
    for bad in ("0", "00", "AB" * 32, "0" * 65, f"{'00' * 32}.fujie"):
        assert_problem(http.get(f"/validators/{bad}"), 400, "MALFORMED")
    assert_problem(http.get(path, headers={"accept": media.BUNDLE}), 406, "NOT_ACCEPTABLE")


def test_headers_can_be_walked_and_verified(node: Node, http: httpx.Client) -> None:
    newest = decode_light_block(http.get("/blocks/latest", headers={"accept": media.LIGHT_BLOCK}).content)
    for height in range(1, newest.header.height + 1):
        data = http.get(f"/blocks/{height}", headers={"accept": media.LIGHT_BLOCK}).content
        block = decode_light_block(data)
        assert block.header.height == height
        verify_commit(node.engine.chain_id, block.validators, block.header, block.commit)
    page = http.get("/blocks/1").json()
    assert page["header"]["chain_id"] == node.engine.chain_id
    assert isinstance(page["header"]["time_ns"], str)
    assert_problem(http.get("/blocks/999999999"), 404, "BLOCK_ABSENT")
    for bad in ("0", "-1", "x", "1" * 40):
        assert_problem(http.get(f"/blocks/{bad}"), 400, "MALFORMED")


# --- The node -------------------------------------------------------------------------------------------------------


def test_status_and_health_tell_where_the_node_stands(node: Node, http: httpx.Client) -> None:
    page = http.get("/status").json()
    assert page["chain_id"] == node.engine.chain_id
    assert page["rooms"] == {"currency": 1, "identity": 1, "membership": 1}
    assert page["proven_height"] <= page["height"]
    assert http.get("/health/live").json() == {"status": "live"}
    assert http.get("/health/ready").status_code == 200
    assert http.head("/health/ready").status_code == 200


def test_an_old_block_or_a_stopped_ledger_is_not_ready(
    node: Node, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("fujie.api.chain.READY_AGE_MS_MAX", -1)
        assert_problem(http.get("/health/ready"), 503, "NOT_READY")
    monkeypatch.setattr(type(node.engine), "failure", RuntimeError("secret"))
    answer = http.get("/health/ready")
    assert_problem(answer, 503, "NOT_READY")
    assert "secret" not in answer.text


def test_the_genesis_hashes_to_the_chain_id(node: Node, http: httpx.Client) -> None:
    answer = http.get("/genesis", headers={"accept": media.GENESIS})
    assert chain_id(load(answer.content)) == node.engine.chain_id
    assert any(leaf["path"] == "identity/id/ZZ.156" for leaf in http.get("/genesis").json()["leaves"])


def test_the_genesis_is_encoded_once(node: Node, http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [http.get("/genesis", headers={"accept": form}) for form in (media.GENESIS, media.JSON)]
    monkeypatch.setattr(type(node.engine), "genesis", None)  # whoever reads it again would fail
    again = [http.get("/genesis", headers={"accept": form}) for form in (media.GENESIS, media.JSON)]
    assert [answer.content for answer in again] == [answer.content for answer in answers]
    assert [answer.headers["content-type"] for answer in again] == [media.GENESIS, media.JSON]


def test_the_genesis_of_a_restricted_chain_is_not_shown(tmp_path: Path) -> None:
    with running(tmp_path, Visibility.RESTRICTED) as node, httpx.Client(base_url=node.url) as http:
        assert_problem(http.get("/genesis"), 403, "GENESIS_RESTRICTED")
        assert http.get("/blocks/latest").status_code == 200


def test_every_problem_has_its_page(http: httpx.Client) -> None:
    pages = http.get("/problems").json()
    assert [page["type"] for page in pages[: len(Kind)]] == [f"/problems/{kind.name}" for kind in Kind]
    assert {page["reason"]["number"] for page in pages if "reason" in page} == set(REASONS)
    for page in pages[::10]:
        assert http.get(page["type"]).json() == page
    assert http.get("/problems/GRANT_REQUIRED").json()["reason"]["number"] == ReadReason.GRANT_REQUIRED
    assert_problem(http.get("/problems/NONE"), 404, "NOT_FOUND")


def test_unknown_routes_and_methods_are_problems(http: httpx.Client) -> None:
    assert_problem(http.get("/nothing"), 404, "NOT_FOUND")
    assert_problem(http.get("/"), 404, "NOT_FOUND")
    answer = http.get("/dry-run")
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["allow"].split(", ")) == {"POST", "OPTIONS"}
    assert set(http.put("/status").headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_an_unknown_parameter_is_malformed_on_every_route(http: httpx.Client) -> None:
    for method, path, _, _ in ROUTES:
        where = re.sub(r"{[^}]*}", "1", path)
        if path.startswith("/ids/"):
            where = where.replace("1", CITY)
        for each in (method.value, "HEAD") if method.value == "GET" else (method.value,):
            answer = http.request(each, where + "?unknown=1")
            assert answer.status_code == 400, (each, path)
            if each != "HEAD":
                assert_problem(answer, 400, "MALFORMED")
    assert http.options("/status?unknown=1").status_code == 204
    assert_problem(http.get("/nothing?unknown=1"), 404, "NOT_FOUND")
    for twice in ("limit=1&limit=1", "wait_ms=0&wait_ms=0", "limit=0", "limit=501", "wait_ms=30001", "limit=01"):
        assert_problem(http.get("/replication/1?" + twice), 400, "MALFORMED")


@pytest.mark.parametrize("path", ["/log/tile/0/", "/log/tile/entries/"])
def test_a_tile_of_too_many_digits_is_malformed(http: httpx.Client, path: str) -> None:
    for groups in (7, 1_500):
        assert_problem(http.get(path + "x001/" * groups + "001"), 400, "MALFORMED")
    assert_problem(http.get(path + "x009/" + "x000/" * 5 + "001"), 404, "TILE_ABSENT")


def test_the_unexpected_is_logged_under_an_id_and_shows_nothing(
    node: Node, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(type(node.engine), "prove", fail)
    for path in (f"/ids/{CITY}?versionTime=2026-01-01T00:00:00Z", f"/ids/{CITY}"):
        with caplog.at_level(logging.ERROR):
            answer = http.get(path)
        page = assert_problem(answer, 500, "INTERNAL")
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert page["correlation_id"] in caplog.text

    def break_down(*_: Any) -> None:
        raise OperationalError("The disk /secret is full.", "Empty it.")

    monkeypatch.setattr(type(node.engine), "prove", break_down)
    answer = ask(http, [[encode(IdentityQuery(CITY))], None, None])
    assert_problem(answer, 503, "UNAVAILABLE")
    assert "secret" not in answer.text


def test_a_port_in_use_is_refused_with_what_to_do(node: Node) -> None:
    with pytest.raises(OperationalError, match="FUJIE_PORT"):
        serve(None, "127.0.0.1", httpx.URL(node.url).port or 0)


def test_a_stopping_server_finishes_what_it_has_in_hand(tmp_path: Path) -> None:
    engine = open_chain(tmp_path)
    from fujie.api.app import create_app

    stop, ready, urls = threading.Event(), threading.Event(), []

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(target=serve, args=(create_app(engine), "127.0.0.1", 0, on_ready, stop))
    thread.start()
    ready.wait(SECONDS_MAX)
    with httpx.Client(base_url=urls[0], timeout=SECONDS_MAX) as http:
        answers: list[int] = []
        held = engine.executor.store.commit

        def slow(batch: Any) -> None:
            stop.set()
            time.sleep(0.4)
            held(batch)

        engine.executor.store.commit = slow  # type: ignore[method-assign]  # a slow disk
        caller = threading.Thread(target=lambda: answers.append(submit(http, pay(Node(urls[0], engine)))[0][1]))
        caller.start()
        caller.join(SECONDS_MAX)
        thread.join(SECONDS_MAX)
    assert answers == [0]
    assert not thread.is_alive()
    engine.close()


# --- Fuzz -----------------------------------------------------------------------------------------------------------

FUZZ = settings(suppress_health_check=list(HealthCheck), deadline=None)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TYPES = [media.TRANSACTIONS, media.READ, media.JSON, media.BUNDLE, "text/plain", "", "application/json; charset=x"]
POSTS = ["/transactions", "/dry-run", "/read"]


def request(
    node: Node, method: str, target: bytes, headers: list[tuple[str, str]], body: bytes
) -> tuple[int, str, bytes]:
    """Send exactly these bytes as the request target, which a polite client would correct, and return the answer."""
    url = httpx.URL(node.url)
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"host: localhost", b"connection: close"]
    lines += [f"{name}: {value}".encode("latin-1", "replace") for name, value in headers]
    if body or method == "POST":
        lines.append(b"content-length: %d" % len(body))
    with socket.create_connection((url.host, url.port or 0), timeout=SECONDS_MAX) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, content = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    types = [line.partition(b":")[2].strip().decode() for line in lines if line.startswith(b"content-type:")]
    return int(lines[0].split()[1]), types[0] if types else "", content


def assert_documented(node: Node, sent: tuple[int, str, bytes], before: Any) -> None:
    status, content_type, content = sent
    assert status in DOCUMENTED, (status, content)
    assert status != 500, content
    if status >= 400:
        assert content_type == media.PROBLEM, (status, content_type, content)
        assert b"Traceback" not in content
    assert standing(node) == before


def standing(node: Node) -> Any:
    head = node.engine.head
    return head.log_size, head.state_root, head.log_root


@FUZZ
@given(
    path=st.sampled_from(POSTS),
    kind=st.sampled_from(TYPES),
    accept=st.sampled_from(["", "*/*", *TYPES]),
    body=st.binary(max_size=400),
)
def test_random_bytes_change_nothing(node: Node, path: str, kind: str, accept: str, body: bytes) -> None:
    before = standing(node)
    sent = request(node, "POST", path.encode(), [("content-type", kind), ("accept", accept)], body)
    assert_documented(node, sent, before)


@FUZZ
@given(path=st.sampled_from(POSTS), value=json_values)
def test_random_json_changes_nothing(node: Node, path: str, value: Any) -> None:
    before = standing(node)
    sent = request(node, "POST", path.encode(), [("content-type", media.JSON)], json.dumps(value).encode())
    assert_documented(node, sent, before)


def visible(data: bytes) -> bytes:
    """The same bytes with those escaped that would end a request target; what is left may be anything from ! to ~."""
    return b"".join(bytes([byte]) if 0x21 <= byte < 0x7F and byte != 0x23 else b"%%%02X" % byte for byte in data)


@FUZZ
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]),
    start=st.sampled_from(
        ["/", "/ids/", "/ids/ZZ.156.", "/receipts/", "/blocks/", "/problems/", "/health/", "//", "/ids"]
    ),
    rest=st.binary(max_size=60),
    query=st.binary(max_size=40),
    accept=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40),
)
def test_random_paths_and_headers_change_nothing(
    node: Node, method: str, start: str, rest: bytes, query: bytes, accept: str
) -> None:
    before = standing(node)
    target = start.encode() + visible(rest).replace(b"?", b"%3F") + (b"?" + visible(query) if query else b"")
    status, content_type, content = request(node, method, target, [("accept", accept)], b"")
    if method == "HEAD":
        assert status in DOCUMENTED
    else:
        assert_documented(node, (status, content_type, content), before)


@FUZZ
@given(data=st.data())
def test_mutated_canonical_bodies_change_nothing(node: Node, data: st.DataObject) -> None:
    """A transaction with one byte changed, cut or added anywhere never reaches the log; nor does a changed question."""
    before = standing(node)
    path, kind, body = data.draw(
        st.sampled_from(
            [
                ("/transactions", media.TRANSACTIONS, encode([pay(node, 1)])),
                ("/dry-run", media.TRANSACTIONS, encode([pay(node, 1)])),
                ("/read", media.READ, encode([[encode(IdentityQuery(CITY))], grant(node, "account/root", ANNA), 5])),
            ]
        )
    )
    place = data.draw(st.integers(0, len(body) - 1))
    change = data.draw(st.sampled_from(["flip", "cut", "add"]))
    if change == "flip":
        body = body[:place] + bytes([body[place] ^ data.draw(st.integers(1, 255))]) + body[place + 1 :]
    elif change == "cut":
        body = body[:place] + body[place + 1 :]
    else:
        body = body[:place] + data.draw(st.binary(min_size=1, max_size=3)) + body[place:]
    assert_documented(node, request(node, "POST", path.encode(), [("content-type", kind)], body), before)


def test_every_route_has_a_sentence_about_itself() -> None:
    for method, path, function, _ in ROUTES:
        assert function.__doc__, (method, path)
