"""The second verifier as a process: cases go in, verdicts come out."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from fujie.core.errors import VerificationError
from tests.conftest import ROOT

NODE_MAJOR_MIN: Final = 18
"""The oldest Node whose WebCrypto has Ed25519; tools/ensure_tools.sh installs none that is older."""

FOLDER: Final = ROOT / "tests" / "verifier"

Case = dict[str, Any]
Verdict = list[Any]
"""``["valid", value]``, or the name of the failed step and null."""


def node() -> str:
    """Where Node is. Its absence fails a test, and never skips one."""
    found = shutil.which("node")
    assert found is not None, "Node is not installed; `make tools` installs what the tests need"
    version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    assert int(version.removeprefix("v").split(".")[0]) >= NODE_MAJOR_MIN, f"Node {version.strip()} is too old"
    return found


def judged(cases: Iterable[Case]) -> list[Verdict]:
    """The verdicts of the JavaScript verifier."""
    lines = "".join(json.dumps(one) + "\n" for one in cases)
    done = subprocess.run([node(), str(FOLDER / "judge.mjs")], input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4_000:]
    # Not splitlines(): text of a case may hold U+2028, which JSON does not escape.
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def verdict_of(judge: Callable[[], Any]) -> Verdict:
    """The verdict of the Python verifier. Any error but the named one goes through, and fails the test."""
    try:
        return ["valid", judge()]
    except VerificationError as error:
        return [error.step, None]


def assert_agreement(cases: Sequence[Case], judge: Callable[[Case], Any]) -> dict[str, int]:
    """Both verifiers say the same of every case. Returns how often each verdict was given."""
    theirs = judged(cases)
    assert len(theirs) == len(cases)
    count: dict[str, int] = {}
    for case, second in zip(cases, theirs, strict=True):
        first = verdict_of(lambda case=case: judge(case))  # type: ignore[misc]  # called before the next round
        assert second == first, f"Python says {first}, JavaScript says {second} of {json.dumps(case)}"
        count[first[0]] = count.get(first[0], 0) + 1
    return count
