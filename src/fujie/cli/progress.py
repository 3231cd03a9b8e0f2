"""The progress of a long start: a bar and a rate on a terminal, plain lines elsewhere, nothing in JSON mode."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from fujie.cli import output
from fujie.core.wording import count, visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from rich.status import Status

    from fujie.store.snapshot import Advance

LINE_EVERY_S: Final = 1.0
SLOW_S: Final = 3.0  # a chain that runs has a transaction in a block by then
REPEATED_S: Final = 15.0  # between two lines in a log; twice as long each time while they say the same
REPEATED_S_MAX: Final = 600.0


class Shown:
    """Implements ``node.demo.Progress``."""

    def __init__(
        self, intro: str = "Allocating {total} by the codebook rule", noun: str = "identifier", task: str = "codebook"
    ) -> None:
        """``intro`` is said first where there is no terminal, with how many of ``noun`` there are in all.

        ``task`` stands before the bar until something is done.
        """
        self._intro = intro
        self._noun = noun
        self._name = task
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._total: int | None = 0
        self._done = 0
        self._began = 0.0
        self._said = 0.0

    def start(self, total: int | None) -> None:
        """See ``Progress``. ``total`` None: it is not known before the end."""
        self._total = total
        self._began = self._said = time.monotonic()
        if output.json_wanted():
            return
        if not sys.stdout.isatty():
            if total is not None:
                output.say(self._intro.format(total=count(total, self._noun)))
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.table import Column

        self._bar = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=9)),
            TextColumn("{task.fields[rate]:>10}"),
            console=output.console(),
        )
        self._bar.start()
        self._task = self._bar.add_task(self._name, total=total, rate="")

    def advance(self, group: str, count: int) -> None:
        """See ``Progress``."""
        self._done += count
        now = time.monotonic()
        rate = self._done / max(now - self._began, 0.001)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, description=group, rate=f"{rate:,.0f}/s")
        elif not output.json_wanted() and (now - self._said >= LINE_EVERY_S or (count and self._done == self._total)):
            self._said = now
            of = "" if self._total is None else f" of {self._total:,}"
            output.say(f"  {self._done:,}{of} ({rate:,.0f}/s): {group}")

    def close(self) -> None:
        """Leave the bar as it stands. Idempotent."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Waiting:
    """Says what is waited for: on a terminal one line that is rewritten, elsewhere a line now and then."""

    def __init__(self) -> None:
        self._line: Status | None = None
        self._said = ""
        self._pause_s = REPEATED_S
        self._said_s = -REPEATED_S  # when that was

    def __call__(self, text: str) -> None:
        """Show ``text``; nothing is waited for any more where it is empty."""
        if output.json_wanted():
            return
        if not sys.stdout.isatty():
            now = time.monotonic()
            if not text:
                self._said, self._said_s = "", -REPEATED_S
            elif now - self._said_s >= (self._pause_s if text == self._said else REPEATED_S):
                self._pause_s = min(2 * self._pause_s, REPEATED_S_MAX) if text == self._said else REPEATED_S
                self._said, self._said_s = text, now
                output.say(f"  {text}")
            return
        if self._line is not None and not text:
            self._line.stop()
            self._line = None
        elif self._line is not None:
            self._line.update(visible(text))
        elif text:
            self._line = output.console().status(visible(text), spinner="line")
            self._line.start()


@contextmanager
def rows_progress() -> "Iterator[Advance]":
    """Return what shows how many rows of a snapshot are done: nothing before the first."""
    shown = Shown()
    begun = False

    def advance(rows: int) -> None:
        nonlocal begun
        if not begun:
            begun = True
            shown.start(None)
        shown.advance("rows of the chain", rows)

    try:
        yield advance
    finally:
        shown.close()


@contextmanager
def waiting() -> Iterator[Waiting]:
    """Return what says what is waited for; its line is gone at the end however that comes."""
    shown = Waiting()
    try:
        yield shown
    finally:
        shown("")


@contextmanager
def said_if_slow(text: str) -> Iterator[None]:
    """Say ``text`` once where what is done meanwhile takes longer than people wait without a word."""
    timer = threading.Timer(SLOW_S, output.say, (f"  {text}",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def progress() -> Iterator[Shown]:
    """Return what shows progress, closed at the end however that comes."""
    shown = Shown()
    try:
        yield shown
    finally:
        shown.close()
