"""`fujie rules`: which rules a chain runs, which it will run, and having others decided."""

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fujie.cli import output, signing, words
from fujie.cli.settings import Json, Keys, Trust, examples, settings_of
from fujie.core.wording import count, quoted

if TYPE_CHECKING:
    from fujie.modules.membership.records import Rules

app = typer.Typer(help="See which rules a chain runs from which block on, and propose others.", no_args_is_help=True)

DAY_MS: Final = 86_400_000
PART_JSON_BYTES_MAX: Final = 1_048_576  # far more than fits a vote in its canonical form

Account = Annotated[str, typer.Argument(help="Account of a governor, whose keys are here", callback=words.account)]


@app.command(epilog=examples("fujie rules show", "fujie rules show --json"))
def show(context: typer.Context, trust: Trust = None, json: Json = False) -> None:
    """Show the rules of every room, proven: in force, decided for later, and up to which version this program knows them."""
    from fujie.cli.founding import began_with_the_chain
    from fujie.machine.schedule import SCHEDULE, ComingRules, lacking_text

    with settings_of(context).client(trust) as client:
        height = client.status().height
        rooms = client.rooms()
        assert rooms.record is not None, "genesis writes the list of rooms"
        proven = [client.rules(room) for room in rooms.record.names]
        records = [each.record for each in proven if each.record is not None]
        begun = {
            each.room: began_with_the_chain(each) or client.founding(each.room).record is not None for each in records
        }
    output.show_table(
        ("room", "in force", "since block", "founded", "coming", "this program"),
        [
            (
                each.room,
                *_in_force(each, height),
                "yes" if begun[each.room] else "no",
                _coming_text(each, height),
                f"up to {SCHEDULE.newest(each.room)}",
            )
            for each in records
        ],
        {
            "height": height,
            "rooms": [
                {
                    "room": each.room,
                    "version": _in_force(each, height)[0] or 0,
                    "founded": begun[each.room],
                    "coming": [
                        {"version": entry.version, "from_height": entry.from_height}
                        for entry in each.versions
                        if entry.from_height > height
                    ],
                    "known": SCHEDULE.newest(each.room),
                }
                for each in records
            ],
            "proof": words.proof_data(rooms),
        },
        "",
    )
    output.say(f"Proof: {words.proof_text(proven[-1])}", "green")
    for each in records:
        for entry in each.versions:
            if entry.from_height > height and not SCHEDULE.knows(each.room, entry.version):
                output.say(lacking_text(ComingRules(each.room, entry.version, entry.from_height), height))


