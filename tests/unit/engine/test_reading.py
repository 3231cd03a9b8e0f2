"""Who may read what: every reason of reading, by descending precedence, and every audience."""

import itertools
import secrets

import pytest

import fujie
from fujie.core.encoding import encode
from fujie.core.errors import Refused
from fujie.core.grant import Grant, SignedGrant, sign_grant
from fujie.core.hashing import TAG_READ_GRANT
from fujie.core.limits import BULK_ITEMS_MAX, READ_GRANT_MS_MAX
from fujie.core.policy import single, threshold
from fujie.core.reasons import ReadReason
from fujie.core.signing import Signer, new_seed
from fujie.engine.reading import answer, authorise_read
from fujie.modules.currency.queries import BalanceQuery, InstitutionQuery, IssueQuery, SupplyQuery, VaultQuery
from fujie.modules.identity.queries import IdentityQuery
from fujie.modules.membership.queries import Role
from fujie.modules.membership.records import GrantRole, SuspendAccount, Visibility
from fujie.node.keyring import ensure_key
from fujie.node.ledger import owner_genesis

MONEY = "XTS"
FAR_MS = 2**52


class House:
    """A ledger with two wallets and three further accounts: an auditor, a bystander, a suspended auditor."""

    def __init__(self, ledger) -> None:
        self.ledger = ledger
        self.engine = ledger.engine
        self.owner = ledger.signers[0]
        self.anna, self.ben, self.auditor, self.bystander, self.suspended = (Signer(new_seed()) for _ in range(5))
        self.joint = threshold(2, [self.anna.public_key, self.ben.public_key])
        self.wallet = ledger.open_wallet("owner", MONEY, self.anna.public_key, wallet_class=1)
        self.shared = ledger.open_wallet("owner", MONEY, self.joint, wallet_class=1)
        self.reference = secrets.token_bytes(16)
        ledger.issue("owner", MONEY, 100, reference=self.reference)
        for name, signer in (("auditor", self.auditor), ("bystander", self.bystander), ("suspended", self.suspended)):
            ledger.open_account("owner", name, single(signer.public_key))
        self.carry(GrantRole("auditor", Role.AUDITOR))
        self.carry(GrantRole("suspended", Role.AUDITOR))
        self.carry(SuspendAccount("suspended"))

    def carry(self, action) -> None:
        deadline = self.engine.head.time_ms + 60_000
        self.ledger.vote("owner", self.ledger.propose("owner", action, deadline))

    def grant(self, reader: str, *signers: Signer, **changes) -> bytes:
        keys = tuple(sorted(signer.public_key for signer in signers))
        fields = {"chain_id": self.engine.chain_id, "expires_at_ms": self.engine.head.time_ms + 60_000} | changes
        grant = Grant(fields["chain_id"], reader, fields["expires_at_ms"], bytes(16), keys)
        return sign_grant(grant, list(signers))

    def may(self, query, grant: bytes | None) -> bool:
        try:
            authorise_read(self.engine, [query], grant)
        except Refused:
            return False
        return True


def founded(folder, visibility: Visibility):
    """A new ledger of this visibility, whose owner may do everything."""
    owner, validator = ensure_key(folder / "keys" / "owner.key", "owner"), ensure_key(folder / "keys/validator.key", "")
    return fujie.open(folder, genesis=owner_genesis(owner.public_key, validator.public_key, visibility))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with founded(tmp_path_factory.mktemp("house"), Visibility.RESTRICTED) as ledger:
        yield House(ledger)


def test_on_a_public_chain_everything_is_for_anyone(tmp_path):
    with founded(tmp_path, Visibility.PUBLIC) as ledger:
        house = House(ledger)
        for query in (BalanceQuery(house.wallet, MONEY), VaultQuery("owner", MONEY), IssueQuery(house.reference)):
            assert house.may(query, None)
            assert house.may(query, b"junk")


def test_a_reader_who_was_authenticated_needs_no_grant_and_gets_no_more(house):
    query = BalanceQuery(house.wallet, MONEY)
    for reader in ("account/auditor", "account/owner", name_of(house.wallet)):
        assert authorise_read(house.engine, [query], None, reader)
    for reader in ("account/bystander", "account/none", name_of(house.shared), "id/ZZ.000"):
        with pytest.raises(Refused) as refused:
            authorise_read(house.engine, [query], None, reader)
        assert refused.value.reason is ReadReason.READER_NOT_ENTITLED


def name_of(wallet: bytes) -> str:
    return f"wallet/{wallet.hex()}"


