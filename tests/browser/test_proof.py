"""The proof viewer: every step redone in the browser, under a trust root that the visitor has."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from fujie.client.verifier import verify_file
from fujie.core.errors import VerificationError
from fujie.proof.trust import decode_trust
from tests.browser.conftest import Open, sign_in, until
from tests.e2e.cli_node import CliNode
from tools.chromium import NAME

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CITY = "ZZ.156.1301"
NOWHERE = "ZZ.156.9999"
STATE_STEPS = [
    "decode",
    "trust",
    "header",
    "signatures",
    "app-hash",
    "key",
    "leaf",
    "path",
    "question",
    "fresh",
    "record",
]
LOG_STEPS = [
    "decode",
    "trust",
    "header",
    "signatures",
    "app-hash",
    "entry",
    "log-path",
    "question",
    "receipt",
    "signers",
]


@pytest.fixture(scope="module")
def trust(node: CliNode, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trust root of the chain, as its founder has it."""
    [found] = node.home.glob("**/trust.json")
    place = tmp_path_factory.mktemp("trust") / "trust.json"
    place.write_bytes(found.read_bytes())
    return place


def proof_of(what: str) -> str:
    return f"/console/proof?of={what}"


def verdict(page: Page, *expected: str) -> str:
    """Wait for one of these verdicts and return its sentences."""
    page.wait_for_selector(", ".join(f"#proof-verdict[data-verdict={one}]" for one in expected))
    return page.locator("#proof-verdict").inner_text()


def steps(page: Page) -> dict[str, str]:
    """Every step and its state."""
    found: list[tuple[str, str]] = page.eval_on_selector_all(
        "li[data-step]", "all => all.map(one => [one.dataset.step, one.dataset.state])"
    )
    return dict(found)


def pinned(open_page: Open, trust: Path, path: str, **options: Any) -> Page:
    """A page whose visitor has chosen his own trust root."""
    page = open_page(path, **options)
    page.wait_for_selector("#proof-root")
    page.set_input_files("#proof-root", trust)
    return page


def test_a_city_is_proven_under_the_visitors_own_root(open_page, trust):
    page = pinned(open_page, trust, proof_of(f"/ids/{CITY}.fujie"))
    said = verdict(page, "proven")
    assert f"identity/id/{CITY}" in said
    assert "from a file" in said
    assert list(steps(page)) == STATE_STEPS
    assert set(steps(page).values()) == {"ok"}
    assert "石家庄市" in page.locator("li[data-step=record]").inner_text()


def test_an_absence_is_proven(open_page, trust):
    page = pinned(open_page, trust, proof_of(f"/ids/{NOWHERE}.fujie"))
    assert f"Nothing stood at identity/id/{NOWHERE}" in verdict(page, "proven")
    assert set(steps(page).values()) == {"ok"}


def test_a_receipt_is_proven(node, open_page, trust):
    paid = node.json("pay", "alice", "shop", "1")
    page = pinned(open_page, trust, proof_of(f"/receipts/{paid['transaction_id']}.fujie"))
    assert "carried out" in verdict(page, "proven")
    assert list(steps(page)) == LOG_STEPS
    assert set(steps(page).values()) == {"ok"}


@pytest.mark.parametrize(
    ("of", "paths"),
    [
        ("/accounts/bank-east.fujie", ["membership/account/bank-east", "membership/organisation/bank-east"]),
        ("/supply/CNY.fujie", ["currency/instrument/CNY", "currency/supply/CNY"]),
    ],
)
def test_an_account_and_the_supply_are_proven(open_page, trust, of, paths):
    page = pinned(open_page, trust, proof_of(of))
    assert "All 2 answers" in verdict(page, "proven")
    assert set(steps(page).values()) == {"ok"}
    for path, shown in zip(paths, page.locator("li[data-step=record]").all(), strict=True):
        assert path in shown.inner_text()
    page.select_option("#proof-place", "record")
    page.click("#proof-flip")
    assert "(state-leaf)" in verdict(page, "not-proven")


def test_a_wallet_is_proven_to_those_who_may_read_it(node, open_page, trust, complaints):
    paid = node.json("pay", "alice", "shop", "1")
    page = open_page("/console/")
    sign_in(node, page)
    page.goto(f"/console/transactions/{paid['transaction_id']}")
    page.locator("a[href^='/console/wallets/']").first.click()
    page.get_by_role("link", name="Verify in this browser").click()
    page.set_input_files("#proof-root", trust)
    assert "All 2 answers" in verdict(page, "proven")
    stranger = open_page(page.url)
    assert "could not be loaded: 401" in verdict(stranger, "cannot-tell")
    for heard in complaints:
        heard[:] = [each for each in heard if "401" not in each]


