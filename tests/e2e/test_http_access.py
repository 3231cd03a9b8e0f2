"""Who may read what: every route asked as every kind of reader, on a public and on a restricted chain.

``api.access_table`` says which rule a route has. Here stands what each rule means as a status and a problem, and for lists
and streams that nobody sees the transactions of others.
"""

import itertools
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from fujie.api import app, media
from fujie.api.access_table import Rule
from fujie.api.app import ROUTES
from fujie.api.openapi import plain_path
from fujie.core.encoding import encode
from fujie.core.json_form import to_json
from fujie.core.query import Query
from fujie.modules.catalog import QUERIES
from fujie.modules.currency.queries import (
    BalanceQuery,
    InstitutionQuery,
    InstrumentQuery,
    IssueQuery,
    LimitsQuery,
    RedemptionQuery,
    SupplyQuery,
    VaultQuery,
    WalletQuery,
)
from fujie.modules.identity.queries import (
    AgencyQuery,
    AliasQuery,
    CodebookQuery,
    IdentityQuery,
    NamespaceQuery,
    SeriesQuery,
    UsageQuery,
)
from fujie.modules.membership.queries import (
    AccountQuery,
    FoundingQuery,
    MisbehaviourQuery,
    OrganisationQuery,
    ParametersQuery,
    ProposalQuery,
    RoomsQuery,
    RulesQuery,
    ValidatorsQuery,
)
from fujie.modules.membership.records import Visibility
from tests.e2e.http_node import CITY, INSTRUMENT, SECONDS_MAX, WALLETS
from tests.e2e.http_readers import HOLDER, SUSPENDED, Asker, World, client, world

KINDS = (
    "stranger",
    "holder",
    "other holder",
    "institution by key",
    "institution by grant",
    "other institution",
    "auditor by key",
    "auditor by grant",
    "auditor by session",
    "key for metrics alone",
    "expired key",
    "revoked key",
    "unknown key",
    "nonsense",
    "key of a suspended account",
    "grant of a suspended account",
    "expired grant",
    "grant of a stranger",
    "grant of another chain",
    "grant that lasts too long",
)
OWN = ("holder", "institution by key", "institution by grant")  # those whom Anna's wallet concerns
ALL = ("auditor by key", "auditor by grant", "auditor by session")
ANNAS = {"queries": [{"type": "balance_query", "wallet": WALLETS["anna"].hex(), "instrument": INSTRUMENT}]}
STREAMED = "/events"
ASKED: Final[tuple[Query, ...]] = (
    AccountQuery("institution"),
    OrganisationQuery("town"),
    ParametersQuery(),
    ProposalQuery(bytes(16)),
    ValidatorsQuery(),
    RulesQuery("currency"),
    RoomsQuery(),
    FoundingQuery("currency"),
    MisbehaviourQuery(bytes(20)),
    IdentityQuery(CITY),
    NamespaceQuery("ZZ.156"),
    UsageQuery("ZZ.156"),
    AliasQuery("GBT2260", "130100"),
    CodebookQuery("gbt2260-2026"),
    SeriesQuery("GBT2260"),
    AgencyQuery(),
    WalletQuery(WALLETS["anna"]),
    BalanceQuery(WALLETS["anna"], INSTRUMENT),
    InstrumentQuery(INSTRUMENT),
    SupplyQuery(INSTRUMENT),
    LimitsQuery(INSTRUMENT, 1),
    InstitutionQuery("institution", INSTRUMENT),
    VaultQuery("institution", INSTRUMENT),
    IssueQuery(bytes(16)),
    RedemptionQuery(bytes(16)),
)


@pytest.fixture(scope="module", params=list(Visibility), ids=[each.value for each in Visibility])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp(request.param.value), request.param) as running:
        yield running


@pytest.fixture(scope="module")
def http(made: World) -> Iterator[httpx.Client]:
    with client(made) as opened:
        yield opened


def transactions_seen(http: httpx.Client, asker: Asker) -> list[dict[str, Any]]:
    page = http.get("/transactions", headers=asker.headers).json()
    found: list[dict[str, Any]] = page["transactions"]
    return found


def everything(made: World, http: httpx.Client) -> list[dict[str, Any]]:
    """Every transaction of the chain, as the auditor sees them."""
    found = transactions_seen(http, made.askers["auditor by key"])
    assert len(found) == made.node.engine.head.log_size
    return found


def target(made: World, http: httpx.Client, path: str) -> str:
    """The path of a route with everything filled in that stands on this chain; what concerns a person concerns Anna."""
    paid = next(row for row in everything(made, http) if row["operations"] == ["pay"] and row["code"] == 0)
    parts = {
        "identifier": CITY,
        "transaction_id": paid["transaction_id"],
        "validators_hash": http.get("/trust").json()["validators_hash"],
        "height": str(paid["height"]),
        "wallet": WALLETS["anna"].hex(),
        "instrument": INSTRUMENT,
        "tile": "000.p/1" if "entries" in path else "0/000.p/1",
        "name": "NOT_FOUND" if path.startswith("/problems") else "institution",
    }
    filled = plain_path(path).format(**parts)
    return filled + f"?q={WALLETS['anna'].hex()}" if path == "/search" else filled


