"""`fujie config`: the configuration of a node; what holds, where it comes from, what may be set."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.wording import nearest, quoted

if TYPE_CHECKING:
    from fujie.node.config import Config, Resolved
    from fujie.node.config_keys import Key

app = typer.Typer(help="The configuration of a node: show, check, explain, begin the file.", no_args_is_help=True)

EXPOSED = (
    "The node listens on {host}, which the network reaches, and speaks no TLS: whoever is on the way reads what holders ask and "
    "are answered. Put a proxy with TLS before it."
)


@app.command(epilog=examples("fujie config show", "fujie --home /srv/fujie config show --json"))
def show(context: typer.Context, json: Json = False) -> None:
    """Show every value that holds, and where it comes from. An option of `fujie up` would go before all of them."""
    from fujie.node.config import resolve_config
    from fujie.node.config_keys import toml_text

    resolved = resolve_config(settings_of(context).folder)
    output.show_table(
        ("key", "value", "from"),
        [(name, toml_text(found.value), found.where or found.source) for name, found in resolved.values.items()],
        _data(resolved),
        "",
    )
    say_exposed(resolved.config)


@app.command(epilog=examples("fujie config check", "fujie --home /srv/fujie config check --json"))
def check(context: typer.Context, json: Json = False) -> None:
    """Check the file and the variables of the environment. Exit code 1: something in them cannot be meant."""
    from fujie.node.config import resolve_config
    from fujie.node.config_file import CONFIG_NAME

    folder = settings_of(context).folder
    resolved = resolve_config(folder)
    path = folder.home / CONFIG_NAME
    set_here = sum(found.source != "default" for found in resolved.values.values())
    rows: list[output.Row] = [
        ("file", path if path.exists() else f"{path} (there is none; `fujie config init` writes one)"),
        ("set", f"{set_here} of {len(resolved.values)} keys; the others have their defaults"),
    ]
    output.show("The configuration is in order", rows, {"file": str(path), "exists": path.exists(), **_data(resolved)})
    say_exposed(resolved.config)


@app.command(epilog=examples("fujie config explain", "fujie config explain http.host"))
def explain(
    context: typer.Context,
    key: Annotated[str | None, typer.Argument(help="One key, such as http.host, or a section [default: all]")] = None,
    json: Json = False,
) -> None:
    """Explain what each key does. Its default, what it takes, and the variable that sets it."""
    from fujie.node.config_keys import keys, toml_text
    from fujie.node.config_text import sentence, variables

    chosen = [each for each in keys().values() if key is None or key in (each.name, each.section)]
    if not chosen:
        assert key is not None, "without one, all are chosen"
        sections = {each.section for each in keys().values()}
        hint = nearest(key, (*keys(), *sections)) or nearest(key, [each.partition(".")[2] for each in keys()])
        hint = hint or f" The sections are {', '.join(sorted(sections))}."
        raise typer.BadParameter(f"{quoted(key)} is no key or section.{hint}")
    if output.json_wanted():
        output.write_json({"keys": [_key_data(each) for each in chosen]})
        return
    for number, each in enumerate(chosen):
        rows: list[output.Row] = [
            ("does", sentence(each)),
            ("default", toml_text(each.default)),
            ("variable", ", ".join(variables(each))),
        ]
        if number:
            output.say("")
        output.show(each.name, rows, {})


@app.command(epilog=examples("fujie config init", "fujie --home /srv/fujie config init"))
def init(context: typer.Context, json: Json = False) -> None:
    """Write a commented fujie.toml with every default. What is there already stays."""
    from fujie.node.config_text import write_default

    folder = settings_of(context).folder
    path = write_default(folder)
    output.show(f"Wrote {path}", [("next", "edit it, then `fujie config check`")], {"file": str(path)})


def _data(resolved: "Resolved") -> dict[str, Any]:
    values = {
        name: {"value": list(found.value) if isinstance(found.value, tuple) else found.value, "from": found.source}
        | ({"where": found.where} if found.where else {})
        for name, found in resolved.values.items()
    }
    return {"values": values, "exposed": resolved.config.exposed}


def _key_data(key: "Key") -> dict[str, Any]:
    from fujie.node.config_text import variables

    default = list(key.default) if isinstance(key.default, tuple) else key.default
    return {
        "key": key.name,
        "takes": key.form,
        "default": default,
        "description": key.said.description,
        "unit": key.said.unit,
        "reason": key.said.reason,
        "variables": variables(key),
    }


def say_exposed(config: "Config") -> None:
    """Say what it means that the network reaches the node, where it does."""
    if config.exposed:
        output.say(EXPOSED.format(host=config.http.host), "yellow")
