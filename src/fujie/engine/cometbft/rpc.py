"""The RPC of the node's own CometBFT, over a Unix socket that nobody else can open.

What it answers is of this machine and is believed, but read as strictly as anything: a version of another line would
otherwise be found out late.

Source: CometBFT 0.38, ``openapi.yaml`` of its RPC; JSON-RPC 2.0, section 6 "Batch".
"""

import http.client
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from fujie.core.errors import DecodeError, OperationalError
from fujie.engine.cometbft.unix_http import UnixHttp
from fujie.proof.block_evidence import BlockEvidence, encode_block_evidence
from fujie.proof.comet_evidence import EvidenceJson, read_evidence, write_evidence
from fujie.proof.comet_json import (
    Base64,
    SignedHeaderJson,
    ValidatorJson,
    decode_json,
    read_base64,
    read_commit,
    read_header,
    read_time,
    read_validators,
)
from fujie.proof.header import NANOSECONDS_PER_MS, Header
from fujie.proof.validators import VALIDATORS_MAX, ValidatorSet
from fujie.proof.vote import Commit

T = TypeVar("T")

TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 16 * 2**20
VALIDATORS_A_PAGE: Final = 100  # CometBFT's own bound
_POWER: Final = re.compile(r" (\d{1,19})/(\d{1,19}) = ")  # in `BA{4:xx__} 2/4 = 0.50`: of whom votes have come, of all
BROADCAST_MAX: Final = 500  # transactions in one call; the configuration lets so many in


class Unanswered(OperationalError):
    """CometBFT does not answer, or not with what was asked for: it starts, stops, or has not got it yet."""

    def __init__(self, method: str, detail: str) -> None:
        super().__init__(
            f"CometBFT does not answer '{method}': {detail}.", "It is started again by itself; see its log if it stays."
        )


class NodeStatus(msgspec.Struct, frozen=True):
    """How the node stands: height of its newest block, whether it still fetches older ones from its peers, how many of
    those it has, the power of its own key among the validators, 0 for none, and the time of its newest block.
    """

    height: int
    catching_up: bool
    peers: int
    power: int
    time_ms: int = 0


class Votes(msgspec.Struct, frozen=True):
    """What has arrived of the votes on the block to come, at ``height``: the power of the validators that they are of, in the
    round that has most, and of all validators. None has, as a rule, while nobody has proposed a block. ``round`` is the one that
    the node is in.
    """

    height: int
    heard: int
    total: int
    round: int


class _Error(msgspec.Struct):
    message: str = ""
    data: str = ""


