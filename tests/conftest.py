"""What every test runs under: Hypothesis profiles, and the tools that `make test` builds on PATH."""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# No test fails by wall clock, so there is no deadline and no complaint about slow data generation. In CI the examples
# are derived from the test itself: the same commit gives the same result twice.
_COMMON = settings(deadline=None, print_blob=True, suppress_health_check=(HealthCheck.too_slow,))
settings.register_profile("dev", parent=_COMMON, max_examples=200, derandomize=bool(os.environ.get("CI")))
settings.register_profile("nightly", parent=_COMMON, max_examples=10_000, derandomize=False)
settings.load_profile(os.environ.get("FUJIE_HYPOTHESIS_PROFILE") or "dev")

# So that plain `pytest` finds what tools/ensure_tools.sh built, as `make test` does.
os.environ["PATH"] = os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")])

# Locks on validator keys, and whatever else belongs to the user, lie in a folder of this run's own.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="fujie-tests-user-")
atexit.register(shutil.rmtree, os.environ["XDG_DATA_HOME"], ignore_errors=True)

# A shell starts what runs in its background with Ctrl-C switched off, and whatever we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
