"""`fujie resolve`: what an identifier stands for, now or in the past, with the proof verified here."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output
from fujie.cli.search import identifier_in, suggestion
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.cli.words import asking_about, moment, policy_text, proof_data, proof_text, record_data, time_text
from fujie.core import identifiers
from fujie.core.identifier_forms import with_check
from fujie.core.wording import quoted

if TYPE_CHECKING:
    from fujie.cli.settings import Settings
    from fujie.client.client import Client
    from fujie.client.verifier import VerifiedRecord
    from fujie.modules.identity.records import Identity

NOBODY_OF_ITS_OWN = "whoever allocates at the level above"
PLACE_DEPTH = 3  # ``ZZ.156.13``: what stands above is a country, whose name says little


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples(
            "fujie resolve ZZ.156.1301",
            "fujie resolve ZZ.156.1301 --at 2026-09-01",
            "fujie resolve GBT2260:130100",
            "fujie resolve ZZ.156.9999    (exit code 3: proven absent)",
            "fujie resolve ZZ.156.1301 --save city.fujie && fujie verify city.fujie",
        )
    )(resolve)


def resolve(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(help="ZZ.156.1301, with or without check characters, or SCHEME:CODE")],
    at: Annotated[
        str | None, typer.Option(help="The record in force at this time: 2026-09-01, with or without a time")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write the proof to this file")] = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Show what an identifier stands for. The proof is verified here, against the pinned trust root.

    Exit code 3: it provably stands for nothing.
    """
    at_ms = moment(at)
    settings = settings_of(context)
    with settings.client(trust) as client, asking_about(at_ms):
        wanted = (
            _by_alias(settings, client, identifier, at_ms) if ":" in identifier else identifier_in(settings, identifier)
        )
        found = client.resolve(wanted, at_ms=at_ms)
        names = _place_names(client, found.record, at_ms) if found.record is not None else []
        nearest = _nearest(client, wanted) if found.record is None and at_ms is None else None
    if save is not None:
        from fujie.client.files import write_atomically

        write_atomically(save, found.bundle)
    if found.record is None:
        _show_absent(wanted, found, nearest)
        raise typer.Exit(output.EXIT_ABSENT)
    _show(wanted, found, found.record, names)
    if save is not None:
        output.say(f"The proof is in {save}; check it with: {settings.command(f'verify {shlex.quote(str(save))}')}")


def _by_alias(settings: "Settings", client: "Client", text: str, at_ms: int | None) -> str:
    """Return the identifier that an outside code is bound to. Exit code 3 when it provably is bound to none."""
    import msgspec

    from fujie.modules.identity.records import AliasCode, Scheme

    scheme, code = text.split(":", 1)
    try:
        msgspec.convert((scheme, code), tuple[Scheme, AliasCode])
    except msgspec.ValidationError:
        raise typer.BadParameter(
            f"{quoted(text, 140)} is no outside code: write SCHEME:CODE, such as GBT2260:130100. "
            f"{suggestion(settings, text)}"
        ) from None
    found = client.resolve_alias(scheme, code, at_ms=at_ms)
    alias = found.record
    if alias is None or alias.until_ms is not None:
        output.show(
            f"{text} is bound to no identifier",
            [("last bound to", alias.identifier if alias else None)],
            {"alias": text, "identifier": None, "absent": True, "proof": proof_data(found)},
            proof_text(found),
        )
        raise typer.Exit(output.EXIT_ABSENT)
    bound: str = alias.identifier
    return bound


def _place_names(client: "Client", record: "Identity", at_ms: int | None) -> list[str]:
    """Return the names of what contains a record, widest first: province, city."""
    above = [each for each in reversed(identifiers.ancestors(record.identifier)) if each.count(".") >= PLACE_DEPTH - 1]
    outer = client.resolve(above[0], at_ms=at_ms).record if above else record
    wanted = ([outer.within] if outer is not None and outer.within else []) + above
    if not wanted:
        return []
    from fujie.modules.identity.queries import IdentityQuery

    found = client.read_many([IdentityQuery(each) for each in wanted], at_ms=at_ms)
    return [each.record.name for each in found if each.record is not None]


def _nearest(client: "Client", wanted: str) -> str | None:
    """Return the nearest identifier above that exists, for a hint."""
    from fujie.modules.identity.queries import IdentityQuery

    above = identifiers.ancestors(wanted)
    if not above:
        return None
    for each in client.read_many([IdentityQuery(one) for one in above]):
        if each.record is not None:
            return f"{each.record.identifier} ({each.record.name})"
    return None


def _show(wanted: str, found: "VerifiedRecord[Identity]", record: "Identity", names: list[str]) -> None:
    standing = record.standing
    place = " ".join([*names, record.name]) if names else ""
    rows: list[output.Row] = [
        ("identifier", with_check(wanted)),
        ("name", record.name),
        ("kind", record.kind),
        ("place", place),
        ("within", record.within),
        ("status", record.status.value),
        *((key, value) for key, value in record.attributes),
        ("also known as", ", ".join(f"{alias.scheme} {alias.code}" for alias in record.aliases)),
        ("evidence", f"{record.evidence.edition}, code {record.evidence.code}" if record.evidence else ""),
        ("controlled by", policy_text(record.controllers) if record.controllers else NOBODY_OF_ITS_OWN),
        ("version", f"{standing.number}, since {time_text(standing.since_ms)}"),
        ("allocated", time_text(standing.created_ms) if standing.number > 1 else ""),
        ("as of", time_text(found.at_ms) if found.at_ms is not None else ""),
    ]
    data: dict[str, Any] = {"identifier": wanted, "absent": False, "place": place, **record_data(found)}
    output.show(f"{wanted}  {record.name}", rows, data, proof_text(found))


def _show_absent(wanted: str, found: "VerifiedRecord[Identity]", nearest: str | None) -> None:
    if found.at_ms is not None and found.current is not None:
        what = f"{wanted} did not exist yet at {time_text(found.at_ms)}"
    elif found.at_ms is not None:
        what = f"{wanted} was not allocated at {time_text(found.at_ms)}, nor ever"
    else:
        what = f"{wanted} was never allocated"
    data = {"identifier": wanted, "absent": True, **record_data(found)}
    absence = proof_text(found).replace("verified here:", "absence verified here:")
    output.show(what, [("nearest above", nearest)], data, absence)