class _Answer(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw()
    error: _Error | None = None


class _CommitResult(msgspec.Struct):
    signed_header: SignedHeaderJson


class _ValidatorsResult(msgspec.Struct):
    validators: list[ValidatorJson]
    total: str


class _EvidenceResult(msgspec.Struct):
    evidence: list[EvidenceJson] | None = None


class _Block(msgspec.Struct):
    evidence: _EvidenceResult


class _BlockResult(msgspec.Struct):
    block: _Block


class _BroadcastResult(msgspec.Struct):
    hash: Base64


class _SyncInfo(msgspec.Struct):
    latest_block_height: str
    latest_block_time: str
    catching_up: bool


class _OwnInfo(msgspec.Struct):
    voting_power: str


class _StatusResult(msgspec.Struct):
    sync_info: _SyncInfo
    validator_info: _OwnInfo


class _NetResult(msgspec.Struct):
    n_peers: str


class _FlushResult(msgspec.Struct):
    """It says nothing."""


class _RoundVotes(msgspec.Struct):
    prevotes_bit_array: str
    precommits_bit_array: str


class _RoundState(msgspec.Struct):
    step: str = msgspec.field(name="height/round/step")
    height_vote_set: list[_RoundVotes]


class _ConsensusResult(msgspec.Struct):
    round_state: _RoundState


class _PeerRound(msgspec.Struct):
    height: str


class _PeerState(msgspec.Struct):
    round_state: _PeerRound


class _PeerResult(msgspec.Struct):
    peer_state: _PeerState


class _PeersResult(msgspec.Struct):
    peers: list[_PeerResult]


class Rpc:
    """Asks CometBFT. Any thread may call any method; nothing is asked again by itself."""

    def __init__(self, socket: Path, why: Callable[[], str] = str) -> None:
        """``why`` tells what CometBFT ended with, where it is known, when it cannot be reached."""
        self._http = UnixHttp(socket, TIMEOUT_S, ANSWER_BYTES_MAX)
        self._why = why

    def broadcast(self, transactions: Sequence[bytes]) -> list[str]:
        """Hand at most ``BROADCAST_MAX`` transactions to CometBFT's mempool, which asks for each by CheckTx; do not wait for that.

        Returns for each why it was not taken, or an empty text. Raises :class:`Unanswered`.
        """
        calls = [
            {
                "jsonrpc": "2.0",
                "id": number,
                "method": "broadcast_tx_async",
                "params": {"tx": transaction},  # msgspec writes bytes in base64
            }
            for number, transaction in enumerate(transactions)
        ]
        told: list[_Answer] | _Answer = self._post("broadcast_tx_async", calls, list[_Answer] | _Answer)
        answers = [told] if isinstance(told, _Answer) else told  # an answer alone comes without its list
        if len(answers) != len(transactions):
            raise Unanswered("broadcast_tx_async", f"{len(answers)} answers for {len(transactions)} transactions")
        return [_problem(answer) for answer in answers]

    def flush_mempool(self) -> None:
        """Have CometBFT forget every transaction that it holds, and that it has had it. Raises :class:`Unanswered`."""
        self._call("unsafe_flush_mempool", {}, _FlushResult)

    def signed_header(self, height: int) -> tuple[Header, Commit]:
        """Return header and commit of a block, of which CometBFT has stored the block. Raises :class:`Unanswered`."""
        found = self._call("commit", {"height": str(height)}, _CommitResult).signed_header
        try:
            return read_header(found.header), read_commit(found.commit)
        except DecodeError as error:
            raise Unanswered("commit", error.detail) from None

    def validators(self, height: int) -> ValidatorSet:
        """Return the validators that sign the block at ``height``. Raises :class:`Unanswered`."""
        told: list[ValidatorJson] = []
        for page in range(1, VALIDATORS_MAX // VALIDATORS_A_PAGE + 1):
            wanted = {"height": str(height), "page": str(page), "per_page": str(VALIDATORS_A_PAGE)}
            found = self._call("validators", wanted, _ValidatorsResult)
            told += found.validators
            if not found.validators or len(told) >= int(found.total):
                break
        try:
            return read_validators(told)
        except DecodeError as error:
            raise Unanswered("validators", error.detail) from None

    def evidence(self, height: int) -> tuple[bytes, ...]:
        """Return the evidence of misbehaviour in a block, as of ``proof.block_evidence``. Raises :class:`Unanswered`."""
        found = self._call("block", {"height": str(height)}, _BlockResult).block.evidence
        try:
            return tuple(encode_block_evidence(read_evidence(each)) for each in found.evidence or ())
        except DecodeError as error:
            raise Unanswered("block", error.detail) from None

    def broadcast_evidence(self, evidence: BlockEvidence) -> bytes:
        """Have CometBFT judge evidence, keep it until a block holds it, and send it to its peers; return its hash (32 bytes).

        Raises :class:`Unanswered`, also when CometBFT does not take it, and then says why.
        """
        found = self._call("broadcast_evidence", {"evidence": write_evidence(evidence)}, _BroadcastResult)
        return read_base64(found.hash)

    def status(self) -> NodeStatus:
        """Return how the node stands. Raises :class:`Unanswered`."""
        said = self._call("status", {}, _StatusResult)
        peers = self._call("net_info", {}, _NetResult).n_peers
        sync = said.sync_info
        try:
            time_ms = read_time(sync.latest_block_time) // NANOSECONDS_PER_MS
        except DecodeError as error:
            raise Unanswered("status", error.detail) from None
        power = int(said.validator_info.voting_power)
        return NodeStatus(int(sync.latest_block_height), sync.catching_up, int(peers), power, time_ms)

    def votes(self) -> Votes:
        """Return what has arrived of the votes on the block to come. Raises :class:`Unanswered`."""
        state = self._call("consensus_state", {}, _ConsensusResult).round_state
        height, _, rest = state.step.partition("/")
        number = rest.partition("/")[0]
        told = [
            _POWER.search(bits)
            for each in state.height_vote_set
            for bits in (each.prevotes_bit_array, each.precommits_bit_array)
        ]
        found = [(int(match[1]), int(match[2])) for match in told if match is not None]
        if not found or not height.isdigit() or not number.isdigit():
            raise Unanswered("consensus_state", "it says nothing of votes")
        return Votes(int(height), max(heard for heard, _ in found), found[0][1], int(number))

    def peer_heights(self) -> list[int]:
        """Return which blocks the connected peers are at, as they say; 0 for one that has not said it. Raises :class:`Unanswered`."""
        told = self._call("dump_consensus_state", {}, _PeersResult).peers
        return [int(each.peer_state.round_state.height) for each in told]

    def close(self) -> None:
        """Close what is open. Idempotent."""
        self._http.close()

    # -- inside

    def _call(self, method: str, params: Mapping[str, Any], form: type[T]) -> T:
        call = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
        answer = self._post(method, call, _Answer)
        if answer.error is not None or not bytes(answer.result):
            raise Unanswered(method, _problem(answer))
        try:
            return decode_json(bytes(answer.result), form)
        except DecodeError as error:
            raise Unanswered(method, error.detail) from None

    def _post(self, method: str, content: Any, form: Any) -> Any:
        try:
            status, answer = self._http.post(msgspec.json.encode(content), "application/json")
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(method, self._why() or str(error) or type(error).__name__) from None
        if len(answer) > ANSWER_BYTES_MAX:
            raise Unanswered(method, f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        try:
            # Errors of a call stand in the answer, which then has status 500.
            return decode_json(answer, form)
        except DecodeError as error:
            raise Unanswered(method, f"status {status}, {error.detail}") from None


def _problem(answer: _Answer) -> str:
    if answer.error is None:
        return ""
    return f"{answer.error.message}: {answer.error.data}" if answer.error.data else answer.error.message or "an error"
