"""Cuts from ClickUp's own OpenAPI document what the sandbox's answers are held against.

``python tests/specs/extract_clickup.py SPEC.json > tests/specs/clickup.json``: paths, query parameters, and the names and types of the properties
of a good answer. No descriptions, no examples.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

PATHS = (
    "/v2/user",
    "/v2/team",
    "/v2/team/{team_id}/space",
    "/v2/team/{team_id}/shared",
    "/v2/team/{team_id}/custom_item",
    "/v2/team/{team_id}/plan",
    "/v2/team/{team_id}/field",
    "/v2/team/{team_Id}/task",
    "/v2/group",
    "/v2/space/{space_id}",
    "/v2/space/{space_id}/folder",
    "/v2/space/{space_id}/list",
    "/v2/space/{space_id}/field",
    "/v2/space/{space_id}/tag",
    "/v2/folder/{folder_id}",
    "/v2/folder/{folder_id}/list",
    "/v2/folder/{folder_id}/field",
    "/v2/list/{list_id}",
    "/v2/list/{list_id}/task",
    "/v2/list/{list_id}/field",
    "/v2/task/{task_id}",
    "/v2/task/{task_id}/time_in_status",
    "/v2/task/bulk_time_in_status/task_ids",
    "/v2/team/{team_id}/webhook",
)
CALLS = (("post", "/v2/team/{team_id}/webhook"), ("put", "/v2/webhook/{webhook_id}"), ("delete", "/v2/webhook/{webhook_id}"))
"""What the hub sends besides reads."""
Json = dict[str, Any]


def follow(document: Json, schema: Json) -> Json:
    """The schema itself, or the one it points at within the document."""
    while "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            step = unquote(step).replace("~1", "/").replace("~0", "~")
            target = target[int(step)] if isinstance(target, list) else target[step]
        schema = target
    return schema


def shape(document: Json, schema: Json) -> Json:
    """``{"type": "string null", "properties": {...}, "items": {...}}``; alternatives are merged, no ``type`` means any."""
    schema = follow(document, schema)
    named = schema.get("type", [])
    merged: Json = {"type": " ".join(named) if isinstance(named, list) else named} if named else {}
    if "properties" in schema:
        merged["properties"] = {name: shape(document, inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        merged["items"] = shape(document, schema["items"])
    for choice in [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())]:
        other = shape(document, choice)
        merged["type"] = " ".join(sorted({*merged.get("type", "").split(), *other.get("type", "").split()}))
        merged |= {key: other[key] for key in ("properties", "items") if key in other}
    return merged


def extract(document: Json) -> Json:
    paths: Json = {}
    for path in PATHS:
        operation = document["paths"][path]["get"]
        parameters = [follow(document, one) for one in [*operation.get("parameters", ()), *document["paths"][path].get("parameters", ())]]
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        paths[path] = {
            "query": {one["name"]: one["schema"].get("type", "any") for one in parameters if one["in"] == "query"},
            "answer": shape(document, answer),
        }
    return paths


def extract_calls(document: Json) -> Json:
    """The bodies that the calls take and answer with, by ``METHOD path``; ``required``: the names that must be in the body."""
    calls: Json = {}
    for method, path in CALLS:
        operation = document["paths"][path][method]
        asked = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        calls[f"{method.upper()} {path}"] = {
            "body": None if asked is None else shape(document, asked),
            "required": [] if asked is None else sorted(follow(document, asked).get("required", [])),
            "answer": shape(document, answer),
        }
    return calls


def main() -> None:
    body = Path(sys.argv[1]).read_bytes()
    document = json.loads(body)
    source = {"title": document["info"]["title"], "version": document["info"]["version"], "sha256": hashlib.sha256(body).hexdigest()}
    print(json.dumps({"source": source, "paths": extract(document), "calls": extract_calls(document)}, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
