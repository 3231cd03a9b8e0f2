"""The transport over HTTP (docs/spec/09-http.md): bounded in time and size, retried where that is safe.

Every request may be sent twice: submitting is repeat-safe by the ledger, the rest changes nothing. The server is not
trusted with anything but carrying bytes; redirects are not followed, because none is ever needed.
"""

import ipaddress
import random
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import httpx
import msgspec

from fujie.client.reasons import SAME_AGAIN, NotSubmittedError, OutcomePendingError, reason_of
from fujie.client.transport import Status, TransportOutcome
from fujie.core.encoding import Codec, encode
from fujie.core.errors import DecodeError, OperationalError, Reason, Refused, VerificationError
from fujie.core.reasons import TransactionReason
from fujie.core.wording import quoted, visible
from fujie.modules.catalog import RECEIPT
from fujie.proof.light_block import LIGHT_BLOCK_BYTES_MAX

TRANSACTIONS_TYPE: Final = "application/vnd.fujie.transactions+msgpack"
OUTCOMES_TYPE: Final = "application/vnd.fujie.outcomes+msgpack"
READ_TYPE: Final = "application/vnd.fujie.read+msgpack"
BUNDLE_TYPE: Final = "application/vnd.fujie.bundle"
PROBLEM_TYPE: Final = "application/problem+json"
JSON_TYPE: Final = "application/json"
OUTCOME_PENDING: Final = "OUTCOME_PENDING"  # the problem type of a chain that stands still: the node has waited already
LIGHT_BLOCK_TYPE: Final = "application/vnd.fujie.light-block"
RECEIPT_ABSENT: Final = "RECEIPT_ABSENT"  # the problem type of an unknown transaction; any other 404 is a wrong URL
BLOCK_ABSENT: Final = "BLOCK_ABSENT"  # that of a height that the node does not have
VALIDATORS_ABSENT: Final = ("VALIDATORS_UNKNOWN", "NOT_FOUND")  # of validators, and of an older node, which cannot say

ANSWER_BYTES_MAX: Final = 67_108_864  # 10,000 outcomes with receipts are 3 MB, 500 proofs 2 MB; a bulk of bulks 30 MB
PROBLEM_BYTES_MAX: Final = 65_536
STATUS_BYTES_MAX: Final = 65_536
TOLD_CHARACTERS_MAX: Final = 500  # of a sentence of the node that is shown
CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 60.0  # a full queue ahead of a submission takes a few seconds
TRIES_MAX: Final = 5
PAUSE_FIRST_S: Final = 0.1  # doubled at each try, with a random part so that clients do not come back in step
PAUSE_MAX_S: Final = 5.0  # also of what Retry-After may ask for

_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_RETRIED: Final = frozenset({429, 502, 503, 504})
_ASKED_FURTHER: Final = (  # by whoever submits, so that they settle nothing by themselves
    TransactionReason.ADMISSION_QUEUE_FULL,
    TransactionReason.TRANSACTION_EXPIRED,
    TransactionReason.OUTCOME_NOT_KEPT,
)

