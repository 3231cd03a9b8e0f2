"""What is said of a command line that does not parse: as people read it, or with --json as one object like every error."""

import re
from collections.abc import Sequence
from typing import Any, Final

import typer

from fujie.cli import output
from fujie.core.wording import quoted, visible

_NEGATIVE: Final = re.compile(r"-[0-9.,]*[0-9][0-9.,]*")


def report_usage(error: typer.TyperException, arguments: Sequence[str]) -> int:
    """Print what is wrong with ``arguments``, the command line, and return the exit code."""
    if isinstance(error, typer.Abort):
        return output.report_stop()
    given = arguments[: arguments.index("--")] if "--" in arguments else arguments
    _explain_value(error)
    _explain_negative(error, given)
    if isinstance(message := getattr(error, "message", None), str):  # it may repeat what strangers wrote
        vars(error)["message"] = visible(message, lines=True)
    if "--json" not in given:
        show: Any = getattr(error, "show", None)
        if show is not None:
            show()
        return output.EXIT_USAGE
    output.use_json()
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "fujie"
    formatted: Any = getattr(error, "format_message", None)
    what = " ".join(str(formatted() if formatted is not None else error).split())
    output.write_json(
        {
            "error": {"kind": "usage", "what": what, "do": f"`{command} --help` shows what it takes."},
            "exit_code": output.EXIT_USAGE,
        }
    )
    return output.EXIT_USAGE


def _explain_value(error: typer.TyperException) -> None:
    """Say of a value that does not fit what its option takes; the parser names its own types and signs."""
    faults: Any = getattr(error.__cause__, "errors", None)
    param: Any = getattr(error, "param", None)
    if faults is None or param is None:
        return
    [fault, *_] = faults()
    if param.min is None and param.max is None:
        message = str(fault["msg"]).removeprefix("Value error, ")
    else:
        bounds = f"from {param.min:,} to {param.max:,}" if param.max is not None else f"of {param.min:,} or more"
        message = f"{quoted(str(fault['input']), 40)} is not a whole number {bounds}."
    vars(error)["message"] = message


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
