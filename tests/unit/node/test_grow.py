"""An embedded chain is handed to those who ask for it: what is written, what each of them founds from it, and every refusal."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from fujie.cli.app import app
from fujie.client.client import named
from fujie.core.errors import OperationalError, Refused, VerificationError
from fujie.engine import embedded
from fujie.engine.cometbft.home import VALIDATOR_STATE_FILE, node_id
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.stored_block import light_block_at
from fujie.modules.identity.state_keys import identity
from fujie.modules.membership.records import SetValidator
from fujie.node import grow
from fujie.node.ceremony import join_grown
from fujie.node.check import check_folder
from fujie.node.cometbft_file import CometFile, read_comet_file, write_comet_file
from fujie.node.doctor import examine_folder
from fujie.node.doctor.report import Verdict
from fujie.node.folder import Folder
from fujie.node.founding import open_engine
from fujie.node.grow_here import requests_here
from fujie.node.handover import (
    COMET_GENESIS,
    FILE,
    REQUESTS,
    SNAPSHOT,
    TRUST,
    HandoverFile,
    ended_in,
    handover_folder,
    signed_bytes,
)
from fujie.node.join_request import JoinRequest, sign_request
from fujie.node.keyring import ensure_key, validator_signer
from fujie.node.ledger import open_ledger
from fujie.node.network import create
from fujie.node.recovery import recover
from fujie.node.successors import vote
from fujie.proof.light import verify_follows
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from fujie.store.layout import Table
from fujie.store.opening import StoreKind, open_store
from fujie.store.snapshot import META_ORIGIN
from tests.e2e.cli_network import free_ports
from tests.growing import ORGANISATIONS, request_of, requests, town
from tests.unit.node.test_ceremony import signer
from tests.world import ON_DISK

IDENTITY_POINT = bytes([1, *bytes(31)])


def used(folder: Folder) -> None:
    """Write something to the chain of ``folder``."""
    with open_ledger(folder.home) as ledger:
        ledger.allocate("ZZ.000", named("GAS", "department", "Gas works"))


def grown(folder: Folder, place: Path) -> grow.Grown:
    return grow.carry_out(folder, grow.plan(folder, requests(place), listen="0.0.0.0:26656"))


@pytest.mark.parametrize("kind", ON_DISK)
def test_each_organisation_founds_its_node_from_what_is_handed_over(kind: StoreKind, tmp_path: Path) -> None:
    folder = town(tmp_path / "old", kind)
    used(folder)
    plan = grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656")
    assert (len(plan.actions), plan.validates, plan.running) == (2 * len(ORGANISATIONS) + 1, False, False)
    handover = grow.carry_out(folder, plan).handover
    assert sorted(path.name for path in handover.place.iterdir()) == sorted(
        (COMET_GENESIS, FILE, REQUESTS, SNAPSHOT, TRUST)
    )
    ended = ended_in(folder)
    assert ended is not None
    genesis = json.loads((handover.place / COMET_GENESIS).read_bytes())
    assert genesis["initial_height"] == str(ended.header.height + 1)
    assert genesis["app_hash"] == ended.header.app_hash.hex().upper()
    assert (genesis["chain_id"], len(genesis["validators"])) == (folder.trust().chain_id, len(ORGANISATIONS))
    for name in ORGANISATIONS:
        joined = Folder(tmp_path / name)
        join_grown(joined, handover.place, kind)
        assert joined.trust() == folder.trust()
        assert ended_in(joined) == ended
        file = read_comet_file(joined)
        assert (file.initial_height, file.moniker, len(file.peers)) == (ended.header.height + 1, name, 3)
        state = json.loads((joined.cometbft_home / VALIDATOR_STATE_FILE).read_bytes())
        assert state["height"] == str(ended.header.height), "nothing that the embedded engine signed is signed again"
        assert check_folder(joined).findings == []
    own = read_comet_file(folder)
    assert (own.moniker, own.listen, len(own.peers)) == ("replica", "0.0.0.0:26656", len(ORGANISATIONS))
    assert check_folder(folder).findings == []


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ({"listen": "ledger.example:26714"}, "ledger.example:26714"),
        ({"address": "ledger.example:26714"}, "ledger.example:26714"),
        ({"listen": "0.0.0.0:26700", "address": "ledger.example:26714"}, "ledger.example:26714"),
        ({"listen": "0.0.0.0:26714"}, ""),
    ],
)
def test_who_joins_lets_the_owners_node_in_where_it_is_said_how_to_reach_it(
    tmp_path: Path, said: dict[str, Any], address: str
) -> None:
    folder = town(tmp_path / "old")
    handover = grow.carry_out(folder, grow.plan(folder, requests(tmp_path), **said)).handover
    own = node_id(ensure_key(folder.node_key, "node").public_key)
    assert handover.file.peer == (f"{own}@{address}" if address else "")
    join_grown(Folder(tmp_path / "east"), handover.place, "sqlite")
    known = {peer.node_id: peer.address for peer in read_comet_file(Folder(tmp_path / "east")).known_peers}
    assert (len(known), known.get(own, "")) == (4 if address else 3, address)
    shown = CliRunner().invoke(app, ["--home", str(tmp_path / "north"), "network", "join", str(handover.place)]).output
    assert "Joined" in shown
    assert (f"{own}@{address}, the node that handed over" in shown) is bool(address)
    assert read_comet_file(folder).listen == said.get("listen", "0.0.0.0:26714")


def test_the_peer_that_was_written_stays_when_it_is_run_again_without_address(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    asking = requests(tmp_path)
    first = grow.carry_out(folder, grow.plan(folder, asking, address="ledger.example:26714")).handover
    folder.cometbft.unlink()  # as if it had been killed before the last step
    for listen in ("", "0.0.0.0:26700"):
        assert grow.plan(folder, asking, listen=listen).peer == first.file.peer
    assert grow.carry_out(folder, grow.plan(folder, ())).handover == first
    assert read_comet_file(folder).listen == "0.0.0.0:26714"
    folder.cometbft.unlink()
    other = grow.carry_out(folder, grow.plan(folder, (), address="ledger.example:26715")).handover.file
    assert other.peer.endswith("@ledger.example:26715")
    join_grown(Folder(tmp_path / "east"), handover_folder(folder), "sqlite")


def test_another_key_than_that_of_the_last_block_names_no_peer(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    grown(folder, tmp_path)
    folder.cometbft.unlink()
    folder.validator_key.unlink()
    ensure_key(folder.validator_key, "validator")
    with pytest.raises(OperationalError, match="is not the one that signed block"):
        grow.carry_out(folder, grow.plan(folder, (), address="ledger.example:26714"))


def test_a_node_that_joins_has_the_last_block_and_the_whole_log(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    used(folder)
    handover = grown(folder, tmp_path).handover
    east = Folder(tmp_path / "east")
    join_grown(east, handover.place, "sqlite")
    store, theirs = open_store("sqlite", folder.chain), open_store("sqlite", east.chain)
    try:
        height = handover.file.height
        last = light_block_at(theirs.get, height)
        assert last is not None
        assert last == light_block_at(store.get, height)
        before = light_block_at(store.get, height - 1)
        assert before is not None
        verify_follows(before.header, before.validators, last)
        assert theirs.get(Table.META, META_ORIGIN) is not None
        entries = [list(each.scan(Table.LOG_ENTRIES)) for each in (store, theirs)]
        assert entries[0] == entries[1] != []
    finally:
        store.close()
        theirs.close()


def test_a_short_log_leaves_older_entries_with_the_first_folder(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    used(folder)
    handover = grow.carry_out(
        folder, grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656"), whole_log=False
    ).handover
    join_grown(Folder(tmp_path / "east"), handover.place, "sqlite")
    assert check_folder(Folder(tmp_path / "east")).findings == []


def test_the_owner_may_be_one_of_the_validators_with_the_same_key(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    asking = [*requests(tmp_path, ORGANISATIONS[:3]), request_of(folder, "owner")]
    plan = grow.plan(folder, asking)
    assert plan.validates
    assert [type(action).__name__ for action in plan.actions].count("AdmitOrganisation") == 3
    handover = grow.carry_out(folder, plan).handover
    assert read_comet_file(folder).moniker == "owner"
    assert len(handover.requests) == 4


def test_it_may_be_run_again_when_everything_is_done(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    first = grown(folder, tmp_path)
    plan = grow.plan(folder, (), listen="0.0.0.0:26656")
    assert plan.ended is not None
    again = grow.carry_out(folder, plan)
    assert (again.handover, again.since_s) == (first.handover, None)


def test_what_was_handed_over_is_opened_by_no_embedded_engine(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    handover = grown(folder, tmp_path).handover
    folder.cometbft.unlink()
    with pytest.raises(OperationalError, match="network grow"):
        open_engine(folder, validator_signer(folder))
    [said] = [each for each in examine_folder(folder)[0] if each.verdict is Verdict.FAIL]
    assert "no node of theirs yet" in said.found
    # Nor where it was loaded from a snapshot, into a folder with the key that signed until then.
    from fujie.node.snapshot import load_snapshot

    loaded = Folder(tmp_path / "loaded")
    load_snapshot(loaded, handover.place / SNAPSHOT, folder.trust())
    shutil.copytree(folder.home / "keys", loaded.home / "keys")
    with pytest.raises(OperationalError, match=r"handed over to its validators.*fujie mirror"):
        open_engine(loaded, validator_signer(loaded))


# Refusals. Nothing is written before the plan stands.


def without_key_of(request: JoinRequest, key: bytes) -> JoinRequest:
    return msgspec.structs.replace(request, validator_key=key.hex())


def for_another_chain(asking: list[JoinRequest]) -> list[JoinRequest]:
    names = ("account", "validator", "node")
    other = msgspec.structs.replace(
        asking[0],
        network="city",
        **{f"{name}_key": signer(name).public_key.hex() for name in names},
    )
    return [sign_request(other, *(signer(name) for name in names)), *asking[1:]]


def with_old_program(asking: list[JoinRequest]) -> list[JoinRequest]:
    names = ("account", "validator", "node")
    other = msgspec.structs.replace(
        asking[0],
        rules={"membership": 1},
        **{f"{name}_key": signer(name).public_key.hex() for name in names},
    )
    return [sign_request(other, *(signer(name) for name in names)), *asking[1:]]


def named_as_owner(asking: list[JoinRequest]) -> list[JoinRequest]:
    names = ("account", "validator", "node")
    other = msgspec.structs.replace(
        asking[0],
        organisation="owner",
        **{f"{name}_key": signer(name).public_key.hex() for name in names},
    )
    return [sign_request(other, *(signer(name) for name in names)), *asking[1:]]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda asking: [without_key_of(asking[0], IDENTITY_POINT), *asking[1:]], "join-key"),
        (lambda asking: [without_key_of(asking[0], signer("other").public_key), *asking[1:]], "join-signature"),
        (lambda asking: [asking[0], *asking], "join-merge"),
        (for_another_chain, "grow-network"),
        (named_as_owner, "grow-account"),
        (with_old_program, "grow-rules"),
    ],
    ids=["small-order", "unsigned", "twice", "another-chain", "another-key-of-the-account", "lacks-rules"],
)
def test_requests_that_do_not_fit_are_refused(
    change: Callable[[list[JoinRequest]], list[JoinRequest]], step: str, tmp_path: Path
) -> None:
    folder = town(tmp_path / "old")
    with pytest.raises(VerificationError) as raised:
        grow.plan(folder, change(requests(tmp_path)), listen="0.0.0.0:26656")
    assert raised.value.step == step
    assert not handover_folder(folder).exists()


def test_too_few_validators_are_refused_unless_that_is_wanted(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    with pytest.raises(OperationalError, match="not said who goes on"):
        grow.plan(folder, ())
    three = requests(tmp_path, ORGANISATIONS[:3])
    with pytest.raises(OperationalError, match="3 validators: that is too few"):
        grow.plan(folder, three, listen="0.0.0.0:26656")
    assert len(grow.plan(folder, three, listen="0.0.0.0:26656", few=True).requests) == 3


def test_a_folder_that_cannot_grow_says_why(tmp_path: Path) -> None:
    asking = requests(tmp_path)
    with pytest.raises(OperationalError, match="There is no data folder"):
        grow.plan(Folder(tmp_path / "none"), asking)
    folder = town(tmp_path / "old")
    with pytest.raises(OperationalError, match="not said where this node waits"):
        grow.plan(folder, asking)
    write_comet_file(folder, CometFile(initial_height=1, moniker="x", listen="127.0.0.1:1"))
    with pytest.raises(OperationalError, match="is a node among several already"):
        grow.plan(folder, asking)
    folder.cometbft.unlink()
    folder.write_description("sqlite", "mirror")
    with pytest.raises(OperationalError, match="is a mirror"):
        grow.plan(folder, asking)


def test_where_the_governors_keys_are_elsewhere_it_says_what_they_have_to_vote(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    kept = tmp_path / "owner.key"
    (folder.home / "keys" / "owner.key").rename(kept)
    with pytest.raises(OperationalError, match="governors must vote") as raised:
        grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656")
    actions = [json.loads(line) for line in raised.value.do.splitlines() if line.startswith("  {")]
    assert [action["type"] for action in actions].count("set_validator") == len(ORGANISATIONS) + 1
    # They vote, each where its keys are; then nothing is left to vote, whatever keys are here.
    kept.rename(folder.home / "keys" / "owner.key")
    plan = grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656")
    with grow._client(folder, lambda: validator_signer(folder)) as client:
        vote(client, plan.actions, plan.electorate)
    (folder.home / "keys" / "owner.key").rename(kept)
    plan = grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656")
    assert plan.actions == ()
    assert len(grow.carry_out(folder, plan).handover.requests) == len(ORGANISATIONS)


def test_votes_that_come_between_plan_and_hand_over_stop_it(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    plan = grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656")
    electorate = plan.electorate
    with grow._client(folder, lambda: validator_signer(folder)) as client:
        vote(client, plan.actions, electorate)
        vote(client, [SetValidator(signer("late").public_key, 10, "owner")], electorate)
    with pytest.raises(OperationalError, match="no longer those of the requests"):
        grow.carry_out(folder, plan._replace(actions=()))
    assert ended_in(folder) is None


def test_others_than_those_it_was_handed_to_do_not_get_it(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    grown(folder, tmp_path)
    others = [*requests(tmp_path, ORGANISATIONS[:3]), request_of(Folder(tmp_path / "south"), "south")]
    with pytest.raises(VerificationError) as raised:
        grow.plan(folder, others, listen="0.0.0.0:26656")
    assert raised.value.step == "grow-successors"


def test_a_node_that_runs_and_does_not_answer_is_not_worked_around(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    plan = grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656")
    engine = open_engine(folder, validator_signer(folder))
    try:
        with pytest.raises(OperationalError):
            grow.carry_out(folder, plan)
        assert ended_in(folder) is None
    finally:
        engine.close()


# What is handed over is not believed because it is there.


def changed_text(place: Path, name: str, old: str, new: str) -> None:
    path = place / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def with_another_power(place: Path) -> None:
    changed_text(place, COMET_GENESIS, '"power": "10"', '"power": "11"')


def without_a_request(place: Path) -> None:
    (place / REQUESTS / "west.join").unlink()


def with_another_root(place: Path) -> None:
    old = json.loads((place / TRUST).read_bytes())["validators_hash"]
    changed_text(place, TRUST, old, "00" * 32)


def with_a_changed_record(place: Path) -> None:
    data = bytearray((place / SNAPSHOT).read_bytes())
    data[len(data) // 2] ^= 1
    (place / SNAPSHOT).write_bytes(data)


def with_another_address(place: Path) -> None:
    changed_text(place, FILE, "@ledger.example:", "@stranger.example:")


def with_another_node_id(place: Path) -> None:
    file = json.loads((place / FILE).read_bytes())
    changed_text(place, FILE, file["peer"].partition("@")[0], "ab" * 20)


def without_signature(place: Path) -> None:
    file = json.loads((place / FILE).read_bytes())
    del file["signature"]
    (place / FILE).write_text(json.dumps(file))


def signed_by_another(place: Path) -> None:
    file = msgspec.json.decode((place / FILE).read_bytes(), type=HandoverFile)
    signature = signer("another").sign(signed_bytes(file)).hex()
    (place / FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(file, signature=signature)))


@pytest.mark.parametrize("change", [with_another_address, with_another_node_id, without_signature, signed_by_another])
def test_a_peer_that_the_old_validator_did_not_sign_is_let_in_by_nobody(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = town(tmp_path / "old")
    place = grow.carry_out(folder, grow.plan(folder, requests(tmp_path), address="ledger.example:26714")).handover.place
    change(place)
    east = Folder(tmp_path / "east")
    with pytest.raises(VerificationError) as raised:
        join_grown(east, place, "sqlite")
    assert raised.value.step == "handover-signature"
    assert not east.chain.exists()
    assert not east.cometbft.exists()


def with_a_peer(place: Path) -> None:
    file = json.loads((place / FILE).read_bytes())
    (place / FILE).write_text(json.dumps(file | {"peer": f"{'ab' * 20}@stranger.example:26656"}))


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (with_a_peer, "handover-signature"),
        (with_another_power, "handover-genesis"),
        (without_a_request, "handover-validators"),
        (with_another_root, "validators"),
        (with_a_changed_record, "handover-snapshot"),
    ],
)
def test_a_handover_folder_that_was_changed_is_refused(
    change: Callable[[Path], None], step: str, tmp_path: Path
) -> None:
    folder = town(tmp_path / "old")
    place = grown(folder, tmp_path).handover.place
    change(place)
    east = Folder(tmp_path / "east")
    with pytest.raises(VerificationError) as raised:
        join_grown(east, place, "sqlite")
    assert raised.value.step == step
    assert not east.chain.exists()


def test_a_chain_that_a_forger_signed_from_the_same_genesis_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = town(tmp_path / "old")
    forger = Folder(tmp_path / "forger")
    shutil.copytree(folder.home, forger.home)
    forger.validator_key.unlink()
    key = ensure_key(forger.validator_key, "validator").public_key
    theirs = ValidatorSet.of([Validator(key, 1)])
    monkeypatch.setattr(embedded, "_validator_set", lambda _: theirs)
    forger.write_trust(msgspec.structs.replace(folder.trust(), validators_hash=validator_set_hash(theirs).hex()))
    place = grown(forger, tmp_path).handover.place
    with pytest.raises(VerificationError) as raised:
        join_grown(Folder(tmp_path / "east"), place, "sqlite")
    assert raised.value.step == "handover-trust"


def test_an_incomplete_handover_folder_is_refused(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    place = grown(folder, tmp_path).handover.place
    (place / FILE).unlink()
    with pytest.raises(OperationalError, match="no complete handover folder"):
        join_grown(Folder(tmp_path / "east"), place, "sqlite")


def test_whoever_is_not_among_them_joins_as_a_replica(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    place = grown(folder, tmp_path).handover.place
    other = Folder(tmp_path / "other")
    with pytest.raises(OperationalError, match="not among those"):
        join_grown(other, place, "sqlite")
    join_grown(other, place, "sqlite", replica=True, listen="0.0.0.0:26656")
    assert read_comet_file(other).moniker == "replica"
    with pytest.raises(OperationalError, match=r"has joined .* already"):
        join_grown(other, place, "sqlite", replica=True, listen="0.0.0.0:26656")


def test_a_node_of_a_chain_that_grew_is_recovered_from_what_was_handed_over(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    place = grown(folder, tmp_path).handover.place
    east = Folder(tmp_path / "east")
    join_grown(east, place, "sqlite")
    before = ended_in(east)
    shutil.rmtree(east.chain)
    with pytest.raises(OperationalError, match="grew out of an embedded one"):
        recover(east, 1_000)
    recover(east, 1_000, handover=place)
    assert ended_in(east) == before
    state = json.loads((east.cometbft_home / VALIDATOR_STATE_FILE).read_bytes())
    assert state["height"] == "1000"
    assert check_folder(east).findings == []
    other = town(tmp_path / "another")
    theirs = grown(other, tmp_path).handover.place
    with pytest.raises(OperationalError, match="the trust root of this folder pins"):
        recover(east, 1_000, handover=theirs)


def test_until_it_is_handed_over_the_embedded_chain_goes_on(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    plan = grow.plan(folder, requests(tmp_path), listen="0.0.0.0:26656")
    with grow._client(folder, lambda: validator_signer(folder)) as client:
        vote(client, plan.actions, plan.electorate)
    used(folder)
    engine = open_engine(folder, validator_signer(folder))
    try:
        assert isinstance(engine, EmbeddedEngine)
        assert engine.read(identity("ZZ.000.GAS")) is not None
    finally:
        engine.close()
    with open_ledger(folder.home) as ledger, pytest.raises(Refused):
        ledger.allocate("ZZ.000", named("GAS", "department", "Gas works"))


def test_a_network_of_that_name_which_is_another_chain_is_not_taken_for_the_nodes(tmp_path: Path) -> None:
    folder = town(tmp_path / "old")
    other = create(folder.home, "town", 4, free_ports(), "sqlite")
    with pytest.raises(OperationalError, match="is of another chain"):
        requests_here(folder, 4, free_ports())
    other.place.rename(tmp_path / "away")
    assert len(requests_here(folder, 4, free_ports())) == 4
