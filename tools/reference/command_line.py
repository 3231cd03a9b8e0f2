"""Every command of `fujie`, from the program that Typer builds."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from fujie.cli import output
from fujie.cli.app import app
from fujie.node.config_keys import PROGRAM_VARIABLES
from tools.reference.markdown import cell, code, page, table

EXIT_CODES = (
    (output.EXIT_DONE, "done and proven"),
    (output.EXIT_OPERATIONAL, "operational error: what happened, and what to do next"),
    (output.EXIT_USAGE, "usage: the command line is not understood"),
    (output.EXIT_ABSENT, "proven absent"),
    (output.EXIT_REFUSED, "refused by a rule of the ledger; the reason is named"),
    (output.EXIT_UNVERIFIED, "a proof does not verify; the step that fails is named"),
)
ENVIRONMENT = tuple(PROGRAM_VARIABLES.items())
EXAMPLES = re.compile(r"\x08\nExamples:\n((?:  .*\n?)+)")


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the name and the command of every leaf of the tree, as it stands in the help."""
    yield from _walk("fujie", typer.main.get_command(app))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for key, child in children.items():
        if not child.hidden:
            yield from _walk(f"{name} {key}", child)


def render() -> str:
    """Return the page."""
    root = typer.main.get_command(app)
    return page(
        "Command line",
        "`fujie COMMAND --help` prints the same with examples. Options of the program itself stand before the command: "
        "`fujie --home town up`.",
        "## Options of the program",
        _options(root),
        "## Exit codes",
        table(("code", "meaning"), EXIT_CODES),
        "## Environment",
        table(("variable", "meaning"), ((code(name), text) for name, text in ENVIRONMENT)),
        "Every key of the [configuration](configuration.md) has a variable as well.",
        "## Commands",
        *(_command(name, command) for name, command in commands()),
    )


def _command(name: str, command: Any) -> str:
    arguments = [each for each in command.params if type(each).__name__ == "TyperArgument"]
    usage = " ".join([name, "[OPTIONS]", *(_shown(each) for each in arguments)])
    parts = [f"### {name}", f"```text\n{usage}\n```", (command.help or "").strip()]
    if arguments:
        parts.append(table(("argument", "meaning"), ((code(_name(each)), each.help or "") for each in arguments)))
    parts.append(_options(command))
    found = EXAMPLES.search(command.epilog or "")
    if found:
        parts.append("```text\n" + "\n".join(line[2:] for line in found[1].splitlines()) + "\n```")
    return "\n\n".join(part for part in parts if part)


def _options(command: Any) -> str:
    rows = []
    for each in command.params:
        if type(each).__name__ != "TyperOption" or each.hidden:
            continue
        taken = "" if each.is_flag else " " + (each.metavar or each.name.upper())
        shown = ", ".join(code(f"{option}{taken}") for option in each.opts)
        rows.append((shown, cell(each.help or ""), _default(each)))
    return table(("option", "meaning", "default"), rows) if rows else ""


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.is_flag or option.default in (None, "") or not option.show_default:
        return ""
    return code(option.default)


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _shown(argument: Any) -> str:
    name = _name(argument) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"
