"""`fujie status`: what a node says of itself."""

from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.cli.words import proof_data, proof_text, time_text, validators_text
from fujie.core.wording import count

if TYPE_CHECKING:
    from fujie.client.transport import Status
    from fujie.node.folder import Folder


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=examples("fujie status", "fujie --url http://127.0.0.1:9000 status --json"))(status)


def status(
    context: typer.Context,
    trust: Trust = None,
    offline: Annotated[bool, typer.Option("--offline", help="Describe the data folder alone")] = False,
    json: Json = False,
) -> None:
    """Show where the node stands. Its newest header is verified against the trust root."""
    import msgspec

    from fujie.modules.membership.records import RULE_LEAD_HEIGHTS

    settings = settings_of(context)
    if offline:
        _describe(context)
        return
    with settings.client(trust) as client:
        said = client.status()
        found = client.parameters()
        validators = client.validators()
    parameters = found.record
    rows: list[output.Row] = [
        ("node", settings.url),
        ("chain", said.chain_id),
        ("height", f"{said.height:,}"),
        ("newest block", time_text(said.time_ms)),
    ]
    if parameters is not None:
        hours = parameters.utc_offset_minutes / 60
        rows += [("visibility", parameters.visibility.value), ("day begins at", f"00:00 UTC{hours:+g}")]
    rows += _coming(said)
    voted = None if validators.record is None else validators.record.standing.since_height
    if voted and voted + RULE_LEAD_HEIGHTS > said.height:
        rows.append(("voted validators", f"take effect {validators_text(voted, said.height)}"))
    data = {
        "url": settings.url,
        "chain_id": said.chain_id,
        "height": said.height,
        "time_ms": said.time_ms,
        "coming": [msgspec.to_builtins(each) for each in said.coming],
        "validators_from_height": voted + RULE_LEAD_HEIGHTS if voted else None,
        "proof": proof_data(found),
    }
    if settings.given_url is None:
        rows += _engine(settings.folder, data)
    output.show("Node", rows, data, proof_text(found))


def _coming(said: "Status") -> list[output.Row]:
    """Return what the node says of rules that are decided and not in force yet."""
    from fujie.machine.schedule import UPGRADE

    rows: list[output.Row] = []
    for each in said.coming:
        ahead = count(each.from_height - said.height, "block")
        what = f"version {each.version} of {each.room}" if each.version else f"{each.room} stops"
        rows.append(("coming rules", f"{what}, from block {each.from_height:,}, in {ahead}"))
        if not each.known:
            rows.append(("", UPGRADE))
    return rows


def _engine(folder: "Folder", data: dict[str, object]) -> list[output.Row]:
    """Return what the CometBFT of the folder's own node says, and add it to ``data``; nothing for an embedded ledger."""
    from fujie.node.cometbft_file import has_cometbft
    from fujie.node.cometbft_home import comet_status

    if not has_cometbft(folder):
        return []
    told = comet_status(folder)
    data["cometbft"] = {"peers": told.peers, "catching_up": told.catching_up, "power": told.power}
    return [
        ("peers", told.peers),
        ("votes with power", told.power or "none: it follows without a vote"),
        ("catching up", "yes: it fetches older blocks" if told.catching_up else ""),
    ]


def _describe(context: typer.Context) -> None:
    settings = settings_of(context)
    folder = settings.folder
    description = folder.require()
    trust = folder.trust()
    rows: list[output.Row] = [
        ("data folder", folder.home),
        ("chain", trust.chain_id),
        ("trust root", folder.trust_path),
        ("store", description.store),
        ("founded as", description.world),
        ("by version", description.created_by),
    ]
    data = {
        "home": str(folder.home),
        "chain_id": trust.chain_id,
        "trust": str(folder.trust_path),
        "store": description.store,
        "world": description.world,
        "created_by": description.created_by,
    }
    output.show("Data folder", rows, data)