def test_every_reason_of_reading_is_given_in_its_precedence(house):
    query = encode(BalanceQuery(house.wallet, MONEY))
    reader = name_of(house.wallet)
    now = house.engine.head.time_ms
    body = encode(Grant(house.engine.chain_id, reader, now + 60_000, bytes(16), (house.anna.public_key,)))
    doubled = encode(Grant(house.engine.chain_id, reader, now + 60_000, bytes(16), (house.anna.public_key,) * 2))
    sign = house.anna.sign
    rows = [
        ([], None, ReadReason.QUERY_MALFORMED),
        ([query] * (BULK_ITEMS_MAX + 1), None, ReadReason.QUERY_MALFORMED),
        ([b"\x00"], b"", ReadReason.QUERY_MALFORMED),
        ([query], None, ReadReason.GRANT_REQUIRED),
        ([query], b"", ReadReason.GRANT_MALFORMED),
        ([query], encode(SignedGrant(b"", (bytes(64),))), ReadReason.GRANT_MALFORMED),
        ([query], encode(SignedGrant(body, (bytes(64),) * 2)), ReadReason.GRANT_MALFORMED),
        ([query], encode(SignedGrant(doubled, (sign(TAG_READ_GRANT + doubled),) * 2)), ReadReason.GRANT_MALFORMED),
        ([query], house.grant(reader, house.ben, chain_id="x", expires_at_ms=0), ReadReason.GRANT_CHAIN_ID_DIFFERS),
        ([query], encode(SignedGrant(body, (bytes(64),))), ReadReason.GRANT_SIGNATURE_INVALID),
        ([query], encode(SignedGrant(body, (sign(body),))), ReadReason.GRANT_SIGNATURE_INVALID),
        ([query], house.grant(reader, house.ben, expires_at_ms=now), ReadReason.GRANT_EXPIRED),
        ([query], house.grant(reader, house.ben, expires_at_ms=FAR_MS), ReadReason.GRANT_EXPIRY_TOO_FAR),
        ([query], house.grant(reader, house.ben), ReadReason.READER_POLICY_NOT_SATISFIED),
        ([query], house.grant(name_of(bytes(16)), house.ben), ReadReason.READER_POLICY_NOT_SATISFIED),
        ([query], house.grant("account/suspended", house.suspended), ReadReason.READER_SUSPENDED),
        ([query], house.grant("account/bystander", house.bystander), ReadReason.READER_NOT_ENTITLED),
        ([query], house.grant(name_of(house.shared), house.anna, house.ben), ReadReason.READER_NOT_ENTITLED),
    ]
    given = [reason for *_, reason in rows]
    assert given == sorted(given)
    assert set(given) == set(ReadReason), "a reason of reading has no row"
    for queries, grant, reason in rows:
        with pytest.raises(Refused) as error:
            answer(house.engine, queries, grant)
        assert error.value.reason is reason, reason.name


@pytest.mark.parametrize(
    "reader",
    [
        "wallet/",
        "wallet/zz",
        "wallet/" + "AB" * 16,
        "account/",
        "account/none",
        "id/",
        "id/ZZ.000.NONE",
        "id/x",
        "x",
        "/",
    ],
)
def test_a_reader_that_is_none_is_told_nothing_more(house, reader):
    with pytest.raises(Refused) as error:
        authorise_read(house.engine, [BalanceQuery(house.wallet, MONEY)], house.grant(reader, house.anna))
    assert error.value.reason is ReadReason.READER_POLICY_NOT_SATISFIED


def test_anyone_reads_what_is_public_and_a_needless_grant_is_not_looked_at(house):
    for grant in (None, b"nonsense"):
        assert house.may(SupplyQuery(MONEY), grant)
        assert house.may(IdentityQuery("ZZ.000.NONE"), grant)


def test_each_audience_reads_what_it_may_and_nothing_else(house):
    grants = {
        "holder": house.grant(name_of(house.wallet), house.anna),
        "institution": house.grant("account/owner", house.owner),
        "auditor": house.grant("account/auditor", house.auditor),
        "bystander": house.grant("account/bystander", house.bystander),
    }
    rows = [
        (BalanceQuery(house.wallet, MONEY), {"holder", "institution", "auditor"}),
        (BalanceQuery(bytes(16), MONEY), {"auditor", "institution"}),  # the owner is central bank as well
        (VaultQuery("owner", MONEY), {"institution", "auditor"}),
        (InstitutionQuery("owner", MONEY), {"institution", "auditor"}),
        (IssueQuery(house.reference), {"institution", "auditor"}),
    ]
    for query, allowed in rows:
        assert {name for name, grant in grants.items() if house.may(query, grant)} == allowed, query


def test_a_threshold_of_holders_must_sign(house):
    query = BalanceQuery(house.shared, MONEY)
    reader = name_of(house.shared)
    for signers in ([house.anna], [house.ben], [house.anna, house.bystander]):
        assert not house.may(query, house.grant(reader, *signers))
    assert house.may(query, house.grant(reader, house.anna, house.ben))
    assert house.may(query, house.grant(reader, house.anna, house.ben, house.bystander))


def test_one_forbidden_query_forbids_the_whole_read(house):
    allowed, forbidden = BalanceQuery(house.wallet, MONEY), BalanceQuery(house.shared, MONEY)
    grant = house.grant(name_of(house.wallet), house.anna)
    authorise_read(house.engine, [allowed, SupplyQuery(MONEY)], grant)
    for queries in itertools.permutations([allowed, forbidden, SupplyQuery(MONEY)]):
        with pytest.raises(Refused):
            authorise_read(house.engine, queries, grant)


def test_a_grant_lasts_a_day_at_the_most(house):
    reader = name_of(house.wallet)
    now = house.engine.head.time_ms
    query = BalanceQuery(house.wallet, MONEY)
    assert house.may(query, house.grant(reader, house.anna, expires_at_ms=now + READ_GRANT_MS_MAX - 5_000))
    assert not house.may(query, house.grant(reader, house.anna, expires_at_ms=now + READ_GRANT_MS_MAX + 600_000))


def test_keys_that_were_rotated_away_read_nothing_more(house):
    holder, successor = Signer(new_seed()), Signer(new_seed())
    wallet = house.ledger.open_wallet("owner", MONEY, holder.public_key, wallet_class=1)
    query = BalanceQuery(wallet, MONEY)
    old = house.grant(name_of(wallet), holder)
    assert house.may(query, old)
    house.ledger.rotate_wallet_keys(wallet, single(successor.public_key), signers=[holder])
    assert not house.may(query, old)
    assert house.may(query, house.grant(name_of(wallet), successor))
