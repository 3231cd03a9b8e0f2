import re
from hashlib import sha256
from pathlib import Path

import pytest

from fujie import console
from fujie.console import assets
from tests.unit.console.site import Html

STATIC = Path(console.__file__).parent / "static"


def test_files_under_their_digest_are_kept_for_good(visitor):
    page = visitor.page("/console/")
    own = [each.get("src") or each.get("href") for tag, each in page.tags if tag in ("script", "link")]
    files = [path for path in own if path and path.startswith("/console/static/")]
    assert len(files) == 4
    for path in files:
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", path


def test_files_without_it_are_asked_about_again(visitor):
    answer = visitor.get("/console/static/console.css")
    assert answer.headers["cache-control"] == "no-cache"
    again = visitor.get("/console/static/console.css", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    wrong = visitor.get("/console/static/console.css?v=000000000000")
    assert wrong.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", assets.names())
def test_every_file_has_a_type_that_browsers_take(visitor, name):
    answer = visitor.get(f"/console/static/{name}")
    expected = {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
    assert answer.headers["content-type"] == expected.get(name.rpartition(".")[2], answer.headers["content-type"])
    assert answer.headers["content-type"] != "application/octet-stream", name


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "vendor", "", "console.css/", "/etc/passwd"]
)
def test_nothing_else_is_served(visitor, name):
    answer = visitor.get(f"/console/static/{name}")
    assert answer.status_code in (200, 404)
    assert "import" not in answer.text[:2_000] or "css" in answer.headers["content-type"]
    assert "root:" not in answer.text


def test_files_of_others_are_those_that_the_page_names():
    table = (STATIC / "vendor" / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", table, re.MULTILINE))
    assert rows == {name: sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() for name in ("htmx.min.js",)}
    assert {path.name for path in (STATIC / "vendor").iterdir()} == {*rows, "README.md", "htmx.LICENSE"}


def test_htmx_evaluates_nothing(visitor):
    [config] = [each["content"] for tag, each in visitor.page("/console/").tags if each.get("name") == "htmx-config"]
    assert '"allowEval":false' in config
    assert '"includeIndicatorStyles":false' in config, "it would add a style that the policy forbids"


def test_colours_can_be_read():
    """Text on its grounds has the contrast of WCAG 2.2 AA, in light and in dark."""
    css = (STATIC / "console.css").read_text("utf-8")
    light = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css.partition("@media (prefers-color-scheme")[0]))
    dark_css = css.partition("@media (prefers-color-scheme: dark)")[2].partition("\n}\n")[0]
    dark = {**light, **dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark_css))}
    assert light["paper"] != dark["paper"]
    grounds = ("paper", "surface", "sunken")
    pairs = [(ink, ground) for ink in ("ink", "muted", "accent") for ground in grounds]
    pairs += [
        ("good", "good-soft"),
        ("bad", "bad-soft"),
        ("warn", "warn-soft"),
        ("ink", "warn-soft"),
        ("ink", "bad-soft"),
    ]
    pairs += [
        ("good", "paper"),
        ("bad", "surface"),
        ("accent-ink", "accent"),
        ("bad", "paper"),
        ("accent", "warn-soft"),
    ]
    low = [
        (name, ink, ground, round(contrast(colours[ink], colours[ground]), 2))
        for name, colours in (("light", light), ("dark", dark))
        for ink, ground in pairs
        if contrast(colours[ink], colours[ground]) < 4.5
    ]
    assert low == []


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_html_parser_of_these_tests_sees_attributes():
    assert Html('<a href="/x" onclick="y">z</a>').tags == [("a", {"href": "/x", "onclick": "y"})]
