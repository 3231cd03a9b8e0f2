"""The configuration of a node, from all its sources; ``config_keys`` says which keys there are.

    command option  >  environment  >  <home>/fujie.toml  >  default

The variable of ``http.port`` is ``FUJIE_HTTP_PORT``, and so for every key; ``FUJIE_PORT`` is a short name of that one.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args, get_origin

import msgspec

from fujie.core.errors import OperationalError
from fujie.node.config_file import CONFIG_NAME, Written, nearest, read_toml
from fujie.node.config_keys import (
    PROGRAM_VARIABLES,
    SHORT_NAMES,
    TEST_VARIABLES,
    VARIABLE_PREFIX,
    Config,
    Key,
    keys,
    sections,
    toml_text,
)
from fujie.node.folder import Folder

__all__ = ["Config", "Resolved", "Value", "load_config", "resolve_config"]


class Value(NamedTuple):
    """The value of a key and where it comes from: ``default``, ``file``, ``environment`` or ``option``, and which."""

    value: Any
    source: str
    where: str


class Resolved(NamedTuple):
    """A whole configuration, and where each value comes from, by key."""

    config: Config
    values: dict[str, Value]


def load_config(folder: Folder, options: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration of ``folder``. ``options``: what was said on the command line, by key; None is nothing said.

    Raises :class:`OperationalError` as :func:`resolve_config`.
    """
    return resolve_config(folder, options).config


def resolve_config(
    folder: Folder, options: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Resolved:
    """Return the configuration of ``folder`` with the source of each value.

    Raises :class:`OperationalError`, with file, line and a suggestion, for a file that does not read or is no TOML, a
    section or key that does not exist, a value of another form or out of bounds; so too for variables of the environment.
    """
    values = {name: Value(key.default, "default", "") for name, key in keys().items()}
    path = folder.home / CONFIG_NAME
    written = read_toml(path, _require_section, _require_key)
    values |= {each.name: _from_file(each, str(path)) for each in written}
    values |= _from_environment(os.environ if environment is None else environment)
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = Value(_checked(keys()[name], value, f"The option for {name}"), "option", "")
    parts: dict[str, dict[str, Any]] = {section: {} for section in sections()}
    for name, found in values.items():
        section, _, key = name.partition(".")
        parts[section][key] = found.value
    return Resolved(msgspec.convert(parts, Config), values)


def _from_file(written: Written, path: str) -> Value:
    where = f"{path}, line {written.line}"
    return Value(_checked(keys()[written.name], written.value, f"{where}: {written.name}"), "file", where)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Value]:
    known = {key.variable: key for key in keys().values()}
    found: dict[str, Value] = {}
    for variable, text in sorted(environment.items()):
        key = known.get(variable) or keys().get(SHORT_NAMES.get(variable, ""))
        if key is None:
            _refuse_unknown(variable, known)
        elif text != "":  # as most programs have it, an empty variable is one that is not set
            value = _checked(key, _parsed(key, text), f"The variable {variable}")
            before = found.get(key.name)
            if before is not None and before.value != value:
                raise OperationalError(
                    f"{before.where} is {before.value}, and {variable} is {value}: they name the same thing.",
                    "Set one of them.",
                )
            found[key.name] = Value(value, "environment", variable)
    return found


def _refuse_unknown(variable: str, known: Mapping[str, Key]) -> None:
    """Raise for a variable that looks like one of ours and is none; others are nobody's business."""
    if variable.startswith(VARIABLE_PREFIX) and variable not in (*PROGRAM_VARIABLES, *TEST_VARIABLES):
        raise OperationalError(
            f"The variable {variable[:80]!a} is none of this program.{nearest(variable, (*known, *PROGRAM_VARIABLES))}",
            "Unset it, or correct its name; `fujie config explain` lists the keys and their variables.",
        )


def _parsed(key: Key, text: str) -> Any:
    """Return the value that ``text`` of the environment stands for; the text itself where it is none, to be refused."""
    kind = get_args(key.kind)[0]
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if kind is int and re.fullmatch(r"[0-9]{1,18}", text):
        return int(text)
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",")]
    return text


def _checked(key: Key, value: Any, whose: str) -> Any:
    """Return ``value`` in the type of ``key``. Raises :class:`OperationalError` that begins with ``whose``."""
    converted: Any = None
    try:
        converted = msgspec.convert(value, key.kind)
        problem = key.said.check(converted)
    except msgspec.ValidationError:
        problem = f"it must be {key.form}"
    if problem:
        shown = toml_text(value) if isinstance(value, str | bool | int | list) else str(value)
        choices = [each for each in get_args(get_args(key.kind)[0]) if isinstance(each, str)]
        hint = nearest(value, choices) if isinstance(value, str) else ""
        raise OperationalError(
            f"{whose} is {shown[:80]}; {problem}.{hint}", f"`fujie config explain {key.name}` says what it does."
        )
    return converted


def _require_section(name: str, where: str) -> None:
    if name in sections():
        return
    homes = [key.section for key in keys().values() if key.name.endswith(f".{name}")]
    hint = f" It belongs into the section [{homes[0]}]." if homes else nearest(name, sections(), "[{}]")
    raise OperationalError(
        f"{where}: there is no section {name[:80]!a}.{hint}", "`fujie config explain` lists all sections and keys."
    )


def _require_key(section: str, name: str, where: str) -> None:
    full = f"{section}.{name}"
    if full in keys():
        return
    own = [key.name.partition(".")[2] for key in keys().values() if key.section == section]
    hint = nearest(name, own) or nearest(full, keys())
    raise OperationalError(
        f"{where}: the section [{section}] has no key {name[:80]!a}.{hint}", "`fujie config explain` lists all keys."
    )
