"""Types of the ABCI messages. Written by tools/render_protobuf.py from the files in proto/; do not edit."""

# ruff: noqa: A002, N802 - the names are those of the messages and of their library
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Literal

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer
from google.protobuf.message import Message

class Timestamp(Message):
    seconds: int
    nanos: int
    def __init__(self, *, seconds: int = ..., nanos: int = ...) -> None: ...

class PublicKey(Message):
    ed25519: bytes
    secp256k1: bytes
    def __init__(self, *, ed25519: bytes = ..., secp256k1: bytes = ...) -> None: ...
    def HasField(self, field_name: Literal["ed25519", "secp256k1", "sum"]) -> bool: ...
    def WhichOneof(self, oneof_group: Literal["sum"]) -> Literal["ed25519", "secp256k1"] | None: ...

class ProofOp(Message):
    type: str
    key: bytes
    data: bytes
    def __init__(self, *, type: str = ..., key: bytes = ..., data: bytes = ...) -> None: ...

class ProofOps(Message):
    @property
    def ops(self) -> RepeatedCompositeFieldContainer[ProofOp]: ...
    def __init__(self, *, ops: Iterable[ProofOp] = ...) -> None: ...

class Duration(Message):
    seconds: int
    nanos: int
    def __init__(self, *, seconds: int = ..., nanos: int = ...) -> None: ...

class ConsensusParams(Message):
    @property
    def block(self) -> BlockParams: ...
    @property
    def evidence(self) -> EvidenceParams: ...
    @property
    def validator(self) -> ValidatorParams: ...
    @property
    def version(self) -> VersionParams: ...
    @property
    def abci(self) -> ABCIParams: ...
    def __init__(
        self,
        *,
        block: BlockParams | None = ...,
        evidence: EvidenceParams | None = ...,
        validator: ValidatorParams | None = ...,
        version: VersionParams | None = ...,
        abci: ABCIParams | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["block", "evidence", "validator", "version", "abci"]) -> bool: ...

class BlockParams(Message):
    max_bytes: int
    max_gas: int
    def __init__(self, *, max_bytes: int = ..., max_gas: int = ...) -> None: ...

class EvidenceParams(Message):
    max_age_num_blocks: int
    @property
    def max_age_duration(self) -> Duration: ...
    max_bytes: int
    def __init__(
        self, *, max_age_num_blocks: int = ..., max_age_duration: Duration | None = ..., max_bytes: int = ...
    ) -> None: ...
    def HasField(self, field_name: Literal["max_age_duration"]) -> bool: ...

class ValidatorParams(Message):
    @property
    def pub_key_types(self) -> RepeatedScalarFieldContainer[str]: ...
    def __init__(self, *, pub_key_types: Iterable[str] = ...) -> None: ...

class VersionParams(Message):
    app: int
    def __init__(self, *, app: int = ...) -> None: ...

class ABCIParams(Message):
    vote_extensions_enable_height: int
    def __init__(self, *, vote_extensions_enable_height: int = ...) -> None: ...

class BlockIDFlag(IntEnum):
    BLOCK_ID_FLAG_UNKNOWN = 0
    BLOCK_ID_FLAG_ABSENT = 1
    BLOCK_ID_FLAG_COMMIT = 2
    BLOCK_ID_FLAG_NIL = 3

class CheckTxType(IntEnum):
    NEW = 0
    RECHECK = 1

class MisbehaviorType(IntEnum):
    UNKNOWN = 0
    DUPLICATE_VOTE = 1
    LIGHT_CLIENT_ATTACK = 2

