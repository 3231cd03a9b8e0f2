"""The configuration of a node, from all its sources; ``config_keys`` says which keys there are.

    command option  >  environment  >  <home>/fujie.toml  >  default

The variable of ``http.port`` is ``FUJIE_HTTP_PORT``, and so for every key; ``FUJIE_PORT`` is a short name of that one.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, get_args, get_origin

import msgspec

from fujie.core.errors import OperationalError
from fujie.core.wording import nearest, quoted
from fujie.node.config_file import CONFIG_NAME, Written, read_toml
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

__all__ = ["Config", "ConfigError", "Resolved", "Value", "load_config", "resolve_config"]


class Value(NamedTuple):
    """The value of a key and where it comes from: ``default``, ``file``, ``environment`` or ``option``, and which."""

    value: Any
    source: str
    where: str


class Resolved(NamedTuple):
    """A whole configuration, and where each value comes from, by key."""

    config: Config
    values: dict[str, Value]


class ConfigError(OperationalError):
    """A configuration cannot be meant. ``faults``: all that is wrong with it, so that all of it is mended at once."""

    def __init__(self, faults: list[OperationalError]) -> None:
        if len(faults) == 1:
            super().__init__(faults[0].what, faults[0].do)
        else:
            lines = "".join(f"\n  {fault.what}" for fault in faults)
            super().__init__(
                f"The configuration has {len(faults)} faults:{lines}",
                "`fujie config explain` lists all keys; `fujie config check` looks again.",
            )
        self.faults = faults


class _Faults(list[OperationalError]):
    """Collects what is wrong."""

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep an :class:`OperationalError`, and go on."""
        try:
            yield
        except OperationalError as error:
            self.append(error)


def load_config(folder: Folder, options: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration of ``folder``. ``options``: what was said on the command line, by key; None is nothing said.

    Raises :class:`OperationalError` as :func:`resolve_config`.
    """
    return resolve_config(folder, options).config


def resolve_config(
    folder: Folder, options: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Resolved:
    """Return the configuration of ``folder`` with the source of each value.

    Raises :class:`ConfigError`, with file, line and a suggestion for each fault: a file that does not read or is no TOML, a
    section or key that does not exist, a value of another form or out of bounds; so too for variables of the environment.
    """
    values = {name: Value(key.default, "default", "") for name, key in keys().items()}
    faults = _Faults()
    path = folder.home / CONFIG_NAME
    with faults.collecting():
        values |= _from_file(read_toml(path), str(path), faults)
    values |= _from_environment(os.environ if environment is None else environment, faults)
    for name, value in (options or {}).items():
        with faults.collecting():
            if value is not None:
                values[name] = Value(_checked(keys()[name], value, f"The option for {name}"), "option", "")
    if faults:
        raise ConfigError(faults)
    parts: dict[str, dict[str, Any]] = {section: {} for section in sections()}
    for name, found in values.items():
        section, _, key = name.partition(".")
        parts[section][key] = found.value
    return Resolved(msgspec.convert(parts, Config), values)


def _from_file(written: list[Written], path: str, faults: _Faults) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for each in written:
        where = f"{path}, line {each.line}"
        with faults.collecting():
            if not each.key:
                _require_section(each, where)
            elif each.section in sections():
                key = _require_key(each, where)
                found[key.name] = Value(_checked(key, each.value, f"{where}: {key.name}"), "file", where)
    return found


def _from_environment(environment: Mapping[str, str], faults: _Faults) -> dict[str, Value]:
    known = {key.variable: key for key in keys().values()}
    found: dict[str, Value] = {}
    for variable, text in sorted(environment.items()):
        key = known.get(variable) or keys().get(SHORT_NAMES.get(variable, ""))
        with faults.collecting():
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
            f"The variable {quoted(variable, 80)} is none of this program.{nearest(variable, (*known, *PROGRAM_VARIABLES))}",
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


def _require_section(written: Written, where: str) -> None:
    name = written.section
    if name not in sections():
        homes = [key.section for key in keys().values() if key.name.endswith(f".{name}")]
        hint = f" It belongs into the section [{homes[0]}]." if homes else nearest(name, sections(), "[{}]")
        raise OperationalError(
            f"{where}: there is no section {quoted(name, 80)}.{hint}",
            "`fujie config explain` lists all sections and keys.",
        )
    if not isinstance(written.value, dict):
        raise OperationalError(f"{where}: {name} is a section, not a value.", f"Write [{name}] and its keys below.")


def _require_key(written: Written, where: str) -> Key:
    full = f"{written.section}.{written.key}"
    if full not in keys():
        own = [key.name.partition(".")[2] for key in keys().values() if key.section == written.section]
        hint = nearest(written.key, own) or nearest(full, keys())
        raise OperationalError(
            f"{where}: the section [{written.section}] has no key {quoted(written.key, 80)}.{hint}",
            "`fujie config explain` lists all keys.",
        )
    return keys()[full]
