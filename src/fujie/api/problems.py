"""Every error of the interface as a problem document (RFC 9457): what it is, and what to do next.

``type`` is ``/problems/<NAME>``, which this interface also serves. The name is that of a :class:`Kind` here or of a
ledger's reason; then ``reason`` is its permanent number. Nothing of the program's inside is ever shown: an unexpected
failure has a correlation id, under which the log has the rest.
"""

import logging
import secrets
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar.exceptions import HTTPException

from fujie.advice import advice_of
from fujie.core.errors import OperationalError, Reason, Refused, VerificationError
from fujie.core.reasons import ReadReason, TransactionReason
from fujie.reader.credentials import BadCredential, Fault
from fujie.reader.projection.rows import ProjectionUnavailable

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
INSTANCE_CHARACTERS_MAX: Final = 400  # of a path that comes back in a problem
RETRY_AFTER_S: Final = 1  # an overloaded node empties its queue within a second or two


class Kind(Enum):
    """The interface's own problems: HTTP status, title, and what to do where nothing more exact is known."""

    IDENTIFIER_REDIRECTED = 308, "An identifier has one spelling.", "Follow the header Location."
    MALFORMED = 400, "The request is not well formed.", "Correct the place that is named and send it again."
    IDENTIFIER_MALFORMED = 400, "The text is no identifier.", "Write it as in ZZ.156.1301."
    OPERATION_UNKNOWN = 400, "There is no operation of this type.", "Correct its name; docs/spec lists all operations."
    TIME_NOT_PROVEN_YET = 400, "The time asked about lies after the newest proven block.", "Ask about an earlier time."
    CREDENTIAL_REQUIRED = 401, "Not everyone may read this.", "Send a read grant or an API key as Authorization."
    CREDENTIAL_UNKNOWN = 401, "The node does not know this credential.", "Check that it is whole and of this node."
    CREDENTIAL_EXPIRED = 401, "The credential has expired.", "Ask the operator for a new key, or sign in again."
    CREDENTIAL_REVOKED = 401, "The credential was revoked.", "Ask the operator of the node for a new one."
    CODE_UNKNOWN = 403, "This is no sign-in code, or it was used or has expired.", "Have a new one made."
    SCOPE_MISSING = 403, "The key was not made for this.", "Ask the operator for a key with the scope that is named."
    GENESIS_RESTRICTED = 403, "The genesis of a restricted chain is not public.", "Ask as an auditor of the chain."
    MIRROR_READ_ONLY = 403, "This node is a mirror and takes no transactions.", "Submit to the node that it mirrors."
    NOT_FOUND = 404, "There is nothing at this address.", "Check the path; the documentation lists all routes."
    IDENTIFIER_ABSENT = 404, "The identifier was never allocated.", "The link `proof` proves its absence."
    RECEIPT_ABSENT = (
        404,
        "The node knows no transaction with this id.",
        "Check its id; one that was submitted may still come until it expires, and a node without the whole log lacks old ones.",
    )
    BLOCK_ABSENT = 404, "The node has no block of this height.", "Ask up to that of /status, or ask another node."
    VALIDATORS_UNKNOWN = (
        404,
        "The node does not know these validators, or not how others came after them.",
        "Check the hash: it is validators_hash of a trust root of this chain; or ask another node.",
    )
    ACCOUNT_ABSENT = 404, "There is no account of this name.", "The link `proof` proves its absence."
    ORGANISATION_ABSENT = 404, "There is no organisation of this name.", "GET /organisations lists them all."
    EVENT_ABSENT = 404, "No stream goes on from this event.", "Begin anew, without the id of an event."
    WALLET_ABSENT = 404, "There is no wallet with this id.", "The link `proof` proves its absence."
    TILE_ABSENT = 404, "The proven log has no such tile.", "Ask for tiles of the size that /log/checkpoint names."
    INSTRUMENT_ABSENT = 404, "There is no instrument with this code.", "The link `proof` proves its absence."
    METHOD_NOT_ALLOWED = 405, "The address does not take this method.", "Use one of those in the header Allow."
    NOT_ACCEPTABLE = 406, "The answer does not exist in an accepted form.", "Accept application/json."
    BODY_TIMEOUT = 408, "The body did not arrive in time.", "Send it again, in smaller pieces."
    TOO_LARGE = 413, "The request is larger than the node accepts.", "Send less at a time."
    MEDIA_TYPE_UNSUPPORTED = 415, "The body has a type that is not read here.", "Send application/json."
    HOST_UNKNOWN = 421, "The node is not known by this name.", "Name the host in the configuration: [http] hosts."
    HISTORY_NOT_KEPT = 422, "A record that was asked for keeps no history.", "Read it without a time."
    NODE_BUSY = 429, "The node has as much in hand as it accepts.", "Send the same bytes again shortly."
    GUESSES_EXHAUSTED = 429, "Too many wrong codes were sent to the node.", "Try again in a minute."
    HEAD_TOO_LARGE = 431, "Request line and headers are too long.", "Send at most 32,768 bytes of them."
    INTERNAL = 500, "The node failed unexpectedly.", "Tell its operator the correlation id."
    UNAVAILABLE = 503, "The node cannot answer now.", "Try again shortly; what was acknowledged is safe."
    NOT_READY = 503, "The node does not serve yet, or no longer.", "Wait until it is ready."
    OUTCOME_PENDING = 503, "The chain makes no block now.", "Submit the same bytes again; nothing is carried out twice."
    PROOF_PENDING = 503, "The block that proves the answer is not made yet.", "Ask again shortly."
    CHECKPOINT_OFF = 503, "This node signs no checkpoints.", "Ask another node of the chain."
    PROJECTION_OFF = 503, "The node keeps no lists.", "Switch them on: [projection] enabled; or wait for the rebuild."
    STREAMS_FULL = 503, "As many streams are open as the node serves.", "Open it again later, from the last event id."
    CONNECTIONS_FULL = 503, "As many connections are open as the node serves.", "Connect again later."

    def __init__(self, status: int, title: str, advice: str) -> None:
        self.status = status
        self.title = title
        self.advice = advice


