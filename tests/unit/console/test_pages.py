import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from fujie.client.explorer import Explorer
from fujie.client.in_process import InProcessTransport
from fujie.console.app import PAGES, create_console
from fujie.console.pages import members
from fujie.console.pages.home import lists_lag
from fujie.console.settings import ConsoleSettings
from fujie.core.policy import single
from fujie.modules.catalog import REASONS
from fujie.modules.currency.operations import Pay
from fujie.modules.membership.operations import OpenAccount, Propose
from fujie.modules.membership.records import GrantRole, Role
from fujie.proof.bundle import BUNDLE
from tests.unit.console.site import CITY, DEPARTMENT, HOSTILE_SHOWN, ORIGIN, Html, Visitor, paths


def test_every_page_of_the_table_is_visited(site):
    patterns = [
        re.compile("/console" + re.sub(r"\{[^}]*\}", "[^/]+", path))
        for method, path, _ in PAGES
        if method == "GET" and not path.startswith(("/parts", "/language", "/proofs"))
    ]
    visited = [path.partition("?")[0] for path in paths(site)]
    assert [pattern.pattern for pattern in patterns if not any(map(pattern.fullmatch, visited))] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_renders_for_the_auditor(site, auditor, language):
    reader = Visitor(site, language=language)
    reader.cookies = dict(auditor.cookies)
    for path in paths(site):
        page = reader.page(path)
        root = page.tags[0]
        assert root == ("html", {"lang": {"en": "en", "zh": "zh-Hans"}[language]}), path
        assert [tag for tag, _ in page.tags].count("h1") == 1, path
        assert [tag for tag, _ in page.tags].count("main") == 1, path


def test_every_page_renders_for_a_stranger(site, visitor):
    closed = 0
    for path in paths(site):
        answer = visitor.get(path)
        if answer.status_code == 401:
            closed += 1
            assert "/console/sign-in?back=" in answer.text, path
        else:
            assert answer.status_code == 200, path
    assert closed == 1, "of these a stranger may not see the wallet, and no other"


def test_every_page_has_a_json_twin(site, auditor):
    for path in paths(site):
        asked = auditor.get(path + ("&" if "?" in path else "?") + "format=json")
        accepted = auditor.get(path, Accept="application/json")
        for answer in (asked, accepted):
            assert answer.headers["content-type"] == "application/json", path
            assert isinstance(answer.json(), dict), path
        assert asked.json().keys() == accepted.json().keys(), path


def test_a_browser_gets_html_though_it_accepts_anything(auditor):
    answer = auditor.get("/console/", Accept="text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8")
    assert answer.headers["content-type"].startswith("text/html")


def test_every_answer_has_the_policy_and_no_page_runs_a_script_or_style_of_its_own(site, auditor):
    extra = ["/console/no-such-page", "/console/ids/zz", "/console/ids/ZZ.156.9999", "/console/static/console.css"]
    for path in [*paths(site), *extra, "/console/static/none.js", "/console/trust.json", "/console/parts/home"]:
        answer = auditor.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; "), path
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff", path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        for tag, attributes in Html(answer.text).tags:
            assert tag not in ("style", "iframe", "object", "embed", "base"), path
            assert not [name for name in attributes if name == "style" or name.startswith(("on", "hx-on"))], (path, tag)
            if tag == "script":
                assert (attributes.get("src") or "").startswith("/console/static/"), path


def test_no_page_asks_another_host_for_anything(site, auditor):
    for path in paths(site):
        for tag, attributes in auditor.page(path).tags:
            for name in ("href", "src", "action", "hx-get"):
                value = attributes.get(name)
                assert value is None or value.startswith(("/", "#")), (path, tag, value)
                assert value is None or not value.startswith("//"), (path, tag, value)


