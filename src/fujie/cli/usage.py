"""What is said of a command line that does not parse: as people read it, or with --json as one object like every error."""

import re
from collections.abc import Sequence
from typing import Any, Final

import typer

from fujie.cli import output

_NEGATIVE: Final = re.compile(r"-[0-9.,]*[0-9][0-9.,]*")


def report_usage(error: typer.TyperException, arguments: Sequence[str]) -> int:
    """Print what is wrong with ``arguments``, the command line, and return the exit code."""
    if isinstance(error, typer.Abort):
        return output.report_stop()
    given = arguments[: arguments.index("--")] if "--" in arguments else arguments
    _explain_negative(error, given)
    if "--json" not in given:
        show: Any = getattr(error, "show", None)
        if show is not None:
            show()
        return output.EXIT_USAGE
    output.use_json()
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "fujie"
    message: Any = getattr(error, "format_message", None)
    what = " ".join(str(message() if message is not None else error).split())
    output.write_json(
        {
            "error": {"kind": "usage", "what": what, "do": f"`{command} --help` shows what it takes."},
            "exit_code": output.EXIT_USAGE,
        }
    )
    return output.EXIT_USAGE


def _explain_negative(error: typer.TyperException, arguments: Sequence[str]) -> None:
    """Say of a number below zero what it is; a parser takes it for an option."""
    option = getattr(error, "option_name", None)
    if not isinstance(option, str):
        return
    typed = next((each for each in arguments if _NEGATIVE.fullmatch(each) and each.startswith(option)), None)
    if typed is None:
        return
    context = getattr(error, "ctx", None)
    names = {parameter.name for parameter in context.command.params} if context is not None else set()
    noun = "an amount is positive, such as 12.50" if "amount" in names else "numbers here are not negative"
    said = {"message": f"{typed[:40]} is below zero; {noun}.", "possibilities": None}
    vars(error).update(said)  # the parser's own error keeps where in the command line it happened