class Problem(Exception):
    """Raised by a handler: the answer is this problem. ``members`` are added to the document. ``location`` is where what is
    asked for is found.
    """

    def __init__(
        self, kind: Kind, detail: str = "", *, retry_after_s: int | None = None, location: str = "", **members: Any
    ) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail or kind.advice
        self.retry_after_s = retry_after_s
        self.location = location
        self.members = members


class ProblemAnswer(msgspec.Struct, frozen=True):
    """A problem ready to send."""

    status: int
    headers: Mapping[str, str]
    body: bytes


_KIND_OF_STATUS: Final[Mapping[int, Kind]] = {
    404: Kind.NOT_FOUND,
    405: Kind.METHOD_NOT_ALLOWED,
    413: Kind.TOO_LARGE,
    415: Kind.MEDIA_TYPE_UNSUPPORTED,
}

CHALLENGE: Final = 'Bearer realm="fujie", Fujie-Grant realm="fujie"'  # of WWW-Authenticate, RFC 9110, section 11.6.1

_KIND_OF_FAULT: Final[Mapping[Fault, Kind]] = {
    Fault.UNKNOWN: Kind.CREDENTIAL_UNKNOWN,
    Fault.EXPIRED: Kind.CREDENTIAL_EXPIRED,
    Fault.REVOKED: Kind.CREDENTIAL_REVOKED,
    Fault.CODE_UNKNOWN: Kind.CODE_UNKNOWN,
    Fault.GUESSES_EXHAUSTED: Kind.GUESSES_EXHAUSTED,
}

_RETRIED: Final = (TransactionReason.ADMISSION_QUEUE_FULL, TransactionReason.QUOTA_EXCEEDED)
_MALFORMED: Final = (
    TransactionReason.TRANSACTION_MALFORMED,
    ReadReason.QUERY_MALFORMED,
    ReadReason.GRANT_MALFORMED,
)