def test_every_link_to_a_page_leads_to_one(site, auditor):
    """A walk over all links of all pages, once each; what is not the console's is the API's, and there as well."""
    seen: set[str] = set()
    for path in paths(site):
        for found in auditor.page(path).links:
            href = found.partition("#")[0]
            kind = re.sub(r"[0-9a-f]{32,}|[1-9]\d*|ZZ[.0-9A-Z]*", "*", href)
            if not href or kind in seen or "language" in href:
                continue
            seen.add(kind)
            answer = auditor.get(href)
            needs_key = href == "/metrics"  # on a restricted chain
            assert answer.status_code == 401 if needs_key else answer.status_code in (200, 303), (path, href)
    assert len(seen) > 60


def test_a_hostile_name_stays_a_name(site, auditor):
    pages = [
        f"/console/ids/{DEPARTMENT}",
        f"/console/ids/{DEPARTMENT}/history",
        f"/console/ids/{CITY}",
        f"/console/ids/{CITY}/children",
        "/console/search?q=Gas",
        f"/console/transactions/{site.allocated.transaction_id.hex()}",
        f"/console/transactions/{site.updated.transaction_id.hex()}",
    ]
    for path in pages:
        page = auditor.page(path) if "search" not in path else Html(auditor.get(path).text)
        assert "<script>alert" not in page.source, path
        assert not [tag for tag, attributes in page.tags if tag == "img"], path
        if "search" not in path:
            assert HOSTILE_SHOWN in page.text, path
        assert not re.search("[\u202e\u2066]", page.source), path
    suggestions = auditor.page("/console/parts/suggestions?q=Gas")
    assert HOSTILE_SHOWN in suggestions.text
    assert {tag for tag, _ in suggestions.tags} <= {"ul", "li", "a", "span"}


@pytest.mark.parametrize("text", ['"><script>alert(1)</script>', "{{ 7*7 }}", "%00", "\u202e", "a" * 5_000, "'--"])
def test_hostile_text_in_the_query_is_text(visitor, text):
    for path in ("/console/search?q=", "/console/proof?of=", "/console/sign-in?back=", "/console/transactions?party="):
        answer = visitor.get(path + quote(text))
        assert answer.status_code in (200, 303, 400), path
        page = Html(answer.text)
        assert "<script>alert" not in answer.text
        assert "49" not in re.findall(r"\b49\b", page.text)


def test_home_shows_the_chain_and_examples_that_find_something(site, auditor):
    site.project()
    page = auditor.page("/console/")
    assert f"{site.engine.head.height:,}" in page.text
    assert "3,216" in page.text, "3,214 divisions, the country and a department"
    assert "Nothing. Blocks are made in time" in page.text
    examples = [href for href in page.links if href.startswith("/console/search?q=")]
    assert len(examples) >= 4
    for href in examples:
        answer = auditor.get(href)
        found = answer.status_code == 303 or bool(json.loads(auditor.get(href + "&format=json").text)["matches"])
        assert found, href


@pytest.mark.parametrize(
    ("behind", "block_age_ms", "lags"), [(0, 90_000, False), (1, 500, False), (1, 1_001, True), (101, 0, True)]
)
def test_home_says_when_lists_lag(behind, block_age_ms, lags):
    assert lists_lag({"projection": {"behind": behind}, "block_age_ms": block_age_ms}) is lags
    assert not lists_lag(None)


