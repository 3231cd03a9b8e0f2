"""What a client does with money. Thin: each verb is one operation or one query. Amounts are in minor units."""

import secrets
from collections.abc import Sequence

from fujie.client.session import Outcome, Session, Signers
from fujie.client.verifier import VerifiedRecord
from fujie.core.policy import KeyPolicy, single
from fujie.modules.currency import operations, queries
from fujie.modules.currency.records import (
    Balance,
    ClassLimits,
    FreezeScope,
    Institution,
    Instrument,
    Issuance,
    LimitEntry,
    Redemption,
    Supply,
    Vault,
    Wallet,
    WalletKind,
)

WALLET_ID_BYTES = 16
SALT_SEED_BYTES = 32
REFERENCE_BYTES = 16


class CurrencyVerbs(Session):
    """Money: wallets, payments, issue and distribution, limits and freezes."""

    # -- reading: open to anyone

    def instrument(self, code: str) -> VerifiedRecord[Instrument]:
        """Return an instrument: title, decimals, issuer."""
        return self.read(queries.InstrumentQuery(code))

    def supply(self, code: str) -> VerifiedRecord[Supply]:
        """Return all that was ever issued and redeemed of an instrument."""
        return self.read(queries.SupplyQuery(code))

    def limits(self, instrument: str, wallet_class: int, *, at_ms: int | None = None) -> VerifiedRecord[ClassLimits]:
        """Return the dated limits of a class of wallets."""
        return self.read(queries.LimitsQuery(instrument, wallet_class), at_ms=at_ms)

    # -- reading with a grant: ``reader`` is the holder unless it names an account (institution or auditor)

    def wallet(
        self, wallet: bytes, *, reader: str | None = None, signers: Signers | None = None
    ) -> VerifiedRecord[Wallet]:
        """Return a wallet (16-byte id). The holder signs the grant, or ``reader`` (``account/<name>``)."""
        query = queries.WalletQuery(wallet)
        return self.read(query, grant=self.grant(reader or query.holder(), signers))

    def balance(
        self, wallet: bytes, instrument: str, *, reader: str | None = None, signers: Signers | None = None
    ) -> VerifiedRecord[Balance]:
        """Return what a wallet holds of an instrument. The holder signs the grant, or ``reader`` (``account/<name>``)."""
        query = queries.BalanceQuery(wallet, instrument)
        return self.read(query, grant=self.grant(reader or query.holder(), signers))

    def institution(
        self, account: str, instrument: str, *, reader: str | None = None, signers: Signers | None = None
    ) -> VerifiedRecord[Institution]:
        """Return the quota of an institution. It signs the grant itself, or an auditor as ``reader``."""
        query = queries.InstitutionQuery(account, instrument)
        return self.read(query, grant=self.grant(reader or query.holder(), signers))

    def vault(
        self, account: str, instrument: str, *, reader: str | None = None, signers: Signers | None = None
    ) -> VerifiedRecord[Vault]:
        """Return the vault of an institution. It signs the grant itself, or an auditor as ``reader``."""
        query = queries.VaultQuery(account, instrument)
        return self.read(query, grant=self.grant(reader or query.holder(), signers))

    def issuance(self, reference: bytes, *, reader: str, signers: Signers | None = None) -> VerifiedRecord[Issuance]:
        """Return what was issued under the id of a bank message. ``reader`` is the institution or an auditor."""
        return self.read(queries.IssueQuery(reference), grant=self.grant(reader, signers))

    def redemption(
        self, reference: bytes, *, reader: str, signers: Signers | None = None
    ) -> VerifiedRecord[Redemption]:
        """Return what was redeemed under the id of a bank message. ``reader`` is the institution or an auditor."""
        return self.read(queries.RedemptionQuery(reference), grant=self.grant(reader, signers))

    # -- supply

    def admit_institution(
        self, institution: str, instrument: str, quota_minor: int, *, signers: Signers | None = None
    ) -> Outcome:
        """Admit an account as operating institution of an instrument. The issuer signs."""
        seed = secrets.token_bytes(SALT_SEED_BYTES)
        return self.submit(operations.AdmitInstitution(institution, instrument, quota_minor, seed), signers=signers)

    def set_institution_quota(
        self, institution: str, instrument: str, quota_minor: int, *, signers: Signers | None = None
    ) -> Outcome:
        """Change the net amount that may stand issued to an institution. The issuer signs."""
        return self.submit(operations.SetInstitutionQuota(institution, instrument, quota_minor), signers=signers)

    def set_limits(
        self, instrument: str, wallet_class: int, entries: Sequence[LimitEntry], *, signers: Signers | None = None
    ) -> Outcome:
        """Set the dated limits of a class. The issuer signs."""
        return self.submit(operations.SetLimits(instrument, wallet_class, tuple(entries)), signers=signers)

    def issue(
        self,
        institution: str,
        instrument: str,
        amount_minor: int,
        *,
        reference: bytes | None = None,
        signers: Signers | None = None,
    ) -> Outcome:
        """Create money in an institution's vault for one bank message (16-byte id; a random one where none is given).

        The issuer signs, k of n.
        """
        reference = secrets.token_bytes(REFERENCE_BYTES) if reference is None else reference
        return self.submit(operations.Issue(institution, instrument, amount_minor, reference), signers=signers)

    def redeem(
        self,
        institution: str,
        instrument: str,
        amount_minor: int,
        *,
        reference: bytes | None = None,
        signers: Signers | None = None,
    ) -> Outcome:
        """Destroy money in an institution's vault for one bank message. Institution and issuer sign."""
        reference = secrets.token_bytes(REFERENCE_BYTES) if reference is None else reference
        return self.submit(operations.Redeem(institution, instrument, amount_minor, reference), signers=signers)

    def distribute(
        self, institution: str, wallet: bytes, instrument: str, amount_minor: int, *, signers: Signers | None = None
    ) -> Outcome:
        """Move money from an institution's vault to a wallet that it serves. The institution signs."""
        return self.submit(operations.Distribute(institution, wallet, instrument, amount_minor), signers=signers)

    # -- wallets

    def open_wallet(
        self,
        institution: str,
        instrument: str,
        holder: KeyPolicy | bytes,
        *,
        wallet_class: int,
        kind: WalletKind = WalletKind.PERSONAL,
        wallet: bytes | None = None,
        salt_seed: bytes | None = None,
        signers: Signers | None = None,
    ) -> bytes:
        """Open a wallet for ``holder``, a policy or one public key, and return its 16-byte id. The institution signs.

        Id and salt seed are random where they are not given.
        """
        wallet = secrets.token_bytes(WALLET_ID_BYTES) if wallet is None else wallet
        salt_seed = secrets.token_bytes(SALT_SEED_BYTES) if salt_seed is None else salt_seed
        policy = single(holder) if isinstance(holder, bytes) else holder
        operation = operations.OpenWallet(institution, wallet, instrument, wallet_class, kind, policy, salt_seed)
        self.submit(operation, signers=signers)
        return wallet

    def upgrade_wallet(self, wallet: bytes, wallet_class: int, *, signers: Signers | None = None) -> Outcome:
        """Change the class of a wallet. Its institution signs."""
        return self.submit(operations.UpgradeWallet(wallet, wallet_class), signers=signers)

    def rotate_wallet_keys(self, wallet: bytes, policy: KeyPolicy, *, signers: Signers | None = None) -> Outcome:
        """Replace the keys of a wallet. Its holder signs with the old ones."""
        return self.submit(operations.RotateWalletKeys(wallet, policy), signers=signers)

    def freeze_wallet(
        self,
        wallet: bytes,
        authority: str,
        basis: str,
        *,
        scope: FreezeScope = FreezeScope.ALL,
        signers: Signers | None = None,
    ) -> Outcome:
        """Freeze a wallet for a legal ``basis``. ``authority``, its institution or a regulator, signs."""
        return self.submit(operations.FreezeWallet(wallet, authority, scope, basis), signers=signers)

    def unfreeze_wallet(self, wallet: bytes, authority: str, basis: str, *, signers: Signers | None = None) -> Outcome:
        """Lift the freeze that ``authority``, who signs, put on a wallet itself."""
        return self.submit(operations.UnfreezeWallet(wallet, authority, basis), signers=signers)

    def close_wallet(self, wallet: bytes, *, signers: Signers | None = None) -> Outcome:
        """Close an empty wallet for ever. Its institution signs."""
        return self.submit(operations.CloseWallet(wallet), signers=signers)

    # -- payments

    def pay(
        self, payer: bytes, payee: bytes, instrument: str, amount_minor: int, *, signers: Signers | None = None
    ) -> Outcome:
        """Pay from one wallet to another. The payer's holder signs. ``outcome.verified.bundle`` is the receipt file."""
        return self.submit(operations.Pay(payer, payee, instrument, amount_minor), signers=signers)

    def give_back(
        self, wallet: bytes, instrument: str, amount_minor: int, *, signers: Signers | None = None
    ) -> Outcome:
        """Return money from a wallet to the vault of its institution. The holder signs."""
        return self.submit(operations.Return(wallet, instrument, amount_minor), signers=signers)
