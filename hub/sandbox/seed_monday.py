"""The organisation's monday account: main and named workspaces, folders in folders, classic and multi-level boards, companion boards, documents."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.sandbox import words
from hub.sandbox.columns_monday import PRIORITIES, columns, companion_columns
from hub.sandbox.draw import Draw, family, project_count, shares, skewed
from hub.sandbox.sketch import Cast, assign, cast, depend, fill_in, sketch, starts_before
from hub.sandbox.world import Node, Project, Section, Task, Team, World

BOARD = 1_800_000_000
ITEM_STEP = 9_000
LEVELS = 4
GROUPS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("topics", "This month"), ("group_title", "Next month"), ("group_mk1a", "Later")),
    (("topics", "Group Title"),),
    (("new_group", "Vorbereitung"), ("group_mk2c", "Umsetzung"), ("group_mk2d", "Abschluss"), ("group_mk2e", "Leer")),
)


def fill(world: World, draw: Draw, tasks: int) -> None:
    """Adds the tool's containers, columns and items; ``tasks`` of them, subitems included, can be listed."""
    places, hidden = _nodes(world, draw)
    for name in words.TAGS:
        world.tags["monday"][draw.next_number(24_000_000, 900)] = name
    people = [person.id for person in world.people["monday"].values() if not person.guest and not person.agent]
    for name in ("Field team", "PMO office"):
        team = Team("monday", draw.next_number(1_200_000, 900), name, sorted(draw.rng.sample(people, min(4, len(people)))))
        world.teams["monday"][team.id] = team
    count = project_count(tasks)
    boards = [_board(world, draw, place, places[place % len(places)], subitems=place % 50 != 3) for place in range(count)]
    for place, board in enumerate(boards):
        _set_apart(board, world, archived=place % 8 == 1, private=place % 9 == 5)
    crew = cast(world, "monday")
    weights = [0.0 if place % 50 == 3 else weight for place, weight in enumerate(skewed(count))]
    for board, size in zip(boards, shares(weights, tasks), strict=True):
        _grow(world, draw, crew, board, size)
    _unseen(world, draw, crew, tasks, boards[0], hidden)


def _nodes(world: World, draw: Draw) -> tuple[list[str], str]:
    """Where boards lie (main workspace, two named ones, folder, folder in folder), and a closed workspace that the token cannot see."""

    def add(kind: str, name: str, parent: str | None, *, hidden: bool = False, key: str | None = None) -> str:
        node = Node("monday", key or draw.next_number(5_000_000, 9_000), kind, name, parent, hidden=hidden, private=hidden)
        world.nodes["monday"][node.id] = node
        return node.id

    main = add("workspace", "Main workspace", None, key="main")
    works = add("workspace", "Plant & logistics", None)
    office = add("workspace", "PMO Büro", None)
    folder = add("folder", "Rollouts", works)
    nested = add("folder", "Phase 2", folder)
    deep = add("folder", "Standort Süd", nested)
    return [works, main, folder, nested, office, deep, main, folder], add("workspace", "Board only", None, hidden=True)


def _board(world: World, draw: Draw, place: int, node: str, *, subitems: bool) -> Project:
    name = f"{words.AREAS[(place * 7 + 5) % len(words.AREAS)]} / {words.STAGES[(place + 4) % len(words.STAGES)]}"
    created = (world.now - timedelta(days=91 + draw.below(300))).replace(microsecond=0)
    board = Project("monday", draw.next_number(BOARD, ITEM_STEP), name, node, created_at=created, updated_at=created, kind="board")
    board.description = draw.pick(words.DESCRIPTIONS) if place % 3 == 0 else None
    board.owner = draw.pick([person.id for person in world.people["monday"].values() if not person.agent])
    board.sections = [Section(key, title, index) for index, (key, title) in enumerate(GROUPS[place % len(GROUPS)])]
    columns(world, draw, board, place)
    world.projects["monday"][board.id] = board
    if place % 7 == 4:
        board.hierarchy = "multi_level"
    elif subitems:
        _companion(world, draw, board)
    return board


def _companion(world: World, draw: Draw, board: Project) -> None:
    companion = Project(
        "monday", draw.next_number(BOARD, ITEM_STEP), f"Subitems of {board.name}", board.node, kind="companion", parent_board=board.id
    )
    companion.created_at = companion.updated_at = board.created_at
    companion.sections = [Section("topics", "Subitems", 0)]
    companion_columns(world, companion)
    world.projects["monday"][companion.id] = companion
    board.companion = companion.id


