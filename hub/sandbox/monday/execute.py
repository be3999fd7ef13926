"""Runs a compiled operation over plain dicts.

A resolver answers ``(call, source, arguments)``; a field without one is read from the source dict under its name. Failed fields become null
beside ``errors``, and the null climbs to the nearest parent that may be null, as the GraphQL specification says. Lists of dicts without resolvers
are copied key by key, without a call each: that is what makes 500 items with a dozen columns cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub.sandbox.monday.arguments import argument
from hub.sandbox.monday.documents import Operation, Selected
from hub.sandbox.monday.errors import Failure, Path

if TYPE_CHECKING:
    from hub.sandbox.monday.account import Account

Source = Mapping[str, Any]
Resolver = Callable[["Call", Any, Mapping[str, Any]], Any]
Resolvers = Mapping[tuple[str, str], Resolver]


class _Null(Exception):  # control flow: a null on its way up
    """A field that may not be null is null; its error is noted already."""


@dataclass(slots=True)
class Shape:
    """A selection on one type, split into what is copied and what is resolved."""

    copied: list[tuple[str, str]]
    resolved: list[tuple[Selected, Resolver | None]]


@dataclass(slots=True)
class Call:
    """One request on its way: what resolvers know of it. ``selected``: the field being resolved. ``notes``: what they share during the request."""

    account: Account
    version: str
    cost: int = 0
    before: int = 0
    reset: int = 60
    errors: list[dict[str, Any]] = field(default_factory=list)
    selected: Selected | None = None
    notes: dict[Any, Any] = field(default_factory=dict)


class Executor:
    """Runs one operation with its variables. ``run`` gives the answer's data, None when a null climbed to the top."""

    def __init__(self, call: Call, resolvers: Resolvers, variables: Mapping[str, Any]) -> None:
        self.call, self.resolvers, self.variables = call, resolvers, variables
        self._arguments: dict[int, dict[str, Any]] = {}
        self._shapes: dict[int, Shape] = {}
        self._by_type: dict[int, dict[str, Shape]] = {}

    def run(self, operation: Operation) -> dict[str, Any] | None:
        try:
            return self._object({}, self._shape(operation.selections(self.variables)), ())
        except _Null:
            return None

    def _shape(self, fields: list[Selected]) -> Shape:
        shape = self._shapes.get(id(fields))
        if shape is None:
            shape = Shape([], [])
            for selected in fields:
                resolver = self.resolvers.get((selected.parent, selected.name))
                if resolver is None and not selected.within and selected.name != "__typename":
                    shape.copied.append((selected.key, selected.name))
                else:
                    shape.resolved.append((selected, resolver))
            self._shapes[id(fields)] = shape
        return shape

    def _object(self, source: Source, shape: Shape, path: Path) -> dict[str, Any]:
        made = {key: source[name] for key, name in shape.copied}
        for selected, resolver in shape.resolved:
            made[selected.key] = self._field(source, selected, resolver, (*path, selected.key))
        return made

    def _field(self, source: Source, selected: Selected, resolver: Resolver | None, path: Path) -> Any:
        if selected.name == "__typename":
            return selected.parent
        try:
            if resolver is None:
                value = source[selected.name]
            else:
                self.call.selected = selected
                value = resolver(self.call, source, self._given(selected))
            return self._complete(value, selected, path)
        except Failure as failure:
            self.call.errors.append(failure.entry(path))
        except _Null:
            pass
        if selected.nullable:
            return None
        raise _Null

    def _complete(self, value: Any, selected: Selected, path: Path) -> Any:
        if value is None:
            if not selected.nullable:
                raise Failure(f"Cannot return null for non-nullable field {selected.parent}.{selected.name}.", "INTERNAL_SERVER_ERROR")
            return None
        if not selected.within:
            return value
        if not selected.is_list:
            return self._object(value, self._shape(selected.within[selected.of]), path)
        return self._abstract(value, selected, path) if selected.abstract else self._list(value, selected, path)

    def _list(self, members: list[Any], selected: Selected, path: Path) -> list[Any]:
        shape = self._shape(selected.within[selected.of])
        if not shape.resolved and not any(member is None or isinstance(member, Failure) for member in members):
            return [{key: member[name] for key, name in shape.copied} for member in members]
        made: list[Any] = []
        for place, member in enumerate(members):
            try:
                if isinstance(member, Failure):
                    self.call.errors.append(member.entry((*path, place)))
                    raise _Null
                made.append(None if member is None else self._object(member, shape, (*path, place)))
            except _Null:
                if not selected.members_nullable:
                    raise
                made.append(None)
        return made

    def _abstract(self, members: list[Any], selected: Selected, path: Path) -> list[Any]:
        shapes = self._by_type.get(id(selected))
        if shapes is None:
            shapes = self._by_type[id(selected)] = {name: self._shape(fields) for name, fields in selected.within.items()}
        made = []
        for place, member in enumerate(members):
            shape = shapes[member["__typename"]]
            if shape.resolved:
                made.append(self._object(member, shape, (*path, place)))
            else:
                made.append({key: member[name] for key, name in shape.copied})
        return made

    def _given(self, selected: Selected) -> dict[str, Any]:
        """The field's arguments, the same for every object it is asked of."""
        known = self._arguments.get(id(selected))
        if known is None:
            known = {name: argument(kind, node, default, self.variables) for name, kind, node, default in selected.arguments}
            self._arguments[id(selected)] = known
        return known