def ask(made: World, http: httpx.Client, method: str, path: str, asker: Asker) -> tuple[int, str]:
    """Ask a route as somebody; return the status, and the name of the problem where there is one."""
    headers, where = asker.headers, target(made, http, path)
    if path == STREAMED:
        with http.stream("GET", where, headers=headers) as answer:
            if answer.status_code == 200:
                return 200, ""
            answer.read()
            return answer.status_code, answer.json()["type"].removeprefix("/problems/")
    if path == "/read":
        answer = http.post(where, json=ANNAS, headers=headers)
    elif (method, path) == ("POST", "/sessions"):
        kept = made.access.credentials
        assert kept is not None
        answer = http.post(where, json={"code": kept.new_code("institution").code}, headers=headers)
    elif method == "POST":
        answer = http.post(where, content=b"\x90", headers={**headers, "content-type": media.TRANSACTIONS})
    else:
        answer = http.request(method, where, headers=headers)
    is_problem = answer.headers["content-type"] == media.PROBLEM
    return answer.status_code, answer.json()["type"].removeprefix("/problems/") if is_problem else ""


DONE = (200, "")
REQUIRED, MISSING, NOT_ENTITLED = (401, "CREDENTIAL_REQUIRED"), (403, "SCOPE_MISSING"), (403, "READER_NOT_ENTITLED")


def expected(rule: Rule, method: str, path: str, asker: Asker, visibility: Visibility) -> tuple[int, str]:
    """What the rule of a route means for somebody, as its docstring and docs/spec/09-http.md say."""
    public = visibility is Visibility.PUBLIC
    if path == "/dry-run":
        return 400, "MALFORMED"  # nothing to rehearse: whoever asks, the answer is about the body
    if method == "DELETE":
        return {
            "stranger": REQUIRED,
            "auditor by session": DONE,
            "expired key": (401, "CREDENTIAL_EXPIRED"),
            "revoked key": (401, "CREDENTIAL_REVOKED"),
        }.get(asker.kind, (401, "CREDENTIAL_UNKNOWN"))
    if rule in (Rule.ANYONE, Rule.KNOWER) or (method, path) == ("POST", "/sessions"):
        return DONE
    if path == "/me":
        return asker.refused or DONE
    if public:
        return DONE  # nobody has to show anything, so what is shown is not looked at
    if asker.refused:
        return asker.refused
    if rule is Rule.METRICS:
        return REQUIRED if asker.kind == "stranger" else DONE if "metrics" in asker.scopes else MISSING
    if asker.kind != "stranger" and "read" not in asker.scopes:
        return MISSING
    return expected_of_readers(rule, path, asker)


def expected_of_readers(rule: Rule, path: str, asker: Asker) -> tuple[int, str]:
    """The rest of :func:`expected`: on a restricted chain, for those whose credential holds and is for reading."""
    if rule in (Rule.LISTED, Rule.FOUND) or asker.kind in ALL:
        return DONE  # what they see in it, other tests look at
    if path == "/genesis":
        return 403, "GENESIS_RESTRICTED"
    if rule in (Rule.QUERY, Rule.PARTY) and asker.kind in OWN:
        return DONE
    if asker.kind == "stranger":
        return (403, "GRANT_REQUIRED") if rule is Rule.QUERY else REQUIRED
    return NOT_ENTITLED


@pytest.mark.parametrize("kind", KINDS)
def test_every_route_answers_every_kind_of_reader_as_the_table_says(made: World, http: httpx.Client, kind: str) -> None:
    asker = made.askers[kind]
    for method, path, _, rule in ROUTES:
        if method.value == "DELETE" and kind == "auditor by session":
            continue  # it would end the session that the other tests use; see test_a_session_ends
        wanted = expected(rule, method.value, plain_path(path), asker, made.visibility)
        assert ask(made, http, method.value, path, asker) == wanted, (method, path)


