"""Task search: paid plans only, at most 100 rows, no paging, an order that is not stable, an index that trails the truth (fact sheet, section 7)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import date, datetime
from zlib import crc32

from hub.sandbox.asana.calls import Call, Rows, date_of, instant_of
from hub.sandbox.asana.errors import bad
from hub.sandbox.asana.paging import MOST, limit_of
from hub.sandbox.asana.task_kinds import SUBTYPES
from hub.sandbox.asana.view import View
from hub.sandbox.world import Task

Test = Callable[[Task], bool]
INSTANTS = ("created_at", "modified_at", "completed_at", "due_at")
DATES = ("created_on", "modified_on", "completed_on", "due_on", "start_on")
SETS = ("projects", "sections", "tags", "assignee", "created_by", "followers", "teams")
UNSERVED = ("portfolios.any", "assigned_by.any", "assigned_by.not", "liked_by.not", "commented_on_by.not", "has_attachment")
"""In the vendor's specification, but nothing in the world could answer them: they match nothing rather than everything."""


def search(call: Call) -> Rows:
    """Tasks of a workspace, subtasks and tasks in no project included; raises 402 on the free plan, 400 for a filter that is malformed."""
    view = call.view
    view.need_paid()
    place = view.workspace(call.path[0])
    tests = _tests(call)

    def fits(task: Task) -> bool:
        return all(test(task) for test in tests) and view.task_standing(task) == "open" and view.workspace_of(task) is place

    return Rows("task", _ranked(call, _window(call), fits, limit_of(call.query) or MOST))


def _window(call: Call) -> list[Task]:
    """The tasks created within the bounds asked for, as far as the index knows, oldest first: most searches page by creation."""
    dated = call.view.by_creation()
    after, before = call.moment("created_at.after"), call.moment("created_at.before")
    start = 0 if after is None else bisect_right(dated, after, key=_when)
    end = bisect_right(dated, call.view.horizon(), key=_when)
    if before is not None:
        end = min(end, bisect_left(dated, before, key=_when))
    return [task for _, task in dated[start:end]]


def _when(pair: tuple[datetime, Task]) -> datetime:
    return pair[0]


def _ranked(call: Call, window: list[Task], fits: Test, limit: int) -> list[Task]:
    """The first ``limit`` that fit, sorted as asked; equal ones in an order that differs from call to call, for real searches are not stable."""
    sort_by = call.query.get("sort_by", "modified_at")
    down = call.flag("sort_ascending") is not True
    salt = str(call.number)

    def rank(task: Task) -> tuple[str, int]:
        value = {"due_date": task.due, "created_at": task.created_at, "completed_at": task.completed_at}.get(sort_by, _modified(call.view, task))
        return ("" if value is None else value.isoformat(), crc32((salt + task.id).encode()))

    if sort_by != "created_at":
        return sorted(filter(fits, window), key=rank, reverse=down)[:limit]
    found: list[Task] = []
    for task in reversed(window) if down else window:
        # Those that share the last one's instant are read too, or which of them come would not vary.
        if len(found) >= limit and task.created_at != found[-1].created_at:
            break
        if fits(task):
            found.append(task)
    return sorted(found, key=rank, reverse=down)[:limit]


def _modified(view: View, task: Task) -> datetime | None:
    """The last change that the index knows of: one younger than the lag is not in it yet, and what was before is taken as the creation."""
    return task.updated_at if task.updated_at is not None and task.updated_at <= view.horizon() else task.created_at


def _tests(call: Call) -> list[Test]:
    tests: list[Test] = []
    query = call.query
    for name in query:
        stem, _, way = name.partition(".")
        if name in UNSERVED:
            tests.append(lambda task: False)
        elif stem in INSTANTS:
            tests.append(_instant_test(call, stem, way))
        elif stem in DATES:
            tests.append(_date_test(call, stem, way))
        elif stem == "custom_fields":
            tests.append(_field_test(call, name))
        elif stem in SETS and not (name in ("projects.any", "sections.any") and "projects.any" in query and "sections.any" in query):
            tests.append(_set_test(call, stem, way))
    if "projects.any" in query and "sections.any" in query:
        # Together they mean "in the project or in the section".
        either = (_set_test(call, "projects", "any"), _set_test(call, "sections", "any"))
        tests.append(lambda task: any(test(task) for test in either))
    return tests + _plain_tests(call)


