"""A small ledger in a folder, with a bit of everything in it."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fujie.client.client import named
from fujie.core.encoding import encode
from fujie.core.signing import Signer
from fujie.core.state import Key
from fujie.modules.identity.records import Delegation, Rule
from fujie.node.folder import Folder
from fujie.node.keyring import validator_signer
from fujie.node.ledger import INSTRUMENT, OWNER, PREFIX, open_ledger
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import Table
from fujie.store.opening import open_store
from fujie.store.state_tree import pack_leaf, unpack_leaf

HOLDER = Signer(b"h" * 32)


def found_town(home: Path, store: str = "sqlite") -> bytes:
    """Found a ledger with a city, a department that changed its name twice, and a wallet with money; return its id."""
    with open_ledger(home, store=store, name="town") as ledger:  # type: ignore[arg-type]  # parametrised
        terms = Delegation(Rule.FREE, True, 100, 0, "", None)
        ledger.allocate(PREFIX, named("CITY", "city", "Town", delegation=terms))
        gas = ledger.allocate(f"{PREFIX}.CITY", named("GAS", "department", "Gas"))
        ledger.update(gas, name="Gas works")
        ledger.update(gas, name="Gas and heat")
        ledger.issue(OWNER, INSTRUMENT, 100_000)
        wallet = ledger.open_wallet(OWNER, INSTRUMENT, HOLDER.public_key, wallet_class=1)
        ledger.distribute(OWNER, wallet, INSTRUMENT, 50_000)
    return wallet


def open_rows(home: Path) -> Store:
    """Open the store of a stopped ledger, to look at or spoil its rows."""
    folder = Folder(home)
    return open_store(folder.require().store, folder.chain)


def put(home: Path, table: Table, key: bytes, value: bytes | None) -> None:
    """Write or delete one row of a stopped ledger, behind the back of everything that hashes it."""
    store = open_rows(home)
    batch = WriteBatch()
    if value is None:
        batch.delete(table, key)
    else:
        batch.put(table, key, value)
    store.commit(batch)
    store.close()


def row(home: Path, table: Table, key: bytes) -> bytes:
    """Return one row of a stopped ledger."""
    store = open_rows(home)
    try:
        found = store.get(table, key)
        assert found is not None
        return found
    finally:
        store.close()


def record_row(home: Path, key: Key[Any], **changes) -> bytes:
    """Return the STATE row of ``key`` with fields of its record changed."""
    path, salt, data = unpack_leaf(row(home, Table.STATE, key.hash))
    return pack_leaf(path, salt, encode(replace(key.codec.decode(data), **changes)))


def signer_of(home: Path) -> Signer:
    """The validator's key of a ledger."""
    return validator_signer(Folder(home))
