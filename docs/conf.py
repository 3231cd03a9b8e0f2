"""The documentation as a site: `make docs` writes it to build/docs, from the same Markdown that a code host shows.

    python -m sphinx -W --keep-going -c docs -b html . build/docs

The source folder is the whole checkout, so that a link from one page to another is the same path here and on a code host;
only the pages named below are read. Nothing is fetched while building, and nothing by whoever reads the site.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent

project = "Fujie"
author = "The Fujie project"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
language = "en"

extensions = ["myst_parser"]
root_doc = "docs/index.md".removesuffix(".md")
include_patterns = [
    "README.md",
    "README.zh.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/**.md",
    "src/fujie/modules/*/README.md",
    "src/fujie/data/codebook/README.md",
    "verifier/README.md",
]
exclude_patterns = [".*", "build", "tests", "bench", "**/.*"]
nitpicky = True

myst_heading_anchors = 4  # the anchors that a code host gives to headings
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "Fujie"
html_short_title = "Fujie"
html_show_copyright = False
html_copy_source = False
html_additional_pages = {"index": "start.html"}
templates_path = ["templates"]
pygments_style = "friendly"
pygments_dark_style = "github-dark"

CHINESE = ("docs/zh/", "README.zh")
LIST_LINK = re.compile(r"^(?:(?:\*|[0-9]+\.) .*?|\| )\[[^\]]+\]\(([^)#:]+\.md)\)", re.MULTILINE)
FOLDER_LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+?)/?\)")


def follow_folders(docname: str, text: str) -> str:
    """Let a link to a folder lead to the folder's README.md, as on a code host; without one, leave the words alone."""
    here = (ROOT / docname).parent

    def lead(found: re.Match[str]) -> str:
        target = here / found[2]
        if not target.is_dir():
            return found[0]
        return f"[{found[1]}]({found[2]}/README.md)" if (target / "README.md").exists() else found[1]

    return FOLDER_LINK.sub(lead, text)


def prepare_page(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Give an index its navigation: the pages that its own lists and tables link to, in their order."""
    text = follow_folders(docname, source[0])
    is_index = docname == root_doc or (docname.startswith("docs/") and docname.endswith("/README"))
    if is_index:
        pages = dict.fromkeys(LIST_LINK.findall(text))
        text += "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"
    source[0] = text


def name_language(_app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Say of a Chinese page that it is one, so that browsers and screen readers treat it so."""
    if pagename.startswith(CHINESE):
        context["language"] = "zh-CN"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the two hooks above."""
    app.connect("source-read", prepare_page)
    app.connect("html-page-context", name_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