def test_an_earlier_time_is_proven(node, open_page, trust):
    node.run("id", "allocate", CITY, "HEAT", "--kind", "department")
    since_ms = node.json("resolve", f"{CITY}.HEAT")["record"]["standing"]["since_ms"]
    node.run("id", "update", f"{CITY}.HEAT", "--name", "Heat and gas")
    stamp = time_text(since_ms // 1000 - 60)
    page = pinned(open_page, trust, proof_of(f"/ids/{CITY}.HEAT.fujie%3FversionTime%3D{stamp}"))
    assert f"Nothing stood at identity/id/{CITY}.HEAT" in verdict(page, "proven")


def time_text(seconds: int) -> str:
    """A time of RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_it_speaks_chinese(open_page, trust):
    page = pinned(open_page, trust, proof_of(f"/ids/{CITY}.fujie"), locale="zh-CN")
    assert "已证明" in verdict(page, "proven")
    assert "检查签名" in page.locator("#proof-viewer").inner_text()


def test_without_a_pinned_root_it_cannot_tell_and_first_use_is_remembered(open_page):
    page = open_page(proof_of(f"/ids/{CITY}.fujie"))
    assert "nobody has told this browser" in verdict(page, "cannot-tell")
    assert set(steps(page).values()) == {"ok"}
    assert "believe this node once" in page.locator("#proof-first-use-means").inner_text()
    page.click("#proof-first-use")
    assert "this node named" in verdict(page, "proven")
    page.reload()
    verdict(page, "proven")
    page.click("#proof-forget")
    verdict(page, "cannot-tell")
    page.reload()
    verdict(page, "cannot-tell")


@pytest.mark.parametrize(
    ("place", "step", "name"),
    [
        ("record", "leaf", "state-leaf"),
        ("sibling", "path", "state-root"),
        ("root", "app-hash", "app-hash"),
        ("header", "header", "header-hash"),
        ("signature", "signatures", "commit-signature"),
    ],
)
def test_a_changed_bit_fails_the_step_that_it_concerns(open_page, trust, place, step, name):
    page = pinned(open_page, trust, proof_of(f"/ids/{CITY}.fujie"))
    verdict(page, "proven")
    page.select_option("#proof-place", place)
    page.click("#proof-flip")
    assert f"({name})" in verdict(page, "not-proven")
    states = steps(page)
    order = list(states)
    assert states[step] == "bad"
    assert {states[one] for one in order[: order.index(step)]} <= {"ok"}
    assert {states[one] for one in order[order.index(step) + 1 :]} == {"unreached"}
    assert name in page.locator("li[data-state=bad] .proof-reason").inner_text()
    page.click("#proof-restore")
    verdict(page, "proven")


def test_a_step_that_fails_says_in_chinese_what_is_wrong(open_page, trust):
    page = pinned(open_page, trust, proof_of(f"/ids/{CITY}.fujie"), locale="zh-CN")
    verdict(page, "proven")
    page.select_option("#proof-place", "record")
    page.click("#proof-flip")
    assert "叶中的内容与此不符（state-leaf）" in verdict(page, "not-proven")
    reason = page.locator("li[data-state=bad] .proof-reason")
    assert reason.inner_text().startswith("叶中的内容与此不符")
    assert reason.locator("[lang=en]").inner_text().startswith("state-leaf: ")


def test_a_changed_bit_of_a_receipt_fails_in_the_log(node, open_page, trust):
    paid = node.json("pay", "alice", "shop", "1")
    page = pinned(open_page, trust, proof_of(f"/receipts/{paid['transaction_id']}.fujie"))
    verdict(page, "proven")
    for place in ("receipt", "log"):
        page.select_option("#proof-place", place)
        page.click("#proof-flip")
        page.wait_for_selector("li[data-step=log-path][data-state=bad]")
        assert "(log-root)" in verdict(page, "not-proven")


def test_wherever_a_bit_is_changed_the_page_says_what_the_other_verifier_says(node, open_page, trust, tmp_path):
    node.run("resolve", CITY, "--save", "city.fujie")
    good = (node.work / "city.fujie").read_bytes()
    root = decode_trust(trust.read_bytes())
    page = pinned(open_page, trust, "/console/proof")
    for at in range(0, len(good), max(1, len(good) // 40)):
        bad = tmp_path / "bad.fujie"
        bad.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        try:
            verify_file(bad.read_bytes(), root)
            expected = None
        except VerificationError as error:
            expected = error.step
        page.evaluate("document.getElementById('proof-verdict').dataset.verdict = 'none'")
        page.set_input_files("#proof-bundle", bad)
        said = verdict(page, "proven", "not-proven", "cannot-tell")
        # A bundle that says that it is of another chain is asked for under no root of this one.
        foreign = expected == "chain-id" and "no trust root for the chain" in said
        assert foreign or said.startswith("Proven" if expected is None else "Not proven"), (at, said)
        assert foreign or expected is None or f"({expected})" in said, (at, said)


def test_a_root_with_other_validators_proves_nothing_and_the_difference_is_loud(open_page, trust, tmp_path):
    root = json.loads(trust.read_text("utf-8"))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(root | {"validators_hash": "0" * 64}), "utf-8")
    page = pinned(open_page, other, proof_of(f"/ids/{CITY}.fujie"))
    assert "(validators)" in verdict(page, "not-proven")
    assert steps(page)["trust"] == "bad"
    assert "another trust root" in page.get_by_role("alert").inner_text()
    page.set_input_files("#proof-root", trust)
    verdict(page, "proven")
    assert page.get_by_role("alert").inner_text() == ""


def test_a_root_of_another_chain_does_not_help_and_is_told(open_page, trust, tmp_path):
    root = json.loads(trust.read_text("utf-8"))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(root | {"chain_id": "elsewhere-" + "0" * 32}), "utf-8")
    page = pinned(open_page, other, proof_of(f"/ids/{CITY}.fujie"))
    verdict(page, "cannot-tell")
    assert "elsewhere-" in page.get_by_role("alert").inner_text()


def test_a_file_that_is_no_trust_root_is_refused_by_name(open_page, tmp_path):
    bad = tmp_path / "trust.json"
    bad.write_text("{}", "utf-8")
    page = open_page(proof_of(f"/ids/{CITY}.fujie"))
    page.set_input_files("#proof-root", bad)
    until(page, "document.querySelector('#proof-trust-state').textContent.includes('no trust root')")
    verdict(page, "cannot-tell")


def test_a_file_of_the_visitor_is_verified_and_sent_nowhere(node, open_page, trust):
    node.run("resolve", CITY, "--save", "own.fujie")
    page = pinned(open_page, trust, "/console/proof")
    until(page, "document.querySelector('#proof-trust-state').textContent.includes('file')")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(f"{request.method} {request.url}"))
    page.set_input_files("#proof-bundle", node.work / "own.fujie")
    said = verdict(page, "proven")
    assert f"identity/id/{CITY}" in said
    assert "How old" in said
    assert requests == []


def test_a_file_that_is_dropped_on_the_page_is_verified(node, open_page, trust):
    node.run("resolve", CITY, "--save", "dropped.fujie")
    page = pinned(open_page, trust, "/console/proof")
    data = page.evaluate_handle(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.fujie"));
          return data;
        }""",
        list((node.work / "dropped.fujie").read_bytes()),
    )
    page.dispatch_event("#proof-viewer", "drop", {"dataTransfer": data})
    verdict(page, "proven")
    assert "dropped.fujie" in page.locator("#proof-source").inner_text()


