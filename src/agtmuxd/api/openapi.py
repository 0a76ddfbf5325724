"""Generate the API's contract as OpenAPI 3.1 from the given routes and their models.

Owns the translation. Knows no single route.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from agtmux.protocol.errors import CODES, SCHEMA_VERSION
from agtmuxd.api.responses.base import ErrorEnvelope
from agtmuxd.api.route import Route

_PARAMETER = re.compile(r"\{(\w+)\}")
_REF = "#/components/schemas/{model}"


def document(routes: Iterable[Route[Any]]) -> dict[str, Any]:
    """Return the whole document, ready for JSON."""
    table = list(routes)
    modes: dict[type[BaseModel], JsonSchemaMode] = {ErrorEnvelope: "serialization"}
    for route in table:
        if route.body is not None:
            modes[route.body] = "validation"
        if route.answer is not None:
            modes[route.answer] = "serialization"
    names, definitions = models_json_schema(list(modes.items()), ref_template=_REF)
    refs = {str(model): schema for (model, _mode), schema in names.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "agtmux",
            "version": SCHEMA_VERSION,
            "description": "HTTP over the daemon's Unix socket. Error codes: " + ", ".join(CODES),
        },
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {})},
    }


def _operation(route: Route[Any], refs: dict[str, Any]) -> dict[str, Any]:
    lines = route.path == "/v1/watch"
    kind = "application/x-ndjson" if lines else "application/json"
    answer = {"type": "object"} if route.answer is None else refs[str(route.answer)]
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [*_in_path(route.path), *_in_query(route.query)],
        "responses": {
            "200": {"description": "done", "content": {kind: {"schema": answer}}},
            "default": {
                "description": "refused",
                "content": {"application/json": {"schema": refs[str(ErrorEnvelope)]}},
            },
        },
    }
    if route.body is not None:
        content = {"application/json": {"schema": refs[str(route.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]


def _in_query(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": _inlined(part, definitions)}
        for name, part in schema.get("properties", {}).items()
    ]


def _inlined(part: Any, definitions: dict[str, Any]) -> Any:
    """Return ``part`` with its references replaced by their content. Query models refer only to plain enumerations."""
    if isinstance(part, list):
        return [_inlined(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return definitions[part["$ref"].rpartition("/")[2]]
    return {name: _inlined(one, definitions) for name, one in part.items()}
