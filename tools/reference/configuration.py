"""Every key of a node's configuration, from the structs that check it."""

from fujie.node.config_file import CONFIG_NAME
from fujie.node.config_keys import SHORT_NAMES, keys, sections, toml_text
from tools.reference.markdown import code, doc, page, table


def render() -> str:
    """Return the page."""
    short = ", ".join(f"`{short}` is short for that of `{name}`" for short, name in SHORT_NAMES.items())
    return page(
        "Configuration",
        f"A node reads `{CONFIG_NAME}` in its data folder, once, when it starts. An option of the command is stronger than a "
        "variable of the environment, a variable stronger than the file, the file stronger than the default. An unknown key "
        "is an error, and so is a value out of bounds; nothing is guessed.",
        "`fujie config init` writes a file with every key and these words in it; how to use it: "
        "[Configure a node](../how-to/configure.md).",
        *(_section(name) for name in sections()),
        f"## Variables\n\nThe variable of `http.port` is `FUJIE_HTTP_PORT`, and so for every key. {short}.",
    )


def _section(name: str) -> str:
    rows = [
        (
            code(key.name),
            key.form,
            code(toml_text(key.default)),
            ". ".join(filter(None, (key.said.description, key.said.reason.rstrip(".")))) + ".",
        )
        for key in keys().values()
        if key.section == name
    ]
    heading = f"## [{name}]\n\n{doc(sections()[name])}"
    return f"{heading}\n\n{table(('key', 'takes', 'default', 'meaning'), rows)}"
