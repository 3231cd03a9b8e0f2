"""`fujie proposal`: what the governors of a chain decide by vote."""

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fujie.cli import output, signing, words
from fujie.cli.settings import Json, Keys, Trust, examples, settings_of
from fujie.core.wording import count, quoted

if TYPE_CHECKING:
    from fujie.modules.membership.records import Action, Proposal

app = typer.Typer(help="Propose, vote, and see what is to be decided.", no_args_is_help=True)

ACTION_BYTES_MAX: Final = 65_536
DAY_MS: Final = 86_400_000
ID_DIGITS: Final = 32

Account = Annotated[str, typer.Argument(help="Account of a governor, whose keys are here", callback=words.account)]
Id = Annotated[str, typer.Argument(metavar="ID", help="32 hexadecimal digits, as `fujie proposal new` printed them")]


@app.command(
    epilog=examples(
        """fujie proposal new root-authority '{"type": "grant_role", "account": "bank-east", "role": "registrar"}'""",
        "fujie proposal new central-bank action.json --days 7",
    )
)
def new(
    context: typer.Context,
    account: Account,
    action: Annotated[str, typer.Argument(help='JSON, or a file with it: {"type": "set_quota", …}')],
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it may be voted for")] = 1,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Put an action to the vote of the governors. Proposing is not voting: `fujie proposal vote` does that.

    The actions and their fields are listed by `fujie proposal actions`; bytes are hexadecimal.
    """
    settings = settings_of(context)
    wanted = _action(action)
    deadline_ms = time.time_ns() // 1_000_000 + days * DAY_MS
    with settings.client(trust) as client:
        signers = signing.account_signers(settings, client, account, key)
        identifier = client.propose(account, wanted, deadline_ms, signers=signers)
        found = client.proposal(identifier)
    assert found.record is not None, "it was carried out"
    rows = [
        *_rows(found.record),
        ("next", settings.command(f"proposal vote ACCOUNT {identifier.hex()}", asks_node=True)),
    ]
    output.show("Proposed", rows, words.record_data(found) | {"id": identifier.hex()}, words.proof_text(found))


@app.command(epilog=examples("fujie proposal vote central-bank 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"))
def vote(
    context: typer.Context, account: Account, proposal: Id, key: Keys = None, trust: Trust = None, json: Json = False
) -> None:
    """Vote for a proposal. The vote that reaches the threshold carries it out."""
    settings = settings_of(context)
    identifier = _identifier(proposal)
    with settings.client(trust) as client:
        signers = signing.account_signers(settings, client, account, key)
        outcome = client.vote(account, identifier, signers=signers)
        found = client.proposal(identifier)
    assert found.record is not None, "it was voted for"
    carried = found.record.status.value == "carried"
    title = "Voted, and the proposal is carried" if carried else "Voted"
    rows, data = _rows(found.record), words.record_data(found) | words.outcome_data(outcome)
    if carried and outcome.receipt is not None:
        rows += _effect(found.record.action, outcome.receipt.height, data)
    output.show(title, rows, data, words.proof_text(found))


@app.command(epilog=examples("fujie proposal withdraw root-authority 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"))
def withdraw(
    context: typer.Context, account: Account, proposal: Id, key: Keys = None, trust: Trust = None, json: Json = False
) -> None:
    """Withdraw a proposal. The account that made it signs."""
    settings = settings_of(context)
    identifier = _identifier(proposal)
    with settings.client(trust) as client:
        signers = signing.account_signers(settings, client, account, key)
        outcome = client.withdraw(account, identifier, signers=signers)
    assert outcome.verified is not None, "an operation that is returned was proven"
    output.show(
        f"Withdrew proposal {identifier.hex()}",
        [("transaction", outcome.transaction_id.hex())],
        words.outcome_data(outcome),
        words.proof_text(outcome.verified),
    )


@app.command(epilog=examples("fujie proposal show 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"))
def show(context: typer.Context, proposal: Id, trust: Trust = None, json: Json = False) -> None:
    """Show a proposal, proven. What it does, who voted for it, until when."""
    identifier = _identifier(proposal)
    with settings_of(context).client(trust) as client:
        found = client.proposal(identifier)
    if found.record is None:
        output.show(f"There is no proposal {identifier.hex()}", [], words.record_data(found), words.proof_text(found))
        raise typer.Exit(output.EXIT_ABSENT)
    output.show("Proposal", _rows(found.record), words.record_data(found), words.proof_text(found))


@app.command("list", epilog=examples("fujie proposal list", "fujie proposal list --open"))
def list_proposals(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help="Those that can still be voted for")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many, the newest")] = 50,
    json: Json = False,
) -> None:
    """List proposals, newest first. From the projection of the data folder, without proof; `fujie proposal show` proves one."""
    from fujie.reader.projection.lists import Lists
    from fujie.reader.projection.schema import FILE_NAME

    folder = settings_of(context).folder
    folder.require()
    lists = Lists.open(folder.home / FILE_NAME)
    try:
        found = lists.proposals(limit, open_at_ms=time.time_ns() // 1_000_000 if open_only else None)
    finally:
        lists.close()
    output.show_table(
        ("id", "action", "proposed by", "votes", "status", "deadline"),
        [
            (each.id.hex(), each.action, each.proposer, each.votes, each.status, words.time_text(each.deadline_ms))
            for each in found
        ],
        {
            "proposals": [
                {
                    "id": each.id.hex(),
                    "action": each.action,
                    "proposer": each.proposer,
                    "votes": each.votes,
                    "status": each.status,
                    "deadline_ms": each.deadline_ms,
                }
                for each in found
            ]
        },
        f"{'No proposal is open' if open_only else 'There is no proposal'}; make one with `fujie proposal new ACCOUNT ACTION`.",
    )


@app.command(epilog=examples("fujie proposal actions", "fujie proposal actions --json"))
def actions(context: typer.Context, json: Json = False) -> None:
    """List what can be proposed. By the name and the fields of its JSON form."""
    from typing import get_args

    from fujie.core.json_form import type_name
    from fujie.modules.membership.records import Action

    forms = [(type_name(cls), cls.__struct_fields__) for cls in get_args(Action)]
    output.show_table(
        ("type", "fields"),
        [(name, ", ".join(fields)) for name, fields in forms],
        {"actions": [{"type": name, "fields": list(fields)} for name, fields in forms]},
        "",
    )


def _action(text: str) -> Any:
    """Return the action in JSON, or in a file. A usage error names the place that is wrong."""
    from fujie.cli.forms import read_record
    from fujie.modules.membership.records import Action

    return read_record(Action, text, ACTION_BYTES_MAX, "this is no action; see `fujie proposal actions`")


def _identifier(text: str) -> bytes:
    if len(text) != ID_DIGITS or not all(character in "0123456789abcdef" for character in text):
        raise typer.BadParameter(f"{quoted(text, 40)} is no id of a proposal: {ID_DIGITS} hexadecimal digits")
    return bytes.fromhex(text)


def _rows(record: "Proposal") -> list[output.Row]:
    from fujie.core.json_form import to_json, type_name

    action = to_json(record.action)
    fields = words.form_text({name: value for name, value in action.items() if name != "type" and value is not None})
    return [
        ("id", record.id.hex()),
        ("action", f"{type_name(type(record.action))}: {_founding_text(record.action) or fields}"),
        ("proposed by", record.proposer),
        ("votes", ", ".join(record.votes) or "none yet"),
        ("status", record.status.value),
        ("deadline", words.time_text(record.deadline_ms)),
    ]


def _effect(action: "Action", height: int, data: dict[str, Any]) -> list[output.Row]:
    """Return from when on a vote about validators that was carried at ``height`` is in force, and add it to ``data``."""
    from fujie.modules.membership.records import RULE_LEAD_HEIGHTS, SetValidator

    if not isinstance(action, SetValidator):
        return []
    data["takes_effect_height"] = height + RULE_LEAD_HEIGHTS
    return [("takes effect", words.validators_text(height, height))]


def _founding_text(action: "Action") -> str:
    """Return with what a proposal lets a room begin, where it does and this program knows the room."""
    from fujie.core.errors import DecodeError
    from fujie.core.json_form import to_json
    from fujie.machine.schedule import SCHEDULE
    from fujie.modules.membership.records import FoundRoom

    if not isinstance(action, FoundRoom):
        return ""
    for room in SCHEDULE.rooms.get(action.room, {}).values():
        with contextlib.suppress(DecodeError):
            if room.part is not None:
                return f"room {action.room}, {words.form_text(to_json(room.part.decode(action.part)))}"
    return f"room {action.room}, with {count(len(action.part), 'byte')} that this program does not read"
