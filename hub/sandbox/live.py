"""A day at the office: ``step`` lets one believable thing happen somewhere in the world."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta

from hub.sandbox import words
from hub.sandbox.world import TOOLS, Entry, Project, Task, World

TRIES = 200


def step(world: World, rng: random.Random, at: datetime | None = None) -> list[Entry]:
    """Makes one random change that the tool in question allows and returns its journal lines; ``at`` moves the world's clock on first.

    Only tasks that the token sees are touched, in projects that are not archived. A world without such a task raises ``ValueError``.
    """
    if at is not None:
        world.advance(at)
    before = len(world.journal)
    for _ in range(TRIES):
        tool = rng.choice(TOOLS)
        task = rng.choice(list(world.tasks[tool].values()))
        project = _workplace(world, task)
        if project is None:
            continue
        change = rng.choices([one for one, _ in CHANGES], [weight for _, weight in CHANGES])[0]
        change(world, rng, task, project, rng.choice([person.id for person in world.people[tool].values() if person.active]))
        if len(world.journal) > before:
            return world.journal[before:]
    raise ValueError("the world has nothing left to change")


def _workplace(world: World, task: Task) -> Project | None:
    """The live, visible project that a task lies in directly; None where there is none or the task itself is gone."""
    if task.deleted or task.archived or not task.homes:
        return None
    project = world.projects[task.tool][task.homes[0][0]]
    return project if world.sees_project(project) and not world.archived_above(project) else None


def _is_battery(world: World, task: Task, project: Project) -> bool:
    return project.hierarchy == "multi_level" and any(other.parent == task.id and not other.deleted for other in world.tasks["monday"].values())


def _progress(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    """Another status; in Asana another section or the tick-box."""
    if task.tool == "asana":
        if rng.random() < 0.4:
            (world.reopen if task.completed else world.complete)("asana", task.id, actor)
        else:
            world.move("asana", task.id, project.id, rng.choice(project.sections).id, actor)
    elif project.statuses and not _is_battery(world, task, project):
        world.set_status(task.tool, task.id, rng.choice(project.statuses).id, actor)


def _slip(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    """The due date moves by up to two weeks, mostly later; one without gets one."""
    if task.tool == "monday" and not {"due", "timeline"} & project.columns.keys():
        return
    days = timedelta(days=rng.choice((-2, 1, 2, 3, 5, 7, 7, 14)))
    due: date | datetime = (world.now.date() + timedelta(days=10)) if task.due is None else task.due + days
    world.set_due(task.tool, task.id, due, actor)


def _hand_over(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    world.assign(task.tool, task.id, [rng.choice(list(world.people[task.tool]))], actor)


def _retitle(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    world.set_title(task.tool, task.id, f"{rng.choice(words.VERBS)} {rng.choice(words.OBJECTS)}", actor)


def _create(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    home = project.parent_board or project.id
    world.create_task(task.tool, f"{rng.choice(words.VERBS)} {rng.choice(words.OBJECTS)}", home, actor=actor)


def _split(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    """A subtask below a task at the top, where its project has subtasks."""
    if task.parent is None and (task.tool != "monday" or project.companion or project.hierarchy == "multi_level"):
        world.create_task(task.tool, f"{rng.choice(words.VERBS)} {rng.choice(words.OBJECTS)}", parent=task.id, actor=actor)


def _delete(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    world.delete_task(task.tool, task.id, actor)


def _archive(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    if task.tool == "clickup":
        world.archive_task("clickup", task.id, actor)


def _share(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    """One more home, or one less where there are several (Asana and ClickUp)."""
    if task.tool == "monday" or task.parent is not None:
        return
    if len(task.homes) > 1:
        world.remove_home(task.tool, task.id, task.homes[-1][0], actor)
        return
    # Asana shares within one workspace only; nodes with the same root are in one workspace.
    near = [one for one in world.projects[task.tool].values() if world.sees_project(one) and not world.archived_above(one)]
    same = [one for one in near if _root(world, one) == _root(world, project)]
    world.add_home(task.tool, task.id, rng.choice(same).id, actor=actor)


def _root(world: World, project: Project) -> str | None:
    return [node.id for node in world.above(project)][-1]


def _rename_project(world: World, rng: random.Random, task: Task, project: Project, actor: str) -> None:
    if project.parent_board is None:
        world.rename_project(task.tool, project.id, f"{rng.choice(words.AREAS)} {rng.choice(words.STAGES)}", actor)


CHANGES: tuple[tuple[Callable[[World, random.Random, Task, Project, str], None], int], ...] = (
    (_progress, 40),
    (_slip, 18),
    (_hand_over, 12),
    (_retitle, 6),
    (_create, 10),
    (_split, 5),
    (_delete, 2),
    (_archive, 2),
    (_share, 3),
    (_rename_project, 1),
)
"""What happens and how often."""
