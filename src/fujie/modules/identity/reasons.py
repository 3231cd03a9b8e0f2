"""Why identity refuses (numbers 2001 to 2999)."""

from fujie.core.errors import Reason


class IdentityReason(Reason):
    """Reasons of the room, in order of precedence: who acts, what about, the form of the request, what it would do.

    Of several items in one operation the first that is refused decides, and its reasons are judged in this order.
    """

    IDENTIFIER_UNKNOWN = 2001, "The identifier was never allocated."
    NAMESPACE_UNKNOWN = 2002, "The prefix was never delegated, so nothing is decided under it."
    AUTHORITY_NOT_ACTIVE = 2003, "The identifier whose keys authorise the operation is suspended or retired."

    IDENTIFIER_RETIRED = 2004, "The identifier is retired for ever."
    IDENTIFIER_SUSPENDED = 2005, "The identifier is suspended by its registrar."
    IDENTIFIER_NOT_SUSPENDED = 2006, "The identifier is not suspended."
    VERSION_NUMBER_DIFFERS = 2007, "The record has another version by now than the one that the sender has seen."
    CODEBOOK_EDITION_UNKNOWN = 2008, "No codebook edition with this name is registered."
    CODEBOOK_EDITION_WITHDRAWN = 2009, "The codebook edition was withdrawn."
    CODEBOOK_EDITION_EXISTS = 2010, "A codebook edition with this name is registered already."

    CONTROLLER_POLICY_UNSOUND = (
        2011,
        "The keys must ascend, be sound Ed25519 points, and be enough for their threshold.",
    )
    ATTRIBUTES_NOT_ASCENDING = 2012, "The keys of the attributes must ascend and be distinct."
    DELEGATION_UNSOUND = 2013, "The terms of a delegation contradict one another."
    CODEBOOK_SERIES_UNKNOWN = 2014, "No edition of the codebook series of a delegation is registered."
    NAMESPACE_EXISTS = 2015, "The identifier is a namespace already; its terms are amended, not delegated again."
    RULE_FIXED = 2016, "Rule and width of a prefix are fixed once something was allocated under it."
    QUOTA_BELOW_ALLOCATED = 2017, "The quota would lie below what was allocated under the prefix already."

    BULK_ITEMS_EXCEEDED = 2018, "The operation has more items over all its ranges than one operation may have."
    ALLOCATION_QUOTA_EXCEEDED = 2019, "The prefix would have more children than its quota allows."
    RULE_DIFFERS = 2020, "The prefix gives out identifiers by another rule than the operation asks for."
    CODEBOOK_SERIES_DIFFERS = 2021, "The edition belongs to another series than the one that rules the prefix."
    CODEBOOK_PROOF_INVALID = 2022, "Entries and path do not lead to the root of the codebook edition."
    CODEBOOK_ENTRY_UNSOUND = 2023, "Code, level and parent of a codebook entry do not agree."
    CODEBOOK_ENTRY_OUTSIDE_PREFIX = 2024, "The codebook entry stands for an identifier that is no child of the prefix."
    COUNTRY_NODE_REQUIRED = 2025, "Directly under the agency stand countries only, by their three digits."
    NODE_RESERVED = 2026, "Nodes of digits alone belong to the rule of this prefix and cannot be chosen."
    SEQUENCE_EXHAUSTED = 2027, "The numbers of this prefix are used up at its width."
    IDENTIFIER_TOO_LONG = 2028, "Prefix and node together are longer than an identifier may be."
    IDENTIFIER_TOO_DEEP = 2029, "Prefix and node together have more nodes than an identifier may have."
    IDENTIFIER_TAKEN = 2030, "The identifier was allocated before, and identifiers are never used again."
    WITHIN_UNKNOWN = 2031, "What the identifier is to be shown within was never allocated, or is the identifier itself."

    ALIAS_RESERVED_TO_CODEBOOK = 2032, "Codes of this scheme are bound and released by codebook allocation only."
    ALIAS_NOT_BOUND = 2033, "The code is not bound to this identifier now."
    ALIAS_TAKEN = 2034, "The code is bound to a live identifier already; its alias record, with proof, says which."
    ALIASES_EXHAUSTED = 2035, "The identifier has as many live aliases as one may have."

    NAME_FIXED_BY_CODEBOOK = 2036, "The name was decided by a codebook and cannot be changed by an update."
    IDENTIFIER_WOULD_NOT_CHANGE = 2037, "The ledger already stands as the operation demands."
    CHILDREN_LIVE = 2038, "Identifiers directly under this one are not retired yet."

    IDENTITY_GENESIS_INCONSISTENT = 2039, "The genesis of the room contradicts itself or that of membership."