def test_home_has_a_part_that_changes_by_itself(auditor):
    page = auditor.page("/console/")
    [refresh] = [each for _, each in page.tags if each.get("id") == "now"]
    part = auditor.get(refresh["hx-get"] or "", **{"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.text
    assert part.text.count("<rect ") == 60


def test_transaction_says_in_one_sentence_what_happened(site, auditor):
    page = auditor.page(f"/console/transactions/{site.paid.transaction_id.hex()}")
    alice, shop = (site.keys.wallet_id(name).hex()[:8] for name in ("alice", "shop"))
    assert f"Paid 12.50 CNY from wallet {alice}… to wallet {shop}…" in page.text
    assert f"/console/proof?of=/receipts/{site.paid.transaction_id.hex()}.fujie" in page.links
    allocated = auditor.page(f"/console/transactions/{site.allocated.transaction_id.hex()}")
    assert f"Allocated {DEPARTMENT} under {CITY}" in allocated.text


def test_postings_balance_on_the_page(site, auditor):
    path = f"/console/transactions/{site.paid.transaction_id.hex()}"
    [total] = auditor.get(path + "?format=json").json()["totals"]
    assert (total["debit_minor"], total["credit_minor"], total["difference_minor"]) == (1250, 1250, 0)
    assert "Difference0.00 CNY" in auditor.page(path).text.replace(" Difference ", "Difference")


@pytest.mark.parametrize(
    ("language", "sentence", "advice"),
    [
        ("en", "The amount exceeds what one payment of the payer's class may be.", "Use a smaller amount"),
        ("zh", "金额超出付款方类别的单笔上限。", "请减少金额"),
    ],
)
def test_refusal_says_why_and_what_to_do(site, auditor, language, sentence, advice):
    reader = Visitor(site, language=language)
    reader.cookies = dict(auditor.cookies)
    page = reader.page(f"/console/transactions/{site.refused.transaction_id.hex()}")
    assert "PAYER_PAYMENT_LIMIT_EXCEEDED" in page.text
    assert sentence in page.text
    assert advice in page.text
    assert "9,999.99 CNY" in page.text


def test_refused_allocation_names_what_was_asked_for(site, auditor):
    page = auditor.page(f"/console/transactions/{site.taken.transaction_id.hex()}")
    assert f"It asked to allocate {DEPARTMENT} under {CITY}" in page.text


def test_identifier_shows_its_place_from_the_root(visitor):
    page = visitor.page(f"/console/ids/{CITY}")
    assert "Register 中国 (demonstration) 河北省 石家庄市" in page.text
    assert f"{CITY}-X1" in page.text
    assert "GBT2260 130100" in page.text
    for href in ("/console/ids/ZZ.156", "/console/ids/ZZ.156.13", f"/ids/{CITY}.fujie"):
        assert href in page.links


def test_links_lead_from_the_register_down_to_the_last_county(visitor):
    """Every division of the demonstration is reached by links that stand on the pages, without JavaScript."""
    waiting, pages = ["/console/ids"], {"/console/ids"}
    while waiting:
        for href in visitor.page(waiting.pop()).links:
            opens = re.fullmatch(
                r"/console/ids/ZZ\.156((\.\d{2}|\.\d{4})?(\?after=.*)?|[.0-9]*/children\?after=.*)", href
            )
            if opens and href not in pages:
                waiting.append(href)
            pages.add(href)
    levels = [len({href for href in pages if re.fullmatch(pattern, href)}) for pattern in DIVISIONS]
    assert levels == [34, 333, 2847]


DIVISIONS = [rf"/console/ids/ZZ\.156{level}" for level in (r"\.\d\d", r"\.\d{4}", r"(?:\.\d{4}\.\d\d|\.\d\d\.\d{4})")]


def test_branch_of_the_tree_is_a_part(visitor):
    part = visitor.get(f"/console/ids/{CITY}/children", **{"HX-Request": "true"})
    assert "<html" not in part.text
    assert "/console/ids/ZZ.156.1301.02" in Html(part.text).links


def test_history_says_what_changed(visitor):
    page = visitor.page(f"/console/ids/{DEPARTMENT}/history")
    assert "Version 2" in page.text
    assert "Version 1" in page.text
    assert re.search(r"Attributes phone: <b>0311</b> –", page.text), page.text


def test_identifier_that_was_never_allocated_has_a_page_with_its_proof(visitor):
    answer = visitor.get("/console/ids/ZZ.156.1301.9999")
    assert answer.status_code == 404
    page = Html(answer.text)
    assert "never allocated" in page.text
    assert "石家庄市" in page.text, "the nearest above is named"
    assert "/ids/ZZ.156.1301.9999.fujie" in page.links
    assert visitor.get("/ids/ZZ.156.1301.9999.fujie").status_code == 200
    assert visitor.get("/console/ids/ZZ.156.1301.9999?format=json").json()["record"] is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (CITY, f"/console/ids/{CITY}"),
        (f"{CITY}-X1", f"/console/ids/{CITY}"),
        ("zz.156.1301", f"/console/ids/{CITY}"),
        ("ZZ.156.7777", "/console/ids/ZZ.156.7777"),
        ("130100", f"/console/ids/{CITY}"),
        ("石家庄市", f"/console/ids/{CITY}"),
        ("CNY", "/console/money/CNY"),
        ("GB/T 2260:130100", f"/console/ids/{CITY}"),
        (f"http://127.0.0.1:8156/console/ids/{CITY}/history", f"/console/ids/{CITY}"),
        ("https://registry.example/console/blocks/7?lang=zh", "/console/blocks/7"),
        (f"{ORIGIN}/console/wallets/{'0' * 32}", f"/console/wallets/{'0' * 32}"),
        (f"/console/transactions/{'0' * 64}", f"/console/transactions/{'0' * 64}"),
    ],
)
def test_what_means_one_thing_leads_there(visitor, text, place):
    answer = visitor.get(f"/console/search?q={quote(text)}")
    assert (answer.status_code, answer.headers.get("location")) == (303, place)


