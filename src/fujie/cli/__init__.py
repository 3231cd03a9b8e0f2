"""The command line. One file per noun; a command reads its options, lets the client do the work, and says what came of it."""

from fujie.cli.app import main

__all__ = ["main"]
