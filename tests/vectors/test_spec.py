"""The generated parts of docs/spec are what the code says today."""

import pytest

from fujie.modules import catalog
from tests.conftest import ROOT
from tools.render_spec import SPEC, declared_tags, render

PAGES = render()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_is_what_the_code_renders(path):
    assert path.read_text("utf-8") == PAGES[path], "run: python tools/render_spec.py"


def test_every_kind_and_every_reason_stands_on_the_page_of_rooms():
    page = PAGES[SPEC / "07-rooms.md"]
    for cls in (*catalog.OPERATIONS, *catalog.EVENTS, *catalog.QUERIES):
        assert f"**{cls.__name__}**: array of " in page
    for number, reason in catalog.REASONS.items():
        assert f"| {number} | `{reason.name}` |" in page


def test_every_page_is_in_the_index_and_every_vector_file_is_named():
    index = (SPEC / "README.md").read_text("utf-8")
    for page in SPEC.glob("0*.md"):
        assert f"]({page.name})" in index
    for vectors in (ROOT / "vectors").glob("*.json"):
        assert f"`{vectors.name}`" in index


def test_no_tag_is_declared_without_a_comment():
    assert len(list(declared_tags())) == 19
