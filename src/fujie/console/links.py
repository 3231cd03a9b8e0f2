"""Where things have their page."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from markupsafe import Markup

from fujie.console.formatting import short
from fujie.console.language import Words

ROOT: Final = "/console"

_PLACES: Final[Mapping[str, str]] = {
    "identifier": "ids",
    "alias": "ids",
    "name": "ids",
    "wallet": "wallets",
    "transaction": "transactions",
    "block": "blocks",
    "account": "accounts",
    "organisation": "organisations",
    "instrument": "money",
}

_FIELDS: Final[Mapping[str, str]] = {
    "wallet": "wallet",
    "payer": "wallet",
    "payee": "wallet",
    "account": "account",
    "institution": "account",
    "authority": "account",
    "proposer": "account",
    "issuer": "account",
    "organisation": "organisation",
    "identifier": "identifier",
    "within": "identifier",
    "instrument": "instrument",
    "height": "block",
    "transaction_id": "transaction",
}


def page_of(kind: str, key: Any) -> str:
    """Return the path of the page of a thing, by the kinds of ``/search``; the search for it where the kind is unknown."""
    place = _PLACES.get(kind)
    if place is None:
        return f"{ROOT}/search?{urlencode({'q': str(key)})}"
    return f"{ROOT}/{place}/{quote(str(key), safe='')}"


def wallet_proof(wallet: str) -> str:
    """Return where the console hands out the proof of a wallet: to those who may read it, by the session's cookie."""
    return f"{ROOT}/proofs/wallets/{quote(wallet, safe='')}.fujie"


def kind_of_field(name: str) -> str | None:
    """Return the kind of thing that a field of an operation, event or record names, or None."""
    return _FIELDS.get(name)


def link(kind: str, key: Any, text: str | None = None) -> Markup:
    """Return a link to the page of a thing; wallets and transactions are shown by the beginning of their id."""
    written = str(key)
    shown = text or (short(written) if kind in ("wallet", "transaction") else written)
    css = "mono" if kind in ("wallet", "transaction", "identifier") and text is None else "named"
    return Markup('<a class="{}" href="{}" title="{}">{}</a>').format(css, page_of(kind, key), written, shown)


def at_height(words: Words, height: Any) -> Markup:
    """Return a link to the block at a height; before the first block there is the genesis, which has no page."""
    number = int(height)
    return link("block", number, f"{number:,}") if number else Markup("{}").format(words("block.genesis"))


def party(name: str) -> Markup:
    """Return a link for the name of a party: ``wallet/<hex>``, ``account/<name>`` or ``id/<identifier>``."""
    kind, _, key = name.partition("/")
    known = {"wallet": "wallet", "account": "account", "id": "identifier", "vault": "account"}.get(kind)
    return Markup("{}").format(name) if known is None or not key else link(known, key)


def parties_first(names: Sequence[str]) -> list[str]:
    """Return parties with wallets and identifiers before the accounts that serve them.

    For transactions that move no money, or too much for one line: who pays whom is said first (``flow`` of the macros).
    """
    return sorted(names, key=lambda name: (name.startswith("account/"), name))


def with_parameters(path: str, **parameters: Any) -> str:
    """Return a path with those of the parameters that are something."""
    given = {name: value for name, value in parameters.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given)}" if given else path
