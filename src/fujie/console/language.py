"""The words of the console in English and Chinese, and which of the two a visitor reads."""

import re
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
from markupsafe import Markup

from fujie.advice import kinds

LANGUAGES: Final = ("en", "zh")
FALLBACK: Final = "en"
NAMES: Final = {"en": "English", "zh": "中文"}
TAGS: Final = {"en": "en", "zh": "zh-Hans"}

_NAME: Final = re.compile(r"\{([a-z_]+)\}")
_CHOICE: Final = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


class Words:
    """The catalogue of one language. Called with a key it returns the text, its ``{names}`` filled in.

    A text ``one|other`` is a singular and a plural, chosen by ``n``. A key that is missing gives its own last part, so
    that a page still stands; a test holds both catalogues against every key in use.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self.texts = catalogue(language)

    def __call__(self, key: str, **values: Any) -> str:
        """Return a text with ``values`` filled in."""
        return self._form(key, values).format(**values) if values else self._form(key, values)

    def markup(self, key: str, **values: Any) -> Markup:
        """Return a text as HTML: ``values`` are escaped unless they are markup themselves."""
        return Markup(self._form(key, values)).format(**values)  # noqa: S704 - the text is ours, format escapes values

    def sentence(self, key: str, done: bool, **values: Any) -> Markup:
        """Return a sentence with ``[done|asked]`` choices in it: what happened, or what was asked for."""
        text = _CHOICE.sub(lambda found: found[1 if done else 2], self._form(key, values))
        return Markup(text).format(**values)  # noqa: S704 - as above

    def names(self, key: str) -> tuple[str, ...]:
        """Return the names that a text takes, in order."""
        return tuple(dict.fromkeys(_NAME.findall(self._form(key, {}))))

    def has(self, key: str) -> bool:
        """Tell whether the catalogue has a text for ``key``."""
        return key in self.texts

    def known(self, family: str, word: Any) -> str:
        """Return the text ``family.word`` where there is one, else the word: for what may be free text."""
        return self.texts.get(f"{family}.{word}", str(word))

    def word_of(self, field: str, value: Any) -> str:
        """Return the word for the value of a record's field. A wallet's kind and status are numbers there."""
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if field == "status":
            return self.texts.get(f"state.wallet_{value}" if is_number else f"state.{value}", str(value))
        return self.known("wallet_kind" if field == "kind" and is_number else field, value)

    def _form(self, key: str, values: dict[str, Any]) -> str:
        text = self.texts.get(key)
        if text is None:
            return key.rpartition(".")[2].replace("_", " ").replace("{", "").replace("}", "")
        if "n" in values and "|" in text and "[" not in text:
            one, _, other = text.partition("|")
            return one if values["n"] in (1, "1") else other
        return text


@cache
def catalogue(language: str) -> dict[str, str]:
    """Return key → text of a language.

    What the node itself says (sentences of reasons, what to do about them, titles of problems) is English already; other
    languages have it in ``answers.<language>.json``.
    """
    texts = _read(f"{language}.json")
    if language == FALLBACK:
        return texts | {f"advice.{name}": kind.advice for name, kind in kinds().items()}
    return texts | _read(f"answers.{language}.json")


def _read(name: str) -> dict[str, str]:
    data = resources.files("fujie.console").joinpath("words", name).read_bytes()
    return msgspec.json.decode(data, type=dict[str, str])


@cache
def words(language: str) -> Words:
    """Return the catalogue of a language, made once."""
    return Words(language)


def choose(fixed: str, cookie: str | None, accept: str | None) -> str:
    """Return the language for a request: the visitor's choice, else the one set up, else what the browser prefers."""
    if cookie in LANGUAGES:
        return str(cookie)
    if fixed in LANGUAGES:
        return fixed
    weighted: list[tuple[float, int, str]] = []
    for place, part in enumerate((accept or "")[:500].split(",")):
        tag, _, parameter = part.strip().lower().partition(";")
        language = tag.partition("-")[0]
        if language in LANGUAGES:
            weighted.append((-_weight(parameter), place, language))
    best = min(weighted, default=None)
    return best[2] if best is not None and best[0] < 0 else FALLBACK


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    return float(value) if re.fullmatch(r"[01](?:\.[0-9]{0,3})?", value.strip()) else 0.0
