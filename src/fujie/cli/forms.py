"""What a text must look like, in words: for a usage error, where the machinery would show a regular expression or a place in an array."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import typer

from fujie.core.errors import DecodeError
from fujie.core.wording import quoted

_SMALL: Final = "small letters, digits and inner hyphens"
_CAPITAL: Final = "capital letters, digits and inner hyphens"
_IDENTIFIER: Final = "an identifier, such as ZZ.156.1301"
_NODES: Final = r"(?:\.[0-9A-Z]{1,32}){0,10}"

FORMS: Final[Mapping[str, str]] = {
    r"\A[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z": _SMALL,
    r"\A[a-z0-9]+(?:-[a-z0-9]+)*\Z": _SMALL,
    r"\A[a-z]+\Z": "small letters",
    r"\A[A-Z]{2}\.[0-9]{3}" + _NODES + r"\Z": _IDENTIFIER,
    r"\A(?:[A-Z]{2}\.[0-9]{3}" + _NODES + r")?\Z": f"{_IDENTIFIER}, or nothing",
    r"\A[A-Z]{2}(?:\.[0-9]{3}" + _NODES + r")?\Z": "a prefix, such as ZZ.156 or ZZ",
    r"\A[A-Z]{2}\Z": "two capital letters",
    r"\A[A-Z]{3}\Z": "three capital letters, such as XTS",
    r"\A[A-Z0-9]+(?:-[A-Z0-9]+)*\Z": _CAPITAL,
    r"\A(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)?\Z": f"{_CAPITAL}, or nothing",
    r"\A[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*\Z": f"{_CAPITAL}, beginning with a letter",
    r"\A[0-9A-Z]+\Z": "capital letters and digits",
    r"\A[!-~]+\Z": "visible characters of ASCII, without spaces",
    r"\A[0-9]{3}\Z": "three digits",
    r"\A[0-9]{6}\Z": "six digits",
    r"\A(?:[0-9]{6})?\Z": "six digits, or nothing",
}
"""Pattern of a text in a record → what it asks for. A test holds it against every record that a command reads."""

_JSON_PATTERN: Final = re.compile(r"expected a string that matches (?P<pattern>\\A.*\\Z)")
_PATTERN: Final = re.compile(r"Expected `str` matching regex '(?P<pattern>[^']*)'")
_LENGTH: Final = re.compile(r"Expected `(?:str|array|bytes)` of length (?P<sign><=|>=) (?P<bound>[0-9]+)")
_NUMBER: Final = re.compile(r"Expected `int` (?P<sign><=|>=) (?P<bound>-?[0-9]+)")


def plain(detail: str) -> str:
    """Return what ``core.json_form`` says of a fault, with the form in words."""
    return _JSON_PATTERN.sub(lambda match: f"write {FORMS.get(match['pattern'], 'it in another form')}", detail)


def is_no_json(text: str) -> str:
    """Return what to say of a text that is no JSON."""
    return f'{quoted(text, 40)} is no JSON: write an object, such as {{"type": ...}}'


def read_record(kind: Any, text: str, bytes_max: int, what: str) -> Any:
    """Return the record of ``kind`` whose JSON form is ``text``, or stands in the file of that name.

    A usage error names the place that is wrong; ``what`` begins its sentence: "this is no action", say.
    """
    from fujie.client.files import read_bounded
    from fujie.core.json_form import from_json

    data = text.encode() if text.lstrip().startswith("{") else read_bounded(Path(text), bytes_max)
    try:
        return from_json(kind, msgspec.json.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise typer.BadParameter(is_no_json(data.decode("utf-8", "replace"))) from None
    except DecodeError as error:
        raise typer.BadParameter(f"{what}: {plain(error.detail)}") from None


def check_record(record: msgspec.Struct, names: Mapping[str, str]) -> None:
    """Raise a usage error for the first field of ``record`` that is out of bounds; ``names``: what the command calls it."""
    hints = {field.name: field.type for field in msgspec.structs.fields(record)}
    for field, hint in hints.items():
        try:
            msgspec.msgpack.decode(msgspec.msgpack.encode(getattr(record, field)), type=hint)
        except msgspec.ValidationError as error:
            raise typer.BadParameter(f"{names.get(field, field)}: {said_of(error)}") from None


def said_of(fault: msgspec.ValidationError) -> str:
    """Return in words what is wrong with one value."""
    error = str(fault)
    if (match := _PATTERN.search(error)) is not None:
        return f"write {FORMS.get(match['pattern'].replace(chr(92) * 2, chr(92)), 'it in another form')}"
    if (match := _LENGTH.search(error)) is not None:
        bound = int(match["bound"])
        if match["sign"] == ">=":
            return "it must not be empty" if bound == 1 else f"at least {bound} are needed"
        return f"it is too long: at most {bound}"
    if (match := _NUMBER.search(error)) is not None:
        return f"it must be {'at most' if match['sign'] == '<=' else 'at least'} {int(match['bound']):,}"
    return "it has another form"
