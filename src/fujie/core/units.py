"""Integers with a unit and bounds, and byte strings with a length, as types that a decoder enforces."""

from typing import Annotated, Final

from msgspec import Meta

AMOUNT_MINOR_MAX: Final = 2**63 - 1
TIME_MS_MAX: Final = 2**53  # beyond the year 285,000, and exact in every JSON reader
HEIGHT_MAX: Final = 2**53

AmountMinor = Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX)]
"""Money in the smallest unit of its instrument (fen, cent). Zero or more."""

TimeMs = Annotated[int, Meta(ge=0, le=TIME_MS_MAX)]
"""Milliseconds since 1970-01-01 UTC; in rules always the time of the block."""

DurationMs = Annotated[int, Meta(ge=0, le=TIME_MS_MAX)]
"""A span of milliseconds."""

Height = Annotated[int, Meta(ge=0, le=HEIGHT_MAX)]
"""Number of a block; the first block of a chain has height 1, genesis is 0."""

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""How many; exact in every JSON reader."""

Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""A sha256 digest."""

PublicKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""An Ed25519 public key (RFC 8032)."""

Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
"""An Ed25519 signature (RFC 8032)."""

Nonce = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""128 random bits chosen by the client."""

WalletId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""128 random bits: absence is provable, so a wallet's id must not be guessable."""

AccountName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")]
"""Name of an account or organisation: lower-case letters, digits and inner hyphens."""

ShortText = Annotated[str, Meta(max_length=200)]
"""Text for people, at most 200 characters."""

OptionalDigest = Annotated[bytes, Meta(max_length=32)]
"""A digest, or nothing (empty) where there is none."""