@app.command(
    epilog=examples(
        "fujie rules propose root-authority currency 2 --ahead 20000",
        "fujie rules propose root-authority currency 2 --height 1250000 --days 7",
        "fujie rules propose root-authority currency 0 --ahead 1000",
    )
)
def propose(
    context: typer.Context,
    account: Account,
    room: Annotated[str, typer.Argument(help="Room: membership, identity, currency")],
    version: Annotated[
        int, typer.Argument(min=0, help="Version of its rules; 0 stops the room, the one in force takes back")
    ],
    height: Annotated[int | None, typer.Option(min=1, help="Block from which on they are in force")] = None,
    ahead: Annotated[int | None, typer.Option(min=2, help="The same, counted from the newest block")] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it may be voted for")] = 1,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Propose that a version of a room's rules be in force from a block on; `fujie proposal vote` decides.

    A node whose program lacks that version stops before the block. So this command proposes only what its own program knows:
    who proposes has installed it.
    """
    from fujie.machine.schedule import SCHEDULE
    from fujie.modules.membership.records import ActivateRules

    if (height is None) == (ahead is None):
        raise typer.BadParameter("say from which block on: either --height or --ahead")
    if not SCHEDULE.knows(room, version):
        raise typer.BadParameter(_unknown(room, version))
    settings = settings_of(context)
    with settings.client(trust) as client:
        signers = signing.account_signers(settings, client, account, key)
        now = client.status().height
        from_height = height if height is not None else now + (ahead or 0)
        action = ActivateRules(room, version, from_height)
        identifier = client.propose(account, action, time.time_ns() // 1_000_000 + days * DAY_MS, signers=signers)
        found = client.proposal(identifier)
    what = f"version {version} of the rules of {room}" if version else f"{room} stops"
    output.show(
        "Proposed",
        [
            ("id", identifier.hex()),
            ("what", f"{what}, from block {from_height:,} on"),
            ("in", count(from_height - now, "block")),
            ("next", settings.command(f"proposal vote ACCOUNT {identifier.hex()}", asks_node=True)),
        ],
        words.record_data(found) | {"id": identifier.hex(), "from_height": from_height},
        words.proof_text(found),
    )


@app.command(
    epilog=examples(
        "fujie rules found root-authority currency currency.json",
        "fujie rules found root-authority currency currency.json --days 7",
    )
)
def found(
    context: typer.Context,
    account: Account,
    room: Annotated[str, typer.Argument(help="Room whose rules come into force on the running chain")],
    part: Annotated[str, typer.Argument(help="What it begins with: JSON, or a file with it")],
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it may be voted for")] = 1,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Propose with what a room begins that the chain did not have at first; `fujie proposal vote` decides.

    The vote that carries it must come when its rules are in force; until then, and until it is founded, the room takes no
    operation. A room that was founded already, and a part that would not fit now, are
    refused here, with the reason for which the vote would be.
    """
    from fujie.cli.forms import read_record
    from fujie.cli.founding import require_unfounded, try_founding
    from fujie.core.encoding import encode
    from fujie.core.json_form import to_json
    from fujie.machine.schedule import SCHEDULE
    from fujie.modules.membership.records import FOUNDING_BYTES_MAX, FoundRoom

    settings = settings_of(context)
    with settings.client(trust) as client:
        now = client.status()
        rules = client.rules(room).record if room in SCHEDULE.rooms else None
        decided = [] if rules is None else [each for each in rules.versions if each.version]
        if rules is None or not decided:
            raise typer.BadParameter(
                f"no rules of {quoted(room, 40)} are decided on this chain: `fujie rules propose` first"
            )
        version, from_height = decided[-1].version, decided[-1].from_height
        founded = SCHEDULE.rooms[room][version] if SCHEDULE.knows(room, version) else None
        if founded is None:
            raise typer.BadParameter(_unknown(room, version))
        if founded.part is None:
            raise typer.BadParameter(f"{room} begins with the chain, or with nothing: it is not founded by vote")
        require_unfounded(client, rules)
        record = read_record(founded.part.type, part, PART_JSON_BYTES_MAX, f"{room} does not begin with this")
        data = encode(record)
        if len(data) > FOUNDING_BYTES_MAX:
            raise typer.BadParameter(f"this is {len(data):,} bytes, and a vote carries {FOUNDING_BYTES_MAX:,} at most")
        try_founding(client, founded, record, now.height, now.time_ms)
        signers = signing.account_signers(settings, client, account, key)
        deadline_ms = time.time_ns() // 1_000_000 + days * DAY_MS
        identifier = client.propose(account, FoundRoom(room, data), deadline_ms, signers=signers)
        proposed = client.proposal(identifier)
    ahead = from_height - now.height
    output.show(
        "Proposed",
        [
            ("id", identifier.hex()),
            ("room", room),
            ("begins with", words.form_text(to_json(record))),
            ("not before", f"block {from_height:,}, in {count(ahead, 'block')}" if ahead > 0 else ""),
            ("next", settings.command(f"proposal vote ACCOUNT {identifier.hex()}", asks_node=True)),
        ],
        words.record_data(proposed) | {"id": identifier.hex(), "founding": to_json(record)},
        words.proof_text(proposed),
    )


def _in_force(rules: "Rules", height: int) -> tuple[int | None, int | None]:
    """Return which version of a room runs at the block after ``height``, and since when; nothing where it does not."""
    past = [entry for entry in rules.versions if entry.from_height <= height + 1]
    return (past[-1].version, past[-1].from_height) if past and past[-1].version else (None, None)


def _coming_text(rules: "Rules", height: int) -> str:
    return ", ".join(
        f"{entry.version or 'none'} from block {entry.from_height:,}, in {count(entry.from_height - height, 'block')}"
        for entry in rules.versions
        if entry.from_height > height + 1
    )


def _unknown(room: str, version: int) -> str:
    from fujie.machine.schedule import SCHEDULE

    if room not in SCHEDULE.rooms:
        return f"this installation of Fujie has no room {quoted(room, 40)}; it has {', '.join(sorted(SCHEDULE.rooms))}"
    return (
        f"this installation of Fujie knows the rules of {room} up to version {SCHEDULE.newest(room)}, and not version "
        f"{version}: install one that does, and propose with that"
    )
