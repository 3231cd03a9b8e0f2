"""Write what the commands of a page print into the page: after a change, instead of copying by hand.

    python -m tests.docs.fill docs/how-to/verify-offline.md

Only outputs that are not as shown are replaced; read the difference before you keep it. A block with a line ``…`` and a
terminal are left alone.
"""

import sys
import tempfile
from pathlib import Path

from tests.docs.pages import Block, Page, Remark, commands_of, matches, outputs, read_page
from tests.docs.session import Session, run_page


class _Filling(Session):
    """A session that remembers what every command printed."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.printed: list[tuple[str, str]] = []

    def run(self, command: str) -> tuple[int, str]:
        """Run a command and remember what it printed."""
        code, printed = super().run(command)
        self.printed.append((command, printed))
        return code, printed


def filled(page: Page) -> str:
    """Return the text of a page with the outputs that its commands print now."""
    open_page = Page(page.path, tuple(_open(page, place) for place in range(len(page.items))), page.not_run)
    with tempfile.TemporaryDirectory() as folder, _Filling(Path(folder)) as session:
        run_page(session, open_page)
    text = page.path.read_text("utf-8")
    said = iter(session.printed)
    programs = outputs(page)
    for place, block in enumerate(page.items):
        if not isinstance(block, Block) or block.remark("not run") is not None or block.remark("file") is not None:
            continue
        if block.language == "console" and block.remark("terminal") is None:
            new = ""
            for command, shown in commands_of(block.text):
                printed = next(output for said_command, output in said if said_command == command)
                kept = shown if matches(printed, shown) else printed.rstrip("\n") + "\n" * bool(printed.strip())
                new += "$ " + command.replace("\n", "\n> ") + "\n" + kept
            text = text.replace(f"```console\n{block.text}```", f"```console\n{new}```", 1)
        elif place in programs:
            printed = next(output for command, output in said if command.startswith("python program.py"))
            if not matches(printed, programs[place]):
                text = text.replace(f"```text\n{programs[place]}```", f"```text\n{printed}```", 1)
    return text


def _open(page: Page, place: int) -> Block | Remark:
    """Return an item that takes any output."""
    item = page.items[place]
    if not isinstance(item, Block) or item.remark("terminal") is not None:
        return item
    if item.language == "text":
        return item._replace(text="…\n")
    if item.language != "console" or item.remark("not run") is not None:
        return item
    return item._replace(text="".join("$ " + c.replace("\n", "\n> ") + "\n…\n" for c, _ in commands_of(item.text)))


def main() -> None:
    """Fill the pages that are named."""
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        path.write_text(filled(read_page(path)), "utf-8")
        print(f"filled {name}")


if __name__ == "__main__":
    main()
