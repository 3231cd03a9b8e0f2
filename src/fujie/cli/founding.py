"""Whether a vote could found a room: tried on this side, before anybody is asked to vote."""

from typing import TYPE_CHECKING, Any

from fujie.core.errors import Refused

if TYPE_CHECKING:
    from fujie.client.client import Client
    from fujie.core.encoding import Record
    from fujie.core.errors import Reason
    from fujie.core.room import Room
    from fujie.core.state import Key, Leaf
    from fujie.modules.membership.records import Rules


class VoteWouldBeRefused(Refused):
    """The vote that carries a proposal would be refused now with this reason. ``what`` says of what, ``do`` what to do."""

    def __init__(self, reason: "Reason", what: str, do: str) -> None:
        super().__init__(reason)
        self.what = what
        self.do = do


def began_with_the_chain(rules: "Rules") -> bool:
    """Tell whether a room stands in the genesis of the chain."""
    return bool(rules.versions) and rules.versions[0].from_height == 0


def require_unfounded(client: "Client", rules: "Rules") -> None:
    """Raise :class:`VoteWouldBeRefused` for a room that has begun already."""
    from fujie.modules.membership.reasons import MembershipReason

    if began_with_the_chain(rules):
        since = "with the chain"
    else:
        founding = client.founding(rules.room).record
        if founding is None:
            return
        since = f"by a vote in block {founding.height:,}"
    raise VoteWouldBeRefused(
        MembershipReason.ROOM_FOUNDED_ALREADY,
        f"{rules.room} was founded {since}; the vote that carries this would be refused.",
        "There is nothing to do: `fujie rules show` shows the rooms of the chain.",
    )


def try_founding(client: "Client", room: "Room", part: "Record", height: int, time_ms: int) -> None:
    """Let ``room`` begin with ``part`` on a state that holds the accounts of the chain, and forget it.

    Raises :class:`VoteWouldBeRefused` with the reason for which the vote would be refused now.
    """
    from fujie.core.context import Context
    from fujie.core.hashing import ZERO_DIGEST
    from fujie.core.state import BlockOverlay, Overlay

    overlay = Overlay(BlockOverlay(_Accounts(client)))
    context = Context(client.chain_id, height, time_ms, ZERO_DIGEST, bytes(16), frozenset())
    try:
        room.genesis(overlay, context, part)
    except Refused as refused:
        why = _unfit_account(client, part) or refused.reason.sentence.removesuffix(".")
        raise VoteWouldBeRefused(
            refused.reason,
            f"{room.name} cannot begin with this: {why}. The vote that carries it would be refused.",
            "Correct what it begins with, or have that decided first, and propose again.",
        ) from None


def _unfit_account(client: "Client", part: "Record") -> str:
    """Return which account that the money names is missing or not what it must be; empty where all are."""
    from fujie.modules.currency.genesis import CurrencyGenesis
    from fujie.modules.membership.records import Role

    if not isinstance(part, CurrencyGenesis):
        return ""
    for instrument in part.instruments:
        account = client.account(instrument.issuer).record
        named = f"{instrument.issuer}, the issuer of {instrument.instrument},"
        if account is None:
            return f"{named} has no account on this chain"
        if Role.CENTRAL_BANK not in account.roles:
            return f"{named} does not have the role central_bank"
    for institution in part.institutions:
        if client.account(institution.institution).record is None:
            return f"the institution {institution.institution} has no account on this chain"
    return ""


class _Accounts:
    """A state of proven accounts, and nothing else: all that what a room begins with relies on."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def leaf(self, key: "Key[Any]") -> "Leaf | None":
        """Nothing is written here, so no salt is asked for."""
        from fujie.core.state import Leaf

        record = self.get(key)
        return None if record is None else Leaf(record, b"")

    def get(self, key: "Key[Any]") -> Any:
        """Return a proven account; nothing at any other key."""
        from fujie.modules.membership.state_keys import ACCOUNT_PREFIX

        if not key.path.startswith(ACCOUNT_PREFIX):
            return None
        return self._client.account(key.path.removeprefix(ACCOUNT_PREFIX)).record

    def archived(self, version: bytes) -> bytes | None:
        """Nothing was replaced."""
        return None

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        """Nothing was carried out."""
        return False
