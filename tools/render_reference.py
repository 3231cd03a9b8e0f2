"""Write ``docs/reference`` from the code: routes, rooms, reasons, limits, commands, configuration, metrics, Python client.

python tools/render_reference.py            # write
python tools/render_reference.py --check    # say what differs, change nothing
"""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script, the folder of the script is on the path and not the checkout
    sys.path.insert(0, str(ROOT))

from tools.generated import write_or_check  # noqa: E402 - needs the path above
from tools.reference import command_line, configuration, metrics, numbers, python, rooms, routes  # noqa: E402 - as above

REFERENCE: Final = ROOT / "docs" / "reference"


def render() -> dict[Path, str]:
    """Return the text of every generated page."""
    return {
        REFERENCE / "command-line.md": command_line.render(),
        REFERENCE / "configuration.md": configuration.render(),
        REFERENCE / "http.md": routes.render(),
        REFERENCE / "limits.md": numbers.render_limits(),
        REFERENCE / "metrics.md": metrics.render(),
        REFERENCE / "python.md": python.render(),
        REFERENCE / "reasons.md": numbers.render_reasons(),
        REFERENCE / "rooms.md": rooms.render(),
    }


def main() -> int:
    """Write or check every page. Returns the exit code."""
    return write_or_check("Write docs/reference, or check it.", render())


if __name__ == "__main__":
    sys.exit(main())
