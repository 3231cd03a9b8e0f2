"""Reasons that belong to no room: the transaction itself is at fault (numbers 1 to 999)."""

from fujie.core.errors import Reason


class TransactionReason(Reason):
    """Why a transaction is refused before any room is asked, in order of precedence."""

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

