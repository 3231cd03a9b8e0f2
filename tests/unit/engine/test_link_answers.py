"""Whoever asks over the link is answered, also where the answer is more than the link carries."""

from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.link import messages
from fujie.engine.link.connection import Requests
from tests.reader.ledgers import GIVE_UP_S, linked


def test_outcomes_beyond_a_frame_fail_by_name_and_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with linked("sqlite", tmp_path):
        asked = Requests(tmp_path)
        try:
            assert len(asked.submit([b"x"] * 200).result(GIVE_UP_S)) == 200
            # 3 bytes for each that is asked for, and more for each outcome.
            monkeypatch.setattr(messages, "FRAME_BYTES_MAX", 1_000)
            with pytest.raises(OperationalError, match="does not fit the link") as caught:
                asked.submit([b"x"] * 200).result(GIVE_UP_S)
            assert "fewer at a time" in caught.value.do
            assert len(asked.submit([b"x"]).result(GIVE_UP_S)) == 1
        finally:
            asked.close()
