"""What a client does with accounts and votes. Thin: each verb is one operation or one query."""

import secrets
from typing import Final

from fujie.client.session import Outcome, Session, Signers
from fujie.client.verifier import VerifiedRecord
from fujie.core.policy import KeyPolicy
from fujie.modules.membership import operations, queries
from fujie.modules.membership.records import (
    Account,
    Action,
    Founding,
    MisbehaviourRecord,
    Organisation,
    Parameters,
    Proposal,
    Rooms,
    Rules,
    Validators,
)

PROPOSAL_ID_BYTES: Final = 16


class MembershipVerbs(Session):
    """Members: accounts, organisations, proposals, parameters."""

    # -- reading: open to anyone

    def account(self, name: str, *, at_ms: int | None = None) -> VerifiedRecord[Account]:
        """Return the account with this name."""
        return self.read(queries.AccountQuery(name), at_ms=at_ms)

    def organisation(self, name: str, *, at_ms: int | None = None) -> VerifiedRecord[Organisation]:
        """Return the organisation with this name."""
        return self.read(queries.OrganisationQuery(name), at_ms=at_ms)

    def parameters(self, *, at_ms: int | None = None) -> VerifiedRecord[Parameters]:
        """Return the parameters of the chain."""
        return self.read(queries.ParametersQuery(), at_ms=at_ms)

    def validators(self, *, at_ms: int | None = None) -> VerifiedRecord[Validators]:
        """Return the validator set as decided."""
        return self.read(queries.ValidatorsQuery(), at_ms=at_ms)

    def misbehaviour(self, address: bytes) -> VerifiedRecord[MisbehaviourRecord]:
        """Return what was proven against the validator with this 20-byte address."""
        return self.read(queries.MisbehaviourQuery(address))

    def rooms(self) -> VerifiedRecord[Rooms]:
        """Return the names of the rooms about which rules were ever decided."""
        return self.read(queries.RoomsQuery())

    def founding(self, room: str) -> VerifiedRecord[Founding]:
        """Return how a room was founded by vote; nothing for one that began with the chain."""
        return self.read(queries.FoundingQuery(room))

    def rules(self, room: str) -> VerifiedRecord[Rules]:
        """Return the rule versions of a room."""
        return self.read(queries.RulesQuery(room))

    def proposal(self, identifier: bytes) -> VerifiedRecord[Proposal]:
        """Return the proposal with this 16-byte id."""
        return self.read(queries.ProposalQuery(identifier))

    # -- acting: the account signs

    def open_account(self, account: str, name: str, policy: KeyPolicy, *, signers: Signers | None = None) -> Outcome:
        """Open a further account ``name`` in the organisation of ``account``, which signs."""
        return self.submit(operations.OpenAccount(account, name, policy), signers=signers)

    def rotate_keys(self, account: str, policy: KeyPolicy, *, signers: Signers | None = None) -> Outcome:
        """Replace the keys of ``account``, which signs with the old ones."""
        return self.submit(operations.RotateKeys(account, policy), signers=signers)

    def propose(
        self,
        account: str,
        action: Action,
        deadline_ms: int,
        *,
        identifier: bytes | None = None,
        signers: Signers | None = None,
    ) -> bytes:
        """Put an action to the vote of the governors and return the proposal's 16-byte id, random where none is given."""
        identifier = secrets.token_bytes(PROPOSAL_ID_BYTES) if identifier is None else identifier
        self.submit(operations.Propose(account, identifier, action, deadline_ms), signers=signers)
        return identifier

    def vote(self, account: str, identifier: bytes, *, signers: Signers | None = None) -> Outcome:
        """Vote for a proposal; the event tells whether it was carried."""
        return self.submit(operations.Vote(account, identifier), signers=signers)

    def withdraw(self, account: str, identifier: bytes, *, signers: Signers | None = None) -> Outcome:
        """Withdraw a proposal that ``account`` has made."""
        return self.submit(operations.Withdraw(account, identifier), signers=signers)
