"""Every page for every kind of reader, and on chains on which nothing has happened yet."""

import re

import pytest

from fujie.console.language import words
from fujie.engine.embedded import EmbeddedEngine
from fujie.node.keyring import ensure_key
from fujie.node.ledger import open_ledger, owner_genesis
from tests.unit.console.site import Html, Served, Visitor, paths

READERS = {
    "stranger": None,
    "member without a wallet": "root-authority",
    "institution": "bank-east",
    "auditor": "auditor",
}
LANGUAGES = {"en": "en", "zh": "zh-Hans"}
NOBODY, NOTHING = "0" * 32, "0" * 64


def whole(answer, language):
    """Return the parsed page; it is one, in that language, and shows no value of the program in place of a word."""
    page = Html(answer.text)
    assert page.tags[0] == ("html", {"lang": LANGUAGES[language]})
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert re.findall(r">\s*(None|Undefined|\[\]|\{\})\s*<", answer.text) == []
    return page


@pytest.fixture(scope="module", params=sorted(READERS))
def reader(request, site):
    """A kind of reader and a visitor who reads so."""
    visitor = Visitor(site)
    account = READERS[request.param]
    if account is not None:
        assert visitor.sign_in(account).status_code == 303
    return request.param, visitor.cookies


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_stands_for_every_kind_of_reader_of_a_restricted_chain(site, reader, language):
    kind, cookies = reader
    visitor = Visitor(site, language=language)
    visitor.cookies = dict(cookies)
    wallet = f"/console/wallets/{site.keys.wallet_id('alice').hex()}"
    found = {}
    for path in paths(site):
        answer = visitor.get(path)
        whole(answer, language)
        found[path] = answer.status_code
    closed = {"stranger": 401, "member without a wallet": 403, "institution": 200, "auditor": 200}[kind]
    assert {path: status for path, status in found.items() if status != 200} == (
        {} if closed == 200 else {wallet: closed}
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_lists_say_that_they_hide_something_to_all_but_the_auditor(site, reader, language):
    kind, cookies = reader
    visitor = Visitor(site, language=language)
    visitor.cookies = dict(cookies)
    say = words(language)
    for path in ("/console/transactions", "/console/live"):
        hidden = say("transactions.hidden")
        page = visitor.page(path)
        assert (hidden in page.text or say("transactions.hidden_empty") in page.text) == (kind != "auditor"), path
        assert any(link.startswith("/console/sign-in") for link in page.links) == (kind == "stranger"), path
    shown = visitor.get("/console/transactions?operation=pay&format=json").json()["transactions"]
    assert bool(shown) == (kind in ("institution", "auditor"))
    if kind == "institution":
        assert all("account/bank-east" in row["parties"] for row in shown)


EMPTY_PAGES = {
    "/console/": 200,
    "/console/search": 200,
    "/console/search?q=nothing-has-this-name": 200,
    "/console/blocks": 200,
    "/console/blocks/1": 200,
    "/console/blocks/99": 404,
    "/console/blocks/latest": 200,
    "/console/transactions": 200,
    "/console/transactions?operation=pay&code=3032": 200,
    f"/console/transactions/{NOTHING}": 404,
    "/console/ids": 200,
    "/console/accounts": 200,
    "/console/accounts/owner": 200,
    "/console/accounts/nobody": 404,
    "/console/organisations/owner": 200,
    "/console/organisations/nobody": 404,
    "/console/validators": 200,
    "/console/money": 200,
    "/console/money/AAA": 404,
    "/console/live": 200,
    "/console/proof": 200,
    "/console/sign-in": 200,
    "/console/about": 200,
}
PAGES_OF_ROOMS = {  # where the chain has the rooms identity and currency
    "/console/ids/ZZ.000": 200,
    "/console/ids/ZZ.000/children": 200,
    "/console/ids/ZZ.000/history": 200,
    "/console/ids/ZZ.000.1": 404,
    "/console/money/XTS": 200,
}
NOTHING_YET = ("/console/", "/console/search?q=nothing-has-this-name", "/console/blocks/1", "/console/transactions")
"""Pages that say in words that there is nothing yet."""


@pytest.fixture(scope="module", params=["all rooms", "membership alone"])
def empty(request, tmp_path_factory):
    """A chain of one account on which nothing has happened, and whether it has all rooms."""
    home = tmp_path_factory.mktemp("empty")
    everything = request.param == "all rooms"
    genesis = None
    if not everything:
        owner, validator = (ensure_key(home / "keys" / f"{name}.key", name) for name in ("owner", "validator"))
        parts = owner_genesis(owner.public_key, validator.public_key)
        genesis = [part for part in parts if part[0] == "membership"]
    ledger = open_ledger(home, genesis=genesis)
    assert isinstance(ledger.engine, EmbeddedEngine)
    made = Served(home, ledger.engine)
    yield made, everything
    made.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("account", [None, "owner"])
def test_every_page_stands_on_an_empty_chain(empty, account, language):
    site, everything = empty
    visitor = Visitor(site, language=language)
    if account is not None:
        assert visitor.sign_in(account).status_code == 303
    wallet = {f"/console/wallets/{NOBODY}": 401 if account is None else 404}
    expected = {**EMPTY_PAGES, **wallet, **(PAGES_OF_ROOMS if everything else {})}
    found = {}
    for path in expected:
        answer = visitor.get(path)
        whole(answer, language)
        found[path] = answer.status_code
        twin = visitor.get(path + ("&" if "?" in path else "?") + "format=json")
        assert twin.status_code == answer.status_code, path
    assert found == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_empty_says_so_in_words(empty, language):
    site, everything = empty
    visitor = Visitor(site, language=language)
    of_rooms = ("/console/ids/ZZ.000/children",) if everything else ("/console/ids", "/console/money")
    for path in (*NOTHING_YET, *of_rooms):
        said = re.findall(r'<p class="empty">([^<]*)', visitor.get(path).text)
        assert said, path
        assert all(text.strip().endswith((".", "。")) for text in said), (path, said)
    chain = words(language)
    assert ("0.00 XTS" if everything else chain("money.none")) in visitor.page("/console/money").text
