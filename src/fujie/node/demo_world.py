"""Who and what the demonstration consists of: members, keys, the registry of China's divisions, money and wallets.

It is a demonstration, and says so wherever it shows itself: the keys of *all* parties lie on one machine, derived from
one stored seed, so that 370 registrars need no 370 files. The identifiers stand under ``ZZ``, which ISO 3166 leaves to
its users; nothing is minted in the space of a real agency.
"""

import hmac
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from importlib import resources
from typing import Any, Final, NamedTuple

import msgspec

from fujie.codebook import Codebook, CodebookEntry, Level
from fujie.core.encoding import Record
from fujie.core.policy import KeyPolicy, single, threshold
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.state import Key
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.genesis import CurrencyGenesis, GenesisInstitution, GenesisInstrument, GenesisLimits
from fujie.modules.currency.operations import Distribute, Issue, OpenWallet
from fujie.modules.currency.records import InstrumentKind, LimitEntry, WalletKind
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.identity.genesis import CountryGenesis, IdentityGenesis
from fujie.modules.identity.operations import (
    AllocateFromCodebook,
    CodebookItem,
    CodebookRange,
    Delegate,
    RegisterCodebook,
)
from fujie.modules.identity.records import Delegation, Rule
from fujie.modules.membership.genesis import (
    DEFAULTS,
    GenesisAccount,
    GenesisOrganisation,
    GenesisRule,
    MembershipGenesis,
)
from fujie.modules.membership.records import Role, Validator, Visibility

CHAIN_NAME: Final = "demo"
AGENCY: Final = "ZZ"
COUNTRY: Final = "156"
ROOT: Final = "ZZ.156"
SERIES: Final = "GBT2260"
INSTRUMENT: Final = "CNY"
DECIMALS: Final = 2
UTC_OFFSET_MINUTES: Final = 8 * 60
CHILDREN_MAX: Final = 100_000  # quota of every prefix: room for a city's departments beside its counties
COUNTRY_REGISTRAR: Final = "registrar-zz-156"


class Member(NamedTuple):
    """An organisation with one account of the same name; ``keys`` are the names of its key files."""

    name: str
    title: str
    roles: tuple[Role, ...]
    keys: tuple[str, ...]
    needed: int


MEMBERS: Final = (
    Member("auditor", "Audit office", (Role.AUDITOR,), ("auditor",), 1),
    Member("bank-east", "Bank of the East", (Role.INSTITUTION,), ("bank-east",), 1),
    Member("bank-west", "Bank of the West", (Role.INSTITUTION,), ("bank-west",), 1),
    Member(
        "central-bank",
        "Central bank",
        (Role.CENTRAL_BANK, Role.GOVERNOR),
        ("central-bank-1", "central-bank-2", "central-bank-3"),
        2,
    ),
    Member("root-authority", "Root authority", (Role.GOVERNOR, Role.ROOT_AUTHORITY), ("root-authority",), 1),
)
VALIDATING: Final = (
    "root-authority",
    "central-bank",
    "bank-east",
    "bank-west",
)  # who runs which validator, in this order
INSTITUTION_QUOTA_MINOR: Final = 10_000_000_00
ISSUES: Final = (("bank-east", 1_000_000_00), ("bank-west", 500_000_00))


class DemoWallet(NamedTuple):
    """A wallet that the demonstration opens and fills."""

    name: str
    institution: str
    wallet_class: int
    kind: WalletKind
    amount_minor: int


WALLETS: Final = (
    DemoWallet("alice", "bank-east", 2, WalletKind.PERSONAL, 2_000_00),
    DemoWallet("bob", "bank-west", 3, WalletKind.PERSONAL, 800_00),
    DemoWallet("carol", "bank-west", 4, WalletKind.PERSONAL, 100_00),
    DemoWallet("shop", "bank-east", 1, WalletKind.CORPORATE, 50_00),
)


class Step(NamedTuple):
    """One transaction of the demonstration. It is done when something stands at ``done``; ``identifiers`` is how many it allocates."""

    group: str
    done: Key[Any]
    operations: tuple[Operation, ...]
    signers: list[Signer]
    identifiers: int


