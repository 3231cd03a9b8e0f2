"""The messages are those of our own .proto files, in a pool of their own, and their bytes are CometBFT's."""

import hashlib
import json
import subprocess
import sys
from enum import IntEnum

import pytest
from google.protobuf.message import Message

from fujie.engine.cometbft import abci
from fujie.engine.cometbft._generated import FILE_DESCRIPTOR_SET
from fujie.engine.cometbft.classes import classes_in
from tests.conftest import ROOT
from tools.render_protobuf import render

PAGES = render()
CLASSES = classes_in(FILE_DESCRIPTOR_SET)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_generated_file_is_what_the_proto_files_say(path):
    assert path.read_text("utf-8") == PAGES[path], "run: python -m tools.render_protobuf"


def test_every_message_and_enumeration_has_a_type_for_the_checker():
    stub = next(text for path, text in PAGES.items() if path.suffix == ".pyi")
    for name, made in CLASSES.items():
        base = "IntEnum" if issubclass(made, IntEnum) else "Message"
        assert f"class {name}({base}):\n" in stub
        assert type(getattr(abci, name)) is type(made)
    assert stub.count("\nclass ") == len(CLASSES)


def test_every_request_has_an_answer_of_its_name():
    requests = {field.name for field in abci.Request.DESCRIPTOR.fields}
    assert {field.name for field in abci.Response.DESCRIPTOR.fields} == requests | {"exception"}


def test_another_library_may_have_messages_of_the_same_names():
    program = """
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
pool = descriptor_pool.Default()
file = descriptor_pb2.FileDescriptorProto(name="tendermint/abci/types.proto", package="tendermint.abci", syntax="proto3")
file.message_type.add(name="Request").field.add(name="other", number=1, type=5, label=1)
pool.AddSerializedFile(file.SerializeToString())
theirs = message_factory.GetMessageClass(pool.FindMessageTypeByName("tendermint.abci.Request"))
from fujie.engine.cometbft import abci
from google.protobuf.timestamp_pb2 import Timestamp
assert abci.Timestamp is not Timestamp
assert theirs(other=5).SerializeToString() == b"\\x08\\x05"
assert abci.Request(echo=abci.RequestEcho(message="a")).SerializeToString() == b"\\x0a\\x03\\x0a\\x01a"
print("both")
"""
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "both\n"


# One request of each kind as CometBFT 0.38.25 wrote it: a chain of one validator, vote extensions on, its second block.
RECORDED = json.loads((ROOT / "tests" / "abci" / "recorded.json").read_text("utf-8"))


@pytest.mark.parametrize("kind", RECORDED)
def test_what_cometbft_wrote_is_read_and_written_again(kind):
    request = abci.Request.FromString(bytes.fromhex(RECORDED[kind]))
    assert request.WhichOneof("value") == kind
    assert request.SerializeToString().hex() == RECORDED[kind]


def test_what_cometbft_wrote_means_what_was_asked():
    recorded = {kind: getattr(abci.Request.FromString(bytes.fromhex(data)), kind) for kind, data in RECORDED.items()}
    begin, made, decided = recorded["init_chain"], recorded["prepare_proposal"], recorded["finalize_block"]
    assert begin.consensus_params.block.max_bytes == 22_020_096  # its default
    assert begin.consensus_params.abci.vote_extensions_enable_height == 1
    assert begin.initial_height == 1
    assert recorded["check_tx"].tx == b"first"
    assert (made.height, list(made.txs)) == (decided.height, list(decided.txs)) == (2, [b"second"])
    (vote,) = decided.decided_last_commit.votes
    assert vote.block_id_flag == abci.BlockIDFlag.BLOCK_ID_FLAG_COMMIT
    assert vote.validator.address == hashlib.sha256(begin.validators[0].pub_key.ed25519).digest()[:20]
    (extended,) = made.local_last_commit.votes
    assert len(extended.extension_signature) == 64
    assert decided.time.seconds >= begin.time.seconds > 1_700_000_000
    assert (recorded["query"].path, recorded["query"].data, recorded["query"].prove) == ("/there", b"key", True)
    assert recorded["info"].abci_version == "2.0.0"


def test_a_message_that_was_left_out_is_told_from_an_empty_one():
    left_out = abci.RequestInitChain.FromString(b"")
    empty = abci.RequestInitChain.FromString(b"\x1a\x00")
    assert not left_out.HasField("consensus_params")
    assert empty.HasField("consensus_params")
    assert left_out.consensus_params == empty.consensus_params


@pytest.mark.parametrize("made", [each for each in CLASSES.values() if issubclass(each, Message)])
def test_an_empty_message_has_no_bytes(made):
    assert made().SerializeToString() == b""
    assert made.FromString(b"") == made()


def test_values_of_an_enumeration_are_those_of_the_specification():
    assert [flag.name for flag in abci.BlockIDFlag] == [
        f"BLOCK_ID_FLAG_{name}" for name in ("UNKNOWN", "ABSENT", "COMMIT", "NIL")
    ]
    assert list(abci.MisbehaviorType) == [0, 1, 2]
    assert abci.ResponseProcessProposal.REJECT == 2
    assert abci.ResponseApplySnapshotChunk.REJECT_SNAPSHOT == 5
