"""What a board's columns mean: which column plays which role, what its labels are, and which other columns are custom fields.

monday has no status, due date or assignee of its own: everything is a column. A role is suggested from a column's type and title and may be
overridden by ``options["column_roles"][BOARD][ROLE] = COLUMN`` (an empty string: no column plays it). Nothing here reads items.

A companion board (the hidden board of a classic board's subitems) has columns of its own; its raw body lies in its parent's under ``_companion``,
so that one project body yields the context of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from connectors.base import Context
from connectors.errors import BadResponse
from connectors.records import FieldType, Priority, Ref

Raw: TypeAlias = Mapping[str, Any]

ROLES = ("status", "priority", "due", "start", "timeline", "assignees", "estimate", "logged", "tags", "dependency", "progress")
FORMULAS_A_REQUEST = 5
"""The vendor computes the formulas of at most five columns in one request."""

SKIPPED = frozenset({
    "name", "subtasks", "creation_log", "last_updated", "file", "doc", "direct_doc", "button", "integration", "unsupported", "group",
    "item_assignees",
})  # fmt: skip
"""Types without a value of their own that a record could hold."""

FIELD_TYPES: dict[str, FieldType] = {
    "status": FieldType.ENUM, "dropdown": FieldType.MULTI_ENUM, "tags": FieldType.MULTI_ENUM, "date": FieldType.DATE, "timeline": FieldType.RANGE,
    "week": FieldType.RANGE, "people": FieldType.PERSON, "person": FieldType.PERSON, "team": FieldType.PERSON, "numbers": FieldType.NUMBER,
    "rating": FieldType.NUMBER, "vote": FieldType.NUMBER, "time_tracking": FieldType.NUMBER, "checkbox": FieldType.BOOL, "link": FieldType.URL,
    "board_relation": FieldType.RELATION, "dependency": FieldType.RELATION, "mirror": FieldType.FORMULA, "formula": FieldType.FORMULA,
}  # fmt: skip
"""What is not named here is text (also types that the vendor adds later)."""

_STATUS_TITLES = ("status", "stage", "state", "phase")
_PRIORITY_TITLES = ("priority", "urgency", "severity", "priorität", "dringlichkeit")
_DUE_TITLES = ("due", "deadline", "end", "finish", "target")
_START_TITLES = ("start", "begin", "kickoff")
_OWNER_TITLES = ("owner", "assignee", "assigned", "person", "people", "responsible")
_EFFORT_TITLES = ("estimate", "estimated", "estimation", "effort")
_NOT_EFFORT = ("cost", "budget", "price", "point", "points", "revenue", "value")
_PROGRESS_TITLES = ("progress", "% complete", "percent", "completion", "% done")
TITLES: Mapping[str, tuple[str, ...]] = {
    "status": _STATUS_TITLES,
    "priority": _PRIORITY_TITLES,
    "due": _DUE_TITLES,
    "start": _START_TITLES,
    "assignees": _OWNER_TITLES,
    "estimate": _EFFORT_TITLES,
    "progress": _PROGRESS_TITLES,
}
"""Words in a title that speak for a role."""
_CURRENCIES = frozenset("$€£¥₪₹₩₽₺₫₴₦฿")

_PRIORITIES = (
    (Priority.URGENT, ("critical", "urgent", "highest", "blocker", "emergency", "asap", "kritisch", "dringend")),
    (Priority.HIGH, ("high", "important", "hoch", "wichtig")),
    (Priority.LOW, ("low", "lowest", "minor", "trivial", "niedrig", "gering")),
    (Priority.NORMAL, ("medium", "normal", "moderate", "mittel")),
)


@dataclass(frozen=True, slots=True)
class Label:
    id: str
    name: str
    done: bool
    position: int
    color: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """``labels``: of status and dropdown columns, by label id. ``minutes``: what one unit of an estimate is worth."""

    id: str
    title: str
    type: str
    field_type: FieldType
    field_id: Ref
    labels: Mapping[str, Label]
    minutes: int = 60


@dataclass(frozen=True, slots=True)
class Shape:
    """One board's columns as the mapping needs them. ``project_id`` is the parent board's for a companion."""

    board: str
    project_id: Ref
    companion: bool
    multi_level: bool
    columns: Mapping[str, Column]
    roles: Mapping[str, str]

    @property
    def status(self) -> Column | None:
        return self.columns.get(self.roles.get("status", ""))

    @property
    def formulas(self) -> int:
        return sum(column.type == "formula" for column in self.columns.values())

    def fields(self) -> Iterator[Column]:
        """The columns that play no role: custom fields."""
        playing = set(self.roles.values())
        return (column for column in self.columns.values() if column.id not in playing)


def context_of(project: Raw, options: Mapping[str, Any]) -> Context:
    """The mapping context of a project body: ``{board id: Shape}`` for the board and its companion. Raises
    BadResponse where the columns cannot be read."""
    board_id = identifier(project, "project")
    reference = f"project:{board_id}"
    own = shape_of(project, reference, options)
    shapes = {board_id: own}
    companion = project.get("_companion")
    if companion:
        below = shape_of(companion, reference, options, formulas=FORMULAS_A_REQUEST - own.formulas)
        shapes[below.board] = below
    plain = [
        [shape.board, shape.companion, shape.multi_level, shape.roles, [_plain(column) for column in shape.columns.values()]]
        for shape in shapes.values()
    ]
    digest = hashlib.blake2b(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
    return Context(version=digest, data=shapes)


def shape_of(board: Raw, project_id: Ref, options: Mapping[str, Any], *, formulas: int = FORMULAS_A_REQUEST) -> Shape:
    """``formulas``: how many formula columns may be read; those beyond are treated as if they were not there."""
    board_id = identifier(board, "project")
    raw_columns = board.get("columns")
    if not isinstance(raw_columns, list):
        raise BadResponse(f"project {board_id}: columns is not a list")
    beyond = [raw for raw in raw_columns if isinstance(raw, dict) and raw.get("type") == "formula" and raw.get("archived") is not True][formulas:]
    columns = {column.id: column for column in (_column(raw, board_id) for raw in raw_columns if _is_kept(raw) and raw not in beyond)}
    chosen = (options.get("column_roles") or {}).get(board_id) or {}
    roles = _roles(columns, chosen)
    return Shape(
        board=board_id,
        project_id=project_id,
        companion=project_id != f"project:{board_id}",
        multi_level=board.get("hierarchy_type") == "multi_level",
        columns=columns,
        roles=roles,
    )


def companion_id(board: Raw) -> str | None:
    """The hidden board that a classic board's subtasks column points at."""
    for column in board.get("columns") or ():
        if column.get("type") == "subtasks":
            ids = settings_of(column).get("boardIds") or settings_of(column).get("board_ids") or ()
            return str(ids[0]) if ids else None
    return None


