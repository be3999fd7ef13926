"""The geometry of pictures: numbers in, coordinates out. Pure; templates draw what is computed here as inline SVG, coloured by classes only.

Every picture stands beside the same figures in words or in a table: it is for those who would rather look, and nobody needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

ROW = 30
BAR = 14
HEAD = 44
ELBOW = 6
FLOW = 240.0, 60.0
SPARK = 72.0, 18.0
BURN = 360.0, 120.0


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a stacked bar."""

    name: str
    count: int
    x: float
    width: float


def stack(counts: Mapping[str, int], width: float) -> list[Part]:
    """Parts in the order given, together exactly as wide as the bar; what is there at all is never narrower than a pixel."""
    there = [(name, count) for name, count in counts.items() if count > 0]
    total = sum(count for _, count in there)
    room = width - len(there)
    parts, x = [], 0.0
    for name, count in there:
        wide = 1 + room * count / total
        parts.append(Part(name, count, round(x, 2), round(wide, 2)))
        x += wide
    return parts


def columns(values: Sequence[int | None], width: float, height: float) -> list[tuple[float, float, float, float, int | None]]:
    """(x, y, width, height, value) of a small column chart; what is not known (null) is a gap, which is not a zero."""
    most = max((value for value in values if value is not None), default=0)
    step = width / max(len(values), 1)
    made = []
    for place, value in enumerate(values):
        tall = height * value / most if value and most else (0.0 if value is None else 1.0)
        made.append((round(place * step, 2), round(height - tall, 2), round(step * 0.75, 2), round(tall, 2), value))
    return made


def spark(values: Sequence[int | None], width: float, height: float) -> Spark:
    """A line through what is known, with a dot at its end."""
    most = max((value for value in values if value is not None), default=0)
    step = width / max(len(values) - 1, 1)
    spots = [
        (round(place * step, 1), round(height - 2 - (height - 4) * value / max(most, 1), 1))
        for place, value in enumerate(values)
        if value is not None
    ]
    path = "M" + "L".join(f"{x} {y}" for x, y in spots) if len(spots) > 1 else ""
    return Spark(values, path, spots[-1] if spots else None)


@dataclass(frozen=True, slots=True)
class Spark:
    """``path``: an SVG path, empty where there is no line to draw; ``end``: where its last value stands."""

    values: Sequence[int | None]
    path: str
    end: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Burn:
    """Two lines over one ground. ``scope``, ``done``: SVG paths; ``area``: what lies below done; ``gap``: how wide the unknown part at the left is;
    ``most``: what the top stands for."""

    scope: str
    done: str
    area: str
    gap: float
    most: int
    top: float


def burn(points: Sequence[Mapping[str, Any]], width: float, height: float) -> Burn | None:
    """Scope above, done below, as steps of equal weeks; None where fewer than two points are known: a dot tells nothing of growth."""
    known = [(place, point) for place, point in enumerate(points) if point["known"]]
    if len(known) < 2:
        return None
    most = max(max(point["scope"], point["done"]) for _, point in known)
    step, top = width / (len(points) - 1), 8.0

    def line(name: str) -> str:
        return "L".join(f"{round(place * step, 1)} {round(height - (height - top) * point[name] / max(most, 1), 1)}" for place, point in known)

    gap, end = round(known[0][0] * step, 1), round(known[-1][0] * step, 1)
    done = line("done")
    return Burn(f"M{line('scope')}", f"M{done}", f"M{gap} {height}L{done}L{end} {height}z", gap, most, top)


@dataclass(frozen=True, slots=True)
class Scale:
    """Days to pixels, from the first day of the window."""

    first: date
    last: date
    day: float

    @property
    def width(self) -> float:
        return round(((self.last - self.first).days + 1) * self.day, 1)

    def x(self, day: date) -> float:
        """Where a day begins; outside the window at its edge."""
        inside = min(max(day, self.first), self.last + timedelta(days=1))
        return round((inside - self.first).days * self.day, 1)

    def ticks(self, zoom: str) -> list[tuple[float, str]]:
        """(x, label): the first day of each week, or of each month."""
        found, day = [], self.first
        while day <= self.last:
            if zoom == "week" and day.weekday() == 0:
                found.append((self.x(day), f"{day.day} {day:%b}"))
            if zoom != "week" and day.day == 1:
                found.append((self.x(day), f"{day:%b}" if day.month > 1 else f"{day:%b %Y}"))
            day += timedelta(days=1)
        return found


