"""The fewest requests that the vendors' rules allow for a first full read of a world, term by term. ``python -m tests.bench.minimum --tasks 20000``.

The terms follow from documented limits alone: 100 rows a page at Asana and ClickUp, 500 items a page and 25 boards a
call at monday (more risks its 60 s per call).
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime
from math import ceil

from hub.sandbox import seed
from hub.sandbox.truth import expected_projects, expected_tasks
from hub.sandbox.world import Tool, World

Terms = dict[str, int]
PAGE, ITEMS, BOARDS = 100, 500, 25


def pages(count: int, size: int = PAGE) -> int:
    """Calls for a list that says when it ends: at least one."""
    return max(1, ceil(count / size))


def asana(world: World) -> Terms:
    tasks, projects = expected_tasks(world, "asana"), expected_projects(world, "asana")
    spaces = [node for node in world.nodes["asana"].values() if node.kind == "workspace" and not node.hidden and not node.deleted]
    listed = Counter(project for row in tasks.values() for project in row["projects"])
    top = {node.id: _workspace(world, node.id) for node in world.nodes["asana"].values()}
    homes = Counter(top.get(row["container"], "") for row in projects.values())
    teams = [node for node in world.nodes["asana"].values() if node.kind == "team" and not node.hidden and not node.deleted]
    subtasks = sum(1 for row in tasks.values() if row["parent"] and not row["projects"])
    loose = sum(1 for row in tasks.values() if not row["parent"] and not row["projects"])
    return {
        "who and which workspaces": 1,
        "users": sum(pages(len(world.people["asana"])) for _ in spaces),
        "projects": sum(pages(homes[space.id]) for space in spaces),
        "teams": pages(len(teams)),
        "custom field definitions": sum(pages(len(world.fields["asana"])) for _ in spaces),
        "sections (order, and empty ones)": len(projects),
        "tasks by project": sum(pages(listed[project]) for project in projects),
        "subtasks by search": len(spaces) - 1 + pages(subtasks),
        "tasks in no project by search": len(spaces) - 1 + pages(loose),
        "the newest change of each workspace, once": len(spaces),
        "tokens of the event streams of live projects, once": sum(not row["archived"] for row in projects.values()),
    }


def _workspace(world: World, node: str) -> str:
    while (parent := world.nodes["asana"][node].parent) is not None:
        node = parent
    return node


def clickup(world: World) -> Terms:
    tasks, projects = expected_tasks(world, "clickup"), expected_projects(world, "clickup")
    nodes = [node for node in world.nodes["clickup"].values() if not node.hidden and not node.deleted]
    count = Counter(node.kind for node in nodes)
    aside = {key for key, row in projects.items() if row["archived"]}
    archived = sum(1 for key, row in tasks.items() if world.tasks["clickup"][key].archived and row["project"] not in aside)
    per_list = Counter((row["project"], world.tasks["clickup"][key].archived) for key, row in tasks.items() if row["project"] in aside)
    live = len(tasks) - archived - sum(per_list.values())
    return {
        "user and workspaces": 2,
        "the newest change of each workspace, once": count["workspace"],
        "groups, shared": 2 * count["workspace"],
        "spaces, live and archived": 2 * count["workspace"],
        "folders and lists of each space, live and archived": 4 * count["space"],
        "archived lists of each folder": count["folder"],
        "live tasks": pages(live),
        "archived tasks": pages(archived),
        "lists under something archived, live and archived": sum(pages(per_list[key, flag]) for key in aside for flag in (False, True)),
    }


def monday(world: World) -> Terms:
    boards = [
        project for project in world.projects["monday"].values() if world.sees_project(project) and project.kind in ("project", "board", "companion")
    ]
    sizes = Counter(task.homes[0][0] for task in world.tasks["monday"].values() if task.homes and not task.deleted and not task.archived)
    return {
        "account, workspaces, folders, users, boards": pages(len(boards), ITEMS),
        "first pages of boards": pages(len(boards), BOARDS),
        "further pages, one a call": sum(pages(sizes[board.id], ITEMS) - 1 for board in boards),
    }


MINIMUM = {"asana": asana, "monday": monday, "clickup": clickup}


def terms(tool: Tool, tasks: int, world_seed: int, now: datetime) -> Terms:
    return MINIMUM[tool](seed.build(world_seed, tasks, now))


def main() -> None:
    parser = argparse.ArgumentParser(description="The fewest requests for a first full read of the pretend world.")
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for tool in MINIMUM:
        found = terms(tool, options.tasks, options.seed, datetime.now(UTC))  # type: ignore[arg-type]  # the keys are the tools
        print(f"{tool}: {sum(found.values())}")
        for name, count in found.items():
            print(f"  {count:6}  {name}")


if __name__ == "__main__":
    main()
