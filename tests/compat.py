"""Whether a contract changed compatibly, and the committed snapshots that say what it was.

``python -m tests.compat`` writes the snapshots anew; it refuses a breaking change unless told ``--break``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agtmuxd.api import openapi
from agtmuxd.api.responses.watch import WatchLine
from tests.route_tables import ROUTES

FOLDER = Path(__file__).parent / "schemas"
Schema = dict[str, Any]


def current() -> dict[str, Schema]:
    """The contracts as the code has them, by snapshot name."""
    return {
        "openapi": openapi.document(ROUTES),
        "watch-line": WatchLine.model_json_schema(mode="serialization"),
    }


def committed(name: str) -> Schema:
    found: Schema = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def breaks(old: Schema, new: Schema) -> list[str]:
    """What somebody who relies on ``old`` would miss in ``new``: one line each. For OpenAPI documents or answers."""
    if "openapi" in old:
        return list(_document(old, new))
    return list(_answer("line", old, new, old.get("$defs", {}), new.get("$defs", {})))


def _document(old: Schema, new: Schema) -> Iterator[str]:
    olds, news = old["components"]["schemas"], new["components"]["schemas"]
    for path, methods in old["paths"].items():
        for method, before in methods.items():
            where = f"{method.upper()} {path}"
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{where}: gone"
                continue
            parameters = {one["name"]: one for one in after["parameters"]}
            for one in before["parameters"]:
                if one["name"] not in parameters:
                    yield f"{where}: parameter {one['name']} gone"
                else:
                    yield from _request(
                        f"{where}?{one['name']}", one["schema"], parameters[one["name"]]["schema"], olds, news
                    )
            yield from (
                f"{where}: parameter {name} became required"
                for name, one in parameters.items()
                if one["required"] and name not in {was["name"] for was in before["parameters"]}
            )
            yield from (
                _request(f"{where} body", _content(before["requestBody"]), _content(after["requestBody"]), olds, news)
                if "requestBody" in before
                else ()
            )
            for status, one_answer in before["responses"].items():
                yield from _answer(
                    f"{where} {status}", _content(one_answer), _content(after["responses"][status]), olds, news
                )


def _content(part: Schema) -> Schema:
    (one,) = part["content"].values()
    schema: Schema = one["schema"]
    return schema


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _variants(schema: Schema, definitions: dict[str, Schema]) -> list[Schema]:
    schema = _resolved(schema, definitions)
    if "anyOf" in schema:
        return [variant for one in schema["anyOf"] for variant in _variants(one, definitions)]
    return [schema]


def _kind(schema: Schema, definitions: dict[str, Schema]) -> str:
    if "properties" in schema:
        return str(schema["title"])
    inner = _resolved(schema["items"], definitions) if "items" in schema else {}
    return f"array of {inner['title']}" if "properties" in inner else str(schema.get("type", "any"))


def _answer(where: str, old: Schema, new: Schema, olds: dict[str, Schema], news: dict[str, Schema]) -> Iterator[str]:
    """An answer may say more, never less, and nothing of a kind that it could not say before."""
    before = {_kind(one, olds): one for one in _variants(old, olds)}
    for variant in _variants(new, news):
        was = before.get(_kind(variant, news), before.get("any"))
        if was is None:
            yield f"{where}: may now be {_kind(variant, news)}"
            continue
        for value in _values(variant):
            if _values(was) and value not in _values(was):
                yield f"{where}: may now be {value!r}"
        for name, part in was.get("properties", {}).items():
            if name not in variant.get("properties", {}):
                yield f"{where}.{name}: gone"
                continue
            if name in was.get("required", ()) and name not in variant.get("required", ()):
                yield f"{where}.{name}: no longer always there"
            yield from _answer(f"{where}.{name}", part, variant["properties"][name], olds, news)
        yield from _parts(_answer, where, was, variant, olds, news)


def _request(where: str, old: Schema, new: Schema, olds: dict[str, Schema], news: dict[str, Schema]) -> Iterator[str]:
    """A request that was taken is still taken."""
    after = {_kind(one, news): one for one in _variants(new, news)}
    for was in _variants(old, olds):
        variant = after.get(_kind(was, olds), after.get("any"))
        if variant is None:
            yield f"{where}: may no longer be {_kind(was, olds)}"
            continue
        for value in _values(was):
            if _values(variant) and value not in _values(variant):
                yield f"{where}: may no longer be {value!r}"
        for name in variant.get("required", ()):
            if name not in was.get("required", ()):
                yield f"{where}.{name}: became required"
        for name, part in was.get("properties", {}).items():
            if name not in variant.get("properties", {}):
                yield f"{where}.{name}: gone"
            else:
                yield from _request(f"{where}.{name}", part, variant["properties"][name], olds, news)
        yield from _parts(_request, where, was, variant, olds, news)


def _parts(rule: Any, where: str, old: Schema, new: Schema, olds: Any, news: Any) -> Iterator[str]:
    for name in ("items", "additionalProperties"):
        if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
            yield from rule(f"{where}[]", old[name], new[name], olds, news)


def _values(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def main() -> int:
    for name, new in current().items():
        path = FOLDER / f"{name}.json"
        found = breaks(committed(name), new) if path.exists() else []
        if found and "--break" not in sys.argv:
            print("\n".join([f"{path.name}: breaking", *found]))
            return 1
        path.write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