def test_what_is_no_bundle_fails_at_the_first_step(open_page, trust, tmp_path):
    noise = tmp_path / "noise.fujie"
    noise.write_bytes(b"not a bundle")
    page = pinned(open_page, trust, proof_of(f"/ids/{CITY}.fujie"))
    verdict(page, "proven")
    page.set_input_files("#proof-bundle", noise)
    assert "(decode)" in verdict(page, "not-proven")
    assert steps(page)["decode"] == "bad"


def test_where_the_browser_checks_no_signatures_it_says_so(node, open_page, complaints):
    """Plain HTTP under a name is no secure context, so WebCrypto is missing there."""
    page = open_page(f"http://{NAME}:{node.port}{proof_of(f'/ids/{CITY}.fujie')}")
    assert "offers no signature check here" in verdict(page, "cannot-tell")
    assert steps(page) == {}
    for heard in complaints:  # about a header that means nothing over plain HTTP
        heard[:] = [each for each in heard if "Cross-Origin-Opener-Policy" not in each]


def test_a_path_that_is_no_proof_of_this_node_is_not_fetched(open_page):
    page = open_page(proof_of("//elsewhere.example/ids/ZZ.156.fujie"))
    page.wait_for_selector("#proof-root")
    assert page.locator("#proof-verdict").get_attribute("data-verdict") in ("none", "cannot-tell")
    assert steps(page) == {}


def test_a_receipt_that_the_node_does_not_know_cannot_be_told(open_page, complaints):
    page = open_page(proof_of(f"/receipts/{'0' * 64}.fujie"))
    assert re.search("could not be loaded: 404", verdict(page, "cannot-tell"))
    for heard in complaints:
        heard[:] = [each for each in heard if "404" not in each]
