"""What the proof viewer asks, against the proofs that a node gives: each path is answered by its own file and by no other."""

import json
import subprocess
from typing import Any

import pytest

from tests.unit.console.site import CITY, Site, Visitor
from tests.verifier.second import FOLDER, node

pytestmark = pytest.mark.node

NOBODY = "ab" * 16


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("viewer"))
    yield made
    made.close()


def fetched(site: Site, of: str) -> bytes:
    """The file at a path, as the viewer loads it for an auditor."""
    visitor = Visitor(site)
    visitor.sign_in("auditor")
    [frame] = [each for _, each in visitor.page(f"/console/proof?of={of}").tags if each.get("id") == "proof-viewer"]
    assert frame["data-of"] == of
    answer = visitor.get(frame["data-from"] or "", Accept="application/vnd.fujie.bundle, application/json;q=0.5")
    assert answer.status_code == 200, of
    return answer.content


def said(site: Site, asked: list[tuple[str, bytes]], later_ms: int = 0) -> list[Any]:
    """The failed step, or None, and what was proven, of each file under each path."""
    trust = Visitor(site).get("/trust").text
    now_ms = site.engine.head.time_ms + later_ms
    cases = [{"of": of, "bytes": data.hex(), "trust": trust, "now_ms": now_ms} for of, data in asked]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([node(), str(FOLDER / "viewer_judge.mjs")], input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_records_with_others_beside_them_are_proven_as_asked_and_as_nothing_else(site):
    alice, shop = (site.keys.wallet_id(name).hex() for name in ("alice", "shop"))
    proven = {
        "/accounts/bank-east.fujie": [
            ["membership/account/bank-east", True],
            ["membership/organisation/bank-east", True],
        ],
        "/accounts/nobody.fujie": [["membership/account/nobody", False]],
        f"/wallets/{alice}.fujie": [[f"currency/wallet/{alice}", True], [f"currency/balance/{alice}/CNY", True]],
        f"/wallets/{shop}.fujie": [[f"currency/wallet/{shop}", True], [f"currency/balance/{shop}/CNY", True]],
        f"/wallets/{NOBODY}.fujie": [[f"currency/wallet/{NOBODY}", False]],
        "/supply/CNY.fujie": [["currency/instrument/CNY", True], ["currency/supply/CNY", True]],
        "/supply/XXX.fujie": [["currency/instrument/XXX", False], ["currency/supply/XXX", False]],
        f"/ids/{CITY}.fujie": [[f"identity/id/{CITY}", True]],
    }
    files = {of: fetched(site, of) for of in proven}
    pairs = [(of, source) for of in files for source in files]
    found = said(site, [(of, files[source]) for of, source in pairs])
    for (of, source), (failed, answers) in zip(pairs, found, strict=True):
        if of == source:
            assert (failed, answers) == (None, proven[of]), of
        else:
            assert failed in ("answer-path", "answer-count"), (of, source)
    stale = said(site, list(files.items()), later_ms=400_000)
    assert {failed for failed, _ in stale} == {"freshness"}


def test_a_receipt_is_no_answer_to_a_question_about_records(site):
    receipt = fetched(site, f"/receipts/{site.paid.transaction_id.hex()}.fujie")
    [[failed, _]] = said(site, [("/accounts/bank-east.fujie", receipt)])
    assert failed == "answer-kind"