_Outcome = tuple[bytes, int, bytes | None, int | None]
_OUTCOMES: Final[Codec[list[_Outcome]]] = Codec(list[_Outcome])


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an RFC 9457 problem that a client acts on. ``reason`` is the number of a reason, where a rule refuses."""

    type: str = ""
    title: str = ""
    detail: str = ""
    reason: int | None = None
    correlation_id: str = ""


class _Tries:
    """Whether one of the tries of a request may have reached who carries it out, and whether one before the last may have."""

    def __init__(self, submits: bool = False) -> None:
        self.submits = submits
        self.in_doubt = False
        self.in_doubt_before = False


class _Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


class HttpTransport:
    """Implements ``client.transport.Transport`` over HTTP/1.1 to the node at ``url``. Any thread may call any method.

    ``url`` is ``https://host[:port][/path]``. Plain ``http`` is for loopback, or with ``plain_http`` for a network that
    is protected otherwise: proofs keep answers honest there, but not private. A user name or password does not belong
    into it: a URL is shown in errors, in logs and by nodes that follow another.
    """

    def __init__(
        self,
        url: str,
        *,
        plain_http: bool = False,
        tries: int = TRIES_MAX,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Connect at the first request. Raises :class:`OperationalError` for a URL that cannot be used."""
        parsed = usable_url(url, plain_http)
        self._url = str(parsed).rstrip("/")
        self._tries = tries
        self._answer_timeout_s = answer_timeout_s
        self._answer_bytes_max = answer_bytes_max
        self._client = httpx.Client(
            timeout=httpx.Timeout(answer_timeout_s, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            trust_env=not _is_loopback(parsed.host),  # no proxy stands between a machine and itself
            headers={"Accept-Encoding": "identity", **(headers or {})},  # what unpacks without bound is never asked for
        )

    @property
    def name(self) -> str:
        """See ``Transport``: the URL."""
        return self._url

    def submit(self, transactions: Sequence[bytes]) -> list[TransportOutcome]:
        """See ``Transport``. Raises :class:`VerificationError` (``decode``) for an answer that cannot be read, and
        :class:`NotSubmittedError` where nothing was sent, or the node has turned the request itself away.
        """
        body = encode(list(transactions))
        tries = _Tries(submits=True)
        try:
            answer = self._ask("POST", "/transactions", OUTCOMES_TYPE, body, TRANSACTIONS_TYPE, tries=tries)
        except Refused as refused:  # one refusal for all of them: the queue is full
            self._require_certain(tries, refused.reason)
            return [TransportOutcome(b"", int(refused.reason), None, None, None)] * len(transactions)
        except OperationalError as error:
            if tries.in_doubt:
                raise
            raise NotSubmittedError(error.what, error.do) from error
        outcomes = [_outcome(*outcome) for outcome in _OUTCOMES.decode(answer.body)]
        if len(outcomes) == 1 and outcomes[0].receipt is None and (reason := reason_of(outcomes[0].code)) is not None:
            self._require_certain(tries, reason)
        return outcomes

    def dry_run(self, transaction: bytes) -> TransportOutcome:
        """See ``Transport``. Raises as :meth:`submit`."""
        answer = self._ask("POST", "/dry-run", OUTCOMES_TYPE, encode([transaction]), TRANSACTIONS_TYPE)
        outcomes = _OUTCOMES.decode(answer.body)
        if len(outcomes) != 1:
            raise VerificationError("answer-count", f"one dry run was asked for, {len(outcomes)} are answered")
        return _outcome(*outcomes[0])

    def read(self, queries: Sequence[bytes], grant: bytes | None = None, time_ms: int | None = None) -> bytes:
        """See ``Transport``."""
        body = encode([list(queries), grant, time_ms])
        return self._ask("POST", "/read", BUNDLE_TYPE, body, READ_TYPE).body

    def receipt(self, transaction_id: bytes) -> bytes | None:
        """See ``Transport``."""
        answer = self._ask("GET", f"/receipts/{transaction_id.hex()}", BUNDLE_TYPE, missing=(RECEIPT_ABSENT,))
        return None if answer.status == httpx.codes.NOT_FOUND else answer.body

    def light_block(self, height: int | None) -> bytes | None:
        """See ``Transport``."""
        path = f"/blocks/{'latest' if height is None else height}"
        answer = self._ask("GET", path, LIGHT_BLOCK_TYPE, missing=(BLOCK_ABSENT,), bytes_max=LIGHT_BLOCK_BYTES_MAX)
        return None if answer.status == httpx.codes.NOT_FOUND else answer.body

    def last_of(self, validators_hash: bytes) -> bytes | None:
        """See ``Transport``."""
        path = f"/validators/{validators_hash.hex()}"
        answer = self._ask("GET", path, LIGHT_BLOCK_TYPE, missing=VALIDATORS_ABSENT, bytes_max=LIGHT_BLOCK_BYTES_MAX)
        return None if answer.status == httpx.codes.NOT_FOUND else answer.body

    def status(self) -> Status:
        """See ``Transport``. Raises :class:`VerificationError` (``decode``) for an answer that cannot be read."""
        answer = self._ask("GET", "/status", JSON_TYPE, bytes_max=STATUS_BYTES_MAX)
        try:
            return msgspec.json.decode(answer.body, type=Status)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"not a node's status: {error}") from None

    def close(self) -> None:
        """See ``Transport``."""
        self._client.close()

    # -- inside

    def _ask(
        self,
        method: str,
        path: str,
        accept: str,
        body: bytes | None = None,
        content_type: str = "",
        *,
        missing: Sequence[str] = (),
        bytes_max: int | None = None,
        tries: _Tries | None = None,
    ) -> _Answer:
        """Send a request, again where that may help, and return the answer with its content type checked.

        ``missing`` are the types of problems that are an answer as well: what is asked for does not exist. ``tries`` is told
        whether one of them may have done something.
        Raises ``Refused`` for a problem that names a reason, :class:`OperationalError` for every other one.
        """
        headers = {"Accept": f"{accept}, {PROBLEM_TYPE}"}
        if content_type:
            headers["Content-Type"] = content_type
        bytes_max = self._answer_bytes_max if bytes_max is None else bytes_max
        tries = _Tries() if tries is None else tries
        for attempt in range(1, self._tries + 1):
            in_doubt = tries.in_doubt_before = tries.in_doubt
            tries.in_doubt = True
            try:
                answer, retry_after = self._send(method, path, headers, body, bytes_max)
            except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if isinstance(error, _NOTHING_SENT):
                    tries.in_doubt = in_doubt
                if attempt == self._tries:
                    raise self._unreachable(error, tries) from None
                retry_after = None
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                raise self._unreachable(error, tries) from None
            except RuntimeError:  # httpx says so when the client was closed
                raise OperationalError("The connection was closed.", "Make a new client.") from None
            else:
                if 400 <= answer.status < 500:
                    tries.in_doubt = in_doubt
                if attempt == self._tries or not _is_worth_another_try(answer):
                    return self._checked(answer, accept, missing)
            pause = PAUSE_FIRST_S * 2 ** (attempt - 1) * (1 + random.random())
            time.sleep(min(max(pause, retry_after or 0.0), PAUSE_MAX_S))
        raise AssertionError("the last try returns or raises")

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, bytes_max: int
    ) -> tuple[_Answer, float | None]:
        """Send once; return the answer, read no further than ``bytes_max``, and the seconds of its Retry-After."""
        give_up = time.monotonic() + 2 * self._answer_timeout_s  # a server that drips bytes does not hold us for ever
        with self._client.stream(method, self._url + path, content=body, headers=headers) as response:
            chunks: list[bytes] = []
            size = 0
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise OperationalError(f"{self._url} answers with packed bytes.", "Check what stands before the node.")
            for chunk in response.iter_raw():
                size += len(chunk)
                if size > bytes_max:
                    raise OperationalError(
                        f"{self._url} answers with more than {bytes_max} bytes.", "Ask for less at a time."
                    )
                if time.monotonic() > give_up:
                    raise OperationalError(f"{self._url} answers too slowly.", "Try again later, or ask another node.")
                chunks.append(chunk)
            answer = _Answer(
                response.status_code,
                response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                b"".join(chunks),
            )
            return answer, _seconds(response.headers.get("retry-after", ""))

    def _checked(self, answer: _Answer, accept: str, missing: Sequence[str]) -> _Answer:
        """Return an answer that is one; raise what the others say."""
        if 300 <= answer.status < 400:
            raise OperationalError(
                f"{self._url} sends this client elsewhere (status {answer.status}).",
                "Redirects are not followed; check the URL of the node.",
            )
        if answer.status == httpx.codes.OK:
            if answer.content_type != accept:
                raise OperationalError(
                    f"{self._url} answers with {answer.content_type or 'no content type'!r} instead of {accept}.",
                    "Check that the URL is that of a Fujie node of this version.",
                )
            return answer
        problem = _problem(answer)
        if problem.type.rpartition("/")[2] in missing:
            return answer
        if problem.reason is not None and (reason := reason_of(problem.reason)) is not None:
            raise Refused(reason)
        raise self._failed(answer.status, problem)

    def _failed(self, status: int, problem: _Problem) -> OperationalError:
        """Return the error for a problem that is none of the ledger's reasons: what the node says, and what it advises."""
        title, detail = _sentence(problem.title), _sentence(problem.detail)
        if problem.correlation_id:
            detail = f"{detail} It is {_sentence(problem.correlation_id)}".lstrip()
        if own := self._advice(status):
            title, detail = f"{title} {detail}".strip(), own
        kind = OutcomePendingError if _is_pending(problem) else OperationalError
        return kind(
            f"{self._url} answers with status {status}: {title or 'no explanation.'}",
            detail or "Check the request, or ask another node.",
        )

    def _advice(self, status: int) -> str:
        """Return what to do about an answer that is none, instead of what the node advises; empty: the node knows best."""
        return ""

    def _require_certain(self, tries: _Tries, reason: Reason) -> None:
        """Raise :class:`OperationalError` where a submission was turned away for good now, and an earlier try may go its way."""
        if tries.in_doubt_before and reason not in _ASKED_FURTHER:
            raise OperationalError(
                f"{self._url} does not take it now ({reason.name}), and an earlier try may have been taken.", SAME_AGAIN
            )

    def _unreachable(self, error: Exception, tries: _Tries | None = None) -> OperationalError:
        """Return the error for a node that does not answer, or not as HTTP demands."""
        if isinstance(error, httpx.ConnectError):
            what = f"No node answers at {self._url} ({error})."
        else:
            what = f"{self._url} does not answer as it should ({type(error).__name__}: {error})."
        in_doubt = tries is not None and tries.submits and tries.in_doubt
        again = SAME_AGAIN if in_doubt else "Nothing is lost by trying again."
        return OperationalError(what, f"Check that the node runs (`fujie up`) and that the URL is right. {again}")


