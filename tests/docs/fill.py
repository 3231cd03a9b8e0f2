"""Write what the commands of a page print into the page, all of it from one run: after a change, instead of by hand.

    make docs-fill                                         # README.md, the tutorial, every how-to page
    make docs-fill PAGES=docs/how-to/verify-offline.md     # one of them

A page is run from top to bottom in one session, beside a node with a new folder. Every output is replaced, also one that
still fits, so that heights, times and ids of a page agree; a Chinese twin gets the same. Left alone are terminals, blocks
that are not run, and outputs with a line ``…`` as long as they fit. Read the difference before you keep it.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import (
    FENCE,
    TWINS,
    Block,
    Page,
    Remark,
    commands_of,
    matches,
    outputs,
    read_page,
    steady,
    taught,
)
from tests.docs.session import Session, run_page


class _Recording(Session):
    """A session that remembers every command, how it ended and what it printed."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.said: list[tuple[str, int, str]] = []

    def run(self, command: str) -> tuple[int, str]:
        """Run a command and remember it."""
        code, printed = super().run(command)
        self.said.append((command, code, printed))
        return code, printed


def printed_now(page: Page) -> list[str]:
    """Run a page and return the text of each of its blocks, outputs as they are now.

    Raises AssertionError at a command that must succeed and does not, and at a block that this machine cannot run.
    """
    open_page = Page(page.path, tuple(_open(item) for item in page.items), page.not_run)
    with tempfile.TemporaryDirectory() as folder, _Recording(Path(folder)) as session:
        run_page(session, open_page)
    said = iter(session.said)
    programs = outputs(page)
    texts: list[str] = []
    program = ""
    for place, block in enumerate(page.items):
        if not isinstance(block, Block):
            continue
        text = block.text
        if not _stays(block) and _was_run(page, block, said):
            if block.language == "console":
                text = "".join(_shown(c, _next(said, c)[1], shown) for c, shown in commands_of(block.text))
            elif block.language == "python":
                program = _next(said, "python program.py")[1]
            elif place - 1 in programs and not _stays(page.items[place - 1]):
                text = program
        texts.append(text)
    return texts


def write(path: Path, texts: list[str]) -> None:
    """Replace the blocks of a page by these texts, in their order."""
    text = path.read_text("utf-8")
    assert len(read_page(path).blocks) == len(texts), f"{path} has other blocks than its twin"
    left = iter(texts)
    new = FENCE.sub(lambda at: at[0] if at["text"] is None else f"```{at['language']}\n{next(left)}```", text)
    path.write_text(new, "utf-8")


def _open(item: Block | Remark) -> Block | Remark:
    """Return an item that takes any output."""
    if _stays(item) or not isinstance(item, Block):
        return item
    if item.language == "text":
        return item._replace(text="…\n")
    if item.language != "console":
        return item
    return item._replace(text="".join(f"$ {_continued(c)}\n…\n" for c, _ in commands_of(item.text)))


def _stays(item: Block | Remark) -> bool:
    """Tell whether an item is left as it is."""
    return isinstance(item, Remark) or any(item.remark(word) is not None for word in ("terminal", "file", "not run"))


def _was_run(page: Page, block: Block, said: Iterator[tuple[str, int, str]]) -> bool:
    """Tell whether the condition of a block held; a block that would show another run must not be left out."""
    condition = block.remark("only where")
    if condition is None or _next(said, condition)[0] == 0:
        return True
    varies = steady(block.text) != [line.rstrip() for line in block.text.rstrip("\n").split("\n")]
    assert not varies, f"{page.name}: fill this page on a machine where this succeeds: {condition}"
    return False


def _next(said: Iterator[tuple[str, int, str]], beginning: str) -> tuple[int, str]:
    """Return how the next command that begins so ended, and what it printed."""
    return next((code, printed) for command, code, printed in said if command.startswith(beginning))


def _shown(command: str, printed: str, shown: str) -> str:
    """Return a command and its output as a page shows them."""
    excerpt = "…" in shown.splitlines() and matches(printed, shown)
    lines = [line.rstrip() for line in printed.rstrip("\n").split("\n")] if printed.strip() else []
    return f"$ {_continued(command)}\n" + (shown if excerpt else "".join(line + "\n" for line in lines))


def _continued(command: str) -> str:
    return command.replace("\n", "\n> ")


def main() -> None:
    """Fill the pages that are named, or all."""
    named = [read_page(Path(name).resolve()) for name in sys.argv[1:]]
    twins = dict(TWINS)
    for page in named or taught():
        if not page.not_run:
            try:
                texts = printed_now(page)
            except AssertionError as error:
                sys.exit(f"{page.name} was not filled, because a command did not do what the page needs:\n{error}")
            for path in filter(None, (page.path, twins.get(page.path))):
                write(path, texts)
                print(f"filled {Page(path, ()).name}", flush=True)


if __name__ == "__main__":
    main()
