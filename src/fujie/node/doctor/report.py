"""What a check of the doctor says: a verdict, what it found, and what to do next."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from fujie.core.errors import FujieError, OperationalError, VerificationError

S = TypeVar("S")


class Verdict(StrEnum):
    """``skip``: it could not be looked at, because something that it needs is missing or wrong."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Said(NamedTuple):
    """What a check says; ``do`` is the next step, where there is one."""

    verdict: Verdict
    found: str
    do: str = ""


class Finding(NamedTuple):
    """What a check said, with its name and what it looked at."""

    check: str
    looks_at: str
    verdict: Verdict
    found: str
    do: str


class Check(NamedTuple, Generic[S]):
    """A check: it looks at a scene, changes nothing, and says one thing or several."""

    name: str
    looks_at: str
    look: Callable[[S], Iterable[Said]]


def ok(found: str) -> Said:
    """Return that all is well."""
    return Said(Verdict.OK, found)


def warn(found: str, do: str) -> Said:
    """Return that something may become, or is for some, a problem."""
    return Said(Verdict.WARN, found, do)


def fail(found: str, do: str) -> Said:
    """Return that something is wrong."""
    return Said(Verdict.FAIL, found, do)


def skip(found: str) -> Said:
    """Return why nothing could be looked at."""
    return Said(Verdict.SKIP, found)


def failed(error: FujieError) -> Said:
    """Return what an error says, as a finding."""
    if isinstance(error, OperationalError):
        return fail(error.what, error.do)
    if isinstance(error, VerificationError):
        return fail(f"It does not verify: {error.step}: {error.detail}", "Do not rely on it before you know why.")
    return fail(str(error), "See the reason's page: GET /problems.")


def examine(checks: Iterable[Check[S]], scene: S) -> list[Finding]:
    """Run ``checks`` in order; one that fails by itself says so, and the others go on."""
    findings = []
    for check in checks:
        try:
            said = list(check.look(scene))
        except FujieError as error:
            said = [failed(error)]
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            said = [fail(f"{place}{error.strerror or error}.", "Check the path, its owner and its rights.")]
        except Exception as error:  # noqa: BLE001 - the doctor is asked when anything may be broken
            said = [fail(f"The check itself failed: {type(error).__name__}: {error}", "Please report this.")]
        findings += [Finding(check.name, check.looks_at, *each) for each in said]
    return findings
