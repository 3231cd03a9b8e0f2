"""What membership is asked to do. The first field names the account that acts, whose keys must sign."""

from fujie.core.policy import KeyPolicy
from fujie.core.room import Operation
from fujie.core.units import AccountName, Nonce, TimeMs
from fujie.modules.membership.records import Action


class OpenAccount(Operation, tag=1001):
    """Open a further account in the organisation of the account that acts. It holds no role until a vote grants one."""

    account: AccountName
    name: AccountName
    policy: KeyPolicy


class RotateKeys(Operation, tag=1002):
    """Replace the key policy of the account that acts."""

    account: AccountName
    policy: KeyPolicy


class Propose(Operation, tag=1003):
    """Put an action to the vote of the governors. Proposing is not voting. ``id`` is new and chosen by the proposer."""

    account: AccountName
    id: Nonce
    action: Action
    deadline_ms: TimeMs


class Vote(Operation, tag=1004):
    """Vote for a proposal. The vote that reaches the threshold carries the action out."""

    account: AccountName
    id: Nonce


class Withdraw(Operation, tag=1005):
    """Withdraw a proposal that the account that acts has made."""

    account: AccountName
    id: Nonce