def _plain_tests(call: Call) -> list[Test]:
    tests: list[Test] = []
    completed, subtask, blocked, blocking = (call.flag(name) for name in ("completed", "is_subtask", "is_blocked", "is_blocking"))
    if completed is not None:
        tests.append(lambda task: task.completed is completed)
    if subtask is not None:
        tests.append(lambda task: (task.parent is not None) is subtask)
    if blocked is not None:
        tests.append(lambda task: bool(task.depends_on) is blocked)
    if blocking is not None:
        ahead = {edge.task for task in call.view.tasks.values() for edge in task.depends_on}
        tests.append(lambda task: (task.id in ahead) is blocking)
    if (subtype := call.query.get("resource_subtype")) is not None:
        tests.append(lambda task: SUBTYPES[task.kind] == subtype)
    if (text := call.query.get("text")) is not None:
        words = text.casefold()
        tests.append(lambda task: words in task.title.casefold() or words in (task.description or "").casefold())
    return tests


def _instant_test(call: Call, stem: str, way: str) -> Test:
    bound = instant_of(f"{stem}.{way}", call.query[f"{stem}.{way}"])
    read = _reader(call.view, stem)

    def test(task: Task) -> bool:
        value = read(task)
        # Neither bound is part of the window.
        return isinstance(value, datetime) and (value > bound if way == "after" else value < bound)

    return test


def _date_test(call: Call, stem: str, way: str) -> Test:
    name = f"{stem}.{way}" if way else stem
    text = call.query[name]
    bound = None if text == "null" and not way else date_of(name, text)
    read = _reader(call.view, stem)

    def test(task: Task) -> bool:
        value = read(task)
        on = value.date() if isinstance(value, datetime) else value
        if bound is None or on is None:
            return bound is None and on is None
        return on > bound if way == "after" else on < bound if way == "before" else on == bound

    return test


def _reader(view: View, stem: str) -> Callable[[Task], date | datetime | None]:
    readers: dict[str, Callable[[Task], date | datetime | None]] = {
        "created": lambda task: task.created_at,
        "completed": lambda task: task.completed_at,
        "modified": lambda task: _modified(view, task),
        "due": lambda task: task.due,
        "start": lambda task: task.start,
    }
    return readers[stem.partition("_")[0]]


def _set_test(call: Call, stem: str, way: str) -> Test:
    """``any``: in one of them; ``all``: in each; ``not``: in none. ``null`` stands for nobody or nothing."""
    wanted = [gid.strip() for gid in call.query[f"{stem}.{way}"].split(",") if gid.strip()]
    if not wanted:
        raise bad(f"{stem}.{way}: Missing input")
    view = call.view
    if stem in ("assignee", "created_by", "followers"):
        wanted = [gid if gid == "null" else view.user(gid).id for gid in wanted]
    names = set(wanted)
    held = _holder(view, stem)

    def test(task: Task) -> bool:
        has = held(task) or {"null"}
        return names <= has if way == "all" else bool(names & has) is (way == "any")

    return test


def _holder(view: View, stem: str) -> Callable[[Task], set[str]]:
    holders: dict[str, Callable[[Task], set[str]]] = {
        "projects": lambda task: {home for home, _ in task.homes},
        "sections": lambda task: {section for _, section in task.homes if section},
        "tags": lambda task: {view.tag_by_name[name].id for name in task.tags},
        "assignee": lambda task: set(task.assignees[:1]),
        "created_by": lambda task: {task.creator} if task.creator else set(),
        "followers": lambda task: {task.creator} if task.creator else set(),
        "teams": lambda task: {project.node for project, _ in view.homes(task) if project.node},
    }
    return holders[stem]


def _field_test(call: Call, name: str) -> Test:
    """``custom_fields.GID.is_set`` and ``.value``; the other comparisons of the vendor are a 400 here."""
    _, gid, way = name.split(".")
    value = call.query[name]
    call.view.field(gid)
    if way == "is_set":
        return lambda task: (gid in task.values) is (value.lower() == "true")
    if way == "value":
        return lambda task: gid in task.values and str(task.values[gid]) == value
    raise bad(f"{name}: Not served by this sandbox")
