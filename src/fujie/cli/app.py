"""The program `fujie`: its commands, its exit codes, and how it reports what goes wrong.

0  done and proven          3  proven absent
1  operational error        4  refused by a rule
2  usage                    5  a proof does not verify
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from fujie.cli import (
    access,
    check,
    config,
    doctor,
    engine,
    genesis,
    identifier,
    key,
    log,
    mirror,
    money,
    network,
    node,
    operation,
    pay,
    projection,
    proposal,
    read,
    receipt,
    resolve,
    rules,
    search,
    snapshot,
    status,
    transaction,
    verify,
    wallet,
)
from fujie.cli.output import EXIT_DONE, EXIT_OPERATIONAL, prepare_streams, report_error
from fujie.cli.settings import Settings, examples
from fujie.cli.usage import report_usage

app = typer.Typer(
    name="fujie",
    help="City identity and digital currency on one verifiable ledger.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples("fujie up", "fujie resolve ZZ.156.1301", "fujie pay alice shop 12.50", "fujie verify receipt.fujie")
    + "\n\nExit codes: 0 done and proven, 1 operational error, 2 usage, 3 proven absent, 4 refused by a rule, "
    "5 a proof does not verify.",
)


@app.callback()
def common(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(envvar="FUJIE_HOME", help="Data folder [default: .fujie]", show_default=False)
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Node to ask [default: where the folder's node runs, else FUJIE_PORT or http.port of 127.0.0.1, else 8156]",
            show_default=False,
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            envvar="FUJIE_WITNESSES",
            metavar="URL",
            help="Another node of the chain: where the validators have changed, what the first one shows is compared with it",
            show_default=False,
        ),
    ] = None,
) -> None:
    """City identity and digital currency on one verifiable ledger."""
    source = context.get_parameter_source("home")
    typed_home = source is not None and source.name == "COMMANDLINE"
    context.obj = Settings(home, url, witness or (), typed_home=typed_home)


for module in (node, mirror, status, search, resolve, read, pay, receipt, verify, check, doctor):
    module.register(app)
for name, group in (
    ("id", identifier.app),
    ("wallet", wallet.app),
    ("money", money.app),
    ("proposal", proposal.app),
    ("rules", rules.app),
    ("operation", operation.app),
    ("transaction", transaction.app),
    ("key", key.app),
    ("snapshot", snapshot.app),
    ("genesis", genesis.app),
    ("projection", projection.app),
    ("access", access.app),
    ("network", network.app),
    ("engine", engine.app),
    ("config", config.app),
    ("log", log.app),
):
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    # No traceback reaches a user: one line says what happened, one what to do. The log of a node has the details.
    prepare_streams()
    try:
        code = app(prog_name="fujie", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else EXIT_DONE)
    except typer.TyperException as error:
        sys.exit(report_usage(error, sys.argv[1:]))
    except BrokenPipeError:
        # Whoever read our output has seen enough (`fujie ... | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_OPERATIONAL)
    except Exception as error:  # noqa: BLE001 - whatever it is, a person at a terminal is told in a sentence
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C twice reads the whole sentence, too
        sys.exit(report_error(error))
