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

from fujie.core.errors import OperationalError, Reason, Refused, VerificationError
from fujie.core.reasons import ReadReason, TransactionReason

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
INSTANCE_CHARACTERS_MAX: Final = 400  # of a path that comes back in a problem
RETRY_AFTER_S: Final = 1  # an overloaded node empties its queue within a second or two


class Kind(Enum):
    """The interface's own problems: HTTP status, title, and what to do where nothing more exact is known."""

    MALFORMED = 400, "The request is not well formed.", "Correct the place that is named and send it again."
    IDENTIFIER_MALFORMED = 400, "The text is no identifier.", "Write it as in ZZ.156.1301."
    TIME_NOT_PROVEN_YET = 400, "The time asked about lies after the newest proven block.", "Ask about an earlier time."
    GENESIS_RESTRICTED = 403, "The genesis of a restricted chain is not public.", "Ask a member of the chain for it."
    NOT_FOUND = 404, "There is nothing at this address.", "Check the path; the documentation lists all routes."
    IDENTIFIER_ABSENT = 404, "The identifier was never allocated.", "The link `proof` proves its absence."
    RECEIPT_ABSENT = 404, "No transaction with this id stands on the ledger.", "Submit it, or check its id."
    BLOCK_ABSENT = 404, "The node has no block of this height.", "Ask up to that of /status, or ask another node."
    METHOD_NOT_ALLOWED = 405, "The address does not take this method.", "Use one of those in the header Allow."
    NOT_ACCEPTABLE = 406, "The answer does not exist in an accepted form.", "Accept application/json."
    BODY_TIMEOUT = 408, "The body did not arrive in time.", "Send it again, in smaller pieces."
    TOO_LARGE = 413, "The request is larger than the node accepts.", "Send less at a time."
    MEDIA_TYPE_UNSUPPORTED = 415, "The body has a type that is not read here.", "Send application/json."
    HISTORY_NOT_KEPT = 422, "A record that was asked for keeps no history.", "Read it without a time."
    NODE_BUSY = 429, "The node has as much in hand as it accepts.", "Send the same bytes again shortly."
    INTERNAL = 500, "The node failed unexpectedly.", "Tell its operator the correlation id."
    UNAVAILABLE = 503, "The node cannot answer now.", "Try again shortly; what was acknowledged is safe."
    NOT_READY = 503, "The node does not serve yet, or no longer.", "Wait until it is ready."
    PROOF_PENDING = 503, "The block that proves the answer is not made yet.", "Ask again shortly."

    def __init__(self, status: int, title: str, advice: str) -> None:
        self.status = status
        self.title = title
        self.advice = advice


class Problem(Exception):
    """Raised by a handler: the answer is this problem. ``members`` are added to the document."""

    def __init__(self, kind: Kind, detail: str = "", *, retry_after_s: int | None = None, **members: Any) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail or kind.advice
        self.retry_after_s = retry_after_s
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
            return _answer(
                error.kind.status,
                error.kind.name,
                error.kind.title,
                error.detail,
                path,
                error.members,
                error.retry_after_s,
            )
        case Refused(reason=reason):
            return _refusal(reason, path)
        case VerificationError():
            return _of_kind(Kind.MALFORMED, str(error), path)
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
                answer = msgspec.structs.replace(answer, headers={**answer.headers, "allow": allow})
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


def describe(name: str, title: str, status: int, advice: str, reason: Reason | None = None) -> dict[str, Any]:
    """Return what ``/problems/<NAME>`` says; ``reason`` where a rule of the ledger stands behind it."""
    page: dict[str, Any] = {
        "type": f"/problems/{name}",
        "title": title,
        "status": status,
        "advice": advice,
    }
    if reason is not None:
        page["reason"] = {"number": int(reason), "sentence": reason.sentence}
    return page


def advice_for(reason: Reason) -> str:
    """Return what to do about a refusal."""
    if reason in _RETRIED:
        return "Send the same bytes again shortly."
    if reason in _MALFORMED:
        return "Correct it after the specification and send it again."
    if isinstance(reason, ReadReason):
        return "Send a read grant, signed by somebody who may read this and not expired."
    return "Nothing was written. Send a new transaction that the rule allows."


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
    if status in (408, 413):
        headers["connection"] = "close"  # the rest of the body is not worth reading
    return ProblemAnswer(status, headers, msgspec.json.encode(document))


def _correlate(error: Exception) -> str:
    """Log what nobody foresaw and return the id under which the log has it."""
    correlation = secrets.token_hex(8)
    log.error("request failed, correlation id %s", correlation, exc_info=error)
    return correlation