class DemoKeys:
    """Every key, wallet id and reference of the demonstration, derived from one 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    def derive(self, label: str) -> bytes:
        """Return the 32 secret bytes of a label (HMAC-SHA256 under the seed)."""
        return hmac.new(self._seed, f"fujie demonstration: {label}".encode(), sha256).digest()

    def signer(self, name: str) -> Signer:
        """Return the key of a main actor, by the name of its key file."""
        return Signer(self.derive(f"key {name}"))

    def registrar(self, prefix: str) -> Signer:
        """Return the key of the registrar of a prefix."""
        return self.signer(COUNTRY_REGISTRAR) if prefix == ROOT else Signer(self.derive(f"registrar {prefix}"))

    def wallet_id(self, name: str) -> bytes:
        """Return the 16-byte id of a wallet."""
        return self.derive(f"wallet {name}")[:16]

    def policy(self, member: Member) -> KeyPolicy:
        """Return the key policy of a member's account."""
        return threshold(member.needed, [self.signer(name).public_key for name in member.keys])

    def member_signers(self, name: str) -> list[Signer]:
        """Return as many keys of a member as its policy needs."""
        member = next(member for member in MEMBERS if member.name == name)
        return [self.signer(key) for key in member.keys[: member.needed]]


def key_names() -> tuple[str, ...]:
    """Return the names of the key files that the demonstration writes."""
    return (
        *(name for member in MEMBERS for name in member.keys),
        COUNTRY_REGISTRAR,
        *(wallet.name for wallet in WALLETS),
    )


def genesis_parts(keys: DemoKeys, validators: Sequence[bytes]) -> list[tuple[str, Record]]:
    """Return what each room begins with; ``validators`` are the public keys of those who sign the blocks, by turns of its members."""
    signing = {key: VALIDATING[place % len(VALIDATING)] for place, key in enumerate(validators)}
    membership = MembershipGenesis(
        msgspec.structs.replace(
            DEFAULTS,
            utc_offset_minutes=UTC_OFFSET_MINUTES,
            governance_threshold=2,
            visibility=Visibility.RESTRICTED,
        ),
        tuple(GenesisOrganisation(member.name, member.title) for member in MEMBERS),
        tuple(GenesisAccount(member.name, member.name, keys.policy(member), member.roles, 0) for member in MEMBERS),
        tuple(Validator(key, 1, signing[key]) for key in sorted(signing)),
        (GenesisRule("currency", 1), GenesisRule("identity", 1), GenesisRule("membership", 1)),
    )
    identity = IdentityGenesis(
        AGENCY, "root-authority", (), (CountryGenesis(COUNTRY, "中国 (demonstration)", (), None, None),)
    )
    currency = CurrencyGenesis(
        (GenesisInstrument(INSTRUMENT, "Yuan (demonstration)", DECIMALS, "central-bank", InstrumentKind.PLAIN),),
        tuple(
            GenesisInstitution(name, INSTRUMENT, INSTITUTION_QUOTA_MINOR, keys.derive(f"vault {name}"))
            for name in ("bank-east", "bank-west")
        ),
        public_limits(),
    )
    return [("membership", membership), ("identity", identity), ("currency", currency)]


def public_limits(instrument: str = INSTRUMENT) -> tuple[GenesisLimits, ...]:
    """Return the limits of the wallet classes that ship with Fujie (data/limits/e-cny.json says where they come from)."""
    file = resources.files("fujie") / "data" / "limits" / "e-cny.json"
    classes = msgspec.json.decode(file.read_bytes())["classes"]
    return tuple(
        GenesisLimits(
            instrument,
            each["wallet_class"],
            tuple(msgspec.convert(_fields(entry), LimitEntry) for entry in each["entries"]),
        )
        for each in classes
    )


def _fields(entry: dict[str, int | None]) -> list[Any]:
    """Return the fields of a limit entry in declared order, behind its tag, as an array-like record is converted from."""
    return [1, *(entry[name] for name in LimitEntry.__struct_fields__)]