def _outcome(identifier: bytes, code: int, receipt: bytes | None, index: int | None) -> TransportOutcome:
    """Return what travelled as an outcome; the height stands in the receipt."""
    height = None if receipt is None else RECEIPT.decode(receipt).height
    return TransportOutcome(identifier, code, receipt, height, index)


def _is_worth_another_try(answer: _Answer) -> bool:
    """Tell whether the same request may have another answer in a moment."""
    return answer.status in _RETRIED and not _is_pending(_problem(answer))


def _is_pending(problem: _Problem) -> bool:
    return problem.type.endswith(f"/{OUTCOME_PENDING}")


def _problem(answer: _Answer) -> _Problem:
    """Return the RFC 9457 problem in an answer; an empty one where it is something else."""
    if answer.content_type == PROBLEM_TYPE and len(answer.body) <= PROBLEM_BYTES_MAX:
        try:
            return msgspec.json.decode(answer.body, type=_Problem)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return _Problem()


def _sentence(text: str) -> str:
    """Return what a node wrote as a sentence that can be shown; nothing stays nothing."""
    text = text.strip()
    if len(text) > TOLD_CHARACTERS_MAX:
        text = f"{text[:TOLD_CHARACTERS_MAX]}…"
    text = visible(text)
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def _seconds(retry_after: str) -> float | None:
    """Return the seconds of a Retry-After header; None without one, or for one that gives a date (RFC 9110, 10.2.3)."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 9 else None


def usable_url(url: str, plain_http: bool = False) -> httpx.URL:
    """Return the URL of a node, parsed.

    Raises :class:`OperationalError`, in order: as :func:`refuse_userinfo`; for what is no URL of HTTP; for plain HTTP to
    another machine, unless ``plain_http`` allows it.
    """
    refuse_userinfo(url)
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise OperationalError(
            f"{quoted(url, 200)} is not a URL of a node.", "Write one such as http://127.0.0.1:8156."
        )
    if parsed.scheme == "http" and not _is_loopback(parsed.host) and not plain_http:
        raise OperationalError(
            f"{url} would send what only you may read over an open line.", "Use https, or ask on the machine itself."
        )
    return parsed


def refuse_userinfo(url: str) -> None:
    """Raise :class:`OperationalError`, which does not repeat it, for a URL with a user name or password.

    So also for what is no URL and could hold one.
    """
    if "@" not in url:
        return
    try:
        parsed = httpx.URL(url)
        clean = parsed.scheme in ("http", "https") and parsed.host and not parsed.userinfo
    except (httpx.InvalidURL, TypeError, ValueError):
        clean = False
    if not clean:
        raise OperationalError(
            "The URL has a user name or password in it (an @ before the path), and would be shown with it.",
            "Write the URL without them; an API key goes into a file of its own.",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