@dataclass(frozen=True, slots=True)
class Bar:
    """One task on the timeline. ``was``: where its end stood before it slipped; ``begun``, ``goes_on``: it reaches beyond the window."""

    task: Mapping[str, Any]
    y: float
    x: float
    width: float
    done: float
    was: float | None
    diamond: bool
    begun: bool
    goes_on: bool

    @property
    def end(self) -> float:
        return self.x if self.diamond else round(self.x + self.width, 1)

    @property
    def middle(self) -> float:
        return self.y + ROW / 2


def bars(rows: Iterable[tuple[float, Mapping[str, Any]]], scale: Scale, moved: Mapping[UUID, Mapping[str, Any]]) -> list[Bar]:
    """Bars of (y, task). A task without one of its days is a bar of one day; some tools let a task end before it begins."""
    made = []
    for y, task in rows:
        start, due = task["start_on"] or task["due_on"], task["due_on"] or task["start_on"]
        begin, end = min(start, due), max(start, due)
        diamond = task["kind"] == "milestone"
        x = scale.x(end) + scale.day / 2 if diamond else scale.x(begin)
        wide = max(scale.x(end + timedelta(days=1)) - x, 2.0)
        share = 100 if task["status_category"] == "done" else task["progress"] or 0
        movement = moved.get(task["id"])
        former = movement["first_due_on"] if movement and movement["delta_days"] else None
        was = scale.x(former) + (scale.day / 2 if diamond else scale.day) if former and scale.first <= former <= scale.last else None
        edge = begin < scale.first, end > scale.last
        made.append(Bar(task, y, round(x, 1), round(wide, 1), round(wide * share / 100, 1), was, diamond, *edge))
    return made


@dataclass(frozen=True, slots=True)
class Arrow:
    """A dependency between two bars that are both shown. ``path``: an SVG path."""

    path: str
    edge: Mapping[str, Any]


def arrows(edges: Iterable[Mapping[str, Any]], shown: Mapping[UUID, Bar]) -> Iterator[Arrow]:
    """From the predecessor's end (or start) to the successor's start (or end), with right angles."""
    for edge in edges:
        before, after = shown.get(edge["predecessor"]["id"]), shown.get(edge["successor"]["id"])
        if before is None or after is None:
            continue
        out = before.x if edge["type"][0] == "S" else before.end
        into = after.x if edge["type"][1] == "S" else after.end
        gap = (ROW - BAR) / 2 * (1 if after.y > before.y else -1)
        turn = round(before.middle + (BAR / 2 * (1 if after.y > before.y else -1)) + gap, 1)
        path = f"M{out} {before.middle}h{ELBOW}V{turn}H{round(into - ELBOW, 1)}V{after.middle}h{ELBOW}"
        yield Arrow(path, edge)


@dataclass(frozen=True, slots=True)
class Move:
    """One milestone's movement: a line from where it was to where it is."""

    task: Mapping[str, Any]
    y: float
    was: float
    now: float
    days: int


def moves(milestones: Sequence[tuple[Mapping[str, Any], date, date]], scale: Scale) -> list[Move]:
    """Of (milestone, day before, day now)."""
    return [
        Move(task, HEAD + place * ROW + ROW / 2, scale.x(was), scale.x(now), (now - was).days) for place, (task, was, now) in enumerate(milestones)
    ]


def heat(percent: float | None) -> int:
    """How full a week is, in six steps; 5 is more than there is time for."""
    if percent is None:
        return 0
    return next((step for step, limit in enumerate((0.0, 25.0, 60.0, 85.0, 100.0)) if percent <= limit), 5)
