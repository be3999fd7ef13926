"""The organisation's Asana: an organisation with teams, a plain workspace, teamless, archived, private, hidden, deleted and empty projects."""

from __future__ import annotations

from datetime import timedelta

from hub.sandbox import words
from hub.sandbox.draw import Draw, family, project_count, shares, skewed
from hub.sandbox.sketch import Cast, assign, cast, depend, fill_in, sketch, starts_before
from hub.sandbox.world import FieldDef, Node, Project, Section, Task, World

GID = 1_200_000_000_000_000
STEP = 90_000_000
DEPTH = 4
SECTION_SETS: tuple[tuple[str, ...], ...] = (
    ("Backlog", "To do", "In progress", "In review", "Done"),
    ("Untitled section",),
    ("Ideas", "Planned", "Doing", "Wird geprüft", "Blocked", "Fertig"),
    ("Next", "Working on it", "On hold", "Sonstiges"),
    ("Not started", "Active", "Waiting", "🏁 Ziel"),
)
PRIORITIES = {"Urgent": "urgent", "High": "high", "Medium": "normal", "Low": "low"}
# (name, unified type, vendor's type, settings, options). Names repeat on purpose: a field is known by its gid only.
FIELDS: tuple[tuple[str, str, str, dict[str, object], tuple[str, ...]], ...] = (
    ("Priority", "enum", "enum", {}, ("High", "Medium", "Low")),
    ("Cost center", "text", "text", {}, ()),
    ("Story points", "number", "number", {"whole": 13, "precision": 0}, ()),
    ("Market", "enum", "enum", {}, ("DACH", "Nordics", "Iberia", "Türkiye")),
    ("Affected systems", "multi_enum", "multi_enum", {}, ("ERP", "CRM", "Shop", "Data lake")),
    ("Go-live date", "date", "date", {"time": True}, ()),
    ("Sponsor", "person", "people", {}, ()),
    ("Related work", "relation", "reference", {}, ()),
    ("Budget", "money", "number", {"format": "currency", "currency_code": "EUR", "precision": 2}, ()),
    ("Share done", "number", "number", {"format": "percentage", "precision": 2, "unit_size": 0.00025}, ()),
    ("Cost of delay", "formula", "formula", {"precision": 2}, ()),
    ("Cost center", "text", "text", {}, ()),
    ("Größe", "enum", "enum", {}, ("klein", "mittel", "groß")),
)