def _set_apart(board: Project, world: World, *, archived: bool = False, private: bool = False, hidden: bool = False, deleted: bool = False) -> None:
    """Flags a board and its companion alike."""
    for project in filter(None, (board, world.projects["monday"].get(board.companion or ""))):
        project.archived, project.private, project.hidden, project.deleted = archived, private, hidden, deleted


def _grow(world: World, draw: Draw, crew: Cast, board: Project, size: int, deleted: bool = False) -> list[Task]:
    """``size`` items on the board, subitems on the companion included; the last group stays empty where there are several."""
    multi = board.hierarchy == "multi_level"
    usable = board.sections[:-1] or board.sections
    companion = world.projects["monday"].get(board.companion or "")
    made: list[Task] = []
    tops: list[str] = []
    for parent in family(draw, size, LEVELS if multi else int(companion is not None), 0.25):
        task = sketch(draw, crew, draw.next_number(BOARD, ITEM_STEP))
        where = board
        if parent is None:
            task.homes = [(board.id, draw.pick(usable).id)]
        elif multi or companion is None:
            task.homes, task.parent = [(board.id, made[parent].homes[0][1])], made[parent].id
        else:
            where, task.homes, task.parent = companion, [(companion.id, "topics")], made[parent].id
        _dress(draw, crew, task, where)
        fill_in(draw, crew, task, where)
        if "dependency" in where.columns:
            depend(draw, crew, task, tops[-40:], typed=True)
        task.deleted = deleted
        world.tasks["monday"][task.id] = task
        made.append(task)
        if where is board:
            tops.append(task.id)
    if multi:
        _blank_parents(made)
    if not board.hidden and not deleted:
        crew.pool += tops
    return made


def _blank_parents(made: list[Task]) -> None:
    """On a multi-level board a parent has no status of its own: it shows a battery of its children's."""
    above = {task.parent for task in made}
    for task in made:
        if task.id in above:
            task.status, task.completed_at = None, None


def _dress(draw: Draw, crew: Cast, task: Task, board: Project) -> None:
    """Fills the board's role columns; a role that the board has no column for stays empty."""
    roles = board.columns
    _dates(draw, task, roles)
    if board.statuses and draw.chance(0.9):
        status = draw.pick(board.statuses)
        task.status = status.id
        if status.type == "done" and task.created_at and task.updated_at:
            task.completed_at = draw.between(task.created_at, task.updated_at)
    if "priority" in roles and draw.chance(0.7):
        task.priority = draw.pick(PRIORITIES)[1]
    assign(draw, crew, task, most=3)
    if "tags" in roles and draw.chance(0.25):
        task.tags = draw.some(crew.tags, 3)
    if "estimate" in roles and draw.chance(0.6):
        task.estimate_minutes = 15 * (1 + draw.below(160))
    if "logged" in roles and draw.chance(0.3):
        task.logged_minutes = 5 * (1 + draw.below(300))
    if "progress" in roles and draw.chance(0.5):
        task.progress = 5 * draw.below(21)


def _dates(draw: Draw, task: Task, roles: dict[str, str]) -> None:
    """A timeline holds two dates, so where there is one, start and due are both set or both empty; where it is the only one, due has no hour."""
    if "due" not in roles and "timeline" not in roles:
        task.due = None
        return
    if "due" not in roles and isinstance(task.due, datetime):
        task.due = task.due.date()
    if task.due is None:
        return
    day = task.due.date() if isinstance(task.due, datetime) else task.due
    if "timeline" in roles:
        if draw.chance(0.08):
            task.kind, task.title, task.start, task.due = "milestone", draw.pick(words.MILESTONES), day, day
        else:
            task.start = day - timedelta(days=draw.below(21))
    elif "start" in roles:
        starts_before(draw, task)


def _unseen(world: World, draw: Draw, crew: Cast, tasks: int, live: Project, hidden: str) -> None:
    """Boards that a list of projects must not contain: in a closed workspace, private to others, deleted, a
    document, a custom object; and deleted items."""
    size = max(3, tasks // 100)
    for place, node in enumerate((hidden, "main")):
        board = _board(world, draw, 900 + place, node, subitems=True)
        _set_apart(board, world, hidden=True, private=True)
        _grow(world, draw, crew, board, size)
    gone = _board(world, draw, 903, "main", subitems=False)
    _set_apart(gone, world, deleted=True)
    _grow(world, draw, crew, gone, size, deleted=True)
    _grow(world, draw, crew, live, size, deleted=True)
    for kind, name in (("document", "Meeting notes"), ("custom_object", "Portfolio canvas")):
        other = Project("monday", draw.next_number(BOARD, ITEM_STEP), name, "main", kind=kind, created_at=live.created_at, updated_at=live.created_at)
        world.projects["monday"][other.id] = other
