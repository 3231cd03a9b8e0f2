"""GET /openapi.json: the interface described for programs (OpenAPI 3.1), made from the routes and what stands beside them.

Schemas come from the structs that the answers are made of, so that the two cannot differ. The examples are real answers of a
node (``tools/render_openapi.py``), kept in the package.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

import msgspec

from fujie.api import description, media, pages
from fujie.api.access_table import Rule
from fujie.api.description import DESCRIPTIONS, PATH_PARTS, PATH_PARTS_OF, Body, Schema, reference
from fujie.api.parameters import Taking
from fujie.api.problems import Kind, status_of
from fujie.api.record_schemas import schema_of
from fujie.api.serving import Answer, AnyRequest, Serving, bytes_answer
from fujie.core.units import TIME_MS_MAX
from fujie.modules.catalog import QUERY, REASONS, TRANSACTION

EXAMPLES_FILE: Final = "data/openapi-examples.json"

_NAMES: Final = re.compile(r"\b[A-Z]+(?:_[A-Z]+)*\b")
_STATUS: Final[Mapping[str, int]] = {
    **{kind.name: kind.status for kind in Kind},
    **{reason.name: status_of(reason) for reason in REASONS.values()},
}
_ALWAYS: Final = ("MALFORMED", "HOST_UNKNOWN", "INTERNAL", "UNAVAILABLE")
_CREDENTIAL: Final = ("CREDENTIAL_REQUIRED", "SCOPE_MISSING", "GRANT_MALFORMED")
_ASKING: Final = frozenset({Rule.QUERY, Rule.PARTY, Rule.LISTED, Rule.FOUND, Rule.WHOLE, Rule.METRICS, Rule.SELF})

_SECURITY: Final[Schema] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`fujie access key new`) or the token of a session (`POST /sessions`).",
    },
    "grant": {
        "type": "http",
        "scheme": "Fujie-Grant",
        "description": "A signed read grant in base64url (docs/spec/02-encoding.md).",
    },
}


async def openapi(serving: Serving, request: AnyRequest) -> Answer:
    """Return the description of this interface as an OpenAPI document."""
    return bytes_answer(_encoded(serving.routes), media.JSON)


@cache
def _encoded(routes: tuple[Any, ...]) -> bytes:
    return msgspec.json.encode(document(routes, examples()))


@cache
def examples() -> dict[str, Any]:
    """Return the kept examples: ``<METHOD> <path>`` → ``{"answer": …}`` and, where there is a body, ``"body"``."""
    found: dict[str, Any] = msgspec.json.decode((files("fujie") / EXAMPLES_FILE).read_bytes())
    return found


def document(routes: Iterable[Any], shown: Mapping[str, Any]) -> Schema:
    """Return the OpenAPI document of ``routes`` (rows of ``api.app.ROUTES``) with the examples in ``shown``."""
    structs = _structs()
    paths: dict[str, Schema] = {}
    names = [struct.__name__ for struct in structs]
    _, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    assert len(set(names)) == len(names), "two pages have one name"
    components |= _record_components()
    for method, path, handler, rule in routes:
        plain = plain_path(path)
        paths.setdefault(plain, {})[method.value.lower()] = _operation(method.value, plain, handler, rule, shown)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fujie",
            "version": version("fujie"),
            "summary": "City identity and digital currency on one verifiable ledger.",
            "description": "docs/spec/09-http.md is the specification; this is the same for programs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


def plain_path(path: str) -> str:
    """Return a path of the table as documents write it: ``/ids/{identifier}``."""
    return re.sub(r":\w+\}", "}", path)


def problems_of(handler: Any, rule: Rule) -> list[str]:
    """Return the names of the problems that a route answers with: those its handler names, and what every route has."""
    named = [name for name in _NAMES.findall(handler.__doc__ or "") if name in _STATUS]
    return list(dict.fromkeys([*named, *(_CREDENTIAL if rule in _ASKING else ()), *_ALWAYS]))


def _operation(method: str, path: str, handler: Any, rule: Rule, shown: Mapping[str, Any]) -> Schema:
    said = DESCRIPTIONS[method, path]
    about = " ".join((handler.__doc__ or "").split())
    summary, _, rest = about.partition(". ")
    example = shown.get(f"{method} {path}", {})
    operation: Schema = {
        "operationId": f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}",
        "summary": summary.rstrip(".") + ".",
        "description": f"{rest} Who may read: {rule.title}.".strip(),
        "responses": _responses(said.answers, handler, rule, example),
    }
    if parameters := [*_path_parameters(path, example), *_query_parameters(path, handler)]:
        operation["parameters"] = parameters
    if said.takes:
        content = {body.media_type: _content(body, example.get("body")) for body in said.takes}
        operation["requestBody"] = {"required": True, "content": content}
    if rule in _ASKING:
        operation["security"] = [{}, {"key": []}, {"grant": []}]
    return operation


def _responses(answers: tuple[Body, ...], handler: Any, rule: Rule, example: Mapping[str, Any]) -> Schema:
    found: Schema = {
        "200": {
            "description": "The answer.",
            "content": {body.media_type: _content(body, example.get("answer")) for body in answers},
        }
    }
    by_status: dict[int, list[str]] = {}
    for name in problems_of(handler, rule):
        by_status.setdefault(_STATUS[name], []).append(name)
    for status, names in sorted(by_status.items()):
        found[str(status)] = {
            "description": ", ".join(names),
            "content": {media.PROBLEM: {"schema": reference("Problem")}},
        }
    return found


def _content(body: Body, example: Any) -> Schema:
    if body.holds is None:
        return {"schema": {"type": "string", "format": "binary"}}
    schema = body.holds if isinstance(body.holds, dict) else reference(body.holds.__name__)
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _path_parameters(path: str, example: Mapping[str, Any]) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": PATH_PARTS_OF.get((path, name), PATH_PARTS[name]),
            **({"example": example["path"][name]} if "path" in example else {}),
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(path: str, handler: Any) -> list[Schema]:
    found = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in description.QUERY_PARAMETERS_OF.get(path, {}).items()
    ]
    found += [
        {"name": name, "in": "header", "required": False, "schema": schema}
        for name, schema in description.HEADERS_OF.get(path, {}).items()
    ]
    for name, parameter in handler.parameters.items() if isinstance(handler, Taking) else ():
        found.append(
            {
                "name": name,
                "in": "query",
                "required": parameter.required,
                "description": parameter.about,
                "schema": dict(parameter.schema),
            }
        )
    return found


def _structs() -> list[Any]:
    """Return every page that an answer or a body is made of."""
    held = [body.holds for said in DESCRIPTIONS.values() for body in (*said.answers, *said.takes)]
    return list(dict.fromkeys([each for each in held if isinstance(each, type)] + [pages.Problem]))


def _record_components() -> dict[str, Schema]:
    transaction = schema_of(TRANSACTION.type)
    transaction["properties"]["signatures"] = description.SIGNATURES
    transaction["required"].append("signatures")
    question = {
        "type": "object",
        "properties": {
            "queries": {
                "type": "array",
                "items": schema_of(QUERY.type),
                "minItems": 1,
                "maxItems": description.QUERIES_MAX,
            },
            "grant": {"anyOf": [{"type": "string", "pattern": "^(?:[0-9a-f]{2})*$"}, {"type": "null"}]},
            "time_ms": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": TIME_MS_MAX}, {"type": "null"}]},
        },
        "required": ["queries"],
        "additionalProperties": False,
    }
    return {description.SIGNED_TRANSACTION: transaction, description.QUESTION: question}
