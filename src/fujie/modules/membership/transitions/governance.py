"""Who can vote, and that enough of them always can: a chain that no one can govern cannot be mended by a vote."""

from fujie.core.errors import Refused
from fujie.modules.membership import queries
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import Account


def able_governors(state: queries.Readable) -> dict[str, Account]:
    """Return the governors that can vote now, by name ascending: neither they nor their organisation is suspended."""
    able = {}
    for name in queries.governors(state).accounts:
        account = queries.account(state, name)
        assert account is not None, "the list of governors names accounts that exist"
        if queries.may_act(state, account):
            able[name] = account
    return able


def keep_governable(
    state: queries.Readable, *, threshold: int | None = None, without_account: str = "", without_organisation: str = ""
) -> None:
    """Refuse with TOO_FEW_GOVERNORS_WOULD_REMAIN a change after which the able governors could not reach the threshold.

    The change sets another ``threshold``, or keeps an account or the accounts of an organisation from voting.
    """
    remaining = sum(
        name != without_account and account.organisation != without_organisation
        for name, account in able_governors(state).items()
    )
    needed = queries.parameters(state).governance_threshold if threshold is None else threshold
    if remaining < needed:
        raise Refused(MembershipReason.TOO_FEW_GOVERNORS_WOULD_REMAIN)
