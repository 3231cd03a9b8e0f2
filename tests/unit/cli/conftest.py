"""What every test of the commands begins with."""

import pytest

from fujie.cli import output


@pytest.fixture(autouse=True)
def for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print for people, whatever a command that ran before in this process was asked for."""
    monkeypatch.setattr(output._Mode, "json", False)
