"""Why membership refuses (numbers 1001 to 1999)."""

from fujie.core.errors import Reason


class MembershipReason(Reason):
    """Reasons of the room, in order of precedence: who acts, the proposal, whom the action is about, what it would do."""

    ACCOUNT_NOT_FOUND = 1001, "No account with the name of the one that acts exists on this chain."
    ACCOUNT_SUSPENDED = 1002, "The account that acts is suspended."
    ORGANISATION_SUSPENDED = 1003, "The organisation of the account that acts is suspended."
    ACCOUNT_LACKS_ROLE = 1004, "The account that acts does not hold the role which the operation demands."

    PROPOSAL_EXISTS_WITH_DIFFERENT_CONTENT = 1005, "A proposal with this id but another content exists already."
    PROPOSAL_DEADLINE_NOT_AHEAD = 1006, "The deadline of a new proposal must lie after the time of the block."
    PROPOSAL_DEADLINE_TOO_FAR = 1007, "The deadline lies further ahead than the chain lets a proposal stay open."
    PROPOSAL_NOT_FOUND = 1008, "No proposal with this id exists."
    PROPOSAL_OF_ANOTHER_ACCOUNT = 1009, "Only the account that made a proposal may withdraw it."
    PROPOSAL_ALREADY_CARRIED = 1010, "The proposal was carried and its action carried out."
    PROPOSAL_WITHDRAWN = 1011, "The proposal was withdrawn by the account that made it."
    PROPOSAL_DEADLINE_PASSED = 1012, "The deadline of the proposal lies at or before the time of the block."
    PROPOSAL_ALREADY_VOTED_FOR = 1013, "The account has voted for this proposal before."

    SUBJECT_ACCOUNT_NOT_FOUND = 1014, "No account exists with the name of the one that the action is about."
    SUBJECT_ORGANISATION_NOT_FOUND = 1015, "No organisation exists with the name of the one that the action is about."
    SUBJECT_ACCOUNT_NOT_SUSPENDED = 1016, "Keys are replaced by vote only for an account that was suspended before."

    KEY_POLICY_UNSOUND = 1017, "The keys must ascend, be sound Ed25519 points, and be enough for their threshold."
    VALIDATOR_KEY_UNSOUND = 1018, "The validator's key is not a sound Ed25519 point."
    ORGANISATION_NAME_TAKEN = 1019, "An organisation with this name exists already."
    ACCOUNT_NAME_TAKEN = 1020, "An account with this name exists already."
    MEMBERSHIP_ROOM_MUST_RUN = 1021, "The room membership cannot be stopped, because only it can start rooms again."
    RULE_HEIGHT_TOO_SOON = 1022, "A rule version needs a height further ahead, so that every node can prepare for it."
    NOTHING_WOULD_CHANGE = 1023, "The ledger already stands as the operation or action demands."
    ORGANISATION_ACCOUNTS_EXHAUSTED = 1024, "The organisation has as many accounts as one may have."
    REGISTER_FULL = 1025, "The list that the action would extend has reached its fixed bound."
    VALIDATOR_SET_WOULD_BE_EMPTY = 1026, "The last validator cannot be removed."
    TOO_FEW_GOVERNORS_WOULD_REMAIN = 1027, "Fewer governors than the threshold would be able to vote afterwards."

    MEMBERSHIP_GENESIS_INCONSISTENT = 1028, "The genesis of the room contradicts itself."

    ROOM_NOT_IN_FORCE = 1029, "No version of the rules of the room that would be founded is in force yet."
    ROOM_FOUNDED_ALREADY = 1030, "The room began with the chain, by an earlier vote, or with nothing to found."
    FOUNDING_UNREADABLE = 1031, "What the room would begin with is not the canonical form of its genesis."
