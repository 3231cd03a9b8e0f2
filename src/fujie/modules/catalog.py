"""Everything the rooms declare, closed into the types that travel: transactions, receipts, queries, state leaves.

Data only, no rule: the client and the verifier use it as well as the machine.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final, TypeVar, Union

from fujie.core.encoding import Codec, Record
from fujie.core.errors import DecodeError, Reason
from fujie.core.query import Query
from fujie.core.reasons import ReadReason, TransactionReason
from fujie.core.room import Event, Operation
from fujie.core.transaction import Receipt, Transaction
from fujie.modules.currency import events as currency_events
from fujie.modules.currency import operations as currency_operations
from fujie.modules.currency import queries as currency_queries
from fujie.modules.currency import reasons as currency_reasons
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.identity import events as identity_events
from fujie.modules.identity import operations as identity_operations
from fujie.modules.identity import queries as identity_queries
from fujie.modules.identity import reasons as identity_reasons
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.membership import events as membership_events
from fujie.modules.membership import operations as membership_operations
from fujie.modules.membership import queries as membership_queries
from fujie.modules.membership import reasons as membership_reasons
from fujie.modules.membership import state_keys as membership_keys

B = TypeVar("B")


def _declared(base: type[B], *modules: ModuleType) -> tuple[type[B], ...]:
    """Return the subclasses of ``base`` that ``modules`` themselves define, in the order they are written."""
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    )


OPERATIONS: Final = _declared(Operation, membership_operations, identity_operations, currency_operations)
EVENTS: Final = _declared(Event, membership_events, identity_events, currency_events)
QUERIES: Final = _declared(Query, membership_queries, identity_queries, currency_queries)

_AnyOperation: Any = Union[OPERATIONS]  # noqa: UP007 - built from a tuple at run time
_AnyEvent: Any = Union[EVENTS]  # noqa: UP007 - as above
_AnyQuery: Any = Union[QUERIES]  # noqa: UP007 - as above

TRANSACTION: Final[Codec[Transaction[Any]]] = Codec(Transaction[_AnyOperation])
RECEIPT: Final[Codec[Receipt[Any]]] = Codec(Receipt[_AnyEvent])
OPERATION: Final[Codec[Operation]] = Codec(_AnyOperation)
QUERY: Final[Codec[Query]] = Codec(_AnyQuery)

REASONS: Final[Mapping[int, Reason]] = {
    int(reason): reason
    for family in (
        TransactionReason,
        ReadReason,
        *_declared(Reason, membership_reasons, identity_reasons, currency_reasons),
    )
    for reason in family  # type: ignore[attr-defined]  # every Reason subclass is an enumeration
}

# A path is room/noun/subject, known by its first two parts with the slash behind them, or room/noun, known whole.
_PATHS: Final[Mapping[str, Codec[Any]]] = {**membership_keys.PATHS, **identity_keys.PATHS, **currency_keys.PATHS}


def reason(code: int) -> Reason | None:
    """Return the reason with this number, or None when this version does not know it."""
    return REASONS.get(code)


def codec_of(path: str) -> Codec[Any]:
    """Return the codec of the record at a state path. Raises :class:`DecodeError` for a path no room has."""
    second = path.find("/", path.find("/") + 1)
    codec = _PATHS.get(path[: second + 1] or path)
    if codec is not None:
        return codec
    raise DecodeError(f"no room keeps a record at {path!r}")


def record_at(path: str, data: bytes) -> Record:
    """Return the record whose canonical bytes stand at ``path``. Raises :class:`DecodeError`."""
    record: Record = codec_of(path).decode(data)
    return record
