"""Which money a command is about: the one that is named, or the only one that the chain has."""

import time
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from fujie.cli import words
from fujie.core.errors import OperationalError
from fujie.core.wording import quoted

if TYPE_CHECKING:
    from fujie.cli.settings import Settings
    from fujie.client.client import Client

LISTS_WAIT_S: Final = 3.0  # a node that has just started begins its lists a moment later
LISTS_POLL_S: Final = 0.1

Instrument = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Code of the money [default: the only one of the chain]", show_default=False),
]


class Money(NamedTuple):
    """An instrument that the chain has, as proven: its code, its decimals, the account that issues it."""

    code: str
    decimals: int
    issuer: str

    def amount(self, text: str) -> int:
        """Return in minor units the amount in ``text``. A usage error says what is wrong with it."""
        return words.amount(text, self.decimals)

    def text(self, amount_minor: int) -> str:
        """Return an amount for people: ``1,250.00 CNY``."""
        return words.money(amount_minor, self.decimals, self.code)


def money_of(settings: "Settings", client: "Client", given: str | None) -> Money:
    """Return the instrument called ``given``, or the only one of the chain where none is given.

    Which there are, the node says; that one is there is proven, and every answer names it. Raises a usage error for what
    is no code or where one has to be chosen, :class:`OperationalError` for an instrument that the chain lacks.
    """
    import msgspec

    from fujie.modules.currency.records import InstrumentCode

    named = _only_one(settings) if given is None else given
    try:
        code = msgspec.convert(named, InstrumentCode)
    except msgspec.ValidationError:
        raise typer.BadParameter(
            f"{quoted(named, 40)} is no code of an instrument: write capital letters and digits, such as CNY"
        ) from None
    found = client.instrument(code).record
    if found is None:
        raise OperationalError(f"The chain has no instrument {code}.", _those_there_are(settings))
    return Money(code, found.decimals, found.issuer)


def codes(settings: "Settings") -> list[str]:
    """Return the codes of all instruments, as the node lists them. Raises :class:`OperationalError` where it keeps no lists."""
    from fujie.client.explorer import ProblemError

    until_s = time.monotonic() + LISTS_WAIT_S
    while True:
        try:
            return settings.listed(lambda explorer: explorer.supply(), "instruments", "instrument")
        except ProblemError as error:
            if error.name != "PROJECTION_OFF":
                raise
        if time.monotonic() > until_s:
            raise OperationalError(
                "The node keeps no lists, and cannot say which money there is.", "Name it: --instrument CODE."
            )
        time.sleep(LISTS_POLL_S)


def _those_there_are(settings: "Settings") -> str:
    try:
        return f"It has {' and '.join(codes(settings)) or 'no money at all'}."
    except OperationalError:
        return "Check the code."


def _only_one(settings: "Settings") -> str:
    found = codes(settings)
    if not found:
        raise OperationalError(
            "The chain has no money.",
            "A chain is founded with its money: `fujie init` founds one with XTS, for tests, and "
            "`fujie init --genesis FILE` one with any (docs/how-to/found-a-chain.md).",
        )
    if len(found) > 1:
        *others, last = found
        raise typer.BadParameter(
            f"the chain has {len(found)} kinds of money: choose with --instrument {', '.join(others)} or {last}"
        )
    return found[0]