def answer_for(error: Exception, path: str) -> ProblemAnswer:
    """Return the problem document for ``error``, raised while answering ``path``. Logs what was not foreseen."""
    match error:
        case Problem():
            answer = _answer(
                error.kind.status,
                error.kind.name,
                error.kind.title,
                error.detail,
                path,
                error.members,
                error.retry_after_s,
            )
            return _with_header(answer, "location", error.location) if error.location else answer
        case Refused(reason=reason):
            return _refusal(reason, path)
        case BadCredential(fault=fault):
            retry_after_s = 60 if fault is Fault.GUESSES_EXHAUSTED else None
            kind = _KIND_OF_FAULT[fault]
            return _answer(kind.status, kind.name, kind.title, kind.advice, path, {}, retry_after_s)
        case VerificationError():
            return _of_kind(Kind.MALFORMED, str(error), path)
        case ProjectionUnavailable():
            kind = Kind.PROJECTION_OFF
            return _answer(kind.status, kind.name, kind.title, kind.advice, path, {}, RETRY_AFTER_S)
        case OperationalError():
            correlation = _correlate(error)
            return _answer(
                503,
                Kind.UNAVAILABLE.name,
                Kind.UNAVAILABLE.title,
                Kind.UNAVAILABLE.advice,
                path,
                {"correlation_id": correlation},
                RETRY_AFTER_S,
            )
        case HTTPException(status_code=status) if status < 500:
            kind = _KIND_OF_STATUS.get(status, Kind.MALFORMED)
            answer = _of_kind(kind, "", path)
            if allow := (error.headers or {}).get("allow"):  # Litestar writes the name so
                answer = _with_header(answer, "allow", allow)
            return answer
    return _answer(
        500, Kind.INTERNAL.name, Kind.INTERNAL.title, Kind.INTERNAL.advice, path, {"correlation_id": _correlate(error)}
    )


def status_of(reason: Reason) -> int:
    """Return the HTTP status of a refusal: 429 come back later, 400 not well formed, 403 not to you, else 422."""
    if reason in _RETRIED:
        return 429
    if reason in _MALFORMED:
        return 400
    return 403 if isinstance(reason, ReadReason) or reason is TransactionReason.POLICY_NOT_SATISFIED else 422


def advice_for(reason: Reason) -> str:
    """Return what to do about a refusal."""
    return "Send the same bytes again shortly." if reason in _RETRIED else advice_of(reason)


def _refusal(reason: Reason, path: str) -> ProblemAnswer:
    status = status_of(reason)
    retry_after_s = RETRY_AFTER_S if status == 429 else None
    members = {"reason": int(reason)}
    return _answer(status, reason.name, reason.sentence, advice_for(reason), path, members, retry_after_s)


def _of_kind(kind: Kind, detail: str, path: str) -> ProblemAnswer:
    return _answer(kind.status, kind.name, kind.title, detail or kind.advice, path, {})


def _answer(
    status: int,
    name: str,
    title: str,
    detail: str,
    path: str,
    members: Mapping[str, Any],
    retry_after_s: int | None = None,
) -> ProblemAnswer:
    document = {
        "type": f"/problems/{name}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": quote(path[:INSTANCE_CHARACTERS_MAX], errors="replace"),
        **members,
    }
    headers = {"content-type": MEDIA_TYPE, "x-content-type-options": "nosniff", "cache-control": "no-store"}
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    if status == 401:
        headers["www-authenticate"] = CHALLENGE
    if status in (408, 413):
        headers["connection"] = "close"  # the rest of the body is not worth reading
    return ProblemAnswer(status, headers, msgspec.json.encode(document))


def _with_header(answer: ProblemAnswer, name: str, value: str) -> ProblemAnswer:
    return msgspec.structs.replace(answer, headers={**answer.headers, name: value})


def _correlate(error: Exception) -> str:
    """Log what nobody foresaw and return the id under which the log has it."""
    correlation = secrets.token_hex(8)
    log.error("request failed, correlation id %s", correlation, exc_info=error)
    return correlation