def test_search_that_finds_nothing_says_when_lists_lag(site, auditor):
    site.project()
    path = "/console/search?q=nothing-has-this-name"
    assert "The lists are still being made" not in auditor.page(path).text
    site.submit([Pay(site.keys.wallet_id("bob"), site.keys.wallet_id("carol"), "CNY", 1)], site.keys.signer("bob"))
    assert "The lists are still being made; they lack the newest transaction." in auditor.page(path).text
    assert auditor.get(path + "&format=json").json()["behind"] == 1
    site.project()
    assert auditor.get(path + "&format=json").json()["behind"] == 0


def test_search_finds_transaction_wallet_and_block(site, auditor):
    wallet = site.keys.wallet_id("bob").hex()
    transaction = site.paid.transaction_id.hex()
    for text, place in ((wallet, f"wallets/{wallet}"), (transaction, f"transactions/{transaction}"), ("7", "blocks/7")):
        answer = auditor.get(f"/console/search?q={text}")
        assert answer.headers.get("location") == f"/console/{place}", answer.text[:300]


def test_search_finds_a_block_by_its_hash(site, visitor):
    block = site.lists.block(7)
    answer = visitor.get(f"/console/search?q={block.block_hash.hex()}")
    assert answer.headers.get("location") == "/console/blocks/7"


def test_a_pasted_link_sends_nobody_to_another_site(visitor):
    for text in ("https://evil.example/console//evil.example", "/console/ids//evil.example", "https://evil.example/x"):
        answer = visitor.get(f"/console/search?q={quote(text, safe='')}")
        place = answer.headers.get("location", "/console/")
        assert place.startswith("/console/"), text
        assert "//" not in place, text


@pytest.mark.parametrize(
    ("language", "word", "sentence"),
    [
        ("en", "refused", "The amount exceeds what one payment of the payer's class may be."),
        ("zh", "被拒绝", "金额超出付款方类别的单笔上限。"),
    ],
)
def test_a_list_names_the_reason_of_a_refusal(site, auditor, language, word, sentence):
    reader = Visitor(site, language=language)
    reader.cookies = dict(auditor.cookies)
    for path in ("/console/transactions?code=3032", f"/console/blocks/{site.refused.receipt.height}"):
        page = reader.page(path)
        assert f"{word} PAYER_PAYMENT_LIMIT_EXCEEDED" in page.text, path
        assert f"{word} 3032" not in page.text, path
        titles = [attributes.get("title") for tag, attributes in page.tags if tag == "code"]
        assert sentence in titles, path


def test_block_says_who_signed_it(visitor):
    page = visitor.page("/console/blocks/2")
    assert "1 of 1 validator, 1 of 1 of the power" in page.text
    assert {"/console/blocks/1", "/console/blocks/3", "/blocks/2"} <= set(page.links)


