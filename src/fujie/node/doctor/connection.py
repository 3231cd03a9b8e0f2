"""A connection to a node, as the doctor looks at it: each thing is asked once.

Nothing is believed of the node's answers but what the trust root proves, and nothing is written: what was seen of the
chain before is read from ``heads.json`` and ``light``, and what is seen now is not kept.
"""

import socket
import ssl
import time
from functools import cached_property, partial
from typing import Any, Final

import httpx
import msgspec

from fujie.client.heads import SeenHead
from fujie.client.http import BUNDLE_TYPE, PROBLEM_TYPE, READ_TYPE, refuse_userinfo
from fujie.client.light.following import Following
from fujie.client.light.node import NodeProvider
from fujie.client.light.store import LightStore
from fujie.client.verifier import VerifiedRecord, Verifier, system_clock_ms
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.modules.membership.queries import ParametersQuery
from fujie.node.config_keys import is_loopback
from fujie.proof.trust import TrustRoot

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 10.0
STREAM_TIMEOUT_S: Final = 20.0  # for the first event: a stream says something every 15 s
ANSWER_BYTES_MAX: Final = 262_144


class Answer(msgspec.Struct, frozen=True):
    """What came back of a request: status, headers in small letters, the beginning of the body, when it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    at_ms: int

    @property
    def type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> dict[str, Any]:
        """Return the object in the body; an empty one where there is none."""
        try:
            found = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Connection:
    """A node at ``url``, asked once for each thing. ``trust``: what its chain is checked against; ``seen``: its newest known
    header; ``known``: which validators are believed by now.
    """

    def __init__(
        self, url: str, trust: TrustRoot | None, seen: SeenHead | None = None, known: LightStore | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self.trust = trust
        self.seen = seen
        self.known = known
        self._refused: dict[str, str] = {}

    @cached_property
    def holds_secret(self) -> bool:
        """Whether there is a user name or password in the URL, which is then not to be shown."""
        try:
            refuse_userinfo(self.url)
        except OperationalError:
            return True
        return False

    @cached_property
    def parsed(self) -> httpx.URL | None:
        """The URL in its parts, or None where it is none."""
        if self.holds_secret:
            return None
        try:
            found = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError, ValueError):
            return None
        return found if found.scheme in ("http", "https") and found.host else None

    @property
    def port(self) -> int:
        """The TCP port."""
        assert self.parsed is not None, "asked before"
        return self.parsed.port or (443 if self.parsed.scheme == "https" else 80)

    @cached_property
    def addresses(self) -> list[str]:
        """The addresses that the name stands for; none where it stands for nothing."""
        if self.parsed is None:
            return []
        try:
            found = socket.getaddrinfo(self.parsed.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
        return list(dict.fromkeys(str(each[4][0]) for each in found))

    @cached_property
    def tcp_error(self) -> str:
        """Why no address accepts a connection; empty where one does."""
        error = "no address"
        for address in self.addresses:
            try:
                socket.create_connection((address, self.port), CONNECT_TIMEOUT_S).close()
            except OSError as caught:
                error = caught.strerror or str(caught)
            else:
                return ""
        return error

    @cached_property
    def status(self) -> Answer | str:
        """The answer to GET /status, or what went wrong."""
        if self.tcp_error:
            return "no connection"
        return self.ask("GET", "/status")

    @property
    def reached(self) -> bool:
        """Whether a Fujie node answers."""
        return (
            isinstance(self.status, Answer)
            and self.status.status == httpx.codes.OK
            and "chain_id" in self.status.json()
        )

    @cached_property
    def proven(self) -> VerifiedRecord[Any] | VerificationError | str:
        """The parameters of the chain, proven; or what did not verify, or did not come."""
        assert self.trust is not None, "asked before"
        query = ParametersQuery()
        answer = self.ask("POST", "/read", encode([[encode(query)], None, None]), READ_TYPE, BUNDLE_TYPE)
        if isinstance(answer, str):
            return answer
        if answer.status != httpx.codes.OK or answer.type != BUNDLE_TYPE:
            return f"status {answer.status} with {answer.type or 'no content type'}"
        verifier = Verifier(self.trust)
        provider = NodeProvider(self.url, plain_http=True, answer_timeout_s=ANSWER_TIMEOUT_S)
        try:
            if self.known is not None:
                verifier.believed.take(self.known)
            following = Following(verifier.believed, provider, (), system_clock_ms)
            return following.checked(partial(verifier.check_record, query, answer.body, floor=self.seen))
        except VerificationError as error:
            return error
        except OperationalError as error:
            return str(error)
        finally:
            provider.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, sends: str = "", accept: str = "application/json"
    ) -> Answer | str:
        """Send one request without credentials; return the answer, or what went wrong in words."""
        assert self.parsed is not None, "asked before"
        headers = {"Accept": f"{accept}, {PROBLEM_TYPE}", "Accept-Encoding": "identity"}
        if sends:
            headers["Content-Type"] = sends
        stream = accept == "text/event-stream"
        timeout = httpx.Timeout(STREAM_TIMEOUT_S if stream else ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        # As the client does: no proxy stands between a machine and itself.
        trust_env = not is_loopback(self.parsed.host)
        try:
            with (
                httpx.Client(timeout=timeout, trust_env=trust_env) as client,
                client.stream(method, self.url + path, content=body, headers=headers) as response,
            ):
                return _answer(response, stream=stream)
        except httpx.ConnectError as error:
            return _tls(error) or f"no connection ({error})"
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            return f"{type(error).__name__}: {error}"


def _answer(response: httpx.Response, *, stream: bool) -> Answer:
    body = b""
    try:
        for chunk in response.iter_raw():
            body += chunk
            if stream or len(body) > ANSWER_BYTES_MAX:
                break
    except httpx.ReadTimeout:
        if not stream:  # one that is silent for a while is open all the same
            raise
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, body, time.time_ns() // 1_000_000)


def _tls(error: Exception) -> str:
    """Return what is wrong with the certificate, where it is that."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"the certificate does not verify ({seen.verify_message})"
        seen = seen.__cause__ or seen.__context__
    return ""