class Request(Message):
    @property
    def echo(self) -> RequestEcho: ...
    @property
    def flush(self) -> RequestFlush: ...
    @property
    def info(self) -> RequestInfo: ...
    @property
    def init_chain(self) -> RequestInitChain: ...
    @property
    def query(self) -> RequestQuery: ...
    @property
    def check_tx(self) -> RequestCheckTx: ...
    @property
    def commit(self) -> RequestCommit: ...
    @property
    def list_snapshots(self) -> RequestListSnapshots: ...
    @property
    def offer_snapshot(self) -> RequestOfferSnapshot: ...
    @property
    def load_snapshot_chunk(self) -> RequestLoadSnapshotChunk: ...
    @property
    def apply_snapshot_chunk(self) -> RequestApplySnapshotChunk: ...
    @property
    def prepare_proposal(self) -> RequestPrepareProposal: ...
    @property
    def process_proposal(self) -> RequestProcessProposal: ...
    @property
    def extend_vote(self) -> RequestExtendVote: ...
    @property
    def verify_vote_extension(self) -> RequestVerifyVoteExtension: ...
    @property
    def finalize_block(self) -> RequestFinalizeBlock: ...
    def __init__(
        self,
        *,
        echo: RequestEcho | None = ...,
        flush: RequestFlush | None = ...,
        info: RequestInfo | None = ...,
        init_chain: RequestInitChain | None = ...,
        query: RequestQuery | None = ...,
        check_tx: RequestCheckTx | None = ...,
        commit: RequestCommit | None = ...,
        list_snapshots: RequestListSnapshots | None = ...,
        offer_snapshot: RequestOfferSnapshot | None = ...,
        load_snapshot_chunk: RequestLoadSnapshotChunk | None = ...,
        apply_snapshot_chunk: RequestApplySnapshotChunk | None = ...,
        prepare_proposal: RequestPrepareProposal | None = ...,
        process_proposal: RequestProcessProposal | None = ...,
        extend_vote: RequestExtendVote | None = ...,
        verify_vote_extension: RequestVerifyVoteExtension | None = ...,
        finalize_block: RequestFinalizeBlock | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "echo",
            "flush",
            "info",
            "init_chain",
            "query",
            "check_tx",
            "commit",
            "list_snapshots",
            "offer_snapshot",
            "load_snapshot_chunk",
            "apply_snapshot_chunk",
            "prepare_proposal",
            "process_proposal",
            "extend_vote",
            "verify_vote_extension",
            "finalize_block",
            "value",
        ],
    ) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["value"]
    ) -> (
        Literal[
            "echo",
            "flush",
            "info",
            "init_chain",
            "query",
            "check_tx",
            "commit",
            "list_snapshots",
            "offer_snapshot",
            "load_snapshot_chunk",
            "apply_snapshot_chunk",
            "prepare_proposal",
            "process_proposal",
            "extend_vote",
            "verify_vote_extension",
            "finalize_block",
        ]
        | None
    ): ...

class RequestEcho(Message):
    message: str
    def __init__(self, *, message: str = ...) -> None: ...

class RequestFlush(Message):
    def __init__(
        self,
    ) -> None: ...

class RequestInfo(Message):
    version: str
    block_version: int
    p2p_version: int
    abci_version: str
    def __init__(
        self, *, version: str = ..., block_version: int = ..., p2p_version: int = ..., abci_version: str = ...
    ) -> None: ...

class RequestInitChain(Message):
    @property
    def time(self) -> Timestamp: ...
    chain_id: str
    @property
    def consensus_params(self) -> ConsensusParams: ...
    @property
    def validators(self) -> RepeatedCompositeFieldContainer[ValidatorUpdate]: ...
    app_state_bytes: bytes
    initial_height: int
    def __init__(
        self,
        *,
        time: Timestamp | None = ...,
        chain_id: str = ...,
        consensus_params: ConsensusParams | None = ...,
        validators: Iterable[ValidatorUpdate] = ...,
        app_state_bytes: bytes = ...,
        initial_height: int = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["time", "consensus_params"]) -> bool: ...

class RequestQuery(Message):
    data: bytes
    path: str
    height: int
    prove: bool
    def __init__(self, *, data: bytes = ..., path: str = ..., height: int = ..., prove: bool = ...) -> None: ...

class RequestCheckTx(Message):
    tx: bytes
    type: int
    def __init__(self, *, tx: bytes = ..., type: int = ...) -> None: ...

class RequestCommit(Message):
    def __init__(
        self,
    ) -> None: ...

class RequestListSnapshots(Message):
    def __init__(
        self,
    ) -> None: ...

