"""The dictionary of parties: who is concerned by transactions, by number.

A number is given at the first appearance in the log, so that a rebuild gives the same ones. Wallets are told from the
rest: there are many of them, they are known by 16 bytes, and each has an institution which is concerned with it.
"""

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import Final

from fujie.reader.projection.schema import in_list, padded

CACHED_MAX: Final = 262_144  # wallets, and names, kept in memory: about 40 MiB
ASKED_AT_ONCE: Final = 512
_WALLETS: Final = "SELECT wallet, number, coalesce(institution, 0) FROM wallets WHERE wallet IN (these)"


class Numbers:
    """Numbers of parties as one batch needs them. What is new waits for :meth:`write`."""

    def __init__(self, connection: sqlite3.Connection, newest: int) -> None:
        self._connection = connection
        self.newest = newest  # the highest number given
        self._names: dict[str, int] = {}
        self._wallets: dict[bytes, tuple[int, int]] = {}  # wallet → its number, and its institution's (0: none known)
        self._new_names: list[tuple[int, str]] = []
        self._new_wallets: list[tuple[int, bytes]] = []
        self._served: list[tuple[int, int]] = []  # (institution, wallet)

    def prepare(self, wallets: Iterable[bytes]) -> None:
        """Read the numbers of ``wallets`` that are known, in key order: much cheaper than one by one."""
        if len(self._wallets) > CACHED_MAX:
            self._wallets.clear()
        if len(self._names) > CACHED_MAX:
            self._names.clear()
        known = self._wallets
        missing = iter(sorted({wallet for wallet in wallets if wallet not in known}))
        while chunk := padded(list(islice(missing, ASKED_AT_ONCE))):
            for wallet, number, institution in self._connection.execute(in_list(_WALLETS, len(chunk)), chunk):
                known[wallet] = (number, institution)

    def wallet(self, wallet: bytes) -> tuple[int, int]:
        """Return the number of a wallet, which was prepared, and that of its institution; 0 where none is known."""
        found = self._wallets.get(wallet)
        if found is None:
            self.newest += 1
            found = self._wallets[wallet] = (self.newest, 0)
            self._new_wallets.append((self.newest, wallet))
        return found

    def serve(self, wallet: bytes, institution: str) -> int:
        """Note that ``institution`` serves a wallet, which was prepared, and return the wallet's number."""
        number, known = self.wallet(wallet)
        if not known:
            served_by = self.name(f"account/{institution}")
            self._wallets[wallet] = (number, served_by)
            self._served.append((served_by, number))
        return number

    def name(self, name: str) -> int:
        """Return the number of a party that is no wallet, giving it one."""
        number = self._names.get(name)
        if number is None:
            row = self._connection.execute("SELECT number FROM parties WHERE name = ?", (name,)).fetchone()
            if row is None:
                self.newest += 1
                number = self.newest
                self._new_names.append((number, name))
            else:
                number = row[0]
            self._names[name] = number
        return number

    def write(self) -> None:
        """Write what is new. Within the transaction of the batch."""
        if self._new_names:
            self._connection.executemany("INSERT INTO parties VALUES (?, ?)", self._new_names)
        if self._new_wallets:
            self._new_wallets.sort(key=lambda row: row[1])
            self._connection.executemany("INSERT INTO wallets (number, wallet) VALUES (?, ?)", self._new_wallets)
        if self._served:
            self._connection.executemany("UPDATE wallets SET institution = ? WHERE number = ?", self._served)
        self._new_names, self._new_wallets, self._served = [], [], []