def labels_of(column: Raw) -> dict[str, Label]:
    """Labels by id. The id, not the display position ``index``, is what an item's value refers to."""
    settings = settings_of(column)
    listed = settings.get("labels") or ()
    if isinstance(listed, dict):  # the form of the older settings text
        done = {str(each) for each in settings.get("done_colors") or ()}
        listed = [{"id": key, "label": name, "index": n, "is_done": key in done} for n, (key, name) in enumerate(listed.items())]
    found: dict[str, Label] = {}
    for n, raw in enumerate(listed):
        color = raw.get("color")
        position = raw.get("index")
        name = raw.get("label") if raw.get("label") is not None else raw.get("name")
        label = Label(
            id=identifier(raw, "label"),
            name=str(name or ""),
            done=raw.get("is_done") is True,
            position=position if isinstance(position, int) else n,
            color=color if isinstance(color, str) and color.startswith("#") else None,
        )
        found[label.id] = label
    return found


def settings_of(column: Raw) -> dict[str, Any]:
    """Settings arrive as an object; as text (the older form) they are parsed."""
    settings = column.get("settings")
    if isinstance(settings, str):
        try:
            settings = orjson.loads(settings)
        except orjson.JSONDecodeError:
            raise BadResponse(f"column {column.get('id')}: settings is not JSON") from None
    return settings if isinstance(settings, dict) else {}


def priority_of(word: str) -> Priority:
    """Our priority for a label's name; a word that says nothing of urgency is ``none``."""
    text = word.casefold()
    for priority, words in _PRIORITIES:
        if any(contains(text, each) for each in words):
            return priority
    return Priority.NONE


def identifier(raw: Raw, kind: str) -> str:
    """The vendor's id as a string; webhooks and settings carry the same ids as numbers."""
    found = raw.get("id")
    if found is None or found == "" or isinstance(found, bool | dict | list):
        raise BadResponse(f"{kind}: no id in {sorted(raw)[:8]}")
    return str(found)


def _is_kept(raw: Any) -> bool:
    return isinstance(raw, dict) and raw.get("type") not in SKIPPED and raw.get("archived") is not True


def _column(raw: Raw, board_id: str) -> Column:
    column_id, kind = identifier(raw, f"project {board_id}: column"), str(raw.get("type") or "")
    title = str(raw.get("title") or column_id)
    return Column(
        id=column_id,
        title=title,
        type=kind,
        field_type=_field_type(raw, kind),
        field_id=f"field:{board_id}/{column_id}",
        labels=labels_of(raw) if kind in ("status", "dropdown") else {},
        minutes=_unit_minutes(title, settings_of(raw)) if kind == "numbers" else 60,
    )


