"""Write the examples of the OpenAPI document: real answers of a node, asked on a small chain of all rooms.

    .venv/bin/python -m tools.render_openapi

Run it after a page of the interface has changed; a test compares the kept examples with the pages.
"""

import tempfile
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from fujie.api import media
from fujie.api.app import ROUTES
from fujie.api.description import DESCRIPTIONS
from fujie.api.openapi import EXAMPLES_FILE, plain_path
from fujie.core.json_form import to_json
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.modules.catalog import TRANSACTION
from fujie.modules.currency.operations import Pay
from fujie.modules.membership.records import Visibility
from tests.e2e.http_node import ANNA, CITY, INSTRUMENT, WALLETS
from tests.e2e.http_readers import World, client, world

KEPT: Final = Path(__file__).resolve().parents[1] / "src" / "fujie" / EXAMPLES_FILE
ITEMS_SHOWN: Final = 2  # of a long list
SESSION_SHOWN: Final = f"fjs_{'0' * 16}_{'0' * 64}"  # a token is told to one person, and no example


def examples(made: World) -> dict[str, Any]:
    """Return an example for every route with a page, as ``api.openapi.examples`` reads it."""
    auditor = made.askers["auditor by key"].headers
    with client(made) as http:
        rows = http.get("/transactions", headers=auditor).json()["transactions"]
        paid = next(row for row in rows if row["operations"] == ["pay"] and row["code"] == 0)
        parts = {
            "identifier": CITY,
            "transaction_id": paid["transaction_id"],
            "height": str(paid["height"]),
            "validators_hash": made.node.trust.validators_hash,
            "wallet": WALLETS["anna"].hex(),
            "instrument": INSTRUMENT,
            "tile": "0/000.p/1",
            "name": "institution",
        }
        found = {}
        for method, path, _, _ in ROUTES:
            plain = plain_path(path)
            if DESCRIPTIONS[method.value, plain].answers[0].media_type != media.JSON or plain == "/openapi.json":
                continue
            if plain.startswith("/problems/"):
                parts["name"] = "GRANT_REQUIRED"
            example = _ask(made, http, method.value, plain, plain.format(**parts))
            if "{" in plain:
                example["path"] = {name: value for name, value in parts.items() if f"{{{name}}}" in plain}
            found[f"{method.value} {plain}"] = example
    return found


def _ask(made: World, http: httpx.Client, method: str, path: str, filled: str) -> dict[str, Any]:
    """Ask one route as an auditor; return the answer, and the body where one was sent."""
    headers = made.askers["auditor by key"].headers
    if method == "DELETE":
        headers = made.askers["auditor by session"].headers
    body: Any = None
    if path in ("/transactions", "/dry-run") and method == "POST":
        signed = SIGNED_TRANSACTION.decode(made.node.sign([Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 5)], ANNA))
        body = to_json(TRANSACTION.decode(signed.body)) | {"signatures": [each.hex() for each in signed.signatures]}
    elif path == "/read":
        body = {"queries": [{"type": "instrument_query", "instrument": INSTRUMENT}], "grant": None, "time_ms": None}
    elif (method, path) == ("POST", "/sessions"):
        kept = made.access.credentials
        assert kept is not None
        body = {"code": kept.new_code("auditor").code}
    query = {"q": "Shijiazhuang"} if path == "/search" else {}
    answer = http.request(method, filled, json=body, headers=headers, params=query)
    assert answer.status_code == 200, (path, answer.text)
    page = _short(answer.json())
    if (method, path) == ("POST", "/sessions"):
        page["token"] = SESSION_SHOWN
    return {"answer": page} if body is None else {"answer": page, "body": body}


def _short(value: Any) -> Any:
    """Return a page with long lists cut: an example shows the form."""
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    if isinstance(value, list) and not all(isinstance(each, int) for each in value):
        return [_short(each) for each in value[:ITEMS_SHOWN]]
    return value


def main() -> None:
    """Write the examples."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), Visibility.RESTRICTED) as made:
        data = msgspec.json.encode(examples(made))
    KEPT.write_bytes(msgspec.json.format(data, indent=1) + b"\n")
    print(f"{KEPT}: {KEPT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