def test_lists_have_further_pages(auditor):
    first = auditor.page("/console/transactions")
    [older] = [href for href in first.links if "before=" in href]
    second = auditor.page(older)
    assert "/console/transactions" in second.links
    ids = [[href for href in page.links if href.startswith("/console/transactions/")] for page in (first, second)]
    assert len(ids[0]) == len(ids[1]) == 25
    assert not set(ids[0]) & set(ids[1])


def test_filters_choose(site, auditor):
    shop, carol = (site.keys.wallet_id(name).hex() for name in ("shop", "carol"))
    data = auditor.get(f"/console/transactions?operation=pay&party={shop}&format=json").json()
    assert {each["transaction_id"] for each in data["transactions"]} == {
        site.paid.transaction_id.hex(),
        site.refused.transaction_id.hex(),
    }
    data = auditor.get(f"/console/transactions?code=3032&party={carol}&format=json").json()
    assert [each["transaction_id"] for each in data["transactions"]] == [site.refused.transaction_id.hex()]


def test_stranger_is_told_that_there_is_more_than_he_sees(visitor):
    page = visitor.page("/console/transactions")
    assert "This chain is restricted" in page.text
    assert "/console/sign-in?back=/console/transactions" in page.links


def test_wallet_shows_balance_and_limits_to_the_auditor(site, auditor):
    page = auditor.page(f"/console/wallets/{site.keys.wallet_id('alice').hex()}")
    assert "1,987.50 CNY" in page.text
    assert "One payment at most: 50,000.00 CNY" in page.text
    assert "12.50 CNY in 1 payment" in page.text


def test_records_of_genesis_link_to_no_block(site, auditor):
    for language, word in (("en", "genesis"), ("zh", "创世")):
        reader = Visitor(site, language=language)
        reader.cookies = dict(auditor.cookies)
        for path in ("/console/accounts/central-bank", "/console/organisations/bank-east"):
            page = reader.page(path)
            assert word in page.text, path
            assert "/console/blocks/0" not in page.links, path


def test_attention_is_a_sentence_that_leads_on(site, auditor):
    """One proposal waits: it is said once, in either language, and what was proposed is a click away."""
    site.project()
    deadline_ms = site.engine.head.time_ms + 3_600_000
    proposed = site.submit(
        [Propose("root-authority", b"p" * 16, GrantRole("bank-east", Role.REGULATOR), deadline_ms)],
        site.keys.signer("root-authority"),
    )
    assert proposed.receipt.code == 0
    site.project()
    for language, sentence in (("en", "1 proposal waits for votes."), ("zh", "有 1 项提案等待表决。")):
        reader = Visitor(site, language=language)
        reader.cookies = dict(auditor.cookies)
        page = reader.page("/console/")
        assert page.text.count(sentence) == 1
        assert "wait for" not in page.text
        [href] = [href for href in page.links if "operation=propose" in href]
        assert f"/console/transactions/{proposed.transaction_id.hex()}" in reader.page(href).links


def test_kind_of_a_wallet_is_a_word_where_it_was_opened(site, auditor):
    listed = auditor.get("/console/transactions?operation=open_wallet&format=json").json()["transactions"]
    page = auditor.page(f"/console/transactions/{listed[0]['transaction_id']}")
    assert re.search(r"Kind ?(personal|corporate)", page.text)


def test_instrument_shows_the_limits_of_every_class(site, auditor):
    asked: list[Any] = []

    class Watched(Explorer):
        async def read(self, *queries):
            asked.extend(queries)
            entry = {"effective_from_ms": 0, **dict.fromkeys(NO_LIMITS)}
            found = await super().read(*queries)
            for place, query in enumerate(queries):
                if query.get("wallet_class") == 99:
                    found[place] = {"entries": [entry]}
            return found

    page = Visitor(site, create_console(Watched(InProcessTransport(site.api)))).page("/console/money/CNY")
    assert [query["wallet_class"] for query in asked] == list(range(1, 100))
    assert "Class 99" in page.text
    assert "Class 98" not in page.text


