"""One bounded GET, which says what came back instead of judging it: what light blocks are fetched with over HTTP."""

from typing import Final, NamedTuple

import httpx

from fujie.client.http import HttpTransport
from fujie.core.errors import OperationalError

ANSWER_TIMEOUT_S: Final = 10.0  # a block that is there is read from disk; nothing is waited for


class Fetched(NamedTuple):
    """Status, media type and bytes of an answer."""

    status: int
    content_type: str
    body: bytes


class Fetcher(HttpTransport):
    """Asks ``url`` (see :class:`HttpTransport`). Any thread may call."""

    def __init__(self, url: str, *, plain_http: bool = False, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Connect at the first request. Raises :class:`OperationalError` for a URL that cannot be used."""
        super().__init__(url, plain_http=plain_http, answer_timeout_s=answer_timeout_s)

    def get(self, path: str, accept: str, bytes_max: int) -> Fetched:
        """Return what is answered, of at most ``bytes_max`` bytes.

        Asks once more when a connection broke, which one that was kept open does when the server has been started
        again. Raises :class:`OperationalError` when nothing is answered.
        """
        try:
            return self._get_once(path, accept, bytes_max)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            pass
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self._unreachable(error) from None
        try:
            return self._get_once(path, accept, bytes_max)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self._unreachable(error) from None

    def _get_once(self, path: str, accept: str, bytes_max: int) -> Fetched:
        try:
            answer, _ = self._send("GET", path, {"Accept": accept}, None, bytes_max)
        except RuntimeError as error:  # httpx says so when the client was closed
            if isinstance(error, httpx.StreamError):
                raise
            raise OperationalError("The connection was closed.", "Make a new provider.") from None
        return Fetched(*answer)

    def refused(self, fetched: Fetched) -> OperationalError:
        """Return the error for an answer that cannot be used."""
        return OperationalError(
            f"{self._url} answers with status {fetched.status} and {fetched.content_type or 'no content type'!r}.",
            "Check the URL, or ask another node.",
        )
