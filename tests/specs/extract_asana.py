"""Cuts from Asana's own OpenAPI document what the sandbox's answers are held against.

``python tests/specs/extract_asana.py SPEC.yaml > tests/specs/asana.json``: paths, parameters, and the names and types of the
properties of a good answer, as JSON Schema. No descriptions, no examples. A resource's compact, base and full schemas become one: with
opt_fields any answer may hold any of its fields.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # the library ships no types

Json = dict[str, Any]
ONE_GID = ("workspaces", "users", "teams", "projects", "sections", "tasks", "tags", "custom_fields", "user_task_lists")
PATHS = (
    "/workspaces",
    "/users",
    "/team_memberships",
    "/memberships",
    "/projects",
    "/tags",
    "/tasks",
    "/portfolios",
    "/events",
    "/workspaces/{workspace_gid}/teams",
    "/workspaces/{workspace_gid}/projects",
    "/workspaces/{workspace_gid}/tasks/search",
    "/workspaces/{workspace_gid}/custom_fields",
    "/workspaces/{workspace_gid}/tags",
    "/users/{user_gid}/user_task_list",
    "/user_task_lists/{user_task_list_gid}/tasks",
    "/teams/{team_gid}/projects",
    "/teams/{team_gid}/team_memberships",
    "/projects/{project_gid}/sections",
    "/projects/{project_gid}/tasks",
    "/projects/{project_gid}/custom_field_settings",
    "/sections/{section_gid}/tasks",
    "/tags/{tag_gid}/tasks",
    "/tasks/{task_gid}/subtasks",
    "/tasks/{task_gid}/dependencies",
    "/tasks/{task_gid}/dependents",
    "/webhooks",
    "/webhooks/{webhook_gid}",
    *(f"/{plural}/{{{plural.removesuffix('s')}_gid}}" for plural in ONE_GID),
)
WRITES = (("post", "/webhooks"), ("put", "/webhooks/{webhook_gid}"), ("delete", "/webhooks/{webhook_gid}"))
VARIANT = re.compile(r"(CompactResponse|NormalResponse|Compact|Response|Base)$")
INSTEAD = {"MembershipCompact": "ProjectMembershipCompactResponse"}
"""An alternative of five kinds of membership, of which only this one is served."""
KEPT = ("format", "enum", "minimum", "maximum")


class Extract:
    """Collects the resources that the wanted paths refer to, however deep."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.schemas: Json = document["components"]["schemas"]
        self.defs: Json = {}

    def all(self) -> Json:
        paths = {template: self.operation(template, "get") for template in PATHS}
        paths["/batch"] = self.operation("/batch", "post")
        writes = {f"{method.upper()} {template}": self.write(template, method) for method, template in WRITES}
        self.refer("ErrorResponse")
        return {"paths": dict(sorted(paths.items())), "writes": writes, "$defs": dict(sorted(self.defs.items()))}

    def write(self, template: str, method: str) -> Json:
        """An operation with the body that it takes; not sending one is null."""
        stated = self.document["paths"][template][method].get("requestBody")
        body = None if stated is None else self.follow(stated)["content"]["application/json"]["schema"]
        return {**self.operation(template, method), "body": None if body is None else self.shape(body)}

    def operation(self, template: str, method: str) -> Json:
        path = self.document["paths"][template]
        operation = path[method]
        stated = [self.follow(parameter) for parameter in [*path.get("parameters", []), *operation.get("parameters", [])]]
        parameters = {
            parameter["name"]: {
                "in": parameter["in"],
                "required": bool(parameter.get("required", False)),
                **{key: parameter["schema"][key] for key in ("type", *KEPT) if key in parameter["schema"]},
            }
            for parameter in stated
        }
        good = next(operation["responses"][code] for code in (200, 201, "200", "201") if code in operation["responses"])
        return {"method": method, "parameters": dict(sorted(parameters.items())), "answer": self.shape(good["content"]["application/json"]["schema"])}

    def follow(self, node: Json) -> Json:
        while "$ref" in node:
            target: Any = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    def refer(self, schema_name: str) -> Json:
        """A reference to the resource that ``schema_name`` is a variant of; its properties are those of all its variants."""
        schema_name = INSTEAD.get(schema_name, schema_name)
        resource = VARIANT.sub("", schema_name)
        if resource not in self.defs:
            self.defs[resource] = {}
            variants = [name for name in self.schemas if VARIANT.sub("", name) == resource]
            properties: Json = {}
            for name in variants:
                properties |= self.properties(self.schemas[name])
            self.defs[resource] = {
                "type": "object",
                "properties": {name: self.shape(inner) for name, inner in sorted(properties.items())},
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{resource}"}

    def properties(self, schema: Json) -> Json:
        schema = self.follow(schema)
        found: Json = {}
        for part in schema.get("allOf", []):
            found |= self.properties(part)
        found |= schema.get("properties", {})
        return found

    def shape(self, schema: Json) -> Json:
        """The JSON Schema of one property: reference, list, structure or scalar; OpenAPI's ``nullable`` becomes a type."""
        parts = schema.get("allOf", [schema])
        nullable = any(part.get("nullable") for part in parts) or bool(schema.get("nullable"))
        named = next((part["$ref"].rsplit("/", 1)[1] for part in parts if "$ref" in part), None)
        if named is not None:
            reference = self.refer(named)
            return {"anyOf": [reference, {"type": "null"}]} if nullable else reference
        if "oneOf" in schema or "anyOf" in schema:
            return {"anyOf": [self.shape(part) for part in [*schema.get("oneOf", []), *schema.get("anyOf", [])]]}
        made: Json = {"type": [schema["type"], "null"] if nullable else schema["type"]} if "type" in schema else {}
        made |= {key: schema[key] for key in KEPT if key in schema}
        if nullable and "enum" in made and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
        if "items" in schema:
            made["items"] = self.shape(schema["items"])
        if "properties" in schema:
            made["properties"] = {name: self.shape(inner) for name, inner in schema["properties"].items()}
            made["additionalProperties"] = False
        return made


def extract(document: Json, source: bytes) -> Json:
    """The extract, with the checksum of the document it was cut from."""
    return {"source_sha256": hashlib.sha256(source).hexdigest(), **Extract(document).all()}


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_bytes()
    loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    json.dump(extract(loaded, text), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
