"""Writes: known to the schema, refused to the token. The sandbox's token may read, and make webhooks (``webhooks.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from hub.sandbox.monday.documents import schema
from hub.sandbox.monday.errors import Failure
from hub.sandbox.monday.execute import Call, Resolvers


def refuse(call: Call, source: Any, args: Mapping[str, Any]) -> NoReturn:
    raise Failure("You do not have the required permissions: missing scope", "missingRequiredPermissions", status=403)


def resolvers() -> Resolvers:
    """One refusal for each mutation of the schema."""
    mutations = schema().mutation_type
    return {} if mutations is None else {("Mutation", name): refuse for name in mutations.fields}
