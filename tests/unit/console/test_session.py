import re

import pytest

from fujie.reader.credentials import BadCredential, Fault
from tests.conftest import ROOT
from tests.unit.console.site import Html, Visitor


def cookie_of(answer):
    [line] = answer.headers.get_list("set-cookie")
    name_value, *attributes = [part.strip() for part in line.split(";")]
    name, _, value = name_value.partition("=")
    return name, value, set(attributes)


def new_code(site, account="auditor"):
    return site.access.credentials.new_code(account).code


def test_code_becomes_a_session_that_no_script_can_read(site, visitor):
    answer = visitor.sign_in("auditor")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/accounts")
    name, token, attributes = cookie_of(answer)
    assert name == "fujie_session"
    assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= attributes
    assert "Secure" not in attributes, "over plain HTTP on loopback the browser would not send it back"
    assert token not in answer.text
    page = visitor.page("/console/")
    assert "reading as auditor" in page.text
    assert token not in page.source


def test_cookie_is_secure_behind_tls(site, visitor):
    answer = visitor.post("/console/sign-in", {"code": new_code(site)}, **{"X-Forwarded-Proto": "https"})
    assert "Secure" in cookie_of(answer)[2]


def test_signed_in_pages_are_not_kept_by_anybody(visitor):
    assert visitor.get("/console/").headers["cache-control"] == "no-cache"
    visitor.sign_in("auditor")
    assert visitor.get("/console/").headers["cache-control"] == "no-store"


def test_stays_signed_in_where_there_is_no_page(visitor):
    visitor.sign_in("auditor")
    answer = visitor.get("/console/no-such/page")
    assert answer.status_code == 404
    assert "reading as auditor" in Html(answer.text).text


def test_sees_what_his_account_may_see(site, visitor):
    wallet = f"/console/wallets/{site.keys.wallet_id('alice').hex()}"
    assert visitor.get(wallet).status_code == 401
    visitor.sign_in("bank-west")
    other = visitor.get(wallet)
    assert other.status_code == 403
    assert "You read as bank-west, who is none of these." in Html(other.text).text
    own = Visitor(site)
    own.sign_in("bank-east")
    assert own.get(wallet).status_code == 200


def test_signing_out_ends_the_session_at_the_node_too(site, visitor):
    visitor.sign_in("auditor")
    kept = dict(visitor.cookies)
    answer = visitor.post("/console/sign-out", {})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    assert "Max-Age=0" in cookie_of(answer)[2]
    assert visitor.cookies == {}
    thief = Visitor(site)
    thief.cookies = kept
    assert "reading as" not in thief.page("/console/").text


@pytest.mark.parametrize("code", ["wrongest", "AAAA-BBBB-CCCC", "x" * 10_000, "<script>", "\u0000"])
def test_refuses_a_wrong_code_and_does_not_repeat_it(visitor, code):
    answer = visitor.post("/console/sign-in", {"code": code, "back": "/console/blocks?before=9"})
    assert (answer.status_code, answer.content) == (303, b"")
    place = answer.headers["location"]
    assert place == "/console/sign-in?problem=refused&back=%2Fconsole%2Fblocks%3Fbefore%3D9"
    page = visitor.page(place)
    assert "The code is wrong, used, or too old." in page.text
    [back] = [each["value"] for _, each in page.tags if each.get("name") == "back"]
    assert back == "/console/blocks?before=9"
    assert code not in page.source or code == "\u0000"
    assert visitor.cookies == {}


def test_an_address_makes_the_form_say_nothing_of_its_own(visitor):
    for problem in ("You have won", "missing%00", "session.title"):
        assert 'id="problem"' not in visitor.page(f"/console/sign-in?problem={problem}").source


def test_too_many_guesses_are_called_that(site, visitor, monkeypatch):
    def exhausted(*_):
        raise BadCredential(Fault.GUESSES_EXHAUSTED)

    monkeypatch.setattr(type(site.access.credentials), "redeem", exhausted)
    answer = visitor.post("/console/sign-in", {"code": "AAAA-BBBB-CCCC"})
    assert answer.status_code == 303
    page = visitor.page(answer.headers["location"])
    assert "Too many wrong codes were sent to this node." in page.text
    assert "used, or too old" not in page.text


def test_documented_proxy_makes_the_cookie_secure(site, visitor):
    """The header that the how-to has nginx send is the one that the console reads, wherever pages are served."""
    guide = (ROOT / "docs" / "how-to" / "run-a-node.md").read_text("utf-8")
    nginx = guide.partition("```nginx")[2].partition("```")[0]
    passed = [part for part in nginx.split("location ")[1:] if "proxy_pass" in part]
    assert len(passed) == 2
    for part in passed:
        headers = dict(re.findall(r"proxy_set_header (\S+) (\S+);", part))
        [name] = [name for name, value in headers.items() if value == "$scheme"]
        for scheme, is_secure in (("https", True), ("http", False)):
            answer = visitor.post("/console/sign-in", {"code": new_code(site)}, **{name: scheme})
            assert ("Secure" in cookie_of(answer)[2]) is is_secure


def test_refuses_a_code_that_was_used(site, visitor):
    code = new_code(site)
    assert visitor.post("/console/sign-in", {"code": code}).status_code == 303
    again = Visitor(site).post("/console/sign-in", {"code": code})
    assert again.headers["location"].startswith("/console/sign-in?problem=refused&")
    assert not again.cookies


def test_asks_for_the_code_where_none_was_entered(visitor):
    answer = visitor.post("/console/sign-in", {"code": "  "})
    assert answer.status_code == 303
    assert "Enter the code." in visitor.page(answer.headers["location"]).text


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:81", ""]
)
@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out"])
def test_refuses_a_form_of_another_page_and_uses_nothing_up(site, visitor, origin, path):
    code = new_code(site)
    visitor.sign_in("auditor")
    answer = visitor.post(path, {"code": code}, Origin=origin)
    assert answer.status_code == 403
    assert "not sent from this console" in answer.text
    assert "reading as auditor" in visitor.page("/console/").text
    assert Visitor(site).post("/console/sign-in", {"code": code}).status_code == 303


def test_takes_a_form_whose_browser_names_the_page_only(site, visitor):
    answer = visitor.post(
        "/console/sign-in", {"code": new_code(site)}, Origin="", Referer="http://localhost/console/sign-in"
    )
    assert answer.status_code == 303


def test_leads_back_to_where_the_visitor_was_and_nowhere_else(site, visitor):
    page = visitor.page("/console/blocks?before=20")
    [sign_in] = [href for href in page.links if "sign-in" in href]
    [back] = [each["value"] for _, each in visitor.page(sign_in).tags if each.get("name") == "back"]
    assert back == "/console/blocks?before=20"
    answer = visitor.post("/console/sign-in", {"code": new_code(site), "back": "https://evil.example/"})
    assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize("token", ["nonsense", "x" * 5_000, "a b", "\x01", "fj_" + "a" * 40])
def test_a_session_that_is_none_makes_a_stranger(visitor, token):
    visitor.cookies["fujie_session"] = token
    page = visitor.page("/console/")
    assert "reading as" not in page.text


def test_the_form_is_never_fetched_as_a_page(visitor):
    assert visitor.get("/console/sign-out").status_code == 405


def test_code_and_token_stay_out_of_the_log(site, visitor, caplog):
    caplog.set_level("DEBUG")
    code = new_code(site)
    answer = visitor.post("/console/sign-in", {"code": code})
    token = cookie_of(answer)[1]
    visitor.page("/console/")
    visitor.post("/console/sign-out", {})
    assert code not in caplog.text
    assert token not in caplog.text
