"""The organisation's ClickUp: one workspace with live, private, archived and hidden spaces, folders in folders, lists with and without a folder."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.sandbox import words
from hub.sandbox.draw import Draw, family, project_count, shares, skewed
from hub.sandbox.meaning import clickup_category
from hub.sandbox.sketch import Cast, assign, cast, depend, fill_in, sketch, starts_before
from hub.sandbox.world import FieldDef, Node, Project, Status, Task, Team, World

START = 900_000_000
STEP = 4_000
DEPTH = 4
STATUS_SETS: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (
        ("to do", "open", "#87909e"),
        ("in progress", "custom", "#5f55ee"),
        ("in review", "custom", "#b660e0"),
        ("blocked", "custom", "#d33d44"),
        ("done", "done", "#008844"),
        ("complete", "closed", "#008844"),
    ),
    (
        ("backlog", "open", "#87909e"),
        ("ready", "custom", "#e5e5e5"),
        ("doing", "custom", "#1090e0"),
        ("wird geprüft", "custom", "#f8ae00"),
        ("closed", "closed", "#6bc950"),
    ),
    (("ideas", "open", "#87909e"), ("sonstiges", "custom", "#aa8d80"), ("on hold", "custom", "#e16b16"), ("erledigt ✅", "closed", "#008844")),
    (("neu", "open", "#87909e"), ("active", "custom", "#5f55ee"), ("shipped", "done", "#3db88b"), ("closed", "closed", "#008844")),
)
FIELDS: tuple[tuple[str, str, str, dict[str, object], tuple[str, ...]], ...] = (
    ("Cost center", "text", "short_text", {}, ()),
    ("Remarks", "text", "text", {}, ()),
    ("Story points", "number", "number", {"whole": 13}, ()),
    ("Budget", "money", "currency", {"currency_type": "EUR", "precision": 2}, ()),
    ("Go-live", "date", "date", {"time": True}, ()),
    ("Legal checked", "bool", "checkbox", {}, ()),
    ("Market", "enum", "drop_down", {}, ("DACH", "Nordics", "Iberia", "Türkiye")),
    ("Affected systems", "multi_enum", "labels", {}, ("ERP", "CRM", "Shop", "Data lake")),
    ("Sponsor", "person", "users", {}, ()),
    ("Related work", "relation", "tasks", {}, ()),
    ("Specification", "url", "url", {}, ()),
    ("Confidence", "number", "emoji", {"whole": 5, "count": 5, "code_point": "2b50"}, ()),
    ("Readiness", "number", "manual_progress", {"whole": 100, "start": 0, "end": 100}, ()),
    ("Site", "text", "location", {}, ()),
    ("Market", "enum", "drop_down", {}, ("B2B", "B2C")),
)


def fill(world: World, draw: Draw, tasks: int) -> None:
    """Adds the tool's containers, fields and tasks; ``tasks`` of them can be listed."""
    for name in words.TAGS:
        world.tags["clickup"][name] = name
    people = [person.id for person in world.people["clickup"].values() if person.name and not person.guest]
    for name in ("Rollout crew", "Night shift"):
        team = Team("clickup", draw.uuid(), name, sorted(draw.rng.sample(people, min(4, len(people)))))
        world.teams["clickup"][team.id] = team
    for name, kind, vendor_type, settings, options in FIELDS:
        made = [(draw.uuid(), option, ("#1090e0", "#f8ae00", "#d33d44", "#008844")[place % 4]) for place, option in enumerate(options)]
        definition = FieldDef(draw.uuid(), name, kind, vendor_type, made, dict(settings))
        world.fields["clickup"][definition.id] = definition
    count = project_count(tasks)
    sites = _Sites(world, draw, count)
    lists = [_list(world, draw, place, sites) for place in range(count)]
    crew = cast(world, "clickup")
    live = [project for project, archived in lists if not archived]
    weights = [0.0 if place % 50 == 3 else weight for place, weight in enumerate(skewed(count))]
    for (project, archived), size in zip(lists, shares(weights, tasks), strict=True):
        _grow(world, draw, crew, project, size, [] if archived else live)
    _unseen(world, draw, crew, tasks, sites)


