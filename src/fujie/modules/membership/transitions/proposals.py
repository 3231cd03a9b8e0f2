"""The life of a proposal: open, then carried by the vote that reaches the threshold, or withdrawn, or past its deadline."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.room import Room
from fujie.core.state import State
from fujie.modules.membership import queries, state_keys
from fujie.modules.membership.events import Proposed, Voted, Withdrawn
from fujie.modules.membership.operations import Propose, Vote, Withdraw
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import Proposal, ProposalStatus
from fujie.modules.membership.transitions.actions import carry_out
from fujie.modules.membership.transitions.governance import able_governors


def propose(state: State, context: Context, operation: Propose) -> Proposed:
    """Open a proposal without any vote. The same request again gets the same answer and writes nothing.

    Whether the action can be carried out is decided when it is carried, because the state moves until then.

    Refuses, in order: PROPOSAL_EXISTS_WITH_DIFFERENT_CONTENT, PROPOSAL_DEADLINE_NOT_AHEAD, PROPOSAL_DEADLINE_TOO_FAR.
    """
    key = state_keys.proposal(operation.id)
    standing = state.get(key)
    event = Proposed(operation.id, operation.account, operation.deadline_ms)
    if standing is not None:
        asked = (operation.account, operation.action, operation.deadline_ms)
        if asked != (standing.proposer, standing.action, standing.deadline_ms):
            raise Refused(MembershipReason.PROPOSAL_EXISTS_WITH_DIFFERENT_CONTENT)
        return event

    if operation.deadline_ms <= context.time_ms:
        raise Refused(MembershipReason.PROPOSAL_DEADLINE_NOT_AHEAD)
    if operation.deadline_ms - context.time_ms > queries.parameters(state).proposal_period_max_ms:
        raise Refused(MembershipReason.PROPOSAL_DEADLINE_TOO_FAR)
    # From here nothing may refuse.

    state.put(
        key,
        Proposal(operation.id, operation.account, operation.action, (), operation.deadline_ms, ProposalStatus.OPEN),
    )
    return event


def vote(state: State, context: Context, operation: Vote, rooms: Mapping[str, Room] = MappingProxyType({})) -> Voted:
    """Count the vote of a governor, and carry the action out if it is the one that reaches the threshold.

    ``rooms``: those in force, by name; an action may found one.

    Votes of accounts that no longer hold the role are struck out; those of suspended governors stand but do not count.

    Refuses, in order: PROPOSAL_NOT_FOUND, PROPOSAL_ALREADY_CARRIED, PROPOSAL_WITHDRAWN, PROPOSAL_DEADLINE_PASSED,
    PROPOSAL_ALREADY_VOTED_FOR; then, from the vote that reaches the threshold, the reasons of the action
    (``transitions.actions``): that vote is not counted, the proposal stays open, and a later vote tries again.
    """
    proposal = _open_proposal(state, context, operation.id)
    if operation.account in proposal.votes:
        raise Refused(MembershipReason.PROPOSAL_ALREADY_VOTED_FOR)

    governors = queries.governors(state).accounts
    votes = tuple(sorted([operation.account, *(name for name in proposal.votes if name in governors)]))
    able = able_governors(state)
    counted = sum(name in able for name in votes)
    carried = counted >= queries.parameters(state).governance_threshold
    if carried:
        # The action refuses before it writes anything, so this is still the place to refuse.
        carry_out(state, context, proposal.action, rooms)
    # From here nothing may refuse.

    status = ProposalStatus.CARRIED if carried else ProposalStatus.OPEN
    state.put(state_keys.proposal(operation.id), replace(proposal, votes=votes, status=status))
    return Voted(operation.id, operation.account, counted, carried)


def withdraw(state: State, context: Context, operation: Withdraw) -> Withdrawn:
    """Withdraw an open proposal. Its proposer may, governor or not any more.

    Refuses, in order: PROPOSAL_NOT_FOUND, PROPOSAL_OF_ANOTHER_ACCOUNT, PROPOSAL_ALREADY_CARRIED, PROPOSAL_WITHDRAWN,
    PROPOSAL_DEADLINE_PASSED.
    """
    found = state.get(state_keys.proposal(operation.id))
    if found is not None and found.proposer != operation.account:
        raise Refused(MembershipReason.PROPOSAL_OF_ANOTHER_ACCOUNT)
    proposal = _open_proposal(state, context, operation.id)
    # From here nothing may refuse.

    state.put(state_keys.proposal(operation.id), replace(proposal, status=ProposalStatus.WITHDRAWN))
    return Withdrawn(operation.id)


def _open_proposal(state: State, context: Context, identifier: bytes) -> Proposal:
    """Return a proposal that may still be voted for, or refuse: not found, carried, withdrawn, deadline passed."""
    proposal = state.get(state_keys.proposal(identifier))
    if proposal is None:
        raise Refused(MembershipReason.PROPOSAL_NOT_FOUND)
    if proposal.status is ProposalStatus.CARRIED:
        raise Refused(MembershipReason.PROPOSAL_ALREADY_CARRIED)
    if proposal.status is ProposalStatus.WITHDRAWN:
        raise Refused(MembershipReason.PROPOSAL_WITHDRAWN)
    if proposal.deadline_ms <= context.time_ms:
        raise Refused(MembershipReason.PROPOSAL_DEADLINE_PASSED)
    return proposal