class RequestOfferSnapshot(Message):
    @property
    def snapshot(self) -> Snapshot: ...
    app_hash: bytes
    def __init__(self, *, snapshot: Snapshot | None = ..., app_hash: bytes = ...) -> None: ...
    def HasField(self, field_name: Literal["snapshot"]) -> bool: ...

class RequestLoadSnapshotChunk(Message):
    height: int
    format: int
    chunk: int
    def __init__(self, *, height: int = ..., format: int = ..., chunk: int = ...) -> None: ...

class RequestApplySnapshotChunk(Message):
    index: int
    chunk: bytes
    sender: str
    def __init__(self, *, index: int = ..., chunk: bytes = ..., sender: str = ...) -> None: ...

class RequestPrepareProposal(Message):
    max_tx_bytes: int
    @property
    def txs(self) -> RepeatedScalarFieldContainer[bytes]: ...
    @property
    def local_last_commit(self) -> ExtendedCommitInfo: ...
    @property
    def misbehavior(self) -> RepeatedCompositeFieldContainer[Misbehavior]: ...
    height: int
    @property
    def time(self) -> Timestamp: ...
    next_validators_hash: bytes
    proposer_address: bytes
    def __init__(
        self,
        *,
        max_tx_bytes: int = ...,
        txs: Iterable[bytes] = ...,
        local_last_commit: ExtendedCommitInfo | None = ...,
        misbehavior: Iterable[Misbehavior] = ...,
        height: int = ...,
        time: Timestamp | None = ...,
        next_validators_hash: bytes = ...,
        proposer_address: bytes = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["local_last_commit", "time"]) -> bool: ...

class RequestProcessProposal(Message):
    @property
    def txs(self) -> RepeatedScalarFieldContainer[bytes]: ...
    @property
    def proposed_last_commit(self) -> CommitInfo: ...
    @property
    def misbehavior(self) -> RepeatedCompositeFieldContainer[Misbehavior]: ...
    hash: bytes
    height: int
    @property
    def time(self) -> Timestamp: ...
    next_validators_hash: bytes
    proposer_address: bytes
    def __init__(
        self,
        *,
        txs: Iterable[bytes] = ...,
        proposed_last_commit: CommitInfo | None = ...,
        misbehavior: Iterable[Misbehavior] = ...,
        hash: bytes = ...,
        height: int = ...,
        time: Timestamp | None = ...,
        next_validators_hash: bytes = ...,
        proposer_address: bytes = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["proposed_last_commit", "time"]) -> bool: ...

class RequestExtendVote(Message):
    hash: bytes
    height: int
    @property
    def time(self) -> Timestamp: ...
    @property
    def txs(self) -> RepeatedScalarFieldContainer[bytes]: ...
    @property
    def proposed_last_commit(self) -> CommitInfo: ...
    @property
    def misbehavior(self) -> RepeatedCompositeFieldContainer[Misbehavior]: ...
    next_validators_hash: bytes
    proposer_address: bytes
    def __init__(
        self,
        *,
        hash: bytes = ...,
        height: int = ...,
        time: Timestamp | None = ...,
        txs: Iterable[bytes] = ...,
        proposed_last_commit: CommitInfo | None = ...,
        misbehavior: Iterable[Misbehavior] = ...,
        next_validators_hash: bytes = ...,
        proposer_address: bytes = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["time", "proposed_last_commit"]) -> bool: ...

class RequestVerifyVoteExtension(Message):
    hash: bytes
    validator_address: bytes
    height: int
    vote_extension: bytes
    def __init__(
        self, *, hash: bytes = ..., validator_address: bytes = ..., height: int = ..., vote_extension: bytes = ...
    ) -> None: ...

