"""The proof that a connection only reads: what may leave this process, decided before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from connectors.errors import ConnectorError

_HOOK_METHODS = frozenset({"POST", "PUT", "DELETE"})


class WriteRefused(ConnectorError):
    """A call that could change something at the vendor was stopped before it was sent: a defect of ours, never the vendor's answer."""


def changes(query: str) -> bool:
    """Whether a GraphQL document holds anything but queries."""
    return bool(_mutated(query))


def require_read(query: str) -> None:
    """Raises WriteRefused unless the GraphQL document holds queries alone."""
    if mutated := _mutated(query):
        raise WriteRefused(f"a GraphQL document was not sent: this connection only reads, and it holds {', '.join(mutated)}")


def require_subscription(query: str, hooks: Sequence[str]) -> None:
    """Raises WriteRefused unless all that the GraphQL document changes is declared in ``hooks`` by name."""
    mutated = _mutated(query)
    if undeclared := [name for name in mutated if name not in hooks]:
        raise WriteRefused(f"a GraphQL document was not sent: the connector does not declare {', '.join(undeclared)}")


def require_hook_path(method: str, path: str, hooks: Sequence[str]) -> None:
    """Raises WriteRefused unless the path is one that ``hooks`` declares, or lies under one (``*`` stands for one segment)."""
    segments = path.split("/")
    odd = any(char in path for char in "%?#\\") or any(segment in (".", "..") for segment in segments)
    declared = any(_under(segments, hook.split("/")) for hook in hooks if hook.startswith("/"))
    if method not in _HOOK_METHODS or odd or not declared:
        raise WriteRefused(f"{method} {path} was not sent: this connection only reads, and the connector does not declare that path for webhooks")


def _under(segments: Sequence[str], pattern: Sequence[str]) -> bool:
    if len(segments) < len(pattern) or not all(segments[1:]):
        return False
    return all(wanted in ("*", had) for wanted, had in zip(pattern, segments, strict=False))


@lru_cache(maxsize=256)
def _mutated(query: str) -> tuple[str, ...]:
    """What a GraphQL document would change: its root fields other than those of queries; empty for a read.

    A keyword cannot be written in another way in GraphQL: without one of the two words the document is a read, and need not be parsed.
    """
    if "mutation" not in query and "subscription" not in query:
        return ()
    from graphql import GraphQLError, OperationType, parse  # here: most processes never need the parser, and it is slow to import
    from graphql.language import FieldNode, OperationDefinitionNode

    try:
        document = parse(query)
    except GraphQLError:
        return ("something that cannot be parsed",)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode) and node.operation != OperationType.QUERY]
    return tuple(
        field.name.value if isinstance(field, FieldNode) and node.operation == OperationType.MUTATION else f"a {node.operation.value}"
        for node in operations
        for field in node.selection_set.selections
    )
