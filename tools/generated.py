"""Pages that are generated: written, or compared with what is checked in."""

import argparse
from collections.abc import Mapping
from pathlib import Path


def write_or_check(description: str, pages: Mapping[Path, str]) -> int:
    """Write ``pages``, or with ``--check`` say which differ. Returns the exit code of the program."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a page differs")
    check = parser.parse_args().check
    differing = []
    for path, text in pages.items():
        if path.exists() and path.read_text("utf-8") == text:
            continue
        differing.append(path.name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    print(f"{len(differing)} pages {'differ' if check else 'written'}: {', '.join(differing) or 'none'}")
    return 1 if check and differing else 0