class DemoWorld:
    """The transactions that fill a chain which was founded with :func:`genesis_parts`, in an order that works."""

    def __init__(self, keys: DemoKeys) -> None:
        self.keys = keys

    @cached_property
    def book(self) -> Codebook:
        """The edition of GB/T 2260 that ships with Fujie."""
        return Codebook.load()

    def steps(self) -> Iterator[Step]:
        """Yield every transaction: the codebook, provinces with their cities, counties, money, wallets."""
        yield self._codebook()
        for province in self.book.children(""):
            yield self._province(province)
        for parent in self.book:
            if parent.level is not Level.COUNTY:
                step = self._counties(parent)
                if step is not None:
                    yield step
        for institution, amount_minor in ISSUES:
            yield self._issue(institution, amount_minor)
        for wallet in WALLETS:
            yield self._wallet(wallet)

    def _codebook(self) -> Step:
        """The root authority registers the edition and delegates the country under it."""
        book = self.book
        register = RegisterCodebook(
            book.edition,
            SERIES,
            book.root,
            book.size,
            "GB/T 2260, codes for the administrative divisions",
            "public data, see the NOTICE that ships with Fujie",
        )
        delegate = Delegate(ROOT, self._terms(ROOT))
        signers = self.keys.member_signers("root-authority")
        return Step("codebook", identity_keys.namespace(ROOT), (register, delegate), signers, 0)

    def _province(self, province: CodebookEntry) -> Step:
        """The country's registrar allocates a province and its cities, each with a registrar of its own."""
        entries = [province, *(each for each in self.book.children(province.code) if each.level is Level.PREFECTURE)]
        return self._allocate("provinces and cities", ROOT, entries, delegated=True)

    def _counties(self, parent: CodebookEntry) -> Step | None:
        """The registrar of a city, or of a province that runs counties directly, allocates them."""
        entries = [each for each in self._children[parent.code] if each.level is Level.COUNTY]
        if not entries:
            return None
        return self._allocate("counties", self.book.identifier(ROOT, parent.code), entries, delegated=False)

    @cached_property
    def _children(self) -> dict[str, list[CodebookEntry]]:
        found: dict[str, list[CodebookEntry]] = {entry.code: [] for entry in self.book}
        for entry in self.book:
            if entry.parent:
                found[entry.parent].append(entry)
        return found

    def _allocate(self, group: str, prefix: str, entries: list[CodebookEntry], delegated: bool) -> Step:
        items = [self._item(entry, delegated) for entry in entries]
        places = [self.book.index(entry.code) for entry in entries]
        ranges = []
        start = 0
        for end in range(1, len(places) + 1):
            if end == len(places) or places[end] != places[end - 1] + 1:  # neighbours share one path
                path = self.book.range_path(places[start], end - start)
                ranges.append(CodebookRange(places[start], path, tuple(items[start:end])))
                start = end
        operation = AllocateFromCodebook(prefix, self.book.edition, tuple(ranges))
        last = identity_keys.identity(self.book.identifier(ROOT, entries[-1].code))
        return Step(group, last, (operation,), [self.keys.registrar(prefix)], len(entries))

    def _item(self, entry: CodebookEntry, delegated: bool) -> CodebookItem:
        if not delegated:
            return CodebookItem(entry, (), None, None)
        prefix = self.book.identifier(ROOT, entry.code)
        terms = self._terms(prefix)
        return CodebookItem(entry, (), terms.controllers, terms)

    def _terms(self, prefix: str) -> Delegation:
        policy = single(self.keys.registrar(prefix).public_key)
        return Delegation(Rule.CODEBOOK, True, CHILDREN_MAX, 0, SERIES, policy)

    def _issue(self, institution: str, amount_minor: int) -> Step:
        """The central bank, two of its three keys, issues money to an institution."""
        reference = self.keys.derive(f"issue {institution}")[:16]
        operation = Issue(institution, INSTRUMENT, amount_minor, reference)
        return Step("money", currency_keys.issue(reference), (operation,), self.keys.member_signers("central-bank"), 0)

    def _wallet(self, wallet: DemoWallet) -> Step:
        """An institution opens a wallet and fills it; in one transaction, so that it is never filled twice."""
        identifier = self.keys.wallet_id(wallet.name)
        policy = single(self.keys.signer(wallet.name).public_key)
        opened = OpenWallet(
            wallet.institution,
            identifier,
            INSTRUMENT,
            wallet.wallet_class,
            wallet.kind,
            policy,
            self.keys.derive(f"salt {wallet.name}"),
        )
        filled = Distribute(wallet.institution, identifier, INSTRUMENT, wallet.amount_minor)
        signers = self.keys.member_signers(wallet.institution)
        return Step("wallets", currency_keys.wallet(identifier), (opened, filled), signers, 0)
