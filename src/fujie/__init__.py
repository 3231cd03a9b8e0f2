"""Fujie (符节): city identity, digital currency and chains for institutions on one verifiable ledger.

``fujie.open(folder)`` opens a ledger in this process. Importing the package alone loads nothing else.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fujie.node.ledger import open_ledger as open  # noqa: A004 - fujie.open reads like the function it is

__all__ = ["__version__", "open"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load what is asked for at first use: ``open`` pulls in engine and store."""
    if name == "open":
        from fujie.node.ledger import open_ledger

        return open_ledger
    raise AttributeError(f"module 'fujie' has no attribute {name!r}")
