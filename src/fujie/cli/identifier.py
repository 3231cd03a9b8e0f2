"""`fujie id`: allocating identifiers and what becomes of them."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from fujie.cli import output, signing, words
from fujie.cli.search import identifier_in
from fujie.cli.settings import Json, Keys, Settings, Trust, Yes, examples, settings_of
from fujie.core.wording import quoted

if TYPE_CHECKING:
    from msgspec import Struct

    from fujie.client.client import Client, Outcome
    from fujie.core.policy import KeyPolicy
    from fujie.core.signing import Signer

app = typer.Typer(help="Allocate identifiers, and change what they stand for.", no_args_is_help=True)

Attribute = Annotated[list[str] | None, typer.Option("--attribute", help="KEY=VALUE; may be repeated")]
Identifier = Annotated[str, typer.Argument(help="Such as ZZ.156.1301")]

_NAMES: Final = {  # field of a record → what these commands call it
    "node": "the last node",
    "scheme": "the system of codes",
    "code": "the code",
    "attributes": "--attribute KEY=VALUE",
    **{field: f"--{field}" for field in ("kind", "name", "within", "quota", "width", "series")},
}


@app.command(
    epilog=examples(
        "fujie id allocate ZZ.156.1301 GAS --kind department --name 'Gas works'",
        "fujie id allocate ZZ.156.1301 GAS2 --kind department --name Gas --attribute phone=12345",
    )
)
def allocate(
    context: typer.Context,
    namespace: Annotated[str, typer.Argument(help="Prefix to allocate under")],
    node: Annotated[str | None, typer.Argument(help="Last node; left out where the prefix counts by itself")] = None,
    kind: Annotated[str, typer.Option(help="What it stands for: city, department, gas-pipe")] = "thing",
    name: Annotated[str, typer.Option(help="Name for people")] = "",
    attribute: Attribute = None,
    within: Annotated[str, typer.Option(help="Identifier that it is shown within, for browsing")] = "",
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Give out one identifier directly under a prefix. The rule of the prefix holds, and its registrar signs."""
    from fujie.client.identity import named, numbered

    settings = settings_of(context)
    prefix = identifier_in(settings, namespace)
    attributes = _attributes(attribute)
    label = name or node or kind
    item = (
        numbered(kind, label, attributes=attributes, within=within)
        if node is None
        else named(node, kind, label, attributes=attributes, within=within)
    )
    _check_form(item)
    with settings.client(trust) as client:
        from fujie.modules.identity.operations import Allocate

        signers = signing.registrar_signers(settings, client, prefix, key)
        outcome = client.submit(Allocate(prefix, item), signers=signers)
    _show(f"Allocated {outcome.event.identifiers[0]}", outcome, {"identifier": outcome.event.identifiers[0]})


