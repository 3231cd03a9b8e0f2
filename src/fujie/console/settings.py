"""What whoever composes a node tells the console."""

import msgspec


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``language`` is ``auto`` (what the browser asks for), ``en`` or ``zh``. ``trust`` is the text of the chain's trust
    root, shown for comparison and handed to the proof viewer; empty: what the node itself says.
    """

    language: str = "auto"
    trust: str = ""