class RequestFinalizeBlock(Message):
    @property
    def txs(self) -> RepeatedScalarFieldContainer[bytes]: ...
    @property
    def decided_last_commit(self) -> CommitInfo: ...
    @property
    def misbehavior(self) -> RepeatedCompositeFieldContainer[Misbehavior]: ...
    hash: bytes
    height: int
    @property
    def time(self) -> Timestamp: ...
    next_validators_hash: bytes
    proposer_address: bytes
    def __init__(
        self,
        *,
        txs: Iterable[bytes] = ...,
        decided_last_commit: CommitInfo | None = ...,
        misbehavior: Iterable[Misbehavior] = ...,
        hash: bytes = ...,
        height: int = ...,
        time: Timestamp | None = ...,
        next_validators_hash: bytes = ...,
        proposer_address: bytes = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["decided_last_commit", "time"]) -> bool: ...

class Response(Message):
    @property
    def exception(self) -> ResponseException: ...
    @property
    def echo(self) -> ResponseEcho: ...
    @property
    def flush(self) -> ResponseFlush: ...
    @property
    def info(self) -> ResponseInfo: ...
    @property
    def init_chain(self) -> ResponseInitChain: ...
    @property
    def query(self) -> ResponseQuery: ...
    @property
    def check_tx(self) -> ResponseCheckTx: ...
    @property
    def commit(self) -> ResponseCommit: ...
    @property
    def list_snapshots(self) -> ResponseListSnapshots: ...
    @property
    def offer_snapshot(self) -> ResponseOfferSnapshot: ...
    @property
    def load_snapshot_chunk(self) -> ResponseLoadSnapshotChunk: ...
    @property
    def apply_snapshot_chunk(self) -> ResponseApplySnapshotChunk: ...
    @property
    def prepare_proposal(self) -> ResponsePrepareProposal: ...
    @property
    def process_proposal(self) -> ResponseProcessProposal: ...
    @property
    def extend_vote(self) -> ResponseExtendVote: ...
    @property
    def verify_vote_extension(self) -> ResponseVerifyVoteExtension: ...
    @property
    def finalize_block(self) -> ResponseFinalizeBlock: ...
    def __init__(
        self,
        *,
        exception: ResponseException | None = ...,
        echo: ResponseEcho | None = ...,
        flush: ResponseFlush | None = ...,
        info: ResponseInfo | None = ...,
        init_chain: ResponseInitChain | None = ...,
        query: ResponseQuery | None = ...,
        check_tx: ResponseCheckTx | None = ...,
        commit: ResponseCommit | None = ...,
        list_snapshots: ResponseListSnapshots | None = ...,
        offer_snapshot: ResponseOfferSnapshot | None = ...,
        load_snapshot_chunk: ResponseLoadSnapshotChunk | None = ...,
        apply_snapshot_chunk: ResponseApplySnapshotChunk | None = ...,
        prepare_proposal: ResponsePrepareProposal | None = ...,
        process_proposal: ResponseProcessProposal | None = ...,
        extend_vote: ResponseExtendVote | None = ...,
        verify_vote_extension: ResponseVerifyVoteExtension | None = ...,
        finalize_block: ResponseFinalizeBlock | None = ...,
    ) -> None: ...
    def HasField(
        self,
        field_name: Literal[
            "exception",
            "echo",
            "flush",
            "info",
            "init_chain",
            "query",
            "check_tx",
            "commit",
            "list_snapshots",
            "offer_snapshot",
            "load_snapshot_chunk",
            "apply_snapshot_chunk",
            "prepare_proposal",
            "process_proposal",
            "extend_vote",
            "verify_vote_extension",
            "finalize_block",
            "value",
        ],
    ) -> bool: ...
    def WhichOneof(
        self, oneof_group: Literal["value"]
    ) -> (
        Literal[
            "exception",
            "echo",
            "flush",
            "info",
            "init_chain",
            "query",
            "check_tx",
            "commit",
            "list_snapshots",
            "offer_snapshot",
            "load_snapshot_chunk",
            "apply_snapshot_chunk",
            "prepare_proposal",
            "process_proposal",
            "extend_vote",
            "verify_vote_extension",
            "finalize_block",
        ]
        | None
    ): ...

class ResponseException(Message):
    error: str
    def __init__(self, *, error: str = ...) -> None: ...

class ResponseEcho(Message):
    message: str
    def __init__(self, *, message: str = ...) -> None: ...

class ResponseFlush(Message):
    def __init__(
        self,
    ) -> None: ...