@pytest.mark.parametrize("query", ASKED, ids=lambda query: type(query).__name__)
def test_every_query_is_answered_to_its_audience_alone(made: World, http: httpx.Client, query: Query) -> None:
    own = {
        WalletQuery: OWN,
        BalanceQuery: OWN,
        InstitutionQuery: ("institution by key", "institution by grant"),
        VaultQuery: ("institution by key", "institution by grant"),
        IssueQuery: ("institution by key", "institution by grant"),
        RedemptionQuery: (),  # there is none, which nobody learns but auditors
    }.get(type(query))
    for asker in made.askers.values():
        if made.visibility is Visibility.PUBLIC or (own is None and asker.kind == "stranger"):
            wanted = DONE
        elif asker.refused:
            wanted = asker.refused
        elif asker.kind == "stranger":
            wanted = (403, "GRANT_REQUIRED")
        elif "read" not in asker.scopes:
            wanted = MISSING
        else:
            wanted = DONE if own is None or asker.kind in own + ALL else NOT_ENTITLED
        for kind, content in (
            (media.READ, encode([[encode(query)], None, None])),
            (media.JSON, json.dumps({"queries": [to_json(query)]}).encode()),
        ):
            answer = http.post("/read", content=content, headers={"content-type": kind, **asker.headers})
            name = "" if answer.status_code == 200 else answer.json()["type"].removeprefix("/problems/")
            assert (answer.status_code, name) == wanted, asker.kind


def test_every_query_of_the_catalog_is_asked() -> None:
    assert {type(query) for query in ASKED} == set(QUERIES)


def test_the_table_of_routes_is_read_on_one_screen() -> None:
    text = Path(app.__file__).read_text("utf-8")
    table = text[text.index("ROUTES: Final") :].partition("\n)\n")[0].splitlines()
    assert len(table) - 1 == len(ROUTES) <= 50
    assert all(len(line) <= 120 for line in table)


def test_the_kinds_of_readers_are_all_there(made: World) -> None:
    assert tuple(made.askers) == KINDS


def test_lists_show_everybody_the_transactions_that_he_is_a_party_to(made: World, http: httpx.Client) -> None:
    told = everything(made, http)
    blocks = {row["height"] for row in told}
    for asker in made.askers.values():
        answer = http.get("/transactions", headers=asker.headers)
        if answer.status_code != 200:
            continue
        sees_all = made.visibility is Visibility.PUBLIC or asker.kind in ALL
        wanted = [row for row in told if sees_all or asker.name in row["parties"]]
        assert answer.json()["transactions"] == wanted, asker.kind
        assert answer.json()["hidden"] is not sees_all
        by_block = []
        for height in sorted(blocks, reverse=True):
            by_block += http.get(f"/blocks/{height}/transactions", headers=asker.headers).json()["transactions"]
        assert by_block == wanted, asker.kind
        asked = http.get("/transactions", params={"party": HOLDER}, headers=asker.headers).json()["transactions"]
        assert asked == [row for row in wanted if HOLDER in row["parties"]], asker.kind


def test_streams_show_everybody_all_blocks_and_the_transactions_that_he_is_a_party_to(
    made: World, http: httpx.Client
) -> None:
    told = {row["transaction_id"]: row for row in everything(made, http)}
    newest = made.node.engine.head.height
    for asker in made.askers.values():
        with http.stream("GET", "/events?after=0.0", headers=asker.headers, timeout=SECONDS_MAX) as answer:
            if answer.status_code != 200:
                continue
            heights, seen, kind = [], [], ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: ") and kind == "block":
                    heights.append(json.loads(line[6:])["height"])
                elif line.startswith("data: "):
                    seen.append(json.loads(line[6:])["transaction_id"])
                if heights and heights[-1] == newest:
                    break
        sees_all = made.visibility is Visibility.PUBLIC or asker.kind in ALL
        assert heights == list(range(1, newest + 1)), asker.kind
        assert sorted(seen) == sorted(key for key, row in told.items() if sees_all or asker.name in row["parties"])


def test_a_wallet_is_found_by_whoever_may_read_it(made: World, http: httpx.Client) -> None:
    wallet = WALLETS["anna"].hex()
    texts = (wallet, f"/console/wallets/{wallet}", f"https://node.example/console/wallets/{wallet}?format=json")
    for asker, text in itertools.product(made.askers.values(), texts):
        answer = http.get("/search", params={"q": text}, headers=asker.headers)
        if answer.status_code != 200:
            continue
        found = [match["key"] for match in answer.json()["matches"] if match["kind"] == "wallet"]
        may = made.visibility is Visibility.PUBLIC or asker.kind in OWN + ALL
        assert found == ([wallet] if may else []), (asker.kind, text)


def test_a_refusal_tells_how_to_ask_and_never_what_was_shown(made: World, http: httpx.Client) -> None:
    for asker in made.askers.values():
        for path in (f"/wallets/{WALLETS['anna'].hex()}", "/me", "/metrics", "/genesis", "/transactions"):
            answer = http.get(path, headers=asker.headers)
            assert ("www-authenticate" in answer.headers) == (answer.status_code == 401), (asker.kind, path)
            if asker.authorization is not None:
                assert asker.authorization.partition(" ")[2] not in answer.text


