"""What stands on paper about the room agrees with its code: keys, codecs, tables of the README."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fujie.modules.membership as room
from fujie.core.encoding import Codec, encode
from fujie.core.errors import DecodeError
from fujie.core.policy import KeyPolicy
from fujie.core.query import Audience, Query
from fujie.core.state import Key
from fujie.modules.membership import operations, queries, records, state_keys
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.transitions import HANDLERS
from fujie.proof.validators import validator_address
from tests.unit.modules.membership.test_invariants import lived_in, page_section
from tests.unit.modules.membership.town import DAY_MS, SPARE, identifier

PAGE = (Path(room.__file__).parent / "README.md").read_text(encoding="utf-8")
ADDRESS = validator_address(SPARE[2].public_key)
QUERIES: list[tuple[Query, str]] = [
    (queries.AccountQuery("bank"), "membership/account/bank"),
    (queries.OrganisationQuery("bank"), "membership/organisation/bank"),
    (queries.ParametersQuery(), "membership/parameters"),
    (queries.ProposalQuery(identifier(7)), "membership/proposal/00000000000000000000000000000007"),
    (queries.ValidatorsQuery(), "membership/validators"),
    (queries.RulesQuery("tenancy"), "membership/rules/tenancy"),
    (queries.MisbehaviourQuery(ADDRESS), f"membership/misbehaviour/{ADDRESS.hex()}"),
]
OPERATION: Codec[operations.Propose | operations.Vote] = Codec(
    operations.OpenAccount | operations.RotateKeys | operations.Propose | operations.Vote | operations.Withdraw
)


def test_every_leaf_is_decoded_by_the_one_codec_that_its_path_leads_to():
    for path, record in lived_in().leaves():
        codecs = [codec for prefix, codec in state_keys.PATHS.items() if path.startswith(prefix)]
        assert len(codecs) == 1, path
        assert codecs[0].decode(encode(record)) == record


def test_no_path_prefix_begins_another():
    prefixes = list(state_keys.PATHS)
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and b.startswith(a)]


@pytest.mark.parametrize(("query", "path"), QUERIES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_query_that_anyone_may_ask_leads_to_the_key_of_what_stands(query: Query, path: str):
    assert query.audience == frozenset({Audience.ANYONE})
    key: Key[records.Account] = query.key()
    assert key.path == path
    assert lived_in().get(key) is not None
    assert not key.salted


def test_the_page_has_every_reason_with_its_number_and_sentence():
    rows = [line for line in page_section("Reasons") if line.startswith("| `")]
    assert rows == [f"| `{reason.name}` | {reason.value} | {reason.sentence} |" for reason in MembershipReason]


def test_the_page_has_every_operation_with_its_kind():
    for operation in HANDLERS:
        assert f"| `{operation.__name__}` | {operation.__struct_config__.tag} |" in PAGE


def test_every_handler_names_the_keys_of_who_acts():
    for operation in (
        operations.OpenAccount("bank", "till", KeyPolicy(1, (bytes(32),))),
        operations.Vote("bank", identifier(1)),
    ):
        paths = [key.path for key in HANDLERS[type(operation)].touches(operation)]
        assert paths[:3] == ["membership/account/bank", "membership/parameters", "membership/meter/bank"]


def sample(action: records.Action) -> bytes:
    return encode(operations.Propose("anna", identifier(1), action, DAY_MS))


ACTIONS: list[records.Action] = [
    records.AdmitOrganisation("post", "Post", "post", KeyPolicy(1, (bytes(32),))),
    records.SuspendOrganisation("post"),
    records.RestoreOrganisation("post"),
    records.SuspendAccount("post"),
    records.RestoreAccount("post"),
    records.RecoverAccount("post", KeyPolicy(1, (bytes(32),))),
    records.GrantRole("post", records.Role.AUDITOR),
    records.RevokeRole("post", records.Role.AUDITOR),
    records.SetQuota("post", 5),
    records.SetParameters(-720, None, 1, None, None),
    records.ActivateRules("tenancy", 1, 7),
    records.SetValidator(bytes(32), 0, "post"),
    records.FoundRoom("tenancy", b"\x91\x01"),
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_every_action_survives_the_wire(action: records.Action):
    decoded = OPERATION.decode(sample(action))
    assert isinstance(decoded, operations.Propose)
    assert decoded.action == action


@pytest.mark.parametrize(
    "action",
    [
        records.SetParameters(841, None, None, None, None),
        records.SetParameters(None, 0, None, None, None),
        records.SetParameters(None, None, 0, None, None),
        records.SetParameters(None, None, None, 0, None),
        records.SetParameters(None, None, None, 65, None),
        records.SetQuota("Post", 5),
        records.ActivateRules("../state", 1, 7),
        records.ActivateRules("room\n", 1, 7),
        records.SetQuota("post\n", 5),
        records.SetValidator(bytes(31), 0, "post"),
        records.SetValidator(bytes(32), records.VALIDATOR_POWER_MAX + 1, "post"),
        records.FoundRoom("tenancy", b""),
        records.FoundRoom("tenancy", bytes(records.FOUNDING_BYTES_MAX + 1)),
    ],
    ids=repr,
)
def test_an_action_out_of_bounds_is_not_decoded(action: records.Action):
    with pytest.raises(DecodeError):
        OPERATION.decode(sample(action))


@given(st.sampled_from(ACTIONS), st.data())
def test_mutated_bytes_are_refused_or_are_another_canonical_operation(action: records.Action, data: st.DataObject):
    good = bytearray(sample(action))
    position = data.draw(st.integers(0, len(good) - 1))
    good[position] ^= data.draw(st.integers(1, 255))
    try:
        decoded = OPERATION.decode(bytes(good))
    except DecodeError:
        return
    assert encode(decoded) == bytes(good)
