"""docs/reference is what the code says today, and it is complete."""

import re

import pytest

import fujie
from fujie.api.app import create_app
from fujie.modules import catalog
from tests.conftest import ROOT
from tools.reference import command_line, metrics, routes
from tools.render_reference import REFERENCE, render

PAGES = render()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_is_what_the_code_renders(path):
    assert path.read_text("utf-8") == PAGES[path], "run: python tools/render_reference.py"


def test_every_page_of_the_reference_is_generated_and_in_its_index():
    assert {path.name for path in REFERENCE.glob("*.md")} == {path.name for path in PAGES} | {"README.md"}
    index = (REFERENCE / "README.md").read_text("utf-8")
    assert all(f"]({path.name})" in index for path in PAGES)


def test_every_command_is_described_with_an_example():
    page = PAGES[REFERENCE / "command-line.md"]
    found = list(command_line.commands())
    assert len(found) > 25
    for name, command in found:
        section = page.split(f"\n### {name}\n")[1].split("\n### ")[0]
        assert (command.help or "").split("\n")[0].rstrip(".") in section, name
        assert section.count("```text") == 2, f"{name} has no example"


def test_every_route_is_described():
    page = PAGES[REFERENCE / "http.md"]
    for method, path, handler, _ in routes.routes():
        assert f"| {method} | `{path}` |" in page
        assert (handler.__doc__ or "").strip(), path


def test_every_variable_of_the_environment_is_described():
    named = set()
    for path in (ROOT / "src" / "fujie").rglob("*.py"):
        named |= set(re.findall(r"\"(FUJIE_[A-Z]+)\"", path.read_text("utf-8")))
    assert len(named) >= 4
    described = {name for name, _ in command_line.ENVIRONMENT}
    assert named - {"FUJIE_"} <= described


def test_every_operation_event_query_and_reason_is_described():
    rooms, reasons = PAGES[REFERENCE / "rooms.md"], PAGES[REFERENCE / "reasons.md"]
    for cls in (*catalog.OPERATIONS, *catalog.EVENTS, *catalog.QUERIES):
        assert f"Number {cls.__struct_config__.tag}." in rooms
    for number, reason in catalog.REASONS.items():
        assert f"| {number} | `{reason.name}` |" in reasons


def test_every_figure_that_a_node_shows_is_described(tmp_path):
    described = {each.name for each in metrics.figures()}
    with fujie.open(tmp_path / "town") as ledger:
        app = create_app(ledger.engine)
        shown = {family.name: family.type for family in app.metrics.registry.collect()}
        app.stop()
    assert len(shown) > 15
    assert {f"{name}_total" if kind == "counter" else name for name, kind in shown.items()} <= described


def test_exit_codes_are_those_of_the_program():
    page = PAGES[REFERENCE / "command-line.md"]
    said = (ROOT / "README.md").read_text("utf-8")
    for code, _ in command_line.EXIT_CODES:
        assert f"| {code} | " in page
        assert re.search(rf"\b{code} [a-z]", said), "README.md names every exit code"
