"""Accounts: opening, rotation, quota, who may act and who may audit."""

import pytest
from msgspec.structs import replace

from fujie.core.errors import Refused
from fujie.core.hashing import version_digest
from fujie.core.meter import Meter
from fujie.core.reasons import TransactionReason
from fujie.modules.membership import queries, records, state_keys
from fujie.modules.membership.events import AccountOpened, KeysRotated
from fujie.modules.membership.operations import OpenAccount, RotateKeys
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import Role, Status
from fujie.modules.membership.transitions import ROOM_V1
from tests.unit.modules.harness import Bench, policy_of
from tests.unit.modules.membership.town import ANNA, BANK_ONE, BEN, SIGNERS, SPARE, decide, town


def account(bench: Bench, name: str) -> records.Account:
    found = queries.account(bench, name)
    assert found is not None
    return found


def test_opens_an_account_without_roles_in_the_organisation_of_the_opener():
    bench = town()
    event = bench.run(ROOM_V1, OpenAccount("bank", "till", policy_of(SPARE[:3], 2)), signers=SIGNERS["bank"])
    assert event == AccountOpened("till", "bank")
    till = account(bench, "till")
    assert (till.organisation, till.roles, till.status, till.quota_per_minute) == ("bank", (), Status.ACTIVE, 0)
    assert till.policy.threshold == 2
    bank = queries.organisation(bench, "bank")
    assert bank is not None
    assert bank.accounts == 2


def test_an_opened_account_acts_with_its_own_keys_and_no_others():
    bench = town()
    bench.run(ROOM_V1, OpenAccount("bank", "till", policy_of([SPARE[0]])), signers=SIGNERS["bank"])
    rotation = RotateKeys("till", policy_of([SPARE[1]]))
    bench.refuses(TransactionReason.POLICY_NOT_SATISFIED, ROOM_V1, rotation, signers=SIGNERS["bank"])
    bench.run(ROOM_V1, rotation, signers=[SPARE[0]])


def test_rotated_keys_act_and_the_old_ones_do_not():
    bench = town()
    event = bench.run(ROOM_V1, RotateKeys("anna", policy_of([SPARE[0]])), signers=[ANNA])
    assert event == KeysRotated("anna", 2)
    bench.refuses(TransactionReason.POLICY_NOT_SATISFIED, ROOM_V1, RotateKeys("anna", policy_of([BEN])), signers=[ANNA])
    bench.run(ROOM_V1, RotateKeys("anna", policy_of([BEN])), signers=[SPARE[0]])


def test_every_older_key_policy_is_reached_from_todays_account():
    bench = town()
    policies = [account(bench, "anna").policy]
    signer = ANNA
    for new in SPARE[:5]:
        bench.run(ROOM_V1, RotateKeys("anna", policy_of([new])), signers=[signer])
        policies.append(policy_of([new]))
        signer = new
    today = account(bench, "anna")
    assert today.standing.number == 6
    assert today.standing.created_height == 0
    found = [today.policy]
    version = today.standing.previous
    while version:
        data = bench.archived(version)
        assert data is not None
        assert version_digest(data) == version
        older = state_keys.ACCOUNT.decode(data)
        found.append(older.policy)
        version = older.standing.previous
    assert found == policies[::-1]


def test_acting_charges_the_meter_and_adds_no_version():
    bench = town()
    for name in ("one", "two"):
        bench.run(ROOM_V1, OpenAccount("bank", name, policy_of([SPARE[0]])), signers=SIGNERS["bank"])
    meter = bench.get(state_keys.meter("bank"))
    assert isinstance(meter, Meter)
    assert meter.used == 2
    assert account(bench, "bank").standing.number == 1


def test_quota_is_the_chains_default_until_the_account_has_its_own_and_is_fresh_every_minute():
    bench = town(operations_per_minute=3)
    overlay = bench.overlay()
    minute = bench.context()
    queries.charge_account(overlay, minute, "anna", 3)
    with pytest.raises(Refused) as refusal:
        queries.charge_account(overlay, minute, "anna", 1)
    assert refusal.value.reason is TransactionReason.QUOTA_EXCEEDED
    bench.time_ms += 60_000
    queries.charge_account(overlay, bench.context(), "anna", 3)

    decide(bench, records.SetQuota("bank", 1_000), 1)
    overlay = bench.overlay()
    queries.charge_account(overlay, bench.context(), "bank", 1_000)
    with pytest.raises(Refused):
        queries.charge_account(overlay, bench.context(), "bank", 1)


def test_authorises_for_the_role_that_is_asked_for():
    bench = town()
    context = bench.context(SIGNERS["bank"])
    assert queries.authorise_account(bench, context, "bank").name == "bank"
    assert queries.authorise_account(bench, context, "bank", Role.INSTITUTION).name == "bank"
    with pytest.raises(Refused) as refusal:
        queries.authorise_account(bench, context, "bank", Role.CENTRAL_BANK)
    assert refusal.value.reason is MembershipReason.ACCOUNT_LACKS_ROLE


def test_signatures_beyond_the_policy_do_not_hurt():
    bench = town()
    queries.authorise_account(bench, bench.context([*SIGNERS["bank"], ANNA, SPARE[0]]), "bank")
    with pytest.raises(Refused):
        queries.authorise_account(bench, bench.context([BANK_ONE, ANNA, SPARE[0]]), "bank")


@pytest.mark.parametrize("role", list(Role))
def test_auditor_regulator_and_central_bank_may_audit_while_they_are_active(role: Role):
    bench = town()
    holder = replace(account(bench, "anna"), roles=(role,))
    assert queries.may_audit(holder) is (role in {Role.AUDITOR, Role.REGULATOR, Role.CENTRAL_BANK})
    assert not queries.may_audit(replace(holder, status=Status.SUSPENDED))


def test_a_suspended_account_or_organisation_may_not_act_and_may_again_when_restored():
    bench = town()
    assert queries.may_act(bench, account(bench, "bank"))
    decide(bench, records.SuspendOrganisation("bank"), 1)
    assert not queries.may_act(bench, account(bench, "bank"))
    decide(bench, records.RestoreOrganisation("bank"), 2)
    decide(bench, records.SuspendAccount("bank"), 3)
    assert not queries.may_act(bench, account(bench, "bank"))
    decide(bench, records.RestoreAccount("bank"), 4)
    bench.run(ROOM_V1, RotateKeys("bank", policy_of([SPARE[0]])), signers=SIGNERS["bank"])
