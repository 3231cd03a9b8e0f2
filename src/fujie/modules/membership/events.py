"""What membership has done; each event answers one operation."""

from fujie.core.room import Event
from fujie.core.units import AccountName, Count, Nonce, TimeMs


class AccountOpened(Event, tag=1001):
    """An account was opened for ``organisation``."""

    name: AccountName
    organisation: AccountName


class KeysRotated(Event, tag=1002):
    """The key policy of an account was replaced; its record now has version ``number``."""

    account: AccountName
    number: Count


class Proposed(Event, tag=1003):
    """A proposal is open until ``deadline_ms``."""

    id: Nonce
    proposer: AccountName
    deadline_ms: TimeMs


class Voted(Event, tag=1004):
    """A vote was counted. ``votes`` are those that count now; with ``carried`` the action was carried out."""

    id: Nonce
    account: AccountName
    votes: Count
    carried: bool


class Withdrawn(Event, tag=1005):
    """A proposal was withdrawn."""

    id: Nonce
