"""Every bound on a queue, batch, depth or length, with its unit and why this number.

A bound that is a rule of the ledger (it decides whether a transaction is accepted) must be the same on every node; those
that a chain may choose for itself are parameters in ``membership``. The ones here are fixed by format version 1.
"""

from typing import Final

# Transactions: the largest is a bulk allocation; 64 KiB holds about 500 allocations with their codebook paths.
TRANSACTION_BYTES_MAX: Final = 65_536
OPERATIONS_MAX: Final = 64  # per transaction; they succeed or fail together, so a block's worst case stays small
KEYS_MAX: Final = 16  # in one policy and on one transaction: a board of directors, not a crowd
BULK_ITEMS_MAX: Final = 500  # items of one bulk operation

# Blocks: 10,000 payments of about 260 bytes; CometBFT's own default bound is 4 MiB.
BLOCK_TRANSACTIONS_MAX: Final = 10_000
BLOCK_BYTES_MAX: Final = 4_194_304

# Admission: four full blocks may wait, one in the making, one verified, two on their way; beyond that, come back later.
PENDING_TRANSACTIONS_MAX: Final = 40_000
PENDING_BYTES_MAX: Final = 33_554_432
SUBMIT_BATCH_MAX: Final = 10_000  # transactions in one call

# Time: both engines make a heartbeat block at least this often, so that block time follows the clock.
HEARTBEAT_MS: Final = 60_000

# Proofs: past roots from which reads are still answered; one block of delay plus a few for slow readers.
PROVEN_ROOTS_KEPT: Final = 8
VERSION_PATH_MAX: Final = 128  # old versions in one proof of the past; among 10,000 versions 31 suffice
BUNDLE_PATH_MAX: Final = (
    64  # light blocks from a trust root to the header of a bundle: two for a change of validators, or fewer
)
SNAPSHOT_PATH_MAX: Final = 512  # light blocks in a snapshot: two for a change of validators, or fewer
SNAPSHOT_PATH_BYTES_MAX: Final = 12_582_912  # of those light blocks together
BUNDLE_PATH_BYTES_MAX: Final = 4_194_304  # of those light blocks together: 64 of some 300 validators each

# Identifiers (docs/spec/05-identifiers.md)
IDENTIFIER_BYTES_MAX: Final = 128  # fits a QR code of version 6 with room for a host name
IDENTIFIER_NODES_MAX: Final = 12
IDENTIFIER_NODE_BYTES_MAX: Final = 32
CHAIN_ID_BYTES_MAX: Final = 50  # CometBFT's bound
HOST_BYTES_MAX: Final = 253  # RFC 1035, section 2.3.4, without the root's dot
HTTP_FORM_BYTES_MAX: Final = 8 + HOST_BYTES_MAX + 6 + 5 + IDENTIFIER_BYTES_MAX  # https://host:port/ids/identifier

# Read grants: long enough for a working day of a stream, short enough that a lost one dies by itself.
READ_GRANT_MS_MAX: Final = 86_400_000
