"""Who may see what, and what happens when that changes: a wrong token, a revoked one, containers that are closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from hub import connections
from hub.models import Event, Task
from hub.sandbox.world import Project, Tool
from hub.sync.engine import Progress
from tests.story.stage import ALL, Stage, now, same


@pytest.mark.parametrize("tool", ALL)
def test_a_wrong_token_breaks_the_connection_and_is_not_tried_again(stage: Stage, tool: Tool) -> None:
    wrong = {"asana": "2/1/1:wrong", "monday": "eyJhbGciOiJIUzI1NiJ9.wrong.token", "clickup": "pk_1_WRONG"}[tool]
    stage.connect(tool, token=wrong)
    ran = stage.sync(tool)
    assert (ran.outcome.state, ran.outcome.broken) == ("failed", True)
    assert f"hub connection rotate {tool}" in ran.outcome.errors[0]
    assert wrong not in ran.outcome.errors[0]
    broken = stage.connection(tool)
    assert (broken.state, broken.next_sync_at) == ("broken", None)
    assert broken.last_error == ran.outcome.errors[0]
    assert len(stage.asked(tool)) == 1


@pytest.mark.parametrize("tool", ALL)
def test_a_token_revoked_half_way_keeps_what_was_read_and_a_new_one_goes_on(stage: Stage, tool: Tool) -> None:
    stage.knobs.page_size = 10
    stage.connect(tool)

    def revoke(progress: Progress) -> None:
        if progress.tasks:
            stage.knobs.revoked.add(tool)

    ran = stage.sync(tool, revoke)
    assert (ran.outcome.state, stage.connection(tool).state) == ("failed", "broken")
    assert ran.row.tasks > 0
    assert [row["status"] for row in stage.asked(tool)].count(401) <= 12  # those already on their way
    stage.knobs.revoked.clear()
    with stage.database.writing() as session:
        connection = connections.by_name(session, tool)
        connection.secret = stage.vault.seal(stage.world.tokens[tool], bound_to=connections.secret_of(connection.id))
    again = stage.sync(tool)
    assert (again.outcome.state, stage.connection(tool).state) == ("complete", "active")
    with stage.database.reading() as session:
        types = session.scalars(select(Event.type).where(Event.type.like("connection.%")).order_by(Event.sequence)).all()
    assert types == ["connection.broken", "connection.recovered"]
    same(stage.verdict(tool))


def tasks_of(stage: Stage, tool: Tool, project: Project) -> int:
    return sum(task.homes[:1] == [(project.id, task.homes[0][1])] for task in stage.world.tasks[tool].values() if task.homes and not task.deleted)


@pytest.fixture
def closed(stage: Stage) -> Callable[[Tool], Project]:
    """A project with tasks, live and with nothing special about it, so that nobody else's list would show its tasks."""

    def choose(tool: Tool) -> Project:
        world = stage.world
        plain = [one for one in world.projects[tool].values() if world.sees_project(one) and not world.archived_above(one) and not one.parent_board]
        return max(plain, key=lambda project: tasks_of(stage, tool, project))

    return choose


@pytest.mark.parametrize("code", [402, 403, 404])
@pytest.mark.parametrize("tool", ALL)
def test_a_project_that_is_refused_is_kept_and_the_others_are_read(stage: Stage, closed: Callable[[Tool], Project], tool: Tool, code: int) -> None:
    stage.connect(tool)
    stage.sync(tool)
    project = closed(tool)
    stage.knobs.refused[project.id] = code
    ran = stage.sync(tool)
    assert ran.row.deleted == 0
    assert ran.outcome.state in ("complete", "partial")
    assert ran.outcome.faults == 0 or code == 404, ran.outcome.errors  # so many gone at once: the guard asks an admin
    with stage.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Task).where(Task.deleted_at.is_not(None))) == 0
    same(stage.verdict(tool, without=frozenset({project.id})))
    stage.knobs.refused.clear()
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool))


@pytest.mark.parametrize("tool", ALL)
def test_a_project_that_goes_out_of_sight_is_hidden_not_deleted_where_the_tool_refuses_it(
    stage: Stage, closed: Callable[[Tool], Project], tool: Tool
) -> None:
    stage.connect(tool)
    stage.sync(tool)
    project = closed(tool)
    stage.world.hide_project(tool, project.id)
    stage.sync(tool, accept_deletions=True)
    stage.sync(tool, accept_deletions=True)
    same(stage.verdict(tool))
    stage.world.unhide_project(tool, project.id)
    assert stage.sync(tool).outcome.state == "complete"
    same(stage.verdict(tool, shared=False))  # a task that found another home meanwhile stays there


def test_a_paused_connection_is_not_read(stage: Stage) -> None:
    stage.connect("asana")
    with stage.database.writing() as session:
        connections.by_name(session, "asana").state = "paused"
    ran = stage.sync("asana")
    assert (ran.outcome.state, ran.row.ended_at is not None) == ("cancelled", True)
    assert stage.asked("asana") == []
    assert now() >= ran.row.queued_at
