"""The OpenAPI document: complete, true to the routes, with real examples, and kept by a running node whoever asks."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import msgspec
import pytest

from fujie.api import media
from fujie.api.app import ROUTES
from fujie.api.description import DESCRIPTIONS
from fujie.api.openapi import examples, plain_path, problems_of
from fujie.modules.membership.records import Visibility
from tests.e2e.http_node import SECONDS_MAX
from tests.e2e.http_readers import World, client, world
from tools import render_openapi

TOOL: Final = Path(sys.executable).with_name("schemathesis")
CONFIGURATION: Final = Path(__file__).with_name("schemathesis.toml")
ENDLESS: Final = "/events"  # a stream never ends, and the tool would wait for it; tests/e2e/test_http_events.py asks it
# A transaction may hold some forty kinds of operation. To try every member of each costs ten thousand requests that all
# come to one decoder, which tests/fuzz knows well: these two routes are tried with examples and at random only.
SUBMISSION: Final = ("/transactions", "/dry-run")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("restricted"), Visibility.RESTRICTED) as running:
        yield running


@pytest.fixture(scope="module")
def described(made: World) -> dict[str, Any]:
    with client(made) as http:
        found: dict[str, Any] = http.get("/openapi.json").json()
    return found


def test_every_route_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    routes = {(method.value, plain_path(path)) for method, path, _, _ in ROUTES}
    assert set(DESCRIPTIONS) == routes
    operations = [(method.upper(), path) for path, item in described["paths"].items() for method in item]
    assert sorted(operations) == sorted(routes)
    ids = [operation["operationId"] for item in described["paths"].values() for operation in item.values()]
    assert len(set(ids)) == len(ids)


def test_every_route_names_its_problems_and_says_what_it_does() -> None:
    for method, path, handler, rule in ROUTES:
        assert handler.__doc__, (method, path)
        assert {"HOST_UNKNOWN", "INTERNAL"} <= set(problems_of(handler, rule)), (method, path)


def test_every_example_fits_its_schema_and_every_answer_in_json_has_one(described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            for part in (operation["responses"]["200"], operation.get("requestBody", {"content": {}})):
                held = part["content"].get(media.JSON)
                if held is None or path == "/openapi.json":
                    continue
                schema = held["schema"] | {"components": described["components"]}
                errors = list(jsonschema_rs.Draft202012Validator(schema).iter_errors(held["example"]))
                assert not errors, (method, path, errors)


def shape(value: Any) -> Any:
    """What of an example does not depend on when and where it was made: names of members, and kinds of values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_the_kept_examples_are_what_a_node_answers(tmp_path: Path) -> None:
    """When this fails because a page has changed: .venv/bin/python -m tools.render_openapi."""
    with world(tmp_path, Visibility.RESTRICTED) as fresh:
        now = render_openapi.examples(fresh)
    assert shape(now) == shape(examples())


def test_no_example_shows_a_credential_that_holds() -> None:
    text = msgspec.json.encode(examples()).decode()
    assert set(re.findall(r"fj[ks]_[0-9a-f]{16}_[0-9a-f]{64}", text)) == {render_openapi.SESSION_SHOWN}


def run_tool(made: World, kind: str, phases: str, *options: str) -> None:
    """Let schemathesis ask a running node as somebody."""
    command = [str(TOOL), "--config-file", str(CONFIGURATION), "run", f"{made.node.url}/openapi.json"]
    command += ["--phases", phases, "--exclude-path", ENDLESS, "--generation-deterministic", "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--no-color", *options]
    for name, value in made.askers[kind].headers.items():
        command += ["--header", f"{name}: {value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    told = "\n".join(line[:400] for line in done.stdout.splitlines())
    assert done.returncode == 0, told + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stranger", "holder", "auditor by key"])
def test_schemathesis_finds_a_node_that_answers_as_described(made: World, kind: str) -> None:
    run_tool(made, kind, "examples,fuzzing", "--max-examples", "4")


@pytest.mark.slow
def test_schemathesis_finds_every_boundary_of_every_parameter_kept(made: World) -> None:
    excluded = [part for path in SUBMISSION for part in ("--exclude-name", f"POST {path}")]
    run_tool(made, "auditor by key", "coverage", *excluded)
