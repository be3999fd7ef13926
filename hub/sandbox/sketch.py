"""What a new task has in every tool: title, dates, people, description. The tools' seeds add what is their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from hub.sandbox import words
from hub.sandbox.draw import Draw
from hub.sandbox.world import Dependency, FieldDef, Project, Task, Tool, World


@dataclass(slots=True)
class Cast:
    """Who and what a new task may refer to: ids of people, of teams, of the tasks that every reader may see, and the fields' definitions."""

    tool: Tool
    people: list[str]
    workers: list[str]
    teams: list[str]
    zone: str
    tags: list[str]
    fields: dict[str, FieldDef]
    pool: list[str] = field(default_factory=list)
    made: int = 0


def cast(world: World, tool: Tool) -> Cast:
    people = world.people[tool]
    return Cast(
        tool=tool,
        people=[person.id for person in people.values() if person.name and not person.agent],
        workers=[person.id for person in people.values()],
        teams=list(world.teams[tool]),
        zone=people[world.me[tool]].timezone,
        tags=list(world.tags[tool].values()),
        fields=world.fields[tool],
    )


def sketch(draw: Draw, cast: Cast, task_id: str) -> Task:
    """A task with a title, a history, a creator and perhaps a description and a due date (every third of them
    at an hour); no project, status or people yet."""
    created, updated = draw.span(whole_seconds=cast.tool == "monday")
    task = Task(cast.tool, task_id, draw.title(cast.made), created_at=created, updated_at=updated, creator=draw.pick(cast.people))
    cast.made += 1
    if cast.tool != "monday" and draw.chance(0.3):
        task.description = draw.pick(words.DESCRIPTIONS)
    if draw.chance(0.7):
        day = draw.due_date()
        task.due = draw.at_work(day, cast.zone) if draw.chance(0.3) else day
    return task


def starts_before(draw: Draw, task: Task) -> None:
    """Gives a task with a due date a start up to three weeks earlier, of the same kind (date or instant)."""
    if task.due is not None:
        task.start = task.due - timedelta(days=1 + draw.below(21))


def assign(draw: Draw, cast: Cast, task: Task, most: int) -> None:
    """Nobody in one of five tasks, else up to ``most`` people; a team now and then where the tool has them."""
    if draw.chance(0.8):
        task.assignees = [draw.pick(cast.workers)] if most == 1 or draw.chance(0.7) else draw.some(cast.workers, most)
    if cast.teams and draw.chance(0.06):
        task.teams = [draw.pick(cast.teams)]


def depend(draw: Draw, cast: Cast, task: Task, near: list[str], typed: bool) -> None:
    """One task in eight waits for one or two earlier ones, mostly of its own project (``near``); ``typed`` adds type and lag."""
    if not near or not draw.chance(0.125):
        return
    for _ in range(1 + draw.below(2)):
        source = cast.pool if cast.pool and draw.chance(0.2) else near
        other = draw.pick(source)
        if other != task.id and all(edge.task != other for edge in task.depends_on):
            kind = draw.pick(("FS", "FS", "FS", "SS", "FF", "SF")) if typed else "FS"
            task.depends_on.append(Dependency(other, kind, draw.pick((0, 0, 0, 1, 2, 5, -1)) * 1440 if typed else 0))


def fill_in(draw: Draw, cast: Cast, task: Task, project: Project, share: float = 0.8) -> None:
    """Values for ``share`` of the project's custom fields, in the unified form that ``world.Task`` states."""
    for field_id in project.fields:
        if field_id not in task.values and draw.chance(share):
            value = _value(draw, cast, cast.fields[field_id])
            if value is not None:
                task.values[field_id] = value


def _value(draw: Draw, cast: Cast, definition: FieldDef) -> object:
    kind = definition.type
    if kind == "enum":
        return draw.pick(definition.options)[0]
    if kind == "multi_enum":
        return [option[0] for option in draw.some(definition.options, 3)]
    if kind in ("number", "money"):
        whole = definition.settings.get("whole")
        return draw.below(int(whole)) + 1 if whole else (draw.below(4000) + 1) * definition.settings.get("unit_size", 0.5)
    if kind == "text":
        return draw.pick(words.PLACES) if definition.vendor_type == "location" else draw.pick(words.NOTES)
    if kind == "date":
        return _date_value(draw, cast, definition)
    if kind == "range":
        day = draw.due_date()
        day -= timedelta(days=day.weekday())
        return [day.isoformat(), (day + timedelta(days=6)).isoformat()]
    if kind == "person":
        return draw.some(cast.people, 2)
    if kind == "relation":
        return draw.some(cast.pool, 2) if cast.pool else None
    if kind == "url":
        return draw.pick(words.LINKS)
    if kind == "bool":
        # monday cannot tell an unticked box from one that was never touched.
        return True if cast.tool == "monday" else draw.chance(0.6)
    return f"{(draw.below(900) + 1) * 0.25:g}"


def _date_value(draw: Draw, cast: Cast, definition: FieldDef) -> str:
    day: date = draw.due_date()
    if definition.settings.get("time") and draw.chance(0.5):
        return instant(draw.at_work(day, "UTC" if cast.tool == "monday" else cast.zone))
    return day.isoformat()


def instant(moment: datetime) -> str:
    """An aware UTC moment as ISO text with milliseconds and ``Z``."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