def test_a_session_ends_with_the_sign_out_and_a_key_does_not(made: World, http: httpx.Client) -> None:
    kept = made.access.credentials
    assert kept is not None
    code = kept.new_code("institution").code
    session = http.post("/sessions", json={"code": code}).json()
    shown = {"authorization": "Bearer " + session["token"]}
    assert http.get("/me", headers=shown).json()["account"] == "institution"
    assert http.post("/sessions", json={"code": code}).status_code == 403  # a code becomes one session
    assert http.delete("/sessions", headers=shown).json() == {"ended": True}
    assert http.get("/me", headers=shown).status_code == 401
    assert http.delete("/sessions", headers=made.askers["institution by key"].headers).status_code == 401
    assert http.get("/me", headers=made.askers["institution by key"].headers).status_code == 200


def test_a_key_is_revoked_at_once(made: World, http: httpx.Client) -> None:
    kept = made.access.credentials
    assert kept is not None
    issued = kept.new_key("auditor", [], 1)
    shown = {"authorization": "Bearer " + issued.token}
    assert http.get("/me", headers=shown).status_code == 200
    kept.revoke_key(issued.credential.id)
    assert http.get("/me", headers=shown).json()["type"] == "/problems/CREDENTIAL_REVOKED"


def test_a_key_of_an_account_that_does_not_exist_speaks_for_nobody(made: World, http: httpx.Client) -> None:
    kept = made.access.credentials
    assert kept is not None
    shown = {"authorization": "Bearer " + kept.new_key("nobody", [], 1).token}
    assert http.get("/me", headers=shown).json()["type"] == "/problems/READER_POLICY_NOT_SATISFIED"


def test_a_page_of_a_stranger_cannot_reach_the_node_by_a_name_of_its_own(made: World, http: httpx.Client) -> None:
    for path in ("/status", f"/ids/{CITY}", "/events"):
        answer = http.get(path, headers={"host": "rebound.example"})
        assert (answer.status_code, answer.json()["type"]) == (421, "/problems/HOST_UNKNOWN")
    assert http.get("/status", headers={"host": "localhost:1"}).status_code == 200
    assert "access-control-allow-origin" not in http.get("/status", headers={"origin": "https://x.example"}).headers


def test_an_answer_that_depends_on_who_asks_is_kept_by_nobody(made: World, http: httpx.Client) -> None:
    public = made.visibility is Visibility.PUBLIC
    for asker in made.askers.values():
        for path in (
            "/transactions",
            "/blocks/2/transactions",
            "/search?q=tangshan",
            f"/wallets/{WALLETS['anna'].hex()}",
        ):
            answer = http.get(path, headers=asker.headers)
            wanted = ("no-cache", "no-store") if public else ("no-store",)
            assert answer.headers["cache-control"] in wanted, (asker.kind, path)


def test_no_spelling_of_a_path_opens_more_than_its_own(made: World, http: httpx.Client) -> None:
    for _, path, _, rule in ROUTES:
        if rule is Rule.SELF or path in ("/events", "/transactions", "/dry-run", "/read"):
            continue
        plain = target(made, http, plain_path(path)).partition("?")[0]
        own = http.get(plain).status_code
        coded = "".join(f"%{ord(letter):02x}" if letter.isalpha() else letter for letter in plain)
        for spelling in (f"/{plain}", f"{plain}/", f"{plain}%2f", f"/.{plain}", f"/x/..{plain}", f"{plain}%00", coded):
            status = raw_status(made, "GET", spelling)
            assert status in (own, 400, 404), (spelling, own, status)
        assert raw_status(made, "HEAD", plain) == own
        assert raw_status(made, "OPTIONS", plain) in (204, 405)


@pytest.mark.parametrize("path", ["/ids/children", "/ids/history", "//ids/ZZ.156", "/ids//children", "/ids/", "/ids"])
def test_a_path_that_only_looks_like_an_identifier_is_a_problem_of_its_own(made: World, path: str) -> None:
    assert raw_status(made, "GET", path) in (400, 404)
    assert raw_status(made, "POST", path) in (404, 405)


def raw_status(made: World, method: str, path: str) -> int:
    """Ask for a path as it is written; a client would tidy it up."""
    host = httpx.URL(made.node.url)
    connection = HTTPConnection(host.host, host.port, timeout=SECONDS_MAX)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_nobody_signs_in_as_an_account_that_may_not_act_or_is_not(made: World, http: httpx.Client) -> None:
    kept = made.access.credentials
    assert kept is not None
    sessions = made.folder / "sessions"
    for account, name in ((SUSPENDED, "READER_SUSPENDED"), ("nobody", "READER_POLICY_NOT_SATISFIED")):
        before = set(sessions.glob("*"))
        answer = http.post("/sessions", json={"code": kept.new_code(account).code})
        assert answer.json()["type"] == f"/problems/{name}"
        assert set(sessions.glob("*")) == before
