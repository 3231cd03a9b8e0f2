"""The process that ``test_grow_kill`` kills: it grows a chain, or joins one that has grown, and dies at a given moment.

The moments are those at which something is about to become durable, or has just: every fsync outside of the store, every
rename and link, and between the steps.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fujie.node import grow
from fujie.node.ceremony import join_grown
from fujie.node.folder import Folder
from fujie.node.handover import handover_folder

LISTEN = "0.0.0.0:26656"


def run(what: str, home: Path, dies_at: int, requests: list[Any]) -> None:
    """Carry out ``what``, and be killed at moment ``dies_at``, the first of which is 1."""
    passed = 0

    def moment(*_: object) -> None:
        nonlocal passed
        passed += 1
        if passed == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            moment()
            try:
                return call(*arguments, **named)
            finally:
                moment()

        return wrapped

    for name in ("fsync", "rename", "replace", "link"):
        setattr(os, name, around(getattr(os, name)))
    if what == "grow":
        folder = Folder(home)
        grow.carry_out(folder, grow.plan(folder, requests, listen=LISTEN), say=moment, advance=moment)
    else:
        join_grown(Folder(home / "east"), handover_folder(Folder(home / "old")), "sqlite", advance=moment)
