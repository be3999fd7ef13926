"""``opt_fields``: parses the vendor's dotted paths and compiles them, once per string, into functions that render an object.

The rules (fact sheet, section 3): with opt_fields an answer holds ``gid`` and exactly what is named; a nested object named without sub-fields is gid
and resource_type only; ``custom_fields`` alone is everything; unknown names are ignored. Without opt_fields a list is compact and a single object is
full, less its opt-in fields.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.sandbox.asana.errors import bad

Getter = Callable[[Any], Any]
Render = Callable[[Any], Any]
Tree = dict[str, "Tree"]
MEMORY = 20_000
DEEPEST = 150


class _Absent:
    """The key is left out of the answer (a conditional field), which is not the same as null."""


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Field:
    """How to read one field; ``kind``: it is an object of that kind (``many``: a list of them); ``opt_in``: only when named."""

    get: Getter
    kind: str | None = None
    many: bool = False
    opt_in: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object. ``plain``: a structure without gid. ``whole``: named without sub-fields it comes complete (custom fields on a task).
    ``memo``: what a rendering depends on; few custom field values are different, so that most of a page is made once."""

    fields: Mapping[str, Field]
    compact: tuple[str, ...] = ("gid", "resource_type", "name")
    plain: bool = False
    whole: bool = False
    memo: Callable[[Any], Hashable] | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A compiled field set: ``render`` makes the answer's dict, ``links`` is the number of linked resources a row walks (the cost)."""

    render: Render
    links: int


def parse(text: str) -> Tree:
    """The tree of ``a.b,c.(d|e),this.f``; raises a 400 for parentheses that do not match and for paths of absurd depth."""
    tree: Tree = {}
    if text.count("(") > DEEPEST or any(path.count(".") > DEEPEST for path in text.split(",")):
        raise bad("opt_fields: Too deep")
    for path in _split(text, ","):
        _plant(tree, path.strip().removeprefix("this."))
    return tree


def _plant(tree: Tree, path: str) -> None:
    if not path:
        return
    head, *rest = _split(path, ".")
    names = list(_split(head[1:-1], "|")) if head.startswith("(") and head.endswith(")") else [head]
    for name in names:
        if name.startswith("(") or "." in name:
            _plant(tree, ".".join([name, *rest]))
        else:
            branch = tree.setdefault(name, {})
            _plant(branch, ".".join(rest))


def _split(text: str, separator: str) -> Iterator[str]:
    """Parts of ``text`` at ``separator`` outside parentheses."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == separator and depth == 0:
            yield text[start:place]
            start = place + 1
    if depth != 0:
        raise bad("opt_fields: parentheses do not match")
    yield text[start:]


class Compiler:
    """Compiles field sets against ``kinds`` and keeps them: one compilation per kind and opt_fields string."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds
        self._kept: dict[tuple[str, str | None, bool], Shape] = {}
        self._memos: list[dict[Hashable, Any]] = []

    def forget(self) -> None:
        """Drops what was rendered before the world changed."""
        for memo in self._memos:
            memo.clear()

    def shape(self, kind: str, opt_fields: str | None, *, full: bool) -> Shape:
        """The shape of ``kind`` for an opt_fields string, or for None the full or the compact one."""
        key = (kind, opt_fields, full)
        shape = self._kept.get(key)
        if shape is None:
            tree = None if opt_fields is None else parse(opt_fields)
            render = self._named(kind, tree) if tree is not None else self._full(kind) if full else self._compact(kind)
            shape = Shape(render, self._links(kind, tree) if tree is not None else 10 if full else 0)
            if len(self._kept) < 500:
                self._kept[key] = shape
        return shape

    def _named(self, kind: str, tree: Tree) -> Render:
        known = self.kinds[kind]
        parts: list[tuple[str, Getter]] = [] if known.plain else [("gid", known.fields["gid"].get)]
        for name, branch in tree.items():
            field = known.fields.get(name)
            if field is None or (name == "gid" and not known.plain):
                continue
            if field.kind is None:
                parts.append((name, field.get))
            else:
                parts.append((name, _nested(field, self._named(field.kind, branch) if branch else self._bare(field.kind))))
        return self._remembered(known, _assemble(parts))

    def _bare(self, kind: str) -> Render:
        """What a nested object shows when nothing of it is named."""
        known = self.kinds[kind]
        if known.whole:
            return self._full(kind)
        names = tuple(known.fields) if known.plain else ("gid", "resource_type")
        return _assemble([(name, self._part(known.fields[name], self._bare)) for name in names])

    def _full(self, kind: str) -> Render:
        known = self.kinds[kind]
        fields = {name: field for name, field in known.fields.items() if not field.opt_in}
        return self._remembered(known, _assemble([(name, self._part(field, self._compact_or_whole)) for name, field in fields.items()]))

    def _remembered(self, kind: Kind, render: Render) -> Render:
        key_of = kind.memo
        if key_of is None:
            return render
        made: dict[Hashable, Any] = {}
        self._memos.append(made)

        def remembered(thing: Any) -> Any:
            key = key_of(thing)
            answer = made.get(key)
            if answer is None:
                if len(made) > MEMORY:
                    made.clear()
                answer = made[key] = render(thing)
            return answer

        return remembered

    def _compact(self, kind: str) -> Render:
        known = self.kinds[kind]
        return _assemble([(name, self._part(known.fields[name], self._compact)) for name in known.compact])

    def _compact_or_whole(self, kind: str) -> Render:
        return self._full(kind) if self.kinds[kind].whole else self._compact(kind)

    def _part(self, field: Field, inner: Callable[[str], Render]) -> Getter:
        return field.get if field.kind is None else _nested(field, inner(field.kind))

    def _links(self, kind: str, tree: Tree) -> int:
        """Linked resources named by ``tree``; a whole custom field list weighs as much as sixty."""
        total = 0
        for name, branch in tree.items():
            field = self.kinds[kind].fields.get(name)
            if field is not None and field.kind is not None:
                weight = 60 if self.kinds[field.kind].whole and not branch else 1
                total += weight + self._links(field.kind, branch)
        return total


def _nested(field: Field, inner: Render) -> Getter:
    get = field.get

    def one(thing: Any) -> Any:
        value = get(thing)
        return value if value is None or value is ABSENT else inner(value)

    def many(thing: Any) -> Any:
        values = get(thing)
        return values if values is ABSENT else [inner(value) for value in values]

    return many if field.many else one


def _assemble(parts: list[tuple[str, Getter]]) -> Render:
    def render(thing: Any) -> dict[str, Any]:
        answer = {}
        for name, get in parts:
            value = get(thing)
            if value is not ABSENT:
                answer[name] = value
        return answer

    return render
