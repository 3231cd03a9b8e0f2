"""What holds for every command: help, examples, --json, exit codes, and a quick start."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from fujie.cli import output
from fujie.cli.app import app
from fujie.core.errors import OperationalError, Refused, VerificationError
from fujie.core.reasons import TransactionReason

PROGRAM: Any = typer.main.get_command(app)
HEAVY = (
    "litestar",
    "uvicorn",
    "rocksdict",
    "httpx",
    "rich.console",
    "nacl",
    "fujie.engine",
    "fujie.store",
    "fujie.node",
)


def commands(group: Any = PROGRAM, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if hasattr(command, "commands") else [((*path, name), command)]
    return found


EVERY = pytest.mark.parametrize(("path", "command"), commands(), ids=[" ".join(path) for path, _ in commands()])


@EVERY
def test_command_has_help_examples_and_json(path, command):
    assert command.help
    assert command.help.splitlines()[0].endswith(".")
    assert "Examples:" in command.epilog
    assert "--json" in {option for parameter in command.params for option in parameter.opts}


@EVERY
def test_examples_name_the_command_and_parse(path, command):
    lines = [line.strip() for line in command.epilog.splitlines() if line.strip().startswith(("fujie", "FUJIE_"))]
    assert any(" ".join(path) in line for line in lines)
    for line in lines:
        for part in re.sub(r"\s{2,}\(.*\)$", "", line).split("&&"):
            words = [word for word in shlex.split(part) if not re.fullmatch(r"FUJIE_[A-Z]+=\S*", word)]
            parse(words[1:])


def parse(words: list[str]) -> None:
    """Parse a command line down to the last option, and run nothing."""
    group, context = PROGRAM, PROGRAM.make_context("fujie", words, resilient_parsing=False)
    while True:
        words = [*context._protected_args, *context.args]
        name, group, words = group.resolve_command(context, words)
        context = group.make_context(name, words, parent=context)
        if not hasattr(group, "commands"):
            return


def test_the_nouns_that_scripts_rely_on_are_there():
    assert {" ".join(path) for path, _ in commands()} >= {
        *("up", "init", "status", "resolve", "pay", "verify", "receipt", "check", "version"),
        *("id allocate", "id update", "id retire", "id delegate", "id alias"),
        *("wallet new", "wallet list", "wallet show", "wallet balance"),
        *("money issue", "money distribute", "money supply"),
        *("read", "operation submit", "operation list"),
        *(
            "key new",
            "key list",
            "key show",
            "key protect",
            "snapshot save",
            "snapshot load",
            "genesis show",
            "genesis export",
        ),
    }


def test_help_loads_nothing_heavy():
    program = f"""
import sys
sys.argv = ["fujie", "--help"]
from fujie.cli import main
try:
    main()
except SystemExit as end:
    print([name for name in {HEAVY!r} if name in sys.modules], end.code, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "[] 0"
    assert "resolve" in done.stdout


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OperationalError("The disk is full.", "Make room."), 1, "The disk is full.\nMake room.\n"),
        (Refused(TransactionReason.QUOTA_EXCEEDED), 4, "Refused: QUOTA_EXCEEDED (9).\nThe account"),
        (VerificationError("app-hash", "other roots"), 5, "The proof does not verify: app-hash: other roots"),
        (KeyError("x"), 1, "Unexpected KeyError: 'x'"),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"), 2, "A text on the command line"),
        (OSError(28, "No space left on device"), 1, "No space left on device.\nCheck the disk"),
        (
            VerificationError("trust-root", "cut off"),
            5,
            "The proof does not verify: trust-root: cut off\nName the trust.json",
        ),
    ],
)
def test_errors_have_their_exit_code_and_no_traceback(capsys, monkeypatch, error, code, said):
    assert output.report_error(error) == code
    shown = capsys.readouterr().err
    assert shown.startswith(said)
    assert len(shown.strip().splitlines()) == (3 if isinstance(error, Refused) else 2)
    monkeypatch.setattr(output._Mode, "json", True)
    assert output.report_error(error) == code
    assert json.loads(capsys.readouterr().out)["exit_code"] == code


def test_output_fits_a_stream_that_knows_only_ascii_and_a_closed_one():
    program = """
import sys
from fujie.cli import output
output.prepare_streams()
output.show("石家庄市", [("name", "石家庄市")], {})
output.write_json({"name": "石家庄市"})
"""
    command = [sys.executable, "-c", program]
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=ascii_only).stdout
    title, _, *found = shown.splitlines()
    assert title == "\\u77f3\\u5bb6\\u5e84\\u5e02"
    assert json.loads("".join(found)) == {"name": "石家庄市"}
    closed = subprocess.run(["bash", "-c", 'exec "$@" >&-', "-", *command], capture_output=True, text=True, check=False)
    assert (closed.returncode, closed.stderr) == (0, "")


def test_a_table_is_never_folded_and_ends_no_line_in_spaces(capsys):
    output.show_table(("name", "file"), [("市", "a" * 200), ("alice", None)], {}, "none")
    assert capsys.readouterr().out.splitlines() == ["name   file", f"市     {'a' * 200}", "alice"]


def test_no_command_prints_by_itself():
    """One module talks to the terminal, so that --json is one object and nothing else."""
    for path in Path(output.__file__).parent.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        names = {ast.unparse(function) for function in calls}
        assert not names & {"print", "typer.echo", "typer.secho", "sys.stdout.write"} or path.name == "output.py"


def typed(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", "from fujie.cli import main; main()", *arguments], capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "command", "said"),
    [
        (["pay"], "fujie pay", "Missing argument"),
        (["nonsense"], "fujie", "No such command"),
        (["pay", "a", "b", "1", "--nope"], "fujie pay", "No such option: --nope"),
        (["up", "--port", "0"], "fujie up", "Invalid value for '--port'"),
        (["up", "--store", "paper"], "fujie", "no kind of store"),
    ],
)
def test_a_usage_error_is_one_json_object_where_json_is_asked_for(arguments, command, said):
    code, shown, errors = typed(*arguments, "--json")
    found = json.loads(shown)
    assert (code, found["exit_code"], found["error"]["kind"], errors) == (2, 2, "usage", "")
    assert said in found["error"]["what"]
    assert f"`{command}" in found["error"]["do"]
    assert said in typed(*arguments)[2]


@pytest.mark.parametrize("amount", ["-1", "-1.50", "-1,000.00", "-0.01", "-.5"])
def test_an_amount_below_zero_is_called_what_it_is(amount):
    code, _, errors = typed("pay", "alice", "shop", amount)
    assert code == 2
    assert f"{amount} is below zero; an amount is positive" in errors
    assert "No such option" not in errors