NO_LIMITS = ("balance_max_minor", "payment_max_minor", "day_max_minor", "payments_per_day_max")


def test_organisation_shows_its_accounts_and_leads_to_the_rest(site, visitor, monkeypatch):
    signer = site.keys.signer("bank-west")
    opened = site.submit([OpenAccount("bank-west", "bank-west-desk", single(signer.public_key))], signer)
    assert opened.receipt is not None
    assert opened.receipt.code == 0
    site.project()
    assert "/console/accounts/bank-west-desk" in visitor.page("/console/organisations/bank-west").links
    monkeypatch.setattr(members, "LISTED", 1)
    page = visitor.page("/console/organisations/bank-west")
    assert "/console/accounts/bank-west-desk" not in page.links
    assert "(2 accounts in all)" in page.text
    [rest] = [href for href in page.links if "organisation=bank-west" in href]
    assert "/console/accounts/bank-west-desk" in visitor.page(rest).links


def test_accounts_of_an_organisation_are_listed_alone(visitor):
    page = visitor.page("/console/accounts?organisation=bank-east")
    assert [href for href in page.links if href.startswith("/console/accounts/")] == ["/console/accounts/bank-east"]
    for wrong, status in (("nobody", 404), ("No one", 400)):
        answer = visitor.get(f"/console/accounts?organisation={quote(wrong)}")
        assert answer.status_code == status
        page = Html(answer.text)
        assert f"No organisation has the name “{wrong}”." in page.text
        [field] = [each for _, each in page.tags if each.get("id") == "organisation"]
        assert (field["value"], field["aria-invalid"], field["aria-describedby"]) == (wrong, "true", "problem")


@pytest.mark.parametrize(
    ("written", "rest"),
    [
        ("zz.156.1301", ""),
        ("ZZ.156.1301-X1", ""),
        (" zz.156. 1301-x1 ", "/children"),
        ("zz.156.1301", "/history"),
        ("zz.156.1301", "?format=json"),
    ],
)
def test_an_identifier_as_people_write_it_leads_to_its_one_address(visitor, written, rest):
    answer = visitor.get(f"/console/ids/{quote(written)}{rest}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/console/ids/{CITY}{rest}")
    assert visitor.get(answer.headers["location"]).status_code == 200


def test_check_characters_that_do_not_fit_are_called_that_wherever_they_are_entered(site, visitor):
    mistaken = f"{CITY}-X2"
    assert "do not fit" in visitor.page(f"/console/search?q={mistaken}").text
    assert "do not fit" in visitor.page(f"/console/parts/suggestions?q={mistaken}").text
    assert visitor.get(f"/console/search?q={mistaken}&format=json").json()["check_mistaken"] is True
    assert "校验字符" in Visitor(site, language="zh").page(f"/console/search?q={mistaken}").text
    assert "do not fit" not in visitor.page("/console/search?q=bank-eas").text


def test_found_block_shows_its_time_as_everywhere_else(visitor):
    page = visitor.page("/console/parts/suggestions?q=7")
    [shown] = [each for tag, each in page.tags if tag == "time"]
    assert re.search(r"\d transactions? · (now|.* ago)$", page.text)
    assert shown["data-ago"]
    assert not re.search(r"\d{9}", page.text)


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("operation=pey", "operation", "There is no operation “pey”. Did you mean: Pay"),
        ("operation=allocat&code=0", "operation", "There is no operation “allocat”. Did you mean: Allocate"),
        ("operation=%3Cb%3E", "operation", "There is no operation “<b>”."),
        ("party=No%20one", "party", "“No one” is no party"),
    ],
)
def test_a_filter_that_is_wrong_says_so_in_its_form(auditor, query, field, said):
    answer = auditor.get(f"/console/transactions?{query}")
    assert answer.status_code == 400
    page = Html(answer.text)
    assert said in page.text
    [wrong] = [each["id"] for _, each in page.tags if "aria-invalid" in each]
    assert wrong == field
    assert "No transaction matches" not in page.text
    twin = auditor.get(f"/console/transactions?{query}&format=json")
    assert (twin.status_code, twin.headers["content-type"]) == (400, "application/problem+json")


