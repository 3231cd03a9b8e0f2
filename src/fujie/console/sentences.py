"""What a transaction did, in one plain sentence.

A sentence belongs to an operation (``did.<type>`` in the catalogue) and takes its fields by name; what only the event
knows, such as the identifiers that were given out, comes from there.
"""

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup

from fujie.client.explorer import Answer
from fujie.console import formatting, links
from fujie.console.language import FALLBACK, Words
from fujie.console.visit import Instruments

NAMED_MAX: Final = 3  # identifiers that a sentence names before it counts
ITEMS_MAX: Final = 20  # items of a bulk operation that a page shows; the JSON twin has all


class _Fields(dict[str, Any]):
    """Fields of an operation; one that a sentence names and the operation lacks is an ellipsis."""

    def __missing__(self, key: str) -> str:
        return "…"


def say_transaction(words: Words, instruments: Instruments, transaction: Answer) -> Markup:
    """Return what happened: what the first operation did, and how many more there were.

    Takes a transaction as ``/transactions`` lists it, or one in full.
    """
    operations = transaction.get("operations") or []
    if not operations:
        return Markup("")
    done = int(transaction.get("code") or 0) == 0
    events = transaction.get("events") or []
    first = operations[0]
    if isinstance(first, str):
        said = _say_listed(words, instruments, transaction, first, done)
    else:
        said = _say_operation(words, instruments, first, events[0] if events else {}, done)
    if len(operations) > 1:
        said = words.markup("did.and_more", first=said, n=len(operations) - 1)
    return said if done else words.markup("did.refused", asked=said)


def say_attention(words: Words, each: Answer) -> str:
    """Return what needs attention, by its kind. The node's own sentence is English: it serves for a kind that this console
    does not know, in pages that are English as well.
    """
    key = f"attention.{each['kind']}"
    number = each.get("number")
    if not words.has(key) or (number is None and words.names(key)):
        is_told = each["detail"] and words.language == FALLBACK
        return str(each["detail"]) if is_told else words("attention.other", kind=each["kind"])
    return words(key) if number is None else words(key, n=number)


def shown_operations(words: Words, transaction: Answer) -> list[tuple[str, Answer]]:
    """Return the operations of a transaction with their names, long lists cut to what people read."""
    return [
        (words.known("operation", operation.get("type", "")), _cut(operation))
        for operation in transaction.get("operations") or []
    ]


def _say_operation(words: Words, instruments: Instruments, operation: Answer, event: Answer, done: bool) -> Markup:
    kind = str(operation.get("type", ""))
    key = f"did.{kind}"
    if not words.has(key):
        return Markup("{}").format(words.known("operation", kind))
    values = _Fields()
    for source in (event, operation):
        for name, value in source.items():
            values[name] = _value(words, name, value)
    if "amount_minor" in operation:
        instrument = operation.get("instrument", "")
        values["amount"] = _amount(instruments, operation["amount_minor"], instrument)
    if "quota_minor" in operation:
        values["amount"] = _amount(instruments, operation["quota_minor"], operation.get("instrument", ""))
    given = event.get("identifiers")
    values["what"] = _identifiers(words, given) if given else _asked_for(words, operation)
    if isinstance(action := operation.get("action"), dict):
        values["action"] = words.known("action", action.get("type", ""))
    return _fill(words, key, done, values)


def _say_listed(words: Words, instruments: Instruments, row: Answer, kind: str, done: bool) -> Markup:
    """Return the sentence for a row of a list, which knows the operation's name, the amount and the parties only."""
    name = words.known("operation", kind)
    if row.get("amount_minor") is None:
        return Markup("{}").format(name)
    return Markup("{} <strong>{}</strong>").format(
        name, _amount(instruments, row["amount_minor"], row.get("instrument") or "")
    )


def _fill(words: Words, key: str, done: bool, values: _Fields) -> Markup:
    """Fill a sentence. ``format_map`` would lose the escaping, so every value is named and the rest is an ellipsis."""
    names = words.names(key)
    return words.sentence(key, done, **{name: values[name] for name in names})


def _value(words: Words, name: str, value: Any) -> Any:
    kind = links.kind_of_field(name)
    if kind is not None and isinstance(value, str) and value:
        return links.link(kind, value)
    if name in ("prefix", "namespace") and isinstance(value, str):
        return links.link("identifier", value) if "." in value else value
    if name in ("expires_at_ms", "deadline_ms") and isinstance(value, int):
        return formatting.utc(value)
    if name in ("id", "reference") and isinstance(value, str):
        return Markup('<code title="{}">{}</code>').format(value, formatting.short(value))
    if name in ("kind", "scope", "role", "rule"):
        return words.word_of(name, value)
    return value if isinstance(value, (str, int)) else "…"


def _amount(instruments: Instruments, minor: Any, instrument: str) -> Markup:
    return Markup('<span class="amount">{}</span>').format(
        formatting.amount(minor, instruments.decimals(instrument), instrument)
    )


def _identifiers(words: Words, identifiers: Sequence[str]) -> Markup:
    """Return the first identifiers as links, and how many more there are."""
    named = words.markup("did.comma").join(links.link("identifier", each) for each in identifiers[:NAMED_MAX])
    rest = len(identifiers) - NAMED_MAX
    return named if rest <= 0 else words.markup("did.and_identifiers", first=named, n=rest)


def _asked_for(words: Words, operation: Answer) -> str:
    """Return what a refused allocation asked for."""
    item = operation.get("item")
    if isinstance(item, dict):
        return f"{operation.get('namespace', '')}.{item['node']}" if "node" in item else words("did.next_number")
    items = operation.get("items") or [each for part in operation.get("ranges") or [] for each in part["items"]]
    return words("did.identifiers", n=len(items))


def _cut(value: Any) -> Any:
    """Return a value with its long lists cut."""
    if isinstance(value, dict):
        return {name: _cut(each) for name, each in value.items()}
    if isinstance(value, list):
        cut = [_cut(each) for each in value[:ITEMS_MAX]]
        return cut if len(value) <= ITEMS_MAX else [*cut, {"more": len(value) - ITEMS_MAX}]
    return value
