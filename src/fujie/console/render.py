"""From a page's data to HTML: the Jinja environment and what its templates may call."""

from functools import cache
from typing import Any, Final

import jinja2
from markupsafe import Markup

from fujie.console import assets, formatting, links
from fujie.console.changes import changes_of
from fujie.console.language import LANGUAGES, NAMES, TAGS, Words
from fujie.console.sentences import say_attention, say_transaction, shown_operations
from fujie.console.spark import bars
from fujie.console.visible import visible
from fujie.console.visit import Visit
from fujie.core.identifier_forms import with_check
from fujie.core.identifiers import is_identifier
from fujie.modules.catalog import reason

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer, browsers would send forms with `Origin: null`
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@cache
def environment() -> jinja2.Environment:
    """Return the environment: everything is escaped, and a name that is not there is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("fujie.console", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    made.globals.update(
        static=assets.address,
        link=links.link,
        page_of=links.page_of,
        party=links.party,
        parties_first=links.parties_first,
        kind_of_field=links.kind_of_field,
        with_parameters=links.with_parameters,
        number=formatting.number,
        short=formatting.short,
        utc=formatting.utc,
        checked=_checked,
        offset=formatting.offset,
        bars=bars,
        languages=[(code, NAMES[code], TAGS[code]) for code in LANGUAGES],
        changes_of=changes_of,
    )
    return made


def render(template: str, visit: Visit, data: dict[str, Any], title: str = "") -> str:
    """Return a template filled with ``data``."""
    frame = _frame(visit, title)
    assert not frame.keys() & data.keys(), "a page's data would hide what the frame needs"
    return environment().get_template(template).render({**data, **frame})


def _frame(visit: Visit, title: str) -> dict[str, Any]:
    """Return what every template may use besides the data of its page."""
    words = visit.words
    return {
        "t": words,
        "tm": words.markup,
        "known": words.known,
        "language": words.language,
        "language_tag": TAGS[words.language],
        "title": title,
        "here": visit.here,
        "address": visit.request.scope["path"],
        "me": visit.me,
        "node": visit.status,
        "moment": lambda time_ms, relative=True: formatting.moment(words, time_ms, relative),
        "digest": lambda text, keep=0, copy=True: formatting.digest(words, text, keep, copy),
        "duration": lambda span_ms: formatting.duration(words, span_ms),
        "money": lambda minor, instrument: _money(visit, minor, instrument),
        "say": lambda transaction: say_transaction(words, visit.instruments, transaction),
        "say_attention": lambda each: say_attention(words, each),
        "at_height": lambda height: links.at_height(words, height),
        "word_of": words.word_of,
        "say_event": lambda event: words.known("event", event.get("type", "")),
        "operations_shown": lambda transaction: shown_operations(words, transaction),
        "sentence_of": lambda code, name: sentence_of(words, code, name),
        "reason_sentence": lambda name, otherwise: reason_sentence(words, name, otherwise),
    }


def reason_sentence(words: Words, name: str | None, otherwise: str = "") -> str:
    """Return the sentence of a reason or problem in the visitor's language."""
    for family in ("reason", "problem"):
        if words.has(f"{family}.{name}"):
            return words(f"{family}.{name}")
    return otherwise


def sentence_of(words: Words, code: int, name: str | None) -> str:
    """Return the sentence of a refusal in the visitor's language; of a number that nobody knows, the number."""
    known = reason(code)
    return reason_sentence(words, name, str(code) if known is None else known.sentence)


def _money(visit: Visit, amount_minor: int | str, instrument: str) -> Markup:
    text = formatting.amount(amount_minor, visit.instruments.decimals(instrument), instrument)
    return Markup('<span class="amount">{}</span>').format(text)


def _checked(identifier: str) -> str:
    """Return the form with check characters of an identifier; what is none stays as it is."""
    return with_check(identifier) if is_identifier(identifier) else identifier
