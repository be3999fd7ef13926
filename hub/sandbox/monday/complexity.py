"""What a query costs, computed before it runs: the vendor charges the potential size, not what comes back.

``scalar = 1``, ``object or list = 10 + n * (sum of its children)``, a mutation 10,000, the field ``complexity`` 0. ``n`` is the number of ``ids``
where they are given, else the ``limit``, else its default; lists without a limit count once, except an item's assets and subscribers (fact sheet,
section 4: fitted to real accounts' figures). The limit of ``items_page`` multiplies the ``items`` in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

BASE, MUTATION = 10, 10_000
COSTLY_LISTS = {("Item", "assets"): 500, ("Item", "subscribers"): 1000}
PASSES_LIMIT_ON = ("ItemsResponse", "BoardDependencies")
Size = Callable[[Mapping[str, Any]], int]


@dataclass(slots=True)
class Cost:
    """``fixed`` points, and parts whose size depends on the variables."""

    fixed: int = 0
    parts: list[tuple[Size, Cost]] = field(default_factory=list)

    def points(self, variables: Mapping[str, Any]) -> int:
        return self.fixed + sum(size(variables) * part.points(variables) for size, part in self.parts)

    def add(self, size: int | Size, part: Cost) -> None:
        if callable(size):
            self.parts.append((size, part))
        elif part.parts:
            self.parts.append((lambda _: size, part))
        else:
            self.fixed += size * part.fixed


class Pricing:
    """Prices the operations of one document."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self.schema, self.fragments = schema, fragments

    def operation(self, selections: SelectionSetNode, root: GraphQLObjectType) -> Cost:
        if root.name == "Mutation":
            return Cost(MUTATION * len(selections.selections))
        return self._selections(selections, root, 1)

    def _selections(self, selections: SelectionSetNode, parent: Any, handed_down: int | Size) -> Cost:
        total = Cost()
        for node in selections.selections:
            if isinstance(node, FieldNode):
                total.add(1, self._field(node, parent, handed_down))
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                total.add(1, self._selections(fragment.selection_set, self.schema.type_map[fragment.type_condition.name.value], handed_down))
            elif isinstance(node, InlineFragmentNode):
                kind = self.schema.type_map[node.type_condition.name.value] if node.type_condition else parent
                total.add(1, self._selections(node.selection_set, kind, handed_down))
        return total

    def _field(self, node: FieldNode, parent: Any, handed_down: int | Size) -> Cost:
        name = node.name.value
        if name == "complexity" and parent.name == "Query":
            return Cost()
        if name.startswith("__"):
            return Cost(1)
        definition = parent.fields[name]
        kind = get_named_type(definition.type)
        if is_leaf_type(kind) or node.selection_set is None:
            return Cost(1)
        size = _size(node, definition)
        if parent.name in PASSES_LIMIT_ON and name == "items":
            size = handed_down
        elif (parent.name, name) in COSTLY_LISTS:
            size = COSTLY_LISTS[(parent.name, name)]
        total = Cost(BASE)
        if kind.name in PASSES_LIMIT_ON:
            total.add(1, self._selections(node.selection_set, kind, size))
        else:
            total.add(size, self._selections(node.selection_set, kind, 1))
        return total


def _size(node: FieldNode, definition: Any) -> int | Size:
    """``ids`` win over ``limit``; a field without a ``limit`` argument counts once."""
    if "limit" not in definition.args:
        return 1
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    declared = definition.args["limit"].ast_node
    default = int(value_from_ast_untyped(declared.default_value)) if declared and declared.default_value else 1
    ids, limit = given.get("ids"), given.get("limit")
    if isinstance(ids, ListValueNode):
        return len(ids.values)
    if isinstance(ids, IntValueNode | StringValueNode):
        return 1
    if isinstance(ids, VariableNode):
        fallback = _limit(limit, default)
        return _by_ids(ids.name.value, fallback)
    return _limit(limit, default)


def _by_ids(name: str, fallback: int | Size) -> Size:
    def size(variables: Mapping[str, Any]) -> int:
        ids = variables.get(name)
        if ids is not None:
            return len(ids)
        return fallback(variables) if callable(fallback) else fallback

    return size


def _limit(node: Any, default: int) -> int | Size:
    if isinstance(node, IntValueNode):
        return int(node.value)
    if isinstance(node, VariableNode):
        name = node.name.value
        return lambda variables: default if variables.get(name) is None else int(variables[name])
    return default
