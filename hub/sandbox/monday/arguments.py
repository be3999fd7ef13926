"""Values that a client sends, as literals or variables, turned into what the schema says; anything else
is refused, as the vendor does since 2024-10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    type_from_ast,
    value_from_ast_untyped,
)

Variables = Mapping[str, Any]


class Misfit(Exception):  # it becomes an entry in the answer's errors
    """A value that is not of the type the schema asks for."""


def variables(schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode], given: Mapping[str, Any]) -> dict[str, Any]:
    """The operation's variables, coerced and with defaults; a variable that is neither given nor has a default is left out. Raises Misfit."""
    known: dict[str, Any] = {}
    for definition in definitions:
        name = definition.variable.name.value
        kind: Any = type_from_ast(schema, definition.type)
        if name in given:
            known[name] = coerce(kind, given[name], f"${name}")
        elif definition.default_value is not None:
            known[name] = coerce(kind, value_from_ast_untyped(definition.default_value), f"${name}")
        elif isinstance(kind, GraphQLNonNull):
            raise Misfit(f'Variable "${name}" of required type "{kind}" was not provided.')
    return known


def argument(kind: GraphQLInputType, node: ValueNode | None, default: ValueNode | None, given: Variables) -> Any:
    """One argument's value: the literal or variable at ``node``, else the schema's default, else None."""
    if isinstance(node, VariableNode) and node.name.value not in given:
        node = None
    if node is None:
        node = default
    if node is None:
        return None
    return coerce(kind, value_from_ast_untyped(node, dict(given)), "argument")


def coerce(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind`` reads it. Raises Misfit naming ``where``."""
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            raise Misfit(f'Variable "{where}" got invalid value null; Expected non-nullable type "{kind}" not to be null.')
        return coerce(kind.of_type, value, where)
    if value is None:
        return None
    if isinstance(kind, GraphQLList):
        members = value if isinstance(value, list) else [value]
        return [coerce(kind.of_type, member, f"{where}[{place}]") for place, member in enumerate(members)]
    if isinstance(kind, GraphQLInputObjectType):
        return _record(kind, value, where)
    if isinstance(kind, GraphQLEnumType):
        if value not in kind.values:
            raise Misfit(f'Variable "{where}" got invalid value {value!r}; Value does not exist in "{kind.name}" enum.')
        return value
    return _scalar(kind.name, value, where)


def _record(kind: GraphQLInputObjectType, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misfit(f'Variable "{where}" got invalid value; Expected type "{kind.name}" to be an object.')
    unknown = sorted(set(value) - set(kind.fields))
    if unknown:
        raise Misfit(f'Variable "{where}" got invalid value; Field "{unknown[0]}" is not defined by type "{kind.name}".')
    record: dict[str, Any] = {}
    for name, definition in kind.fields.items():
        default = definition.ast_node.default_value if definition.ast_node else None
        if name in value:
            record[name] = coerce(definition.type, value[name], f"{where}.{name}")
        elif default is not None:
            record[name] = value_from_ast_untyped(default)
        elif isinstance(definition.type, GraphQLNonNull):
            raise Misfit(f'Variable "{where}" got invalid value; Field "{name}" of required type "{definition.type}" was not provided.')
    return record


def _scalar(name: str, value: Any, where: str) -> Any:
    if name == "ID" and isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {"Int": whole, "Float": whole or isinstance(value, float), "String": isinstance(value, str), "Boolean": isinstance(value, bool)}
    if name == "ID" or not fits.get(name, True):
        raise Misfit(f'Variable "{where}" got invalid value {value!r}; {name} cannot represent it.')
    return value