def listed(visitor, party):
    return visitor.get(f"/console/transactions?party={party}&format=json").json()["transactions"]


def test_a_party_may_be_named_as_people_write_identifiers(auditor):
    canonical = listed(auditor, CITY)
    assert canonical == listed(auditor, f"{CITY.lower()}-x1")
    assert canonical


def test_lists_say_who_pays_whom(site, auditor):
    payer, payee = (site.keys.wallet_id(name).hex() for name in ("alice", "shop"))
    [row] = [row for row in listed(auditor, payer) if row["transaction_id"] == site.paid.transaction_id.hex()]
    assert (row["payer"], row["payee"], row["postings"]) == (f"wallet/{payer}", f"wallet/{payee}", 2)
    arrow = f"{payer[:8]}… →to {payee[:8]}…"
    assert arrow in auditor.page(f"/console/transactions?party={payer}").text
    sent = auditor.page(f"/console/wallets/{payer}").text
    received = auditor.page(f"/console/wallets/{payee}").text
    assert f"Pay −12.50 CNY to {payee[:8]}…" in sent
    assert f"Pay +12.50 CNY from {payer[:8]}…" in received
    assert "+9,999.99" not in received, "what was refused did not come in"
    assert "−9,999.99" not in sent


def test_a_transaction_with_several_payments_says_how_many_postings_it_has(site, auditor):
    alice, shop, carol = (site.keys.wallet_id(name) for name in ("alice", "shop", "carol"))
    outcome = site.submit([Pay(alice, shop, "CNY", 100), Pay(alice, carol, "CNY", 200)], site.keys.signer("alice"))
    assert outcome.receipt is not None
    assert outcome.receipt.code == 0
    site.project()
    page = auditor.page(f"/console/blocks/{outcome.receipt.height}")
    assert "4 postings" in page.text
    assert "+1" in page.text
    assert "1.00 CNY" not in page.text, "the first amount is not the whole"
    assert "4 postings" in auditor.page(f"/console/wallets/{alice.hex()}").text


def test_home_tells_of_the_newest_transactions_what_they_are(site, auditor):
    alice, shop = (site.keys.wallet_id(name) for name in ("alice", "shop"))
    site.submit([Pay(alice, shop, "CNY", 333)], site.keys.signer("alice"))
    refused = site.submit([Pay(alice, shop, "CNY", 999_999)], site.keys.signer("alice"))
    assert refused.receipt is not None
    site.project()
    page = auditor.page("/console/")
    flow = f"{alice.hex()[:8]}… →to {shop.hex()[:8]}…"
    assert re.search(rf"Pay 3.33 CNY \S.* {re.escape(flow)} Block \d+", page.text)
    assert f"Pay 9,999.99 CNY refused {REASONS[refused.receipt.code].name} " in page.text


def test_everything_that_has_a_proof_offers_to_verify_it_here(site, auditor):
    wallet = site.keys.wallet_id("alice").hex()
    for page, of in (
        (f"/console/ids/{CITY}", f"/ids/{CITY}.fujie"),
        ("/console/accounts/central-bank", "/accounts/central-bank.fujie"),
        (f"/console/wallets/{wallet}", f"/wallets/{wallet}.fujie"),
        ("/console/money/CNY", "/supply/CNY.fujie"),
        (
            f"/console/transactions/{site.paid.transaction_id.hex()}",
            f"/receipts/{site.paid.transaction_id.hex()}.fujie",
        ),
    ):
        assert f"/console/proof?of={of}" in auditor.page(page).links, page
        [frame] = [each for _, each in auditor.page(f"/console/proof?of={of}").tags if each.get("id") == "proof-viewer"]
        assert frame["data-of"] == of
        bundle = auditor.get(frame["data-from"] or "", Accept="application/vnd.fujie.bundle, application/json;q=0.5")
        assert bundle.headers["content-type"] == "application/vnd.fujie.bundle", of
        assert len(BUNDLE.decode(bundle.content).items) == (1 if of.startswith(("/ids", "/receipts")) else 2), of


