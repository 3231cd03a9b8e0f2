"""`fujie status`: what a node says of itself."""

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.cli.words import proof_data, proof_text, time_text, validators_text
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    from fujie.node.cometbft_file import has_cometbft

    settings = settings_of(context)
    if offline:
        _describe(context)
        return
    own = settings.folder if settings.given_url is None and has_cometbft(settings.folder) else None
    if own is not None:
        _require_serving(own)
    with settings.client(trust) as client, _explained(own):
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
    pending = settings.pending().count()
    data["pending"] = pending
    if pending:
        rows.append(("without outcome", f"{count(pending, 'transaction')}: {settings.command('transaction pending')}"))
    if own is not None:
        rows += _engine(own, data)
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


def _require_serving(folder: "Folder") -> None:
    """Raise :class:`OperationalError` where the folder's own node runs and serves nobody yet: it says what it waits for."""
    from fujie.node.address import running_url
    from fujie.node.network import holder
    from fujie.node.reach import grew_earlier, lacks_first_block, waits_for

    if running_url(folder) is None and holder(folder) is not None:
        if lacks_first_block(folder):
            raise grew_earlier(folder)
        raise OperationalError(
            f"The node of {folder.home} runs, and does not serve yet: it {waits_for(folder)}.",
            "Wait until it is done. `fujie log show` says more, also with `--process cometbft`.",
        )


@contextmanager
def _explained(folder: "Folder | None") -> "Iterator[None]":
    """Say of a header that is too old whether the node of ``folder`` sees why."""
    from fujie.node.reach import NEEDED, reach_of, too_few

    try:
        yield
    except VerificationError as error:
        if folder is not None and error.step == "freshness":
            with suppress(OperationalError):
                if lacking := too_few(reach_of(folder)):
                    error.add_note(f"{lacking} {NEEDED.capitalize()}.")
        raise


def _engine(folder: "Folder", data: dict[str, object]) -> list[output.Row]:
    """Return what the CometBFT of the folder's own node says, and add it to ``data``."""
    from fujie.node.reach import reach_of, too_few

    reach = reach_of(folder)
    told, lacking = reach.status, too_few(reach)
    data["cometbft"] = {
        "peers": told.peers,
        "known_peers": reach.known,
        "catching_up": told.catching_up,
        "power": told.power,
        "power_total": reach.power_total,
        "power_connected_most": reach.power_most,
        "power_heard": reach.power_heard,
        "too_few": lacking,
    }
    return [
        ("peers", f"{told.peers} of {reach.known} known"),
        ("votes with power", reach.role()),
        ("catching up", "yes: it fetches older blocks" if told.catching_up else ""),
        ("beware", lacking),
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
