"""docs/spec/09-http.md names what the interface has: every route, media type, problem, reason of reading and limit."""

import re

import pytest

from fujie.api import connections, events, log_tiles, media, metrics, parameters, serving, streams, submission
from fujie.api.access_table import Rule
from fujie.api.app import CONNECTIONS_BESIDE_STREAMS_MAX, ROUTES
from fujie.api.chain import READY_AGE_MS_MAX
from fujie.api.description import DESCRIPTIONS
from fujie.api.openapi import plain_path
from fujie.api.pages_explorer import AccountLine, Block, Match, OrganisationLine, TransactionLine
from fujie.api.problems import Kind, status_of
from fujie.api.reading import PROOF_TIMEOUT_S
from fujie.api.server import KEEP_ALIVE_S
from fujie.client import http
from fujie.core import limits
from fujie.core.reasons import ReadReason
from fujie.modules.catalog import REASONS
from fujie.node.folder import PORT_DEFAULT
from fujie.reader import credentials
from tools.render_spec import SPEC

PAGE = (SPEC / "09-http.md").read_text("utf-8")
WORDS = {
    "transactions": media.TRANSACTIONS,
    "outcomes": media.OUTCOMES,
    "read": media.READ,
    "bundle": media.BUNDLE,
    "light-block": media.LIGHT_BLOCK,
    "genesis": media.GENESIS,
    "replication": media.REPLICATION,
    "JSON": media.JSON,
    "events": events.MEDIA_TYPE,
    "metrics": metrics.MEDIA_TYPE,
    "text": log_tiles.TEXT,
    "octets": log_tiles.BYTES,
    "problem": media.PROBLEM,
}


def part(name: str) -> str:
    """The text between the two comments that name a part of the page."""
    found = re.search(rf"^<!-- {name} -->\n(.*?)^<!-- end of {name} -->$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def rows(name: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    lines = [line for line in part(name).splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_routes_are_those_of_the_page_in_its_order():
    coded = [(method.value, plain_path(path), rule.title) for method, path, _, rule in ROUTES]
    assert [(row[0], row[1], row[4]) for row in rows("routes")] == coded


def test_routes_take_and_answer_what_the_page_says():
    words = {media_type: word for word, media_type in WORDS.items()}
    for method, path, takes, answers, _ in rows("routes"):
        said = DESCRIPTIONS[method, path]
        assert set(takes.split(", ") if takes else []) == {words[body.media_type] for body in said.takes}, path
        assert set(answers.split(", ")) == {words[body.media_type] for body in said.answers}, path


def test_who_may_read_is_what_the_page_says():
    assert [tuple(row) for row in rows("access")] == [rule.value for rule in Rule]


def test_columns_of_lists_are_those_of_the_pages():
    text = re.sub(r"\s+", " ", PAGE)
    for line in (Block, TransactionLine, AccountLine, OrganisationLine, Match):
        assert ", ".join(f"`{name}`" for name in line.__struct_fields__) in text, line


def test_media_types_are_those_of_the_page():
    assert {row[0]: row[1] for row in rows("media types")} == WORDS
    named = {word for row in rows("routes") for cell in row[2:4] for word in cell.split(", ") if word}
    assert named == set(WORDS) - {"problem"}


def test_client_and_server_mean_the_same_media_types():
    client = (http.TRANSACTIONS_TYPE, http.OUTCOMES_TYPE, http.READ_TYPE, http.BUNDLE_TYPE)
    assert client == (media.TRANSACTIONS, media.OUTCOMES, media.READ, media.BUNDLE)
    assert (http.JSON_TYPE, http.PROBLEM_TYPE) == (media.JSON, media.PROBLEM)


def test_problems_are_those_of_the_page_in_its_order():
    assert [(row[0], int(row[1])) for row in rows("problems")] == [(kind.name, kind.status) for kind in Kind]


def test_reasons_of_reading_stand_on_the_page_in_their_order():
    named = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", part("read reasons"))
    assert named == [reason.name for reason in ReadReason]
    assert {status_of(reason) for reason in ReadReason} == {400, 403}


def test_every_name_in_capitals_is_a_problem_or_a_reason():
    known = {kind.name for kind in Kind} | {reason.name for reason in REASONS.values()} | {"FUJIE_PORT"}
    assert set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", PAGE)) <= known


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("transactions in one submission", limits.SUBMIT_BATCH_MAX),
        ("body of `/transactions`", serving.SUBMIT_BYTES_MAX),
        ("body of `/dry-run`", submission._ONE_BYTES_MAX),
        ("body of `/read`", serving.QUERY_BYTES_MAX),
        ("queries in one read", limits.BULK_ITEMS_MAX),
        ("bodies in memory at once, over all requests", serving.BODIES_BYTES_MAX),
        ("time for a body", serving.BODY_TIMEOUT_S),
        ("transactions that wait for a block", limits.PENDING_TRANSACTIONS_MAX),
        ("transactions that wait for a block", limits.PENDING_BYTES_MAX),
        ("idle connection", KEEP_ALIVE_S),
        ("body of `/transactions` in JSON", submission.JSON_BYTES_MAX),
        ("request line and headers", connections.HEAD_BYTES_MAX),
        ("time for request line and headers", connections.HEAD_TIMEOUT_S),
        ("time in which a client takes 16,384 bytes of its answer", connections.WRITE_TIMEOUT_S),
        ("time in which a client takes 16,384 bytes of its answer", connections.WRITE_BYTES_MIN),
        ("connections of one process", CONNECTIONS_BESIDE_STREAMS_MAX),
        ("dry runs at a time in one process", serving.DRY_RUNS_MAX),
        ("dry runs at a time in one process", serving.DRY_RUNS_WAITING_MAX),
    ],
)
def test_limits_are_those_of_the_page(what, value):
    [line] = [line for line in part("limits").splitlines() if line.startswith(f"| {what} |")]
    assert re.search(rf"(?<![0-9,]){value:,.0f}(?!,?[0-9])", line), line


def test_numbers_in_the_text_are_those_of_the_code():
    for shown in (
        f"{limits.READ_GRANT_MS_MAX:,} ms",
        f"at most {READY_AGE_MS_MAX:,} ms old",
        f"up to {PROOF_TIMEOUT_S:.0f} seconds",
        f"port {PORT_DEFAULT}",
        f"an answer at {http.ANSWER_BYTES_MAX:,} bytes",
        f"problems at {http.PROBLEM_BYTES_MAX:,}",
        f"every {streams.HEARTBEAT_S:.0f} seconds",
        f"when {streams.BUFFER_BYTES_MAX:,} bytes wait",
        f"after {streams.RESUME_WAIT_S:.0f} seconds",
        f"1 to {credentials.KEY_DAYS_MAX} days",
        f"bears {credentials.CODE_GUESSES_MAX} wrong guesses, and each process takes {credentials.GUESSES_PER_MINUTE_MAX}",
        f"(1 to {parameters.LIMIT_MAX}, default {parameters.LIMIT_DEFAULT})",
        f"makes {http.TRIES_MAX} tries",
        f"pauses of {http.PAUSE_FIRST_S} s",
        f"at most {http.PAUSE_MAX_S:.0f} s",
    ):
        assert shown in re.sub(r"\s+", " ", PAGE), shown
    assert http.STATUS_BYTES_MAX == http.PROBLEM_BYTES_MAX
    assert {429, 502, 503, 504} == http._RETRIED
