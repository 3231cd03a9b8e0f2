"""What holds for the repository as a whole: pins agree, records of decisions are complete, targets exist."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, own_files

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

# Where packages come from is the business of the machine that installs them. Written with character classes so that this
# file does not match itself.
PACKAGE_HOSTS = re.compile(
    r"p[y]pi\.[a-z]+|p[y]thonhosted\.|registry\.n[p]m|n[p]mjs\.|c[r]ates\.io|proxy\.g[o]lang|sum\.g[o]lang|goproxy\.(?!$)"
    r"|deb\.d[e]bian|security\.d[e]bian|mirrors?\.[a-z0-9-]+\.[a-z]+|rep[o]1?\.maven|(--|PIP_)(extra[-_])?i[n]dex[-_]url",
    re.IGNORECASE,
)


def pins(text: str) -> dict[str, str]:
    """Return name -> version of the exact pins in a requirements file; names in their normal form."""
    found = {}
    for written in text.splitlines():
        line = written.split("#")[0].strip()
        if not line or line == "-r runtime.txt":
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)( *;.*)?", line)
        assert match, f"not an exact pin: {line}"
        found[normal(match.group(1))] = match.group(2)
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


RUNTIME = pins((ROOT / "requirements" / "runtime.txt").read_text("utf-8"))
TEST = pins((ROOT / "requirements" / "test.txt").read_text("utf-8"))


def test_direct_dependencies_agree_with_the_lock():
    direct = pins("\n".join(PYPROJECT["project"]["dependencies"]))
    assert direct.items() <= RUNTIME.items()


def test_test_dependencies_agree_with_the_lock():
    direct = pins("\n".join(PYPROJECT["project"]["optional-dependencies"]["test"]))
    assert direct.items() <= TEST.items()


def test_no_package_is_locked_twice():
    assert RUNTIME.keys() & TEST.keys() == set()


def test_build_backend_is_pinned():
    assert all("==" in requirement for requirement in PYPROJECT["build-system"]["requires"])


def test_no_file_names_a_package_host():
    named = []
    for path in own_files():
        data = path.read_bytes()
        if b"\0" not in data[:4096]:
            named += [
                f"{path.relative_to(ROOT)}: {hit.group()}" for hit in PACKAGE_HOSTS.finditer(data.decode("utf-8"))
            ]
    assert named == []


def test_decisions_are_numbered_without_gaps():
    assert len(ADRS) >= 8
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_decision_has_its_sections(path):
    headings = re.findall(r"^## (.+)$", path.read_text("utf-8"), re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "Alternatives refused"]


# Where one file speaks of another: a path under docs/, the page of the specification by its bare name (with a heading
# in quotes behind it, perhaps), a decision by its number.
DOCUMENT = re.compile(r"(?<![\w/.])docs/[a-z0-9_/.-]*[a-z0-9_]")
SPEC_PAGE = re.compile(r'(?<![\w-])(?:docs/spec/)?([0-9]{2}-[a-z]+\.md)(?:, "([A-Z][^"]+)")?')
DECISION = re.compile(r"(?:\bADR[ -]|\badr/)0*([0-9]+)")


def speaking_files() -> list[Path]:
    """Every text that people wrote and that may name a page."""
    folders = ("src", "tests", "docs", "tools", "verifier", "vectors")
    return [
        path
        for path in own_files()
        if path.suffix in (".py", ".md", ".mjs", ".js", ".json", ".sh", ".go")
        and (path.parent == ROOT or path.relative_to(ROOT).parts[0] in folders)
    ]


def broken_references(path: Path, text: str) -> list[str]:
    """What a file names under docs/ and is not there."""
    wrong = []
    for found in DOCUMENT.findall(text):
        named = ROOT / found
        if not named.exists() and not (named.parent.name == "adr" and list(named.parent.glob(f"{named.name}-*.md"))):
            wrong.append(found)
    # A title may be broken over two lines, of a comment perhaps.
    joined = re.sub(r"\s*\n\s*(?:[#*/]+ )?", " ", text)
    for page, heading in SPEC_PAGE.findall(joined):
        target = ROOT / "docs" / "spec" / page
        if not target.is_file():
            wrong.append(page)
        elif heading and not re.search(rf"^#+ {re.escape(heading)}$", target.read_text("utf-8"), re.MULTILINE):
            wrong.append(f'{page}, "{heading}"')
    numbers = {int(number) for number in DECISION.findall(text)} - {0}
    wrong += [f"ADR {number}" for number in sorted(numbers) if number > len(ADRS)]
    return [f"{path.relative_to(ROOT)}: {each}" for each in wrong]


def test_every_page_and_decision_that_is_named_exists():
    assert [each for path in speaking_files() for each in broken_references(path, path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "text",
    ["see docs/" + "none", "99-none" + ".md says", "04-proofs.md, " + '"None"', "ADR " + "99"],
)
def test_a_reference_to_nothing_is_found(text):
    assert broken_references(ROOT / "made-up.md", text)


def test_make_without_a_target_explains_itself():
    text = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for target in ("up", "test", "check", "bench", "clean", "help"):
        assert re.search(rf"^  make {target} +\S", text, re.MULTILINE), target
