"""The site builds without a warning, asks nobody for anything, and all its links hold."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import ROOT

INDEXED = ("tutorial", "how-to", "explanation", "reference", "spec", "adr", "zh")
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")}


class _Page(HTMLParser):
    """Links, loaded files and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.language = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        known = dict(attrs)
        self.anchors.add(known.get("id") or "")
        if tag == "html":
            self.language = known.get("lang", "")
        if tag == "a" and known.get("href"):
            self.links.append(known["href"])
        self.loaded += [known[name] for kind, name in LOADED if kind == tag and known.get(name)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built once into a temporary folder as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs", "-b", "html", ".", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: _Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


@pytest.mark.slow
def test_site_has_every_page_that_a_newcomer_looks_for(site):
    assert (site / "index.html").exists()
    for name in ("README.md", "docs/index.md", "docs/tutorial/first-ledger.md", "docs/reference/command-line.md"):
        assert (site / name).with_suffix(".html").exists()
    source = {path.relative_to(ROOT).with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    assert source <= built


@pytest.mark.slow
def test_links_and_anchors_of_the_site_hold(site, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            named = not parts.fragment or there not in pages or unquote(parts.fragment) in pages[there].anchors
            if not there.exists() or not named:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.slow
def test_reading_the_site_asks_nobody_for_anything(site, pages):
    loaded = {(path, each) for path, page in pages.items() for each in page.loaded}
    assert [each for _, each in loaded if urlsplit(each).scheme not in ("", "data") or urlsplit(each).netloc] == []
    for path in [*site.rglob("*.css"), *site.rglob("*.js")]:
        text = path.read_text("utf-8", errors="replace")
        assert "url(http" not in text, path.name
        assert "url(//" not in text, path.name
        assert "@import url(" not in text, path.name


@pytest.mark.slow
def test_chinese_pages_say_that_they_are(site, pages):
    assert pages[site / "docs" / "index.html"].language == "en"
    assert pages[site / "docs" / "zh" / "README.html"].language == "zh-CN"


def test_building_writes_nothing_into_the_checkout():
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert "build/" in ignored
    recipe = (ROOT / "Makefile").read_text("utf-8")
    assert "-W --keep-going -q -c docs -b html . build/docs" in recipe


def test_make_docs_says_where_the_site_is_and_how_to_open_it():
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndocs: ")[1].split("\n\n")[0]
    said = [line for line in recipe.splitlines() if line.startswith("\t@echo ")]
    assert "build/docs/index.html in a browser" in said[0]
    assert "python3 -m http.server --bind 127.0.0.1 --directory build/docs" in said[1]


@pytest.mark.parametrize("folder", INDEXED)
def test_every_page_is_in_the_index_of_its_folder(folder):
    index = (ROOT / "docs" / folder / "README.md").read_text("utf-8")
    pages = [path.name for path in (ROOT / "docs" / folder).glob("*.md") if path.name != "README.md"]
    assert [name for name in pages if f"]({name})" not in index] == []


def test_every_page_has_one_title_and_it_comes_first():
    for path in sorted(Path(ROOT / "docs").rglob("*.md")):
        lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("<!--")]
        assert lines[0].startswith("# "), path