class ResponseInfo(Message):
    data: str
    version: str
    app_version: int
    last_block_height: int
    last_block_app_hash: bytes
    def __init__(
        self,
        *,
        data: str = ...,
        version: str = ...,
        app_version: int = ...,
        last_block_height: int = ...,
        last_block_app_hash: bytes = ...,
    ) -> None: ...

class ResponseInitChain(Message):
    @property
    def consensus_params(self) -> ConsensusParams: ...
    @property
    def validators(self) -> RepeatedCompositeFieldContainer[ValidatorUpdate]: ...
    app_hash: bytes
    def __init__(
        self,
        *,
        consensus_params: ConsensusParams | None = ...,
        validators: Iterable[ValidatorUpdate] = ...,
        app_hash: bytes = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["consensus_params"]) -> bool: ...

class ResponseQuery(Message):
    code: int
    log: str
    info: str
    index: int
    key: bytes
    value: bytes
    @property
    def proof_ops(self) -> ProofOps: ...
    height: int
    codespace: str
    def __init__(
        self,
        *,
        code: int = ...,
        log: str = ...,
        info: str = ...,
        index: int = ...,
        key: bytes = ...,
        value: bytes = ...,
        proof_ops: ProofOps | None = ...,
        height: int = ...,
        codespace: str = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["proof_ops"]) -> bool: ...

class ResponseCheckTx(Message):
    code: int
    data: bytes
    log: str
    info: str
    gas_wanted: int
    gas_used: int
    @property
    def events(self) -> RepeatedCompositeFieldContainer[Event]: ...
    codespace: str
    def __init__(
        self,
        *,
        code: int = ...,
        data: bytes = ...,
        log: str = ...,
        info: str = ...,
        gas_wanted: int = ...,
        gas_used: int = ...,
        events: Iterable[Event] = ...,
        codespace: str = ...,
    ) -> None: ...

class ResponseCommit(Message):
    retain_height: int
    def __init__(self, *, retain_height: int = ...) -> None: ...

class ResponseListSnapshots(Message):
    @property
    def snapshots(self) -> RepeatedCompositeFieldContainer[Snapshot]: ...
    def __init__(self, *, snapshots: Iterable[Snapshot] = ...) -> None: ...

class ResponseOfferSnapshot(Message):
    UNKNOWN: Final = 0
    ACCEPT: Final = 1
    ABORT: Final = 2
    REJECT: Final = 3
    REJECT_FORMAT: Final = 4
    REJECT_SENDER: Final = 5
    result: int
    def __init__(self, *, result: int = ...) -> None: ...

class ResponseLoadSnapshotChunk(Message):
    chunk: bytes
    def __init__(self, *, chunk: bytes = ...) -> None: ...

class ResponseApplySnapshotChunk(Message):
    UNKNOWN: Final = 0
    ACCEPT: Final = 1
    ABORT: Final = 2
    RETRY: Final = 3
    RETRY_SNAPSHOT: Final = 4
    REJECT_SNAPSHOT: Final = 5
    result: int
    @property
    def refetch_chunks(self) -> RepeatedScalarFieldContainer[int]: ...
    @property
    def reject_senders(self) -> RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self, *, result: int = ..., refetch_chunks: Iterable[int] = ..., reject_senders: Iterable[str] = ...
    ) -> None: ...

class ResponsePrepareProposal(Message):
    @property
    def txs(self) -> RepeatedScalarFieldContainer[bytes]: ...
    def __init__(self, *, txs: Iterable[bytes] = ...) -> None: ...

class ResponseProcessProposal(Message):
    UNKNOWN: Final = 0
    ACCEPT: Final = 1
    REJECT: Final = 2
    status: int
    def __init__(self, *, status: int = ...) -> None: ...

class ResponseExtendVote(Message):
    vote_extension: bytes
    def __init__(self, *, vote_extension: bytes = ...) -> None: ...

class ResponseVerifyVoteExtension(Message):
    UNKNOWN: Final = 0
    ACCEPT: Final = 1
    REJECT: Final = 2
    status: int
    def __init__(self, *, status: int = ...) -> None: ...

