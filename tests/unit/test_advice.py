"""What to do about a refusal: one sentence for every reason, the same wherever a person meets it."""

import json

import pytest

from fujie.advice import advice_of, kind_of, kinds
from fujie.api.chain import problem_pages
from fujie.api.problems import answer_for, status_of
from fujie.cli import output
from fujie.console.language import words
from fujie.core.errors import Reason, Refused
from fujie.core.reasons import TransactionReason
from fujie.modules.catalog import REASONS
from fujie.modules.currency.reasons import CurrencyReason


def test_every_reason_has_one_kind_of_advice_and_no_kind_is_there_for_nothing() -> None:
    listed = [name for kind in kinds().values() for name in kind.reasons]
    assert sorted(listed) == sorted(each.name for each in REASONS.values())
    assert {kind_of(each.name) for each in REASONS.values()} == set(kinds())


@pytest.mark.parametrize("name", kinds())
def test_advice_is_a_sentence(name: str) -> None:
    advice = kinds()[name].advice
    assert advice[0].isupper()
    assert advice.endswith(".")


@pytest.mark.parametrize(
    "reason", [CurrencyReason.PAYER_PAYMENT_LIMIT_EXCEEDED, CurrencyReason.ISSUE_ALREADY_MADE], ids=lambda one: one.name
)
def test_interface_program_and_console_advise_the_same(
    reason: Reason, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output._Mode, "json", False)  # a command with --json may have run before
    advice = advice_of(reason)
    assert json.loads(answer_for(Refused(reason), "/x").body)["detail"] == advice
    assert problem_pages()[reason.name].advice == advice
    assert words("en")(f"advice.{kind_of(reason.name)}") == advice
    assert output.report_error(Refused(reason)) == output.EXIT_REFUSED
    assert capsys.readouterr().err.splitlines() == [
        f"Refused: {reason.name} ({int(reason)}).",
        reason.sentence,
        advice,
    ]


def test_what_may_be_sent_again_as_it_is_says_so() -> None:
    """As a problem such a refusal left no receipt; where it did, the same bytes would give that again."""
    full = TransactionReason.ADMISSION_QUEUE_FULL
    assert status_of(full) == 429
    assert "Send the same bytes again" in json.loads(answer_for(Refused(full), "/x").body)["detail"]
