"""Evidence of attacks: what a file must hold, and what it says of whom."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core.errors import VerificationError
from fujie.core.signing import public_key
from fujie.proof.header import header_hash
from fujie.proof.light import TrustedHeader
from fujie.proof.light_attack import Kind, check_evidence, contradict, encode_attack
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_address, validator_set_hash
from tests.light.embedded_chain import CHAIN_ID, make_chain, seed_of, set_of
from tests.light.signing_again import signed_again
from tests.light.tampering import with_entry, without

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
ROOT = TrustRoot(chain_id=CHAIN_ID, validators_hash=validator_set_hash(set_of(FOUR)).hex(), state_tree_depth=4)
SIGNERS = (1, 2, 3)


def address(name: int) -> bytes:
    return validator_address(public_key(seed_of(name)))


@pytest.mark.parametrize(
    ("fields", "round_", "kind"),
    [
        ({"app_hash": bytes(32)}, 0, Kind.LUNATIC),
        ({"next_validators_hash": bytes(32)}, 0, Kind.LUNATIC),
        ({"last_results_hash": bytes(32)}, 1, Kind.LUNATIC),
        ({"data_hash": bytes(32)}, 0, Kind.EQUIVOCATION),
        ({"data_hash": bytes(32)}, 1, Kind.AMNESIA),
    ],
)
def test_says_how_validators_attacked_and_who(fields: dict[str, Any], round_: int, kind: Kind):
    blocks = make_chain([FOUR] * 6)
    ours, theirs = without(blocks[4], 0), signed_again(blocks[4], SIGNERS, round_=round_, **fields)
    absent = ours.validators.addresses[0]
    attack = check_evidence(encode_attack(blocks[:2], [ours], [theirs]), ROOT)
    assert attack.kind == kind
    assert (attack.common, attack.headers) == (blocks[1].header, (ours.header, theirs.header))
    in_ours, in_theirs = set(ours.validators.addresses) - {absent}, {address(name) for name in SIGNERS}
    assert set(attack.ours) == in_ours
    assert set(attack.theirs) == in_theirs
    assert set(attack.both) == (in_ours & in_theirs if round_ == 0 else set())


def test_nobody_is_blamed_for_a_signature_that_is_not_theirs():
    blocks = make_chain([FOUR] * 6)
    theirs = signed_again(blocks[4], (1, 2, 3, 4), data_hash=bytes(32))
    theirs = with_entry(theirs, 2, signature=bytes(64))
    attack = check_evidence(encode_attack(blocks[:2], [blocks[4]], [theirs]), ROOT)
    assert set(attack.both) == set(theirs.validators.addresses) - {theirs.validators.addresses[2]}


def test_a_later_time_at_a_lower_height_contradicts():
    blocks = make_chain([FOUR] * 6)
    late = signed_again(blocks[3], time_ns=blocks[5].header.time_ns)
    assert contradict(late.header, blocks[5].header)
    assert contradict(blocks[5].header, late.header)
    assert not contradict(blocks[3].header, blocks[5].header)
    attack = check_evidence(encode_attack(blocks[:1], [blocks[5]], [late]), ROOT)
    assert attack.kind == Kind.LUNATIC


def test_whoever_pins_a_header_of_the_path_can_check():
    blocks = make_chain([FOUR] * 3 + [{1: 10, 2: 10, 5: 10, 6: 10}] * 3)
    theirs = signed_again(blocks[5], (1, 2, 5), data_hash=bytes(32))
    data = encode_attack(blocks[:4], [blocks[5]], [theirs])
    for block in blocks[:4]:
        pin = TrustedHeader(CHAIN_ID, block.header.height, header_hash(block.header))
        assert check_evidence(data, pin).kind == Kind.EQUIVOCATION
    with pytest.raises(VerificationError, match="evidence-root"):
        check_evidence(data, TrustedHeader(CHAIN_ID, 5, header_hash(blocks[4].header)))


Edit = Callable[[dict[str, Any], list[LightBlock]], None]


def put(name: str, *values: str) -> Edit:
    def edit(file: dict[str, Any], _: list[LightBlock]) -> None:
        file[name] = list(values)

    return edit


REFUSED: list[tuple[str, Edit]] = [
    ("evidence-form", lambda file, _: file.pop("format")),
    ("evidence-form", lambda file, _: file.pop("theirs")),
    ("evidence-form", lambda file, _: file.update(more=1)),
    ("evidence-root", lambda file, blocks: file.update(path=[], theirs=[hexed(make_chain([{9: 1}])[0])])),
    ("evidence-form", put("ours")),
    ("evidence-form", put("ours", "0g")),
    ("chain-id", lambda file, _: file.update(chain_id="another")),
    ("decode", put("theirs", "00")),
    ("evidence-root", lambda file, blocks: file.update(path=[hexed(make_chain([{9: 1}])[0])])),
    ("light-height", lambda file, blocks: file.update(path=[hexed(blocks[1]), hexed(blocks[0])])),
    ("light-height", lambda file, blocks: file.update(ours=[hexed(blocks[0])])),
    ("commit-power", lambda file, blocks: file.update(theirs=[hexed(signed_again(blocks[4], (1, 2), data_hash=bytes(32)))])),
    ("light-trust", lambda file, blocks: file.update(theirs=[hexed(make_chain([{9: 1}] * 5)[4])])),
    ("evidence-same", lambda file, blocks: file.update(theirs=file["ours"])),
    ("evidence-same", lambda file, blocks: file.update(theirs=[hexed(blocks[3])])),
]  # fmt: skip


def hexed(block: LightBlock) -> str:
    return encode_light_block(block).hex()


@pytest.mark.parametrize(("step", "edit"), REFUSED)
def test_refuses_a_file_at(step: str, edit: Edit):
    blocks = make_chain([FOUR] * 6)
    theirs = signed_again(blocks[4], SIGNERS, data_hash=bytes(32))
    file = msgspec.json.decode(encode_attack(blocks[:2], [blocks[4]], [theirs]))
    edit(file, blocks)
    with pytest.raises(VerificationError) as refused:
        check_evidence(msgspec.json.encode(file), ROOT)
    assert refused.value.step == step


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{}", b'{"format": "fujie-fork-1"}', b"[" * 100_000])
def test_refuses_what_is_no_file_of_evidence(data: bytes):
    with pytest.raises(VerificationError, match="evidence-form"):
        check_evidence(data, ROOT)


@given(st.data())
def test_whatever_a_file_holds_an_attack_or_a_named_error_comes_out(data: st.DataObject):
    blocks = make_chain([FOUR] * 4)
    text = bytearray(encode_attack(blocks[:2], [blocks[3]], [signed_again(blocks[3], SIGNERS, data_hash=bytes(32))]))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from(b'0123456789abcdef"[]{},: \xff'))
    with suppress(VerificationError):
        assert check_evidence(bytes(text), ROOT).headers
