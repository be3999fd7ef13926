"""The table of what is served: path, parameters with their types, handler. A parameter that is not here is refused, as is a path that is not here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.sandbox.asana import events, listings, search
from hub.sandbox.asana.calls import Call, One, Rows, date_of, instant_of
from hub.sandbox.asana.errors import bad

Handler = Callable[[Call], Rows | One]
COMMON = {"opt_fields": "string", "opt_pretty": "boolean"}
PAGED = {"limit": "integer", "offset": "string"}
SINCE = {"completed_since": "moment"}
BOTH_SINCE = {"completed_since": "moment", "modified_since": "moment"}
SUBTYPES = "=default_task|milestone|approval|custom"
SORTS = "=due_date|created_at|completed_at|likes|modified_at|relevance"
_FIELD_FILTER = re.compile(r"custom_fields\.[0-9]+\.(is_set|value|starts_with|ends_with|contains|less_than|greater_than|before|after)")


@dataclass(frozen=True, slots=True)
class Route:
    """``template`` as in the vendor's specification. A parameter's type: string, boolean, integer, date, moment (instant or ``now``), or ``=``
    and the words allowed, divided by bars."""

    template: str
    handler: Handler
    parameters: Mapping[str, str]
    paged: bool = False
    search: bool = False

    @property
    def accepted(self) -> dict[str, str]:
        return {**COMMON, **(PAGED if self.paged else {}), **self.parameters}

    def check(self, query: Mapping[str, str]) -> None:
        """Raises 400 for an unknown parameter or a value of the wrong type."""
        accepted = self.accepted
        for name, value in query.items():
            kind = accepted.get(name) or ("string" if self.search and _FIELD_FILTER.fullmatch(name) else None)
            if kind is None:
                raise bad(f"{name}: Unknown parameter")
            _check_value(name, value, kind)


def _check_value(name: str, value: str, kind: str) -> None:
    # The vendor's own Python library sends ``True``.
    if kind == "boolean" and value.lower() not in ("true", "false"):
        raise bad(f"{name}: Not a boolean: {value}")
    if kind == "date" and value != "null":
        date_of(name, value)
    if kind == "moment" and value != "now":
        instant_of(name, value)
    if kind.startswith("=") and value not in kind[1:].split("|"):
        raise bad(f"{name}: Not one of {kind[1:].replace('|', ', ')}: {value}")


def _search_parameters() -> dict[str, str]:
    sets = {f"{stem}.{way}": "string" for stem in ("projects", "sections", "tags") for way in ("any", "not", "all")}
    people = {f"{stem}.{way}": "string" for stem in ("assignee", "followers", "created_by", "assigned_by") for way in ("any", "not")}
    others = dict.fromkeys(("text", "portfolios.any", "teams.any", "liked_by.not", "commented_on_by.not"), "string")
    dates = {
        f"{stem}{end}": "date" for stem in ("due_on", "start_on", "created_on", "completed_on", "modified_on") for end in ("", ".before", ".after")
    }
    moments = {f"{stem}.{way}": "moment" for stem in ("due_at", "created_at", "completed_at", "modified_at") for way in ("before", "after")}
    flags = dict.fromkeys(("is_blocking", "is_blocked", "has_attachment", "completed", "is_subtask", "sort_ascending"), "boolean")
    # ``limit`` is not among the listed parameters of the vendor's specification but in its text.
    rest = {"resource_subtype": SUBTYPES, "sort_by": SORTS, "limit": "integer"}
    return {**sets, **people, **others, **dates, **moments, **flags, **rest}


ROUTES = (
    Route("/workspaces", listings.workspaces, {}, paged=True),
    Route("/workspaces/{workspace_gid}", listings.workspace, {}),
    Route("/workspaces/{workspace_gid}/teams", listings.teams, {}, paged=True),
    Route("/workspaces/{workspace_gid}/projects", listings.workspace_projects, {"archived": "boolean"}, paged=True),
    Route("/workspaces/{workspace_gid}/tasks/search", search.search, _search_parameters(), search=True),
    Route("/workspaces/{workspace_gid}/custom_fields", listings.custom_fields, {}, paged=True),
    Route("/workspaces/{workspace_gid}/tags", listings.tags, {}, paged=True),
    Route("/users", listings.users, {"workspace": "string", "team": "string"}, paged=True),
    Route("/users/{user_gid}", listings.user, {"workspace": "string"}),
    Route("/users/{user_gid}/user_task_list", listings.task_list_of, {"workspace": "string"}),
    Route("/user_task_lists/{user_task_list_gid}", listings.task_list, {}),
    Route("/user_task_lists/{user_task_list_gid}/tasks", listings.list_tasks, SINCE, paged=True),
    Route("/teams/{team_gid}", listings.team, {}),
    Route("/teams/{team_gid}/projects", listings.team_projects, {"archived": "boolean"}, paged=True),
    Route("/teams/{team_gid}/team_memberships", listings.team_memberships, {}, paged=True),
    Route("/team_memberships", listings.team_memberships, {"team": "string", "user": "string", "workspace": "string"}, paged=True),
    Route("/memberships", listings.memberships, {"parent": "string", "member": "string", "resource_subtype": "=project_membership"}, paged=True),
    Route("/projects", listings.projects, {"workspace": "string", "team": "string", "archived": "boolean"}, paged=True),
    Route("/projects/{project_gid}", listings.project, {}),
    Route("/projects/{project_gid}/sections", listings.sections, {}, paged=True),
    # modified_since works on /projects/{}/tasks though only /tasks documents it (java-asana 164).
    Route("/projects/{project_gid}/tasks", listings.project_tasks, BOTH_SINCE, paged=True),
    Route("/projects/{project_gid}/custom_field_settings", listings.custom_field_settings, {}, paged=True),
    Route("/sections/{section_gid}", listings.section, {}),
    Route("/sections/{section_gid}/tasks", listings.section_tasks, SINCE, paged=True),
    Route("/custom_fields/{custom_field_gid}", listings.custom_field, {}),
    Route("/tags", listings.tags, {"workspace": "string"}, paged=True),
    Route("/tags/{tag_gid}", listings.tag, {}),
    Route("/tags/{tag_gid}/tasks", listings.tag_tasks, {}, paged=True),
    # tag and user_task_list are in the fact sheet, not in the specification's list.
    Route("/tasks", listings.tasks, dict.fromkeys((*listings.SOURCES, "assignee", "workspace"), "string") | BOTH_SINCE, paged=True),
    Route("/tasks/{task_gid}", listings.task, {}),
    Route("/tasks/{task_gid}/subtasks", listings.subtasks, {}, paged=True),
    Route("/tasks/{task_gid}/dependencies", listings.dependencies, {}, paged=True),
    Route("/tasks/{task_gid}/dependents", listings.dependents, {}, paged=True),
    Route("/portfolios", listings.portfolios, {"workspace": "string", "owner": "string"}, paged=True),
    Route("/events", events.events, {"resource": "string", "sync": "string"}),
    Route("/webhooks", lambda call: call.hooks.listed(call), {"workspace": "string", "resource": "string"}, paged=True),
    Route("/webhooks/{webhook_gid}", lambda call: call.hooks.shown(call), {}),
)


class Router:
    """Finds the route of a path: by its words, placeholders matching anything."""

    def __init__(self) -> None:
        self._by_words: dict[tuple[str, ...], Route] = {}
        for route in ROUTES:
            self._by_words[tuple("*" if part.startswith("{") else part for part in route.template.strip("/").split("/"))] = route

    def find(self, path: str) -> tuple[Route, list[str]] | None:
        """(route, values of its placeholders), or None. Every second word is a placeholder."""
        parts = path.strip("/").split("/")
        words = tuple("*" if place == 1 else part for place, part in enumerate(parts))
        route = self._by_words.get(words)
        return None if route is None else (route, parts[1:2])
