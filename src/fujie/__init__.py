"""Fujie (符节): city identity, digital currency and chains for institutions on one verifiable ledger.

``fujie.open(folder)`` opens a ledger in this process (``fujie.node.ledger.open_ledger`` by a shorter name). Importing the
package alone loads nothing else.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load what is asked for at first use: ``open`` pulls in engine and store.

    By name and not by an import statement, because every module of the package imports this one first.
    """
    if name == "open":
        return import_module("fujie.node.ledger").open_ledger
    raise AttributeError(f"module 'fujie' has no attribute {name!r}")
