"""A ledger in a folder, embedded like a database: ``fujie.open`` (README.md, "As a library").

One process, no server. What comes back is verified with the same proofs as over a network; only the transport differs.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from fujie.client.client import Client
from fujie.core.encoding import Record
from fujie.core.policy import single
from fujie.core.signing import Signer, new_seed
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.modules.currency.genesis import CurrencyGenesis, GenesisInstitution, GenesisInstrument, GenesisLimits
from fujie.modules.currency.records import InstrumentKind, LimitEntry
from fujie.modules.identity.genesis import CountryGenesis, IdentityGenesis
from fujie.modules.identity.records import QUOTA_MAX, Delegation, Rule
from fujie.modules.membership.genesis import (
    DEFAULTS,
    GenesisAccount,
    GenesisOrganisation,
    GenesisRule,
    MembershipGenesis,
)
from fujie.modules.membership.records import Role, Validator, Visibility
from fujie.node.folder import Folder
from fujie.node.founding import found_chain, is_founded, open_engine
from fujie.node.keyring import Keyring, ensure_key, validator_signer
from fujie.node.transport import LocalTransport
from fujie.store.opening import StoreKind

if TYPE_CHECKING:
    from fujie.engine.cometbft.engine import CometEngine
    from fujie.engine.embedded import EmbeddedEngine

OWNER: Final = "owner"
"""The one account of a ledger that was founded without a genesis of its own, and the name of its key file."""

INSTRUMENT: Final = "XTS"
"""Its money: the ISO 4217 code that is kept for testing, with two decimals."""

PREFIX: Final = "ZZ.000"
"""Its root prefix: an agency and a country that ISO 3166 leaves to users; anything may be allocated under it."""

GENESIS_FILE_BYTES_MAX: Final = 268_435_456  # a chain of a million records, exported

OPERATIONS_PER_MINUTE: Final = 1_000_000  # whoever owns the file needs no protection from himself


class Ledger(Client):
    """A :class:`Client` on the chain of a folder, in this process. A context manager; closing it makes all durable.

    ``signers`` (by default the owner's key) sign what a verb is not given other signers for.
    """

    def __init__(self, folder: Folder, engine: "EmbeddedEngine | CometEngine", signers: Sequence[Signer]) -> None:
        super().__init__(LocalTransport(engine), folder.trust(), signers)
        self.folder = folder
        self.engine = engine

    def close(self) -> None:
        """Finish the block in hand, make it durable, give the folder free. Idempotent."""
        super().close()
        self.engine.close()


def open_ledger(
    path: str | Path,
    *,
    store: StoreKind = "sqlite",
    genesis: Iterable[tuple[str, Record]] | None = None,
    name: str = "ledger",
    signers: Sequence[Signer] | None = None,
) -> Ledger:
    """Open the ledger in folder ``path``, founding one where there is none.

    A new one is called ``name`` and begins with ``genesis``, the parts of :func:`fujie.machine.genesis.compose`, or with
    :func:`owner_genesis`: one account that may do everything. ``store``: ``sqlite``, or ``rocks`` for speed; it matters
    at founding only.

    Raises :class:`OperationalError` when another process has the folder or it cannot be written, ``Refused`` for a
    genesis that breaks a rule.
    """
    folder = Folder(Path(path))
    if not is_founded(folder):
        validator = ensure_key(folder.validator_key, "validator")
        if genesis is None:
            owner = ensure_key(folder.key_folders[0] / f"{OWNER}.key", OWNER)
            genesis = owner_genesis(owner.public_key, validator.public_key)
        found_chain(folder, store, "plain", name, genesis)
    if signers is None:
        owner_file = folder.key_folders[0] / f"{OWNER}.key"
        signers = [Keyring(folder).at(owner_file)] if owner_file.exists() else []
    engine = open_engine(folder, validator_signer(folder))
    return Ledger(folder, engine, signers)


def owner_genesis(
    owner: bytes, validator: bytes, visibility: Visibility = Visibility.RESTRICTED
) -> list[tuple[str, Record]]:
    """Return the parts of a genesis with one organisation and one account, ``owner``, that holds every role.

    ``owner`` and ``validator`` are public keys. On a ``public`` chain anyone may read, and mirror, everything. The
    account governs ``ZZ.000``, issues XTS and serves wallets of class 1, which has no limits.
    """
    roles = (Role.CENTRAL_BANK, Role.GOVERNOR, Role.INSTITUTION, Role.REGISTRAR, Role.ROOT_AUTHORITY)
    membership = MembershipGenesis(
        msgspec.structs.replace(DEFAULTS, operations_per_minute=OPERATIONS_PER_MINUTE, visibility=visibility),
        (GenesisOrganisation(OWNER, "Owner of this ledger"),),
        (GenesisAccount(OWNER, OWNER, single(owner), roles, 0),),
        (Validator(validator, 1, OWNER),),
        (GenesisRule("currency", 1), GenesisRule("identity", 1), GenesisRule("membership", 1)),
    )
    return [
        ("membership", membership),
        ("identity", identity_part(OWNER)),
        ("currency", currency_part(OWNER, INSTRUMENT, {OWNER: new_seed()})),
    ]


def identity_part(authority: str) -> IdentityGenesis:
    """Return what identity begins with where ``authority`` governs ``ZZ.000``, under which anything may be allocated."""
    agency, number = PREFIX.split(".")
    terms = Delegation(Rule.FREE, True, QUOTA_MAX, 0, "", None)
    return IdentityGenesis(agency, authority, (), (CountryGenesis(number, "Root of this ledger", (), None, terms),))


def currency_part(bank: str, instrument: str, vaults: Mapping[str, bytes]) -> CurrencyGenesis:
    """Return what currency begins with where ``bank`` issues ``instrument``; wallets of class 1 have no limits.

    ``vaults``: for each institution the seed (32 bytes) that hides what it holds.
    """
    return CurrencyGenesis(
        (GenesisInstrument(instrument, "Test money", 2, bank, InstrumentKind.PLAIN),),
        tuple(GenesisInstitution(name, instrument, AMOUNT_MINOR_MAX, seed) for name, seed in vaults.items()),
        (GenesisLimits(instrument, 1, (LimitEntry(0, None, None, None, None),)),),
    )
