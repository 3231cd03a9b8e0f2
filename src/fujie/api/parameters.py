"""Query parameters: each is declared once, with how it is read and how the description of the interface shows it.

A parameter that a route does not know, or that comes twice, is MALFORMED: a misspelt filter must not show everything.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from fujie.api import queries
from fujie.api.problems import Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving
from fujie.core.json_form import type_name
from fujie.core.units import HEIGHT_MAX
from fujie.modules.catalog import OPERATIONS

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
SEARCH_CHARACTERS_MAX: Final = 200
QUERY_BYTES_MAX: Final = 4_096
NEAREST_MAX: Final = 3  # names that a mistaken one may mean
NEAREST_RATIO: Final = 0.5  # how alike they are: `pey` finds `pay`, and `transfer` nothing that it does not mean

_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,15}")


class Parameter(NamedTuple):
    """What a query parameter may be: ``parse`` returns its value or raises ValueError, or a problem that says more;
    ``schema`` is its JSON schema.
    """

    parse: Callable[[str], Any]
    schema: Mapping[str, Any]
    about: str
    default: Any = None
    required: bool = False


def whole(low: int, high: int, about: str, default: int | None = None) -> Parameter:
    """Return a parameter that is a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if _WHOLE.fullmatch(text) is None or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    return Parameter(parse, schema, f"{about} A whole number from {low} to {high}.", default)


def text(pattern: str, characters_max: int, about: str) -> Parameter:
    """Return a parameter that matches ``pattern`` whole."""
    compiled = re.compile(pattern)

    def parse(value: str) -> str:
        if len(value) > characters_max or compiled.fullmatch(value) is None:
            raise ValueError
        return value

    schema = {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": characters_max}
    return Parameter(parse, schema, about)


def choice(about: str, *words: str) -> Parameter:
    """Return a parameter that is one of ``words``; the first by default."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError
        return value

    return Parameter(parse, {"type": "string", "enum": list(words), "default": words[0]}, about, words[0])


def operation(about: str) -> Parameter:
    """Return a parameter that is the type of an operation. A filter by a name that nothing has would show nothing."""
    names = [type_name(kind) for kind in OPERATIONS]

    def parse(value: str) -> str:
        if value not in names:
            nearest = get_close_matches(value.lower(), names, NEAREST_MAX, NEAREST_RATIO)
            meant = f" Nearest: {', '.join(nearest)}." if nearest else ""
            raise Problem(Kind.OPERATION_UNKNOWN, f"Correct the name of the operation.{meant}", nearest=nearest)
        return value

    return Parameter(parse, {"type": "string", "enum": names}, about)


def anything(about: str) -> Parameter:
    """Return a parameter that has to be there and may be any text of 1 to ``SEARCH_CHARACTERS_MAX`` characters."""

    def parse(value: str) -> str:
        if not 1 <= len(value) <= SEARCH_CHARACTERS_MAX:
            raise ValueError
        return value

    schema = {"type": "string", "minLength": 1, "maxLength": SEARCH_CHARACTERS_MAX}
    return Parameter(parse, schema, about, required=True)


LIMIT: Final = whole(1, LIMIT_MAX, "How many to list.", LIMIT_DEFAULT)
BEFORE_HEIGHT: Final = whole(0, HEIGHT_MAX, "Blocks below this height: `next` of the page before.")
BEFORE_INDEX: Final = whole(0, HEIGHT_MAX, "Transactions below this log index: `next` of the page before.")
BEFORE_VERSION: Final = whole(1, HEIGHT_MAX, "Versions below this number: `next` of the page before.")
AFTER_NAME: Final = text("[a-z0-9-]{1,64}", 64, "Names after this one: `next` of the page before.")
AFTER_IDENTIFIER: Final = text("[0-9A-Z.]{2,128}", 128, "Identifiers after this one: `next` of the page before.")
PARTY: Final = text(
    r"account/[a-z0-9-]{1,64}|wallet/[0-9a-f]{32}|id/[0-9A-Z.]{2,128}",
    140,
    "Only transactions with this party: `wallet/<hex>`, `id/<identifier>` or `account/<name>`.",
)
OPERATION: Final = operation("Only transactions with an operation of this type: `pay`.")
ORGANISATION: Final = text(queries.ACCOUNT_PATTERN, 64, "Only accounts of this organisation, by its name.")
SINCE: Final = text(
    queries.HASH_PATTERN,
    64,
    "Have the proof say how its signers came after these validators: `validators_hash` of an older trust root.",
)
CODE: Final = whole(0, 999_999, "Only transactions with this code: 0, or the number of a reason.")
EVENT_ID: Final = text(
    r"(?:0|[1-9][0-9]{0,15})\.(?:0|[1-9][0-9]{0,15})",
    40,
    "Id of the last event seen, `<height>.<log index>`; `0.0` is the beginning.",
)


class Taking:
    """A handler together with the query parameters that it takes."""

    def __init__(self, function: Callable[..., Awaitable[Answer]], parameters: Mapping[str, Parameter]) -> None:
        self.parameters = parameters
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", "")
        self.__module__ = function.__module__
        self._function = function

    async def __call__(self, serving: Serving, request: AnyRequest) -> Answer:
        """Read the parameters and answer. Raises :class:`Problem` MALFORMED before anything else is looked at."""
        asked = read_parameters(request.scope["query_string"], self.parameters)
        return await self._function(serving, request, **asked)


def takes(**parameters: Parameter) -> Callable[[Callable[..., Awaitable[Answer]]], Taking]:
    """Declare which query parameters a handler takes; it gets them by name."""

    def declare(function: Callable[..., Awaitable[Answer]]) -> Taking:
        return Taking(function, parameters)

    return declare


def read_parameters(query: bytes, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the values of all ``parameters`` in a query string. Raises :class:`Problem` MALFORMED."""
    if len(query) > QUERY_BYTES_MAX:
        raise Problem(Kind.MALFORMED, "The query is too long.")
    try:
        sent = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise Problem(Kind.MALFORMED, "The query is no form of names and values.") from None
    values = {name: parameter.default for name, parameter in parameters.items()}
    seen = set()
    for name, value in sent:
        parameter = parameters.get(name)
        if parameter is None or name in seen:
            known = ", ".join(parameters) or "none"
            raise Problem(Kind.MALFORMED, f"The parameters here are: {known}; each at most once.")
        seen.add(name)
        try:
            values[name] = parameter.parse(value)
        except ValueError:
            raise Problem(Kind.MALFORMED, f"The parameter {name} is wrong. {parameter.about}") from None
    for name, parameter in parameters.items():
        if parameter.required and name not in seen:
            raise Problem(Kind.MALFORMED, f"The parameter {name} is missing. {parameter.about}")
    return values
