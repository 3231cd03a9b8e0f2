"""The client: everything a person or program does with a chain, over any transport, believing nothing but proofs."""

from types import TracebackType
from typing import Self

from fujie.client.currency import CurrencyVerbs
from fujie.client.identity import IdentityVerbs, named, numbered
from fujie.client.membership import MembershipVerbs
from fujie.client.outcomes import Outcome, RefusedTransaction
from fujie.client.reasons import reason_of
from fujie.client.transactions import assemble, sign_body

__all__ = ["Client", "Outcome", "RefusedTransaction", "assemble", "named", "numbered", "reason_of", "sign_body"]


class Client(IdentityVerbs, CurrencyVerbs, MembershipVerbs):
    """A node, a trust root and keys: ``Client(transport, trust, signers)``. A context manager that closes its transport.

    Reads return :class:`VerifiedRecord`, acts return :class:`Outcome` with a verified receipt or raise
    :class:`RefusedTransaction`.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