class ResponseFinalizeBlock(Message):
    @property
    def events(self) -> RepeatedCompositeFieldContainer[Event]: ...
    @property
    def tx_results(self) -> RepeatedCompositeFieldContainer[ExecTxResult]: ...
    @property
    def validator_updates(self) -> RepeatedCompositeFieldContainer[ValidatorUpdate]: ...
    @property
    def consensus_param_updates(self) -> ConsensusParams: ...
    app_hash: bytes
    def __init__(
        self,
        *,
        events: Iterable[Event] = ...,
        tx_results: Iterable[ExecTxResult] = ...,
        validator_updates: Iterable[ValidatorUpdate] = ...,
        consensus_param_updates: ConsensusParams | None = ...,
        app_hash: bytes = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["consensus_param_updates"]) -> bool: ...

class CommitInfo(Message):
    round: int
    @property
    def votes(self) -> RepeatedCompositeFieldContainer[VoteInfo]: ...
    def __init__(self, *, round: int = ..., votes: Iterable[VoteInfo] = ...) -> None: ...

class ExtendedCommitInfo(Message):
    round: int
    @property
    def votes(self) -> RepeatedCompositeFieldContainer[ExtendedVoteInfo]: ...
    def __init__(self, *, round: int = ..., votes: Iterable[ExtendedVoteInfo] = ...) -> None: ...

class Event(Message):
    type: str
    @property
    def attributes(self) -> RepeatedCompositeFieldContainer[EventAttribute]: ...
    def __init__(self, *, type: str = ..., attributes: Iterable[EventAttribute] = ...) -> None: ...

class EventAttribute(Message):
    key: str
    value: str
    index: bool
    def __init__(self, *, key: str = ..., value: str = ..., index: bool = ...) -> None: ...

class ExecTxResult(Message):
    code: int
    data: bytes
    log: str
    info: str
    gas_wanted: int
    gas_used: int
    @property
    def events(self) -> RepeatedCompositeFieldContainer[Event]: ...
    codespace: str
    def __init__(
        self,
        *,
        code: int = ...,
        data: bytes = ...,
        log: str = ...,
        info: str = ...,
        gas_wanted: int = ...,
        gas_used: int = ...,
        events: Iterable[Event] = ...,
        codespace: str = ...,
    ) -> None: ...

class Validator(Message):
    address: bytes
    power: int
    def __init__(self, *, address: bytes = ..., power: int = ...) -> None: ...

class ValidatorUpdate(Message):
    @property
    def pub_key(self) -> PublicKey: ...
    power: int
    def __init__(self, *, pub_key: PublicKey | None = ..., power: int = ...) -> None: ...
    def HasField(self, field_name: Literal["pub_key"]) -> bool: ...

class VoteInfo(Message):
    @property
    def validator(self) -> Validator: ...
    block_id_flag: int
    def __init__(self, *, validator: Validator | None = ..., block_id_flag: int = ...) -> None: ...
    def HasField(self, field_name: Literal["validator"]) -> bool: ...

class ExtendedVoteInfo(Message):
    @property
    def validator(self) -> Validator: ...
    vote_extension: bytes
    extension_signature: bytes
    block_id_flag: int
    def __init__(
        self,
        *,
        validator: Validator | None = ...,
        vote_extension: bytes = ...,
        extension_signature: bytes = ...,
        block_id_flag: int = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["validator"]) -> bool: ...

class Misbehavior(Message):
    type: int
    @property
    def validator(self) -> Validator: ...
    height: int
    @property
    def time(self) -> Timestamp: ...
    total_voting_power: int
    def __init__(
        self,
        *,
        type: int = ...,
        validator: Validator | None = ...,
        height: int = ...,
        time: Timestamp | None = ...,
        total_voting_power: int = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["validator", "time"]) -> bool: ...

class Snapshot(Message):
    height: int
    format: int
    chunks: int
    hash: bytes
    metadata: bytes
    def __init__(
        self, *, height: int = ..., format: int = ..., chunks: int = ..., hash: bytes = ..., metadata: bytes = ...
    ) -> None: ...