def fill(world: World, draw: Draw, tasks: int) -> None:
    """Adds the tool's containers, fields and tasks; ``tasks`` of them can be listed."""
    organisation, plain, teams, board_room = _nodes(world, draw)
    _fields(world, draw)
    for name in words.TAGS:
        world.tags["asana"][draw.next_number(GID, STEP)] = name
    loose = max(2, tasks // 50)
    sizes = _projects(world, draw, project_count(tasks), tasks - loose, organisation, plain, teams)
    crew = cast(world, "asana")
    shared = [project for project in world.projects["asana"].values() if project.node != plain and not project.archived]
    for project, size in sizes:
        _grow(world, draw, crew, project, size, shared if project.node != plain else [])
    _loose(world, draw, crew, loose)
    _unseen(world, draw, crew, tasks, organisation, board_room)


def _nodes(world: World, draw: Draw) -> tuple[str, str, list[str], str]:
    def add(kind: str, name: str, parent: str | None, *, hidden: bool = False, private: bool = False) -> str:
        node = Node("asana", draw.next_number(GID, STEP), kind, name, parent, hidden=hidden, private=private)
        world.nodes["asana"][node.id] = node
        return node.id

    organisation = add("workspace", words.COMPANY, None)
    plain = add("workspace", "Personal Projects", None)
    teams = [add("team", name, organisation, private=name == "Legal") for name in ("Product", "Operations", "Marketing & Sales", "Legal")]
    return organisation, plain, teams, add("team", "Board of directors", organisation, hidden=True, private=True)


def _fields(world: World, draw: Draw) -> None:
    for name, kind, vendor_type, settings, options in FIELDS:
        colors = ("red", "yellow-orange", "dark-green", "none")
        made = [(draw.next_number(GID, STEP), option, colors[place % 4]) for place, option in enumerate(options)]
        definition = FieldDef(draw.next_number(GID, STEP), name, kind, vendor_type, made, dict(settings))
        world.fields["asana"][definition.id] = definition


def _project(world: World, draw: Draw, place: int, node: str) -> Project:
    name = f"{words.AREAS[place % len(words.AREAS)]} {words.STAGES[(place + place // len(words.AREAS)) % len(words.STAGES)]}"
    created = world.now - timedelta(days=91 + draw.below(300))
    project = Project(
        "asana", draw.next_number(GID, STEP), name, node, created_at=created, updated_at=world.now - timedelta(days=draw.below(60), minutes=7)
    )
    people = [person.id for person in world.people["asana"].values() if not person.agent]
    project.owner = None if place % 6 == 4 else draw.pick(people)
    project.description = draw.pick(words.DESCRIPTIONS) if place % 3 == 0 else None
    if place % 2 == 0:
        project.start, project.due = world.now.date() - timedelta(days=draw.below(80)), world.now.date() + timedelta(days=draw.below(120))
    project.health = (None, "on_track", "at_risk", "off_track", "on_hold")[place % 5]
    project.health_text = None if project.health is None else f"Status of week {1 + place % 52}"
    project.sections = [Section(draw.next_number(GID, STEP), title, index) for index, title in enumerate(SECTION_SETS[place % len(SECTION_SETS)])]
    ids = list(world.fields["asana"])
    project.fields = [] if place % 7 == 5 else [ids[0], *sorted(draw.rng.sample(ids[1:], 9), key=ids.index)]
    world.projects["asana"][project.id] = project
    return project


def _projects(world: World, draw: Draw, count: int, tasks: int, organisation: str, plain: str, teams: list[str]) -> list[tuple[Project, int]]:
    """Live ones in teams, some teamless, one in the plain workspace, archived, private and completed ones; the fourth is empty."""
    made: list[Project] = []
    for place in range(count):
        node = organisation if place % 5 == 2 else plain if place % 12 == 6 else teams[place % len(teams)]
        project = _project(world, draw, place, node)
        project.archived = place % 8 == 1
        project.private = place % 9 == 5
        if place % 10 == 8:
            project.completed_at = world.now - timedelta(days=3)
            project.health = "complete"
        made.append(project)
    weights = [0.0 if place % 50 == 3 else weight for place, weight in enumerate(skewed(count))]
    return list(zip(made, shares(weights, tasks), strict=True))


def _grow(world: World, draw: Draw, crew: Cast, project: Project, size: int, shared: list[Project], deleted: bool = False) -> list[Task]:
    """``size`` tasks in ``project``, every fourth below another one; the last section stays empty where there are several."""
    made: list[Task] = []
    usable = project.sections[:-1] or project.sections
    priority = next(iter(world.fields["asana"].values()))
    words_of = {option[0]: PRIORITIES[option[1]] for option in priority.options}
    near: list[str] = []
    for parent in family(draw, size, DEPTH, 0.25):
        task = sketch(draw, crew, draw.next_number(GID, STEP))
        if parent is not None:
            task.parent = made[parent].id
        if parent is None or draw.chance(0.1):
            task.homes = [(project.id, draw.pick(usable).id)]
            fill_in(draw, crew, task, project)
            task.priority = words_of.get(task.values.get(priority.id, ""))
        if parent is None and shared and draw.chance(0.08):
            other = draw.pick(shared)
            if other.id != project.id:
                task.homes.append((other.id, draw.pick(other.sections).id))
        _dress(draw, crew, task, top=parent is None)
        depend(draw, crew, task, near[-40:], typed=False)
        task.deleted = deleted
        world.tasks["asana"][task.id] = task
        made.append(task)
        near.append(task.id)
    if not project.hidden and not deleted:
        crew.pool += near
    return made


def _dress(draw: Draw, crew: Cast, task: Task, *, top: bool) -> None:
    """Kind, start, tick-box, assignee, tags, logged time; and a title that may be empty, as Asana allows."""
    if crew.made % 97 == 11:
        task.title = ""
    if top and draw.chance(0.06):
        task.kind, task.title = "milestone", draw.pick(words.MILESTONES)
    elif draw.chance(0.03):
        task.kind = "approval"
    if task.kind != "milestone" and draw.chance(0.5):
        starts_before(draw, task)
    if draw.chance(0.4) and task.created_at and task.updated_at:
        task.completed, task.completed_at = True, draw.between(task.created_at, task.updated_at)
    assign(draw, crew, task, most=1)
    if draw.chance(0.2):
        task.tags = draw.some(crew.tags, 3)
    if draw.chance(0.15):
        task.logged_minutes = 5 * (1 + draw.below(300))


def _loose(world: World, draw: Draw, crew: Cast, count: int) -> None:
    """Tasks in no project at all; the last of them is a subtask."""
    made: list[Task] = []
    for place in range(count):
        task = sketch(draw, crew, draw.next_number(GID, STEP))
        _dress(draw, crew, task, top=True)
        if place == count - 1:
            task.parent, task.kind = made[0].id, "task"
        world.tasks["asana"][task.id] = task
        made.append(task)


def _unseen(world: World, draw: Draw, crew: Cast, tasks: int, organisation: str, board_room: str) -> None:
    """A project in a hidden team, a hidden teamless one, a deleted project, deleted tasks in a live one; and a
    visible task that is also in a hidden project."""
    size = max(3, tasks // 100)
    live = next(project for project in world.projects["asana"].values() if not project.archived)
    hidden = [_project(world, draw, 900 + place, node) for place, node in enumerate((board_room, organisation))]
    gone = _project(world, draw, 902, organisation)
    gone.deleted = True
    for project in hidden:
        project.hidden = project.private = True
        _grow(world, draw, crew, project, size, [])
    _grow(world, draw, crew, gone, size, [], deleted=True)
    _grow(world, draw, crew, live, size, [], deleted=True)
    guests = [
        task for task in world.tasks["asana"].values() if task.homes and task.homes[0][0] == live.id and not task.deleted and task.parent is None
    ][:2]
    for place, task in enumerate(guests):
        secret = (hidden[1].id, hidden[1].sections[0].id)
        # One with the hidden project first: what the token sees as its home is then the second.
        task.homes = [secret, *task.homes] if place else [*task.homes, secret]