class _Sites:
    """Where lists may lie: (node, is something above it archived), and the statuses of each space."""

    def __init__(self, world: World, draw: Draw, count: int) -> None:
        self.world, self.draw = world, draw
        self.statuses: dict[str, list[Status]] = {}
        self.team = self.node("workspace", words.COMPANY, None)
        self.live: list[str] = []
        first = self.space("Delivery")
        second = self.space("Engineering & IT")
        private = self.space("People (confidential)", private=True)
        old = self.space("Old programmes", archived=True)
        self.hidden = self.space("Board only", hidden=True)
        folder = self.node("folder", "Customer programmes", first)
        nested = self.node("folder", "Wave 2", folder)
        closed = self.node("folder", "2025 (closed)", first, archived=True)
        # A live list with and one without folder, one in a nested folder, one in an archived folder, one in an archived space.
        self.special = [(folder, False), (second, False), (nested, False), (first, False), (closed, True), (old, True), (private, False)]
        for place in range(max(1, count // 6)):
            space = self.space(f"Unit {place // 8 + 1}") if place % 8 == 7 else (first, second)[place % 2]
            self.live.append(self.node("folder", f"{words.AREAS[place % len(words.AREAS)]} folder", space))

    def node(self, kind: str, name: str, parent: str | None, *, archived: bool = False, hidden: bool = False, private: bool = False) -> str:
        node = Node("clickup", self.draw.next_number(START, STEP), kind, name, parent, archived, private, hidden)
        self.world.nodes["clickup"][node.id] = node
        return node.id

    def space(self, name: str, *, archived: bool = False, hidden: bool = False, private: bool = False) -> str:
        space = self.node("space", name, self.team, archived=archived, hidden=hidden, private=private or hidden)
        self.statuses[space] = statuses(f"p{space}", self.draw, len(self.statuses))
        return space

    def space_of(self, node: str) -> str:
        while node not in self.statuses:
            node = self.world.nodes["clickup"][node].parent or ""
        return node


def statuses(prefix: str, draw: Draw, place: int) -> list[Status]:
    """One of the status sets, with ids that begin with ``prefix``."""
    return [
        Status(f"{prefix}_{draw.letters(8)}", name, kind, color, position, clickup_category(name, kind))
        for position, (name, kind, color) in enumerate(STATUS_SETS[place % len(STATUS_SETS)])
    ]


def _list(world: World, draw: Draw, place: int, sites: _Sites) -> tuple[Project, bool]:
    """The list number ``place`` and whether the team read leaves it out (itself or something above it archived)."""
    node, under_archive = sites.special[place] if place < len(sites.special) else (draw.pick(sites.live), False)
    project = _new_list(world, draw, place, node, sites)
    project.archived = place % 9 == 7
    return project, under_archive or project.archived


def _new_list(world: World, draw: Draw, place: int, node: str, sites: _Sites) -> Project:
    name = f"{words.AREAS[(place * 5 + 3) % len(words.AREAS)]}: {words.STAGES[place % len(words.STAGES)]}"
    created = world.now - timedelta(days=91 + draw.below(200))
    project = Project("clickup", draw.next_number(START, STEP), name, node, created_at=created, updated_at=created)
    if place % 4 == 1:
        project.owner = draw.pick([person.id for person in world.people["clickup"].values() if person.name])
    if place % 3 == 0:
        project.start, project.due = world.now.date() - timedelta(days=30), world.now.date() + timedelta(days=draw.below(90))
        project.description = draw.pick(words.DESCRIPTIONS)
    # Every fifth list has statuses of its own; the others share their space's.
    project.statuses = statuses(f"sc{project.id}", draw, place) if place % 5 == 2 else sites.statuses[sites.space_of(node)]
    ids = list(world.fields["clickup"])
    project.fields = sorted(draw.rng.sample(ids, 10), key=ids.index)
    world.projects["clickup"][project.id] = project
    return project


def _task_id(world: World, draw: Draw) -> str:
    while True:
        task_id = "86" + draw.letters(7)
        if task_id not in world.tasks["clickup"]:
            return task_id


def _grow(world: World, draw: Draw, crew: Cast, project: Project, size: int, shared: list[Project], deleted: bool = False) -> list[Task]:
    """``size`` tasks in the list, every fourth below another one; where ``shared`` is given some lie in a second list too."""
    made: list[Task] = []
    near: list[str] = []
    for parent in family(draw, size, DEPTH, 0.25):
        task = sketch(draw, crew, _task_id(world, draw))
        task.homes = [(project.id, None)]
        if parent is not None:
            task.parent = made[parent].id
            task.archived = made[parent].archived
        elif shared and draw.chance(0.06):
            other = draw.pick(shared)
            task.homes += [(other.id, None)] if other.id != project.id else []
        elif draw.chance(0.02):
            task.archived = True
        _dress(draw, crew, task, project)
        fill_in(draw, crew, task, project)
        depend(draw, crew, task, near[-40:], typed=False)
        task.deleted = deleted
        world.tasks["clickup"][task.id] = task
        made.append(task)
        near.append(task.id)
    if not deleted and project.node in world.nodes["clickup"] and not world.nodes["clickup"][project.node].hidden:
        crew.pool += near
    return made


def _dress(draw: Draw, crew: Cast, task: Task, project: Project) -> None:
    if draw.chance(0.05):
        task.kind, task.title = "milestone", draw.pick(words.MILESTONES)
    elif draw.chance(0.5):
        starts_before(draw, task)
    if crew.made % 61 == 5:
        # A colleague in Tokyo set a date without a time: four o'clock there, which is an evening hour for the token's user.
        task.due, task.start = datetime.combine(draw.due_date(), time(4), ZoneInfo("Asia/Tokyo")).astimezone(ZoneInfo("UTC")), None
    status = draw.pick(project.statuses)
    task.status = status.id
    if status.category == "done" and task.created_at and task.updated_at:
        task.completed_at = draw.between(task.created_at, task.updated_at)
    if draw.chance(0.6):
        task.priority = draw.pick(("urgent", "high", "normal", "normal", "low"))
    assign(draw, crew, task, most=3)
    if draw.chance(0.2):
        task.tags = draw.some(crew.tags, 3)
    if draw.chance(0.4):
        task.estimate_minutes = 15 * (1 + draw.below(160))
    if draw.chance(0.2):
        task.logged_minutes = 5 * (1 + draw.below(300))


def _unseen(world: World, draw: Draw, crew: Cast, tasks: int, sites: _Sites) -> None:
    """A list in a hidden space, a hidden list in a live folder, a deleted list, deleted tasks in a live one."""
    size = max(3, tasks // 100)
    live = next(project for project in world.projects["clickup"].values() if not project.archived)
    for place, node in enumerate((sites.hidden, sites.live[0])):
        project = _new_list(world, draw, 900 + place, node, sites)
        project.hidden = project.private = True
        pool = list(crew.pool)
        _grow(world, draw, crew, project, size, [])
        crew.pool = pool
    gone = _new_list(world, draw, 902, sites.live[0], sites)
    gone.deleted = True
    _grow(world, draw, crew, gone, size, [], deleted=True)
    _grow(world, draw, crew, live, size, [], deleted=True)
