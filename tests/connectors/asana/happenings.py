"""What can happen in the pretend Asana, each kind of change once, sorted by what brings it."""

from __future__ import annotations

from datetime import UTC, datetime

from hub.sandbox.truth import expected_tasks
from hub.sandbox.world import Project
from tests.connectors.asana.ledger import Ledger, new_project


def top_task(ledger: Ledger, project: Project | None = None) -> str:
    """An open task of one live project only, without subtasks, that waits for nothing."""
    tasks = ledger.world.tasks["asana"]
    parents = {task.parent for task in tasks.values() if task.parent and not task.deleted}
    inside = ledger.tasks_in(project or ledger.busiest())
    return next(gid for gid in inside if gid not in parents and tasks[gid].parent is None and not tasks[gid].completed)


def parent_task(ledger: Ledger) -> str:
    rows = expected_tasks(ledger.world, "asana")
    return next(str(row["parent"]) for row in rows.values() if row["parent"] and not row["archived"] and rows[row["parent"]]["projects"])


def in_title(ledger: Ledger) -> None:
    ledger.world.set_title("asana", top_task(ledger), "Kaimauer prüfen ☂")


def in_completion(ledger: Ledger) -> None:
    ledger.world.complete("asana", top_task(ledger))


def reopened(ledger: Ledger) -> None:
    done = next(
        task for task in ledger.world.tasks["asana"].values() if task.completed and not task.deleted and task.id in ledger.tasks_in(ledger.busiest())
    )
    ledger.world.reopen("asana", done.id)


def in_due_date(ledger: Ledger) -> None:
    ledger.world.set_due("asana", top_task(ledger), datetime(2027, 1, 5, 23, 30, tzinfo=UTC))


def in_assignee(ledger: Ledger) -> None:
    ledger.world.assign("asana", top_task(ledger), [list(ledger.world.people["asana"])[-1]])


def in_custom_field(ledger: Ledger) -> None:
    project = next(one for one in ledger.live() if one.fields and ledger.tasks_in(one))
    field = next(ledger.world.fields["asana"][gid] for gid in project.fields if ledger.world.fields["asana"][gid].options)
    task = next(gid for gid in ledger.tasks_in(project) if ledger.world.tasks["asana"][gid].values.get(field.id) != field.options[0][0])
    ledger.world.set_value("asana", task, field.id, field.options[0][0])


def created(ledger: Ledger) -> None:
    ledger.world.create_task("asana", "New", ledger.busiest().id)


def created_below(ledger: Ledger) -> None:
    below = ledger.world.create_task("asana", "Below", parent=top_task(ledger))
    ledger.world.create_task("asana", "Deeper", parent=below.id)


def created_loose(ledger: Ledger) -> None:
    ledger.world.create_task("asana", "In no project")


def in_subtask(ledger: Ledger) -> None:
    parent = parent_task(ledger)
    child = next(task for task in ledger.world.tasks["asana"].values() if task.parent == parent and not task.deleted)
    ledger.world.set_title("asana", child.id, "A changed subtask")


def restored(ledger: Ledger) -> None:
    ledger.world.restore_task("asana", next(task.id for task in ledger.world.tasks["asana"].values() if task.deleted and not task.parent))


def to_section(ledger: Ledger) -> None:
    project, gid = ledger.busiest(), top_task(ledger)
    now_in = ledger.world.tasks["asana"][gid].homes[0][1]
    ledger.world.move("asana", gid, project.id, next(section.id for section in project.sections if section.id != now_in))


def to_project(ledger: Ledger) -> None:
    home = ledger.busiest()
    near = next(one for one in ledger.live() if one is not home and ledger.workspace_of(one) == ledger.workspace_of(home))
    ledger.world.move("asana", top_task(ledger), near.id)


def to_both(ledger: Ledger) -> None:
    home = ledger.busiest()
    near = next(one for one in ledger.live() if one is not home and ledger.workspace_of(one) == ledger.workspace_of(home))
    ledger.world.add_home("asana", top_task(ledger), near.id)


def out_of_one(ledger: Ledger) -> None:
    live = {project.id for project in ledger.live()}
    both = next(task for task in ledger.world.tasks["asana"].values() if len(live & {home for home, _ in task.homes}) > 1 and not task.deleted)
    ledger.world.remove_home("asana", both.id, next(home for home, _ in both.homes if home in live))


def below_another(ledger: Ledger) -> None:
    gid = top_task(ledger)
    parent = next(one for one in ledger.tasks_in(ledger.busiest()) if one != gid and ledger.world.tasks["asana"][one].parent is None)
    ledger.world.reparent("asana", gid, parent)


def deleted(ledger: Ledger) -> None:
    ledger.world.delete_task("asana", top_task(ledger))


def deleted_with_subtasks(ledger: Ledger) -> None:
    ledger.world.delete_task("asana", parent_task(ledger))


def project_name(ledger: Ledger) -> None:
    ledger.world.rename_project("asana", ledger.busiest().id, "Nordhafen, zweiter Abschnitt")


def project_archived(ledger: Ledger) -> None:
    ledger.world.archive_project("asana", ledger.busiest().id)


def project_back(ledger: Ledger) -> None:
    archived = next(one for one in ledger.world.projects["asana"].values() if one.archived and ledger.world.sees_project(one))
    ledger.world.archive_project("asana", archived.id, archived=False)


def section_name(ledger: Ledger) -> None:
    project = ledger.busiest()
    task = next(gid for gid in ledger.tasks_in(project))
    ledger.world.rename_status("asana", project.id, str(ledger.world.tasks["asana"][task].homes[0][1]), "Umbenannt")


def project_new(ledger: Ledger) -> None:
    made = new_project(ledger, "Brand new")
    ledger.world.create_task("asana", "Its first task", made.id)


BY_POLL = [in_title, in_completion, reopened, in_due_date, in_assignee, in_custom_field, created, created_below, created_loose, in_subtask, restored]
BY_STREAM = [to_section, to_project, to_both, out_of_one, below_another, deleted, deleted_with_subtasks]
BY_LIST = [project_name, project_archived, project_back, project_new]
