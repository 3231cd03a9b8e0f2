"""Problem documents: the right status for every kind of error, and nothing of the inside."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from fujie.api.problems import Kind, Problem, answer_for, status_of
from fujie.core.errors import DecodeError, OperationalError, Refused
from fujie.core.reasons import ReadReason, TransactionReason
from fujie.modules.catalog import REASONS


def page_of(error: Exception, path: str = "/x") -> tuple[int, dict[str, Any]]:
    answer = answer_for(error, path)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (Problem(Kind.BLOCK_ABSENT), 404, "BLOCK_ABSENT"),
        (DecodeError("bad"), 400, "MALFORMED"),
        (Refused(TransactionReason.ADMISSION_QUEUE_FULL), 429, "ADMISSION_QUEUE_FULL"),
        (Refused(ReadReason.GRANT_REQUIRED), 403, "GRANT_REQUIRED"),
        (Refused(ReadReason.QUERY_MALFORMED), 400, "QUERY_MALFORMED"),
        (OperationalError("x", "y"), 503, "UNAVAILABLE"),
        (NotFoundException(), 404, "NOT_FOUND"),
        (MethodNotAllowedException(), 405, "METHOD_NOT_ALLOWED"),
        (KeyError("secret"), 500, "INTERNAL"),
    ],
)
def test_every_family_of_errors_has_its_problem(error: Exception, status: int, name: str) -> None:
    found, page = page_of(error)
    assert (found, page["status"], page["type"]) == (status, status, f"/problems/{name}")
    assert "secret" not in json.dumps(page)


def test_a_refusal_carries_its_number_and_when_to_return() -> None:
    answer = answer_for(Refused(TransactionReason.ADMISSION_QUEUE_FULL), "/x")
    assert json.loads(answer.body)["reason"] == 10
    assert answer.headers["retry-after"] == "1"


def test_every_reason_has_a_status_of_the_client() -> None:
    assert {status_of(reason) for reason in (*REASONS.values(), *ReadReason)} <= {400, 403, 422, 429}


def test_the_unexpected_stands_in_the_log_under_its_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        _, page = page_of(ValueError("the cause"))
    assert page["correlation_id"] in caplog.text
    assert "the cause" in caplog.text


@given(st.text(max_size=1_000))
def test_any_path_can_be_told_back(path: str) -> None:
    _, page = page_of(Problem(Kind.NOT_FOUND), path)
    assert page["instance"].isascii()