def _field_type(raw: Raw, kind: str) -> FieldType:
    if kind == "numbers" and _unit(settings_of(raw)) in _CURRENCIES:
        return FieldType.MONEY
    return FIELD_TYPES.get(kind, FieldType.TEXT)


def _unit(settings: Mapping[str, Any]) -> str:
    unit = settings.get("unit")
    if isinstance(unit, dict):
        return str(unit.get("custom_unit") or unit.get("symbol") or "")
    return str(unit or "")


def _unit_minutes(title: str, settings: Mapping[str, Any]) -> int:
    """Hours unless the title or unit names minutes or days; a day of work is eight hours."""
    text = f"{title} {_unit(settings)}".casefold()
    if contains(text, "minutes") or contains(text, "min") or contains(text, "mins"):
        return 1
    return 480 if contains(text, "days") or contains(text, "day") else 60


def require_roles(options: Mapping[str, Any]) -> None:
    """Raises ValueError, saying what to write, where the admin's ``column_roles`` are none. Which columns a board has is not known here."""
    boards = options.get("column_roles") or {}
    shaped = isinstance(boards, dict) and all(isinstance(roles, dict) for roles in boards.values())
    if not shaped or not all(role in ROLES and isinstance(column, str) for roles in boards.values() for role, column in roles.items()):
        raise ValueError('write column_roles={"BOARD ID": {"ROLE": "COLUMN ID"}}, with these roles: ' + ", ".join(ROLES))


def _roles(columns: Mapping[str, Column], chosen: Mapping[str, Any]) -> dict[str, str]:
    """Role -> column id. An admin's choice goes first and takes its column out of the suggestions."""
    roles: dict[str, str] = {role: str(chosen[role]) for role in ROLES if chosen.get(role) in columns}
    for role in ROLES:
        if role in chosen:
            continue
        left = [column for column in columns.values() if column.id not in roles.values()]
        column = _SUGGEST[role](left)
        if column is not None:
            roles[role] = column.id
    return roles


def _titled(columns: list[Column], kinds: tuple[str, ...], titles: tuple[str, ...], without: tuple[str, ...] = ()) -> Column | None:
    """The best title first: the words are in order of preference, the columns in the board's order."""
    fitting = [column for column in columns if column.type in kinds]
    for word in titles:
        for column in fitting:
            text = column.title.casefold()
            if contains(text, word) and not any(contains(text, other) for other in without):
                return column
    return None


def _first(columns: list[Column], *kinds: str) -> Column | None:
    return next((column for column in columns if column.type in kinds), None)


def _suggest_status(columns: list[Column]) -> Column | None:
    plain = [column for column in columns if not any(contains(column.title.casefold(), word) for word in _PRIORITY_TITLES)]
    return _titled(plain, ("status",), _STATUS_TITLES) or _first(plain, "status")


def _suggest_due(columns: list[Column]) -> Column | None:
    """Beside a timeline only a date that is called due: the timeline's end is nearer to a due date than any other date column."""
    called = _titled(columns, ("date",), _DUE_TITLES, (*_START_TITLES, "created", "completed"))
    if called is not None or _first(columns, "timeline") is not None:
        return called
    return _first([column for column in columns if not _is_start(column)], "date")


def _is_start(column: Column) -> bool:
    return any(contains(column.title.casefold(), word) for word in _START_TITLES)


_SUGGEST: Mapping[str, Callable[[list[Column]], Column | None]] = {
    "status": _suggest_status,
    "priority": lambda columns: _titled(columns, ("status", "dropdown"), _PRIORITY_TITLES),
    "due": _suggest_due,
    "start": lambda columns: _titled(columns, ("date",), _START_TITLES),
    "timeline": lambda columns: _first(columns, "timeline"),
    "assignees": lambda columns: _titled(columns, ("people",), _OWNER_TITLES) or _first(columns, "people", "person"),
    "estimate": lambda columns: _titled(columns, ("numbers",), _EFFORT_TITLES, _NOT_EFFORT),
    "logged": lambda columns: _first(columns, "time_tracking"),
    "tags": lambda columns: _first(columns, "tags"),
    "dependency": lambda columns: _first(columns, "dependency"),
    "progress": lambda columns: _titled(columns, ("numbers",), _PROGRESS_TITLES),
}


def contains(text: str, words: str) -> bool:
    """Whole words: "weekend" is no "end", "below" no "low"."""
    at = text.find(words)
    while at >= 0:
        after = at + len(words)
        if (at == 0 or not text[at - 1].isalnum()) and (after == len(text) or not text[after].isalnum()):
            return True
        at = text.find(words, at + 1)
    return False


def _plain(column: Column) -> list[Any]:
    labels = [[label.id, label.name, label.done] for label in column.labels.values()]
    return [column.id, column.type, column.field_type, column.minutes, labels]