def test_proof_of_a_wallet_is_handed_to_those_who_may_read_it(site, visitor, auditor):
    path = f"/console/proofs/wallets/{site.keys.wallet_id('alice').hex()}.fujie"
    assert auditor.get(path).headers["content-disposition"].startswith("attachment; filename=")
    assert auditor.get(path).headers["cache-control"] == "no-store"
    refused = visitor.get(path, Accept="application/json")
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    for strange in ("x.fujie", "AB" * 16 + ".fujie", "ab" * 16):
        assert auditor.get(f"/console/proofs/wallets/{strange}").status_code == 400


def test_wallet_that_is_not_there_looks_to_a_stranger_like_one_that_is(site, visitor):
    there = visitor.get(f"/console/wallets/{site.keys.wallet_id('alice').hex()}")
    absent = visitor.get(f"/console/wallets/{'ab' * 16}")
    assert there.status_code == absent.status_code == 401
    shown = [re.sub(r"[0-9a-f]{32}", "*", answer.text) for answer in (there, absent)]
    assert shown[0] == shown[1]


def test_supply_is_shown_with_its_decimals(visitor):
    page = visitor.page("/console/money")
    assert "1,500,000.00 CNY" in page.text
    assert "Issued by central-bank, with 2 decimals." in page.text


def test_proof_page_hands_the_viewer_known_paths_only(visitor):
    known = f"/ids/{CITY}.fujie"
    frame = next(
        each for _, each in visitor.page(f"/console/proof?of={known}").tags if each.get("id") == "proof-viewer"
    )
    assert (frame["data-of"], frame["data-trust"]) == (known, "/console/trust.json")
    for strange in (
        "//evil.example/x.fujie",
        "/console/sign-out",
        "javascript:alert(1)",
        "/ids/../me",
        "/supply/C.fujie",
        "/accounts/-x.fujie",
        "/wallets/xyz.fujie",
        "/receipts/00.fujie",
    ):
        page = visitor.page(f"/console/proof?of={strange}")
        frame = next(each for _, each in page.tags if each.get("id") == "proof-viewer")
        assert frame["data-of"] == ""
        assert "names no proof of this node" in page.text


def test_trust_root_is_the_one_of_the_settings_or_else_of_the_node(site, visitor):
    assert visitor.get("/console/trust.json").json()["chain_id"] == site.engine.chain_id
    pinned = create_console(site.explorer, ConsoleSettings(trust='{"format": "pinned"}'))
    assert Visitor(site, pinned).get("/console/trust.json").json() == {"format": "pinned"}
    assert "pinned" in Visitor(site, pinned).page("/console/about").text


def test_fixed_language_holds_for_everybody(site):
    fixed = create_console(site.explorer, ConsoleSettings(language="zh"))
    assert "链上概览" in Visitor(site, fixed, language="en").page("/console/").text


def test_switch_of_language_comes_back_and_stays(visitor):
    page = visitor.page("/console/blocks?before=20")
    [switch] = [href for href in page.links if "/language/zh" in href]
    answer = visitor.get(switch)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/blocks?before=20")
    assert "区块" in visitor.page("/console/blocks").text


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/", "/console//evil.example", "/ids", "\\\\x", ""]
)
def test_nobody_is_sent_elsewhere(visitor, back):
    answer = visitor.get(f"/console/language/en?back={quote(back, safe='')}")
    assert answer.headers["location"] == "/console/"


def test_root_leads_to_the_console(visitor):
    assert visitor.get("/").headers["location"].startswith("/console")
    assert visitor.get("/console").status_code == 200
    assert ORIGIN == "http://localhost"
