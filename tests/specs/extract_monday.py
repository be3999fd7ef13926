"""Writes tests/specs/monday.graphql: what the vendor's schema says of the types, fields and arguments that the sandbox serves, without descriptions.

    python tests/specs/extract_monday.py VENDOR_SDL > tests/specs/monday.graphql

The vendor's whole schema (version 2026-10) is not part of this repository; a name that it does not know stops the extract.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
    print_ast,
)

SERVED = Path(__file__).parents[2] / "hub/sandbox/monday/schema.graphql"


def served(schema: GraphQLSchema) -> list[Any]:
    """The types of a schema that are its own, by name."""
    return sorted(
        (kind for kind in schema.type_map.values() if not is_introspection_type(kind) and not is_specified_scalar_type(kind)),
        key=lambda kind: kind.name,
    )


def extract(vendor: GraphQLSchema, sandbox: GraphQLSchema) -> str:
    """The vendor's words on everything that the sandbox names."""
    return "\n\n".join("\n".join(_lines(vendor.type_map[kind.name], kind)) for kind in served(sandbox)) + "\n"


def _lines(theirs: Any, ours: Any) -> Iterator[str]:
    if isinstance(ours, GraphQLScalarType):
        yield f"scalar {ours.name}"
        return
    if isinstance(ours, GraphQLEnumType):
        members = sorted(f"  {name}" for name in theirs.values)
        head = f"enum {ours.name}"
    elif isinstance(ours, GraphQLInputObjectType):
        members = [f"  {_argument(name, theirs.fields[name])}" for name in sorted(ours.fields)]
        head = f"input {ours.name}"
    else:
        assert isinstance(ours, GraphQLObjectType | GraphQLInterfaceType)
        members = [_field(name, theirs.fields[name], ours.fields[name]) for name in sorted(ours.fields)]
        above = " & ".join(interface.name for interface in theirs.interfaces if isinstance(ours, GraphQLObjectType))
        head = f"{'interface' if isinstance(ours, GraphQLInterfaceType) else 'type'} {ours.name}{' implements ' + above if above else ''}"
    yield f"{head} {{"
    yield from members
    yield "}"


def _field(name: str, theirs: Any, ours: Any) -> str:
    arguments = ", ".join(_argument(argument, theirs.args[argument]) for argument in sorted(ours.args))
    return f"  {name}{f'({arguments})' if arguments else ''}: {theirs.type}"


def _argument(name: str, theirs: Any) -> str:
    default = theirs.ast_node.default_value
    return f"{name}: {theirs.type}{'' if default is None else ' = ' + print_ast(default)}"


if __name__ == "__main__":
    sys.stdout.write(extract(build_schema(Path(sys.argv[1]).read_text(), assume_valid=True), build_schema(SERVED.read_text())))
