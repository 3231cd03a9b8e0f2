"""What consensus tells of validators that broke its rules. Recorded, and nothing else: what follows is for a vote to say."""

from collections.abc import Sequence

from fujie.core.misbehaviour import Misbehaviour
from fujie.core.state import State
from fujie.modules.membership import queries, state_keys
from fujie.modules.membership.records import MISBEHAVIOUR_KEPT_MAX, MisbehaviourRecord
from fujie.proof.validators import validator_address


def record_misbehaviour(state: State, acts: Sequence[Misbehaviour]) -> None:
    """Record each act against the validator at its address, in the order told."""
    members = {validator_address(member.public_key): member for member in queries.validators(state).members}
    for act in acts:
        key = state_keys.misbehaviour(act.address)
        member = members.get(act.address)
        found = state.get(key)
        if found is None:
            state.put(key, MisbehaviourRecord(act.address, member, 1, act, (act,)))
            continue
        newest = (*found.newest, act)[-MISBEHAVIOUR_KEPT_MAX:]
        record = MisbehaviourRecord(act.address, member or found.validator, found.count + 1, found.first, newest)
        state.put(key, record)
