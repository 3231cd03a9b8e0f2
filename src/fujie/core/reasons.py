"""Reasons that belong to no room: the transaction itself is at fault (numbers 1 to 999)."""

from fujie.core.errors import Reason


class TransactionReason(Reason):
    """Why a transaction is refused before any room is asked, in order of precedence.

    Two need no state, and admission judges them before all others: TRANSACTION_MALFORMED and SIGNATURE_INVALID.
    """

    TRANSACTION_MALFORMED = 1, "The bytes are not one canonical signed transaction within the size limits."
    CHAIN_ID_DIFFERS = 2, "The transaction is meant for another chain."
    SIGNATURE_INVALID = 3, "A signature does not verify under its public key."
    TRANSACTION_EXPIRED = 4, "The expiry of the transaction lies at or before the time of the block."
    EXPIRY_TOO_FAR = 5, "The expiry lies further ahead than the chain's transaction window allows."
    TRANSACTION_REPEATED = 6, "A transaction with this id was carried out before; its first receipt stands."
    ROOM_NOT_ACTIVE = 7, "The chain does not run the room this operation belongs to."
    POLICY_NOT_SATISFIED = 8, "The signatures do not satisfy the key policy of whoever must authorise the operation."
    QUOTA_EXCEEDED = 9, "The account has used up its operations for this minute."
    ADMISSION_QUEUE_FULL = 10, "The node has as many transactions waiting as it accepts; try again shortly."
    EXECUTION_FAILED = 11, "The node quarantined the transaction because carrying it out failed unexpectedly."
    OUTCOME_NOT_KEPT = 12, "It has expired, and the node's log does not go back to when it may have been carried out."


class ReadReason(Reason):
    """Why a read is refused (numbers 101 to 199), in order of precedence. A read leaves no receipt."""

    QUERY_MALFORMED = 101, "The bytes are not one canonical query, or a read asks for none or too many."
    GRANT_REQUIRED = 102, "Not everyone may read this, and the request carries no read grant."
    GRANT_MALFORMED = 103, "The bytes are not one canonical signed read grant."
    GRANT_CHAIN_ID_DIFFERS = 104, "The read grant is meant for another chain."
    GRANT_SIGNATURE_INVALID = 105, "A signature of the read grant does not verify under its public key."
    GRANT_EXPIRED = 106, "The expiry of the read grant lies at or before the time of the newest block."
    GRANT_EXPIRY_TOO_FAR = 107, "The expiry of the read grant lies further ahead than a grant may last."
    READER_POLICY_NOT_SATISFIED = 108, "The signatures do not satisfy the key policy of the reader, or there is none."
    READER_SUSPENDED = 109, "The account that reads, or its organisation, is suspended."
    READER_NOT_ENTITLED = 110, "The reader is none of those who may read this."
