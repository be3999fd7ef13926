"""What the pretend world itself says of the questions that a PMO asks on a Monday: computed from its own truth, with nothing of the hub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from hub.sandbox import truth
from hub.sandbox.world import TOOLS, World

Row = dict[str, Any]
SETTLED = ("done", "cancelled")
WEEK_MINUTES = 5 * 8 * 60


class WorldSays:
    """At one moment. ``rows``: {tool: {id: task}}, archived ones left out. Taken down at once, for the world moves on."""

    def __init__(self, world: World, today: date) -> None:
        self.today = today
        self.rows = {tool: {key: row for key, row in truth.expected_tasks(world, tool).items() if not row["archived"]} for tool in TOOLS}
        self.projects = {tool: truth.expected_projects(world, tool) for tool in TOOLS}
        self.names = {tool: {person.id: person.name for person in world.people[tool].values()} for tool in TOOLS}

    def open(self, tool: str) -> dict[str, Row]:
        return {key: row for key, row in self.rows[tool].items() if row["status_category"] not in SETTLED}

    def late(self) -> list[tuple[str, int]]:
        """(project, days that its most late open task is late), the most late first."""
        found: dict[tuple[str, str], int] = {}
        for tool in self.rows:
            for row in self.open(tool).values():
                if row["due_on"] and row["due_on"] < self.today.isoformat() and row["project"] in self.projects[tool]:
                    key = (tool, row["project"])
                    found[key] = max(found.get(key, 0), (self.today - date.fromisoformat(row["due_on"])).days)
        return sorted(((self.projects[tool][key]["name"], days) for (tool, key), days in found.items()), key=lambda pair: -pair[1])

    def overloaded(self, monday: date) -> set[str]:
        """Users with more estimated work in the week that begins on this Monday than five days of eight hours."""
        minutes: dict[tuple[str, str], float] = defaultdict(float)
        for tool in self.rows:
            for row in self.open(tool).values():
                ends = sorted(each for each in (row["start_on"], row["due_on"]) if each)
                if not ends or not row["estimate_minutes"]:
                    continue
                days = _working_days(date.fromisoformat(ends[0]), date.fromisoformat(ends[-1]))
                share = sum(monday <= day < monday + timedelta(weeks=1) for day in days) / len(days)
                for who in row["assignees"]:
                    minutes[tool, who] += row["estimate_minutes"] * share / len(row["assignees"])
        return {
            self.names[tool][who.removeprefix("identity:")] or ""
            for (tool, who), much in minutes.items()
            if who.startswith("identity:") and much > WEEK_MINUTES
        }

    def moved(self, before: WorldSays) -> set[tuple[str, int]]:
        """(open milestone, days later; earlier is negative) since then."""
        found = set()
        for tool in self.rows:
            for key, row in self.open(tool).items():
                was = before.rows[tool].get(key, row)
                if row["kind"] == "milestone" and row["due_on"] and was["due_on"] and row["due_on"] != was["due_on"]:
                    found.add((row["title"], (date.fromisoformat(row["due_on"]) - date.fromisoformat(was["due_on"])).days))
        return found

    def unmapped(self) -> int:
        return sum(row["status_category"] == "unknown" for rows in self.rows.values() for row in rows.values())

    def somewhere(self, tool: str, seen: Mapping[str, Any]) -> str:
        """An open task whose title no other task has, due some day, that is not among these."""
        titles = [row["title"] for rows in self.rows.values() for row in rows.values()]
        return next(key for key, row in self.open(tool).items() if key not in seen and titles.count(row["title"]) == 1 and row["due_on"])


def _working_days(first: date, last: date) -> list[date]:
    """Monday to Friday; a stretch that has none of them is taken as it is."""
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5] or days
