"""Write ``vectors/*.json`` again: the same bytes every time, from fixed seeds.

    python tools/make_vectors.py            # write
    python tools/make_vectors.py --check    # say what differs, change nothing

``vectors/cometbft`` is not made here: CometBFT's own Go code prints it (tests/light).
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script, the folder of the script is on the path and not the checkout
    sys.path.insert(0, str(ROOT))

from tools.vector_sets import chain, encoding, hashing, names, paths, proofs, receipts, signing  # noqa: E402 - needs the path above
from tools.vector_sets.common import VectorSet  # noqa: E402 - as above

TARGET: Final = ROOT / "vectors"

FILES: Final[dict[str, Callable[[], VectorSet]]] = {
    "encoding.json": encoding.build,
    "hashing.json": hashing.build,
    "genesis.json": hashing.build_genesis,
    "public-keys.json": signing.build_public_keys,
    "signatures.json": signing.build_signatures,
    "transactions.json": signing.build_transactions,
    "grants.json": signing.build_grants,
    "state-proofs.json": proofs.build_state_proofs,
    "log-proofs.json": proofs.build_log_proofs,
    "versions.json": proofs.build_versions,
    "light-blocks.json": chain.build_light_blocks,
    "bundles.json": chain.build_bundles,
    "light-paths.json": paths.build_light_paths,
    "receipts.json": receipts.build_receipts,
    "trust-roots.json": chain.build_trust_roots,
    "identifiers.json": names.build_identifiers,
    "codebook.json": names.build_codebook,
}


def render(name: str) -> str:
    """Return the text of one file."""
    return json.dumps(FILES[name](), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write or check every file. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write vectors/*.json, or check that they are up to date.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a file differs")
    check = parser.parse_args().check
    differing = []
    for name in FILES:
        path = TARGET / name
        text = render(name)
        if path.exists() and path.read_text("utf-8") == text:
            continue
        differing.append(name)
        if not check:
            path.write_text(text, "utf-8")
    print(
        f"{len(differing)} of {len(FILES)} files {'differ' if check else 'written'}: {', '.join(differing) or 'none'}"
    )
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
