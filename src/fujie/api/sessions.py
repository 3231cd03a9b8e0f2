"""Who asks, and signing in: a code of the operator becomes a session, which is a key for a working day."""

import msgspec

from fujie.api import media
from fujie.api.pages import Me, Session, SessionEnded, SignIn
from fujie.api.problems import Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving, page_answer
from fujie.core.errors import Refused
from fujie.engine.reading import account_of
from fujie.reader.access import BEARER, sees_all
from fujie.reader.credentials import BadCredential, Credentials, Fault

SIGN_IN_BYTES_MAX = 1_024


async def me(serving: Serving, request: AnyRequest) -> Answer:
    """Say who asks, by what was shown; a stranger where nothing was.

    Problems: CREDENTIAL_UNKNOWN, CREDENTIAL_REVOKED, CREDENTIAL_EXPIRED, and the reasons of a grant.
    """
    reader = serving.authenticated(request)
    state = serving.state
    account = account_of(state, reader.name)
    page = Me(
        kind=reader.kind.value,
        reader=reader.name,
        means=reader.means.value,
        account=None if account is None else account.name,
        organisation=None if account is None else account.organisation,
        roles=[] if account is None else [role.value for role in account.roles],
        scopes=sorted(scope.value for scope in reader.scopes),
        expires_at_ms=reader.expires_at_ms,
        sees_all=sees_all(state, reader),
    )
    return page_answer(page, private=True)


async def sign_in(serving: Serving, request: AnyRequest) -> Answer:
    """Turn a one-time code (``fujie access code``) into a session; the token is told once.

    Problems, in order: MEDIA_TYPE_UNSUPPORTED, TOO_LARGE, NODE_BUSY, BODY_TIMEOUT, MALFORMED, GUESSES_EXHAUSTED,
    CODE_UNKNOWN (also where the node has no access folder), READER_POLICY_NOT_SATISFIED (the code was made for an account
    that there is not), READER_SUSPENDED.
    """
    media.sent_type(request.headers.get("content-type"), (media.JSON,))
    body = await serving.body(request, SIGN_IN_BYTES_MAX)
    try:
        code = msgspec.json.decode(body, type=SignIn).code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # What was sent may hold a code, so it is not repeated.
        raise Problem(Kind.MALFORMED, 'The body is {"code": "..."}, and nothing else.') from None
    credentials = _credentials(serving)
    if credentials is None:
        raise BadCredential(Fault.CODE_UNKNOWN)
    issued = credentials.redeem(code)
    try:
        serving.access.authenticate(serving.engine, f"Bearer {issued.token}")
    except Refused:
        credentials.end_session(issued.token)  # nobody could read with it
        raise
    session = issued.credential
    page = Session(token=issued.token, account=session.account, expires_at_ms=session.expires_at_ms)
    return page_answer(page, private=True)


async def sign_out(serving: Serving, request: AnyRequest) -> Answer:
    """End the session whose token is shown. A key is revoked by the operator alone (``fujie access key revoke``).

    Problems: CREDENTIAL_REQUIRED, CREDENTIAL_UNKNOWN, CREDENTIAL_EXPIRED.
    """
    scheme, _, token = (request.headers.get("authorization") or "").strip().partition(" ")
    if not token:
        raise Problem(Kind.CREDENTIAL_REQUIRED, "Show the token of the session as Authorization: Bearer.")
    credentials = _credentials(serving)
    if credentials is None or scheme.lower() != BEARER:
        raise BadCredential(Fault.UNKNOWN)
    credentials.end_session(token.strip())
    return page_answer(SessionEnded(ended=True), private=True)


def _credentials(serving: Serving) -> Credentials | None:
    return serving.access.credentials