@app.command(
    epilog=examples(
        "fujie id update ZZ.156.1301 --attribute website=https://example.org",
        "fujie id update ZZ.156.1301.GAS --name 'Gas and heat'",
    )
)
def update(
    context: typer.Context,
    identifier: Identifier,
    name: Annotated[str | None, typer.Option(help="New name")] = None,
    attribute: Attribute = None,
    within: Annotated[str | None, typer.Option(help="New place to be shown within; '' for none")] = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Replace parts of a record; --attribute replaces all attributes. Whoever controls the identifier signs."""
    from fujie.client.identity import named

    settings = settings_of(context)
    wanted = identifier_in(settings, identifier)
    attributes = None if attribute is None else _attributes(attribute)
    if name is None and attributes is None and within is None:
        raise typer.BadParameter("say what to change: --name, --attribute or --within")
    # What is not given stays as it is, and nothing is said of it: any well-formed text stands for it here.
    _check_form(named("X", "x", "x" if name is None else name, attributes=attributes or (), within=within or ""))
    with settings.client(trust) as client:
        signers = signing.controller_signers(settings, client, wanted, key)
        outcome = client.update(wanted, name=name, attributes=attributes, within=within, signers=signers)
    _show(f"Updated {wanted}", outcome, {"identifier": wanted})


@app.command(epilog=examples("fujie id retire ZZ.156.1301.GAS", "fujie id retire ZZ.156.1301.GAS --yes"))
def retire(
    context: typer.Context,
    identifier: Identifier,
    yes: Yes = False,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Retire an identifier for ever. It keeps resolving, as retired, and is never given out again.

    What stands under it stays as it is. You are asked first; where there is no terminal, --yes has to say it.
    """
    settings = settings_of(context)
    wanted = identifier_in(settings, identifier)
    output.require_yes(f"Retire {wanted} for ever? This cannot be undone. What stands under it stays as it is.", yes)
    with settings.client(trust) as client:
        signers = signing.controller_signers(settings, client, wanted, key)
        outcome = client.retire(wanted, signers=signers)
    _show(f"Retired {wanted} for ever", outcome, {"identifier": wanted})


@app.command(
    epilog=examples(
        "fujie id delegate ZZ.156.1301.GAS --rule sequence --width 6 --quota 100000",
        "fujie id delegate ZZ.156.1301.GAS --rule free --registrar gas-works",
    )
)
def delegate(
    context: typer.Context,
    identifier: Identifier,
    rule: Annotated[str, typer.Option(help="free, sequence or codebook")] = "free",
    quota: Annotated[
        int, typer.Option(min=0, help="How many identifiers may ever be given out directly under it")
    ] = 1000,
    width: Annotated[int, typer.Option(min=0, max=18, help="Digits of a number, for the rule sequence")] = 0,
    series: Annotated[str, typer.Option(help="Series of codebooks, for the rule codebook")] = "",
    named: Annotated[bool, typer.Option(help="Let the registrar also choose nodes with a letter")] = False,
    registrar: Annotated[
        str | None, typer.Option(help="Name of a key file here, or a public key [default: whoever controls it]")
    ] = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Turn an identifier into a prefix for others. The registrar of the level above signs."""
    from fujie.modules.identity.records import Delegation, Rule

    settings = settings_of(context)
    wanted = identifier_in(settings, identifier)
    try:
        chosen = Rule(rule)
    except ValueError:
        raise typer.BadParameter(f"{quoted(rule, 20)} is no rule: {', '.join(each.value for each in Rule)}") from None
    policy = None if registrar is None else _policy(settings, registrar)
    terms: Delegation = Delegation(chosen, named or chosen is Rule.FREE, quota, width, series, policy)
    _check_form(terms)
    with settings.client(trust) as client:
        signers = signing.registrar_signers(settings, client, signing.above(wanted), key)
        outcome = client.delegate(wanted, terms, signers=signers)
    _show(f"Delegated {wanted} by the rule {chosen.value}", outcome, {"identifier": wanted, "rule": chosen.value})


@app.command(
    epilog=examples(
        "fujie id alias ZZ.156.1301.GAS USCC 91130100MA07XXXX0X",
        "fujie id alias ZZ.156.1301.GAS USCC 91130100MA07XXXX0X --release",
    )
)
def alias(
    context: typer.Context,
    identifier: Identifier,
    scheme: Annotated[str, typer.Argument(help="System of codes: USCC, MA, OID")],
    code: Annotated[str, typer.Argument(help="The code in that system")],
    release: Annotated[bool, typer.Option("--release", help="End the binding instead")] = False,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Bind an outside code to an identifier. The registrar of the level above signs, so that nobody vouches for himself."""
    from fujie.modules.identity.operations import BindAlias

    settings = settings_of(context)
    wanted = identifier_in(settings, identifier)
    _check_form(BindAlias(wanted, scheme, code, b""))
    with settings.client(trust) as client:
        signers = signing.registrar_signers(settings, client, signing.above(wanted), key)
        outcome = _bind(client, wanted, scheme, code, release, signers)
    did = "released from" if release else "bound to"
    _show(f"{scheme} {code} {did} {wanted}", outcome, {"identifier": wanted, "scheme": scheme, "code": code})


def _bind(client: "Client", wanted: str, scheme: str, code: str, release: bool, signers: "list[Signer]") -> "Outcome":
    if release:
        return client.release_alias(wanted, scheme, code, signers=signers)
    return client.bind_alias(wanted, scheme, code, signers=signers)


@app.command(
    epilog=examples(
        "fujie id rotate ZZ.156.1301.GAS --to gas-works",
        "fujie id rotate ZZ.156.1301 --registrar --to city-2",
        "fujie id rotate ZZ.156.1301.GAS --give-back",
    )
)
def rotate(
    context: typer.Context,
    identifier: Identifier,
    to: Annotated[
        str | None, typer.Option(help="The new key: name of a key file here, or a public key", show_default=False)
    ] = None,
    registrar: Annotated[
        bool, typer.Option("--registrar", help="Of the registrar who allocates under it, not of who controls it")
    ] = False,
    give_back: Annotated[
        bool,
        typer.Option("--give-back", help="To nobody: its allocator controls it, or its controller allocates, again"),
    ] = False,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Replace the key of a controller or registrar. Whoever controls the identifier now signs."""
    settings = settings_of(context)
    wanted = identifier_in(settings, identifier)
    if (to is None) != give_back:
        raise typer.BadParameter("say either who is to hold it, --to KEY, or --give-back")
    policy = None if to is None else _policy(settings, to)
    with settings.client(trust) as client:
        signers = signing.controller_signers(settings, client, wanted, key)
        change = client.rotate_registrar if registrar else client.rotate_controllers
        outcome = change(wanted, policy, signers=signers)
    if to is None:
        did = f"{'The right to allocate under' if registrar else 'Control of'} {wanted} was given back"
    else:
        did = f"{to} is the {'registrar' if registrar else 'controller'} of {wanted} now"
    _show(did, outcome, {"identifier": wanted})


def _attributes(given: list[str] | None) -> list[tuple[str, str]]:
    found = []
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{quoted(text, 80)} is no attribute: write KEY=VALUE")
        found.append((name, value))
    return found


def _check_form(record: "Struct") -> None:
    """Raise a usage error for a record whose fields are out of bounds, before it is sent anywhere."""
    from fujie.cli.forms import check_record

    check_record(record, _NAMES)


def _policy(settings: Settings, registrar: str) -> "KeyPolicy":
    """Return the policy of one key: a public key in hexadecimal, or that of a key file here."""
    from fujie.client.keys import load_key
    from fujie.core.policy import single

    if len(registrar) == 64 and all(character in "0123456789abcdef" for character in registrar):
        return single(bytes.fromhex(registrar))
    return single(load_key(settings.folder.key_file(registrar)).public_key)


def _show(title: str, outcome: "Outcome", data: dict[str, object]) -> None:
    assert outcome.verified is not None, "an operation that is returned was proven"
    rows: list[output.Row] = [
        ("transaction", outcome.transaction_id.hex()),
        ("time", words.time_text(outcome.verified.receipt.time_ms)),
    ]
    output.show(title, rows, data | words.outcome_data(outcome), words.proof_text(outcome.verified))
