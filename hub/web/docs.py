"""The API's documentation as one page, rendered from its OpenAPI document: no script, nothing from other servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hub.web.pages import environment

REF = "#/components/schemas/"


def router() -> APIRouter:
    """``/docs``."""
    made = APIRouter(include_in_schema=False)
    template = environment().get_template("docs.html")

    @made.get("/docs", response_class=HTMLResponse)
    def docs(request: Request) -> HTMLResponse:
        document = request.app.openapi()
        return HTMLResponse(template.render(info=document["info"], groups=_groups(document), shapes=_shapes(document)))

    return made


def _groups(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """{tag: operations}, in the order of the document: what is asked of the hub, then what the hub sends."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in (*document["paths"].items(), *document.get("webhooks", {}).items()):
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method.upper(), path, operation))
    return groups


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": operation["operationId"],
        "method": method,
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "keyless": "security" not in operation and path.startswith("/"),  # a webhook is no question to the hub
        "parameters": [
            {
                "name": each["name"],
                "place": each["in"],
                "type": wording(each["schema"]),
                "description": each.get("description") or each["schema"].get("description", ""),
            }
            for each in operation.get("parameters", ())
        ],
        "body": _schema(operation.get("requestBody", {})),
        "answers": [(status, answer["description"], _schema(answer)) for status, answer in operation["responses"].items()],
    }


def _schema(place: Mapping[str, Any]) -> str | None:
    """The name of the shape that a body or an answer has."""
    for content in place.get("content", {}).values():
        if name := content.get("schema", {}).get("$ref"):
            return str(name).removeprefix(REF)
    return None


def _shapes(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": schema.get("title", name),
            "description": schema.get("description", ""),
            "values": schema.get("enum"),
            "fields": [
                {"name": field, "type": wording(inner), "links": sorted(_links(inner)), "description": inner.get("description", "")}
                for field, inner in schema.get("properties", {}).items()
            ],
        }
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def wording(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words, such as ``list of uuid`` or ``date or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REF)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(wording(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {wording(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {wording(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _links(schema: Mapping[str, Any]) -> set[str]:
    """The shapes that a field refers to."""
    found = {str(schema["$ref"]).removeprefix(REF)} if "$ref" in schema else set()
    for inner in (*schema.get("anyOf", ()), schema.get("items", {}), schema.get("additionalProperties") or {}):
        if isinstance(inner, dict) and inner:
            found |= _links(inner)
    return found
