"""What each route takes and answers, beside the table of routes: the source of the OpenAPI document.

The sentence about a route and its problems come from its handler's docstring, its query parameters from the handler, its
path from the table. Here stand the bodies, and what each part of a path may be.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fujie.api import events, media, metrics, pages, pages_explorer, parameters, queries
from fujie.api.log_tiles import BYTES, TEXT
from fujie.core.limits import BULK_ITEMS_MAX, IDENTIFIER_BYTES_MAX, KEYS_MAX, SUBMIT_BATCH_MAX

Schema = dict[str, Any]

SIGNED_TRANSACTION: Final = "SignedTransaction"  # schemas that are made from records, by their name in the document
QUESTION: Final = "Question"


class Body(NamedTuple):
    """One form of a body: its media type, and what it holds: a page, a schema by hand, or None for canonical bytes."""

    media_type: str
    holds: Any = None


class Said(NamedTuple):
    """What a route takes and answers; the first form is the one without preference."""

    answers: tuple[Body, ...]
    takes: tuple[Body, ...] = ()


def _json(page: Any) -> Said:
    return Said((Body(media.JSON, page),))


def _with_proof(page: Any) -> Said:
    return Said((Body(media.JSON, page), Body(media.BUNDLE)))


def reference(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


_ONE_OR_SEVERAL: Final[Schema] = {
    "anyOf": [
        reference(SIGNED_TRANSACTION),
        {"type": "array", "items": reference(SIGNED_TRANSACTION), "maxItems": SUBMIT_BATCH_MAX},
    ]
}
_OUTCOMES: Final[Schema] = {
    "anyOf": [reference("Outcome"), {"type": "array", "items": reference("Outcome"), "maxItems": SUBMIT_BATCH_MAX}]
}

DESCRIPTIONS: Final[Mapping[tuple[str, str], Said]] = {
    ("POST", "/transactions"): Said(
        (Body(media.JSON, _OUTCOMES), Body(media.OUTCOMES)),
        (Body(media.JSON, _ONE_OR_SEVERAL), Body(media.TRANSACTIONS)),
    ),
    ("POST", "/dry-run"): Said(
        (Body(media.JSON, pages.Outcome), Body(media.OUTCOMES)),
        (Body(media.JSON, reference(SIGNED_TRANSACTION)), Body(media.TRANSACTIONS)),
    ),
    ("POST", "/read"): Said(
        (Body(media.JSON, pages.Read), Body(media.BUNDLE)),
        (Body(media.JSON, reference(QUESTION)), Body(media.READ)),
    ),
    ("GET", "/ids/{identifier}"): _with_proof(pages.Identity),
    ("GET", "/ids/{identifier}/children"): _json(pages_explorer.Children),
    ("GET", "/ids/{identifier}/history"): _json(pages_explorer.History),
    ("GET", "/receipts/{transaction_id}"): _with_proof(pages.Receipt),
    ("GET", "/transactions"): _json(pages_explorer.Transactions),
    ("GET", "/transactions/{transaction_id}"): _json(pages_explorer.Transaction),
    ("GET", "/blocks"): _json(pages_explorer.Blocks),
    ("GET", "/blocks/{height}"): Said((Body(media.JSON, pages.LightBlock), Body(media.LIGHT_BLOCK))),
    ("GET", "/blocks/{height}/transactions"): _json(pages_explorer.Transactions),
    ("GET", "/accounts"): _json(pages_explorer.Accounts),
    ("GET", "/accounts/{name}"): _with_proof(pages_explorer.Account),
    ("GET", "/organisations"): _json(pages_explorer.Organisations),
    ("GET", "/wallets/{wallet}"): _with_proof(pages_explorer.Wallet),
    ("GET", "/supply"): _json(pages_explorer.Supply),
    ("GET", "/supply/{instrument}"): _with_proof(pages_explorer.InstrumentSupply),
    ("GET", "/search"): _json(pages_explorer.Search),
    ("GET", "/statistics"): _json(pages.Statistics),
    ("GET", "/events"): Said((Body(events.MEDIA_TYPE, {"type": "string"}),)),
    ("GET", "/validators/{validators_hash}"): Said((Body(media.JSON, pages.LightBlock), Body(media.LIGHT_BLOCK))),
    ("GET", "/genesis"): Said((Body(media.JSON, pages.Genesis), Body(media.GENESIS))),
    ("GET", "/trust"): _json(pages.Trust),
    ("GET", "/log/checkpoint"): Said((Body(TEXT, {"type": "string"}),)),
    ("GET", "/log/vkey"): Said((Body(TEXT, {"type": "string"}),)),
    ("GET", "/log/tile/entries/{tile}"): Said((Body(BYTES),)),
    ("GET", "/log/tile/{tile}"): Said((Body(BYTES),)),
    ("GET", "/replication/{height}"): Said((Body(media.REPLICATION),)),
    ("GET", "/me"): _json(pages.Me),
    ("POST", "/sessions"): Said((Body(media.JSON, pages.Session),), (Body(media.JSON, pages.SignIn),)),
    ("DELETE", "/sessions"): _json(pages.SessionEnded),
    ("GET", "/status"): _json(pages.Status),
    ("GET", "/health/live"): _json(pages.Live),
    ("GET", "/health/ready"): _json(pages.Ready),
    ("GET", "/metrics"): Said((Body(metrics.MEDIA_TYPE, {"type": "string"}),)),
    ("GET", "/problems"): Said((Body(media.JSON, {"type": "array", "items": reference("ProblemType")}),)),
    ("GET", "/problems/{name}"): _json(pages.ProblemType),
    ("GET", "/openapi.json"): Said((Body(media.JSON, {"type": "object"}),)),
}

_IDENTIFIER: Final[Schema] = {
    "type": "string",
    "pattern": r"^[A-Z]{2}\.[0-9]{3}(?:\.[0-9A-Z]{1,32}){0,10}$",
    "maxLength": IDENTIFIER_BYTES_MAX,
}
_HEIGHT: Final[Schema] = {"type": "string", "pattern": f"^{queries.HEIGHT_PATTERN}$"}

PATH_PARTS: Final[Mapping[str, Schema]] = {
    "identifier": _IDENTIFIER,
    "transaction_id": {"type": "string", "pattern": f"^{queries.TRANSACTION_PATTERN}$"},
    "height": _HEIGHT,
    "validators_hash": {"type": "string", "pattern": f"^{queries.HASH_PATTERN}$"},
    "wallet": {"type": "string", "pattern": f"^{queries.WALLET_PATTERN}$"},
    "instrument": {"type": "string", "pattern": "^[A-Z][A-Z0-9]{2,23}$"},
    "name": {"type": "string", "pattern": f"^{queries.ACCOUNT_PATTERN}$"},
    "tile": {"type": "string", "pattern": "^[0-9]/[0-9]{3}$"},
}
"""What a part of a path may be. Where a proof is an answer, ``.fujie`` behind it asks for the proof as a file."""

PATH_PARTS_OF: Final[Mapping[tuple[str, str], Schema]] = {
    ("/problems/{name}", "name"): {"type": "string", "pattern": "^[A-Z]+(?:_[A-Z]+)*$", "maxLength": 60},
    ("/blocks/{height}", "height"): {"type": "string", "pattern": f"^(?:latest|{queries.HEIGHT_PATTERN})$"},
    ("/log/tile/entries/{tile}", "tile"): {"type": "string", "pattern": "^[0-9]{3}$"},
}
"""Where a route takes another part under the same name."""

QUERY_PARAMETERS_OF: Final[Mapping[str, Mapping[str, Schema]]] = {
    "/ids/{identifier}": {
        "versionTime": {"type": "string", "format": "date-time", "description": "What stood then, by RFC 3339."},
        "since": {**parameters.SINCE.schema, "description": parameters.SINCE.about},
    },
}
"""Query parameters of the routes that read their own; those of all others are declared by ``api.parameters.takes``."""

HEADERS_OF: Final[Mapping[str, Mapping[str, Schema]]] = {
    "/events": {"Last-Event-ID": {"type": "string", "description": "Goes on after this event; before `after`."}}
}

SIGNATURES: Final[Schema] = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[0-9a-f]{128}$"},
    "minItems": 1,
    "maxItems": KEYS_MAX,
}
QUERIES_MAX: Final = BULK_ITEMS_MAX
