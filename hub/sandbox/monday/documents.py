"""Query texts made ready to run: parsed, validated and compiled once, then kept by text.

graphql-core parses and validates; running is ``execute.py``'s, because the library's own executor needs seconds for 500 items with their columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    build_schema,
    get_named_type,
    is_composite_type,
    is_list_type,
    parse,
    validate,
)

from hub.sandbox.monday.complexity import Cost, Pricing

KEPT = 512
"""Compiled texts held at once; a client that writes its values into its queries fills this, and it starts anew."""


class Invalid(Exception):  # it becomes the answer's errors
    """The document cannot run: it does not parse or does not fit the schema."""

    def __init__(self, code: str, errors: Iterable[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.messages = [(error.message, [{"line": place.line, "column": place.column} for place in error.locations or ()]) for error in errors]


@dataclass(slots=True)
class Selected:
    """One field of a selection. ``within``: what is selected of the objects it holds, by their type."""

    key: str
    name: str
    parent: str
    nullable: bool
    members_nullable: bool
    is_list: bool
    abstract: bool
    of: str
    arguments: list[tuple[str, Any, ValueNode | None, ValueNode | None]]
    within: dict[str, list[Selected]] = field(default_factory=dict)


@dataclass(slots=True)
class Operation:
    """One operation of a document: what it costs, which variables it declares, and its selections under the root type."""

    kind: str
    root: str
    variables: list[VariableDefinitionNode]
    cost: Cost
    switches: tuple[str, ...]
    document: Document
    node: OperationDefinitionNode
    compiled: dict[tuple[Any, ...], list[Selected]] = field(default_factory=dict)

    def selections(self, variables: Mapping[str, Any]) -> list[Selected]:
        """The fields to resolve; @skip and @include are decided here, so each combination of them is compiled once."""
        key = tuple(variables.get(name) for name in self.switches)
        if key not in self.compiled:
            root = self.document.schema.type_map[self.root]
            self.compiled[key] = Compiler(self.document, variables).fields([self.node.selection_set], root)
        return self.compiled[key]


class Document:
    """A valid document and its operations by name (the anonymous one under the empty name)."""

    def __init__(self, schema: GraphQLSchema, text: str) -> None:
        self.schema = schema
        try:
            tree = parse(text)
        except GraphQLSyntaxError as error:
            raise Invalid("PARSING_ERROR", [error]) from error
        errors = validate(schema, tree)
        if errors:
            raise Invalid("GRAPHQL_VALIDATION_FAILED", errors)
        self.fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
        pricing = Pricing(schema, self.fragments)
        switches = tuple(sorted(_switches(tree.definitions)))
        self.operations: dict[str, Operation] = {}
        for node in tree.definitions:
            if isinstance(node, OperationDefinitionNode):
                root: Any = schema.type_map["Mutation" if node.operation.value == "mutation" else "Query"]
                cost = pricing.operation(node.selection_set, root)
                name = node.name.value if node.name else ""
                self.operations[name] = Operation(node.operation.value, root.name, list(node.variable_definitions or ()), cost, switches, self, node)


def _switches(nodes: Iterable[Any]) -> Iterator[str]:
    """The variables that @skip and @include look at, anywhere in the document."""
    for node in nodes:
        for directive in getattr(node, "directives", None) or ():
            yield from (given.value.name.value for given in directive.arguments or () if isinstance(given.value, VariableNode))
        inner = getattr(node, "selection_set", None)
        if inner is not None:
            yield from _switches(inner.selections)


class Compiler:
    """Turns selection sets into ``Selected`` fields for every type that they may meet."""

    def __init__(self, document: Document, variables: Mapping[str, Any]) -> None:
        self.document, self.variables = document, variables

    def fields(self, sets: Iterable[SelectionSetNode], kind: Any) -> list[Selected]:
        """What ``sets`` select of an object of ``kind``, fields of the same key merged."""
        merged: dict[str, list[FieldNode]] = {}
        for selections in sets:
            for node in self._collect(selections, kind):
                merged.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return [self._field(key, nodes, kind) for key, nodes in merged.items()]

    def _collect(self, selections: SelectionSetNode, kind: GraphQLObjectType) -> Iterator[FieldNode]:
        for node in selections.selections:
            if not self._wanted(node):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            inner: Any = self.document.fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            condition = inner.type_condition
            if condition is None or self._fits(condition.name.value, kind):
                yield from self._collect(inner.selection_set, kind)

    def _fits(self, name: str, kind: GraphQLObjectType) -> bool:
        return name == kind.name or any(name == interface.name for interface in kind.interfaces)

    def _wanted(self, node: Any) -> bool:
        for directive in node.directives or ():
            value = directive.arguments[0].value
            on = bool(self.variables.get(value.name.value)) if isinstance(value, VariableNode) else value.value
            if on is (directive.name.value == "skip"):
                return False
        return True

    def _field(self, key: str, nodes: list[FieldNode], parent: Any) -> Selected:
        node, name = nodes[0], nodes[0].name.value
        if name == "__typename":
            return Selected(key, name, parent.name, False, False, False, False, "", [])
        definition = parent.fields[name]
        nullable = not isinstance(definition.type, GraphQLNonNull)
        outer = definition.type if nullable else definition.type.of_type
        is_list = is_list_type(outer)
        kind = get_named_type(definition.type)
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        arguments = [
            (argument, declared.type, given.get(argument), declared.ast_node.default_value if declared.ast_node else None)
            for argument, declared in definition.args.items()
        ]
        abstract = isinstance(kind, GraphQLInterfaceType)
        selected = Selected(
            key, name, parent.name, nullable, is_list and not isinstance(outer.of_type, GraphQLNonNull), is_list, abstract, kind.name, arguments
        )
        if is_composite_type(kind):
            sets = [inner.selection_set for inner in nodes if inner.selection_set is not None]
            possible: Iterable[Any] = self.document.schema.get_possible_types(kind) if isinstance(kind, GraphQLInterfaceType) else [kind]
            selected.within = {concrete.name: self.fields(sets, concrete) for concrete in possible}
        return selected


@cache
def schema() -> GraphQLSchema:
    """What this pretend server answers: a part of the vendor's schema of 2026-10."""
    return build_schema(Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))


class Library:
    """Documents by their text. Raises Invalid for a text that cannot run (such texts are not kept)."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}

    def document(self, text: str) -> Document:
        known = self._documents.get(text)
        if known is None:
            known = Document(schema(), text)
            if len(self._documents) >= KEPT:
                self._documents.clear()
            self._documents[text] = known
        return known
