"""Queries: what can be read with proof, and who may read it.

A query is canonical like an operation. It leads to exactly one state key, which the *reader* derives by itself from the
query, so that no server can answer for another key than the one that was asked for.
"""

from enum import Enum
from typing import Any, ClassVar

from fujie.core.encoding import Record
from fujie.core.state import Key, StateRead


class Audience(Enum):
    """Who may read an answer."""

    ANYONE = "anyone"
    HOLDER = "holder"  # whoever satisfies the key policy of the subject itself
    INSTITUTION = "institution"  # the account that serves the subject
    AUDITOR = "auditor"  # any account with the role of auditor, regulator or central bank


class Query(Record):
    """Base of every query; the tag is its permanent kind number (room × 1000 + kind)."""

    audience: ClassVar[frozenset[Audience]]

    def key(self) -> Key[Any]:
        """Return the one state key that answers the query."""
        raise NotImplementedError

    def holder(self) -> str:
        """Return the reader's name of the subject: ``wallet/<hex>``, ``account/<name>`` or ``id/<identifier>``."""
        raise NotImplementedError

    def institution(self, state: StateRead) -> str | None:
        """Return the name of the account that serves the subject, where HOLDER's institution may read."""
        return None
