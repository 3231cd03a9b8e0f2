"""Every link of every page leads somewhere: files, folders and headings here, and addresses that have the form of one."""

import pytest

from tests.architecture.source import own_files
from tests.conftest import ROOT
from tests.docs.markdown_links import Link, anchors, links, slug_of

PAGES = sorted(path for path in own_files() if path.suffix == ".md")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_the_page_lead_somewhere(path):
    assert [f"{link.target} {link.fault()}" for link in links(path) if link.fault()] == []


def test_pages_of_all_kinds_are_looked_at():
    names = {str(path.relative_to(ROOT)) for path in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "docs/index.md", "src/fujie/modules/identity/README.md"} <= names


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("nowhere.md", "leads to no file"),
        ("docs/glossary.md#no-such-heading", "names no heading"),
        ("#no-such-heading", "names no heading"),
        ("/docs/glossary.md", "begins at the root"),
        ("../elsewhere.md", "leads to no file"),
        ("ftp://example.org/x", "is no address"),
        ("https://exa mple", "is no address"),
    ],
)
def test_checker_finds_a_broken_link(target, fault):
    assert Link(ROOT / "README.md", target).fault().startswith(fault)


def test_anchors_are_those_of_a_code_host():
    assert slug_of("The `fujie` program, in short") == "the-fujie-program-in-short"
    assert slug_of("第一个账本") == "第一个账本"
    assert "add-an-operation" in anchors(ROOT / "CONTRIBUTING.md")
