"""What columns a monday board has: five kinds of board, from one with everything to one without any status column."""

from __future__ import annotations

from dataclasses import dataclass

from hub.sandbox.draw import Draw
from hub.sandbox.meaning import monday_category
from hub.sandbox.world import FieldDef, Project, Status, World

# (label id, name, is_done, colour) in the order of display: the id is not the position.
LABELS: tuple[tuple[tuple[int, str, bool, str], ...], ...] = (
    (
        (0, "Working on it", False, "#fdab3d"),
        (2, "Stuck", False, "#df2f4a"),
        (1, "Done", True, "#00c875"),
        (7, "In review", False, "#a25ddc"),
        (3, "Not started", False, "#c4c4c4"),
    ),
    (
        (4, "Geplant", False, "#c4c4c4"),
        (0, "In Arbeit", False, "#fdab3d"),
        (9, "Wird geprüft", False, "#a25ddc"),
        (1, "Fertig", True, "#00c875"),
        (6, "Abgenommen", True, "#037f4c"),
    ),
    ((3, "Backlog", False, "#c4c4c4"), (0, "Doing", False, "#fdab3d"), (8, "Waiting", False, "#df2f4a"), (1, "Sonstiges", False, "#00c875")),
)
SUBITEM_LABELS = ((0, "Working on it", False, "#fdab3d"), (1, "Done", True, "#00c875"), (2, "Stuck", False, "#df2f4a"))
PRIORITIES = (("Critical", "urgent"), ("High", "high"), ("Medium", "normal"), ("Low", "low"))
ROLES: dict[str, tuple[str, str, str, str]] = {  # role: (column id, title, vendor's type, unified type)
    "status": ("status", "Status", "status", "enum"),
    "priority": ("priority_1", "Priority", "status", "enum"),
    "assignees": ("people", "Owner", "people", "person"),
    "due": ("date4", "Due date", "date", "date"),
    "start": ("date_start", "Start date", "date", "date"),
    "timeline": ("timeline", "Timeline", "timeline", "range"),
    "estimate": ("numbers_est", "Estimated hours", "numbers", "number"),
    "logged": ("time_tracking", "Time tracking", "time_tracking", "number"),
    "progress": ("numbers_prog", "Progress %", "numbers", "number"),
    "tags": ("tags", "Tags", "tags", "multi_enum"),
    "dependency": ("dependent_on", "Dependent on", "dependency", "relation"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The roles that a board's columns play, the index of its set of labels, and whether it has a second status column."""

    roles: tuple[str, ...]
    labels: int
    risk: bool = False


PROFILES: tuple[Profile, ...] = (
    Profile(("status", "priority", "assignees", "due", "timeline", "estimate", "logged", "progress", "tags", "dependency"), 0),
    Profile(("status", "assignees", "timeline", "tags", "dependency"), 1),
    Profile(("assignees", "due", "start", "tags"), 0),
    Profile(("status", "priority", "assignees", "due", "timeline", "estimate", "dependency"), 0, risk=True),
    Profile(("status", "assignees", "due", "logged"), 2),
)
# (column id stem, title, vendor's type, unified type, settings, options)
CUSTOM: tuple[tuple[str, str, str, str, dict[str, object], tuple[str, ...]], ...] = (
    ("text", "Cost center", "text", "text", {}, ()),
    ("dropdown", "Market", "dropdown", "multi_enum", {}, ("DACH", "Nordics", "Iberia", "Türkiye")),
    ("numbers", "Story points", "numbers", "number", {"whole": 13}, ()),
    ("numeric_budget", "Budget", "numbers", "money", {"unit": {"symbol": "€", "direction": "left"}}, ()),
    ("multiple_person", "Reviewer", "people", "person", {}, ()),
    ("link", "Specification", "link", "url", {}, ()),
    ("checkbox", "Legal checked", "checkbox", "bool", {}, ()),
    ("long_text", "Remarks", "long_text", "text", {}, ()),
    ("board_relation", "Related work", "board_relation", "relation", {}, ()),
    ("formula", "Cost of delay", "formula", "formula", {"formula": "{Story points}*0.25"}, ()),
    ("week", "Sprint week", "week", "range", {}, ()),
    ("date_live", "Go-live", "date", "date", {"time": True}, ()),
)


def columns(world: World, draw: Draw, board: Project, place: int) -> None:
    """Gives ``board`` its role columns, statuses and about six custom columns."""
    profile = PROFILES[place % len(PROFILES)]
    for role in profile.roles:
        _role(world, board, role)
    if "status" in board.columns:
        board.statuses = labels(board.id, board.columns["status"], LABELS[profile.labels])
    # A second date column beside none with the due date's role would be taken for it.
    offered = [spec for spec in CUSTOM if spec[2] != "date" or "due" in board.columns]
    for stem, title, vendor_type, kind, settings, options in sorted(draw.rng.sample(offered, 6), key=offered.index):
        made = [(str(index + 1), option, ("#fdab3d", "#df2f4a", "#00c875", "#a25ddc")[index % 4]) for index, option in enumerate(options)]
        _field(world, board, FieldDef(f"{board.id}/{stem}_mk{draw.letters(4)}", title, kind, vendor_type, made, dict(settings)))
    if profile.risk:
        risk = [("0", "Niedrig", "#00c875"), ("1", "Mittel", "#fdab3d"), ("2", "Hoch", "#df2f4a")]
        _field(world, board, FieldDef(f"{board.id}/color_mk{draw.letters(4)}", "Risk level", "enum", "status", risk))


def companion_columns(world: World, board: Project) -> None:
    """The columns of a board of subitems: owner, status, date and a text."""
    for role, column in (("assignees", "person"), ("status", "status"), ("due", "date0")):
        _role(world, board, role, column)
    board.statuses = labels(board.id, "status", SUBITEM_LABELS)
    _field(world, board, FieldDef(f"{board.id}/text_sub", "Note", "text", "text"))


def labels(board: str, column: str, rows: tuple[tuple[int, str, bool, str], ...]) -> list[Status]:
    """Status labels with ids ``BOARD/COLUMN/LABEL``."""
    return [
        Status(f"{board}/{column}/{label}", name, "done" if done else "label", color, position, monday_category(name, "done" if done else "label"))
        for position, (label, name, done, color) in enumerate(rows)
    ]


def _role(world: World, board: Project, role: str, column: str | None = None) -> None:
    column_id, title, vendor_type, kind = ROLES[role]
    board.columns[role] = column or column_id
    options = [(str(index), name, "#c4c4c4") for index, (name, _) in enumerate(PRIORITIES)] if role == "priority" else []
    key = f"{board.id}/{board.columns[role]}"
    world.fields["monday"][key] = FieldDef(key, title, kind, vendor_type, options)


def _field(world: World, board: Project, definition: FieldDef) -> None:
    world.fields["monday"][definition.id] = definition
    board.fields.append(definition.id)
