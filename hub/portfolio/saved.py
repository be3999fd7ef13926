"""Saved views: a page's address under a name, one's own or shared with everybody.

A view is an address and nothing else. It holds no rows and no rights: opened, it is the page as its reader may see it at that moment, so sharing one
shows nobody more than they see without it. It is checked when it is saved: a page that exists, filters that this page knows, values that make sense;
so a name in the menu always opens something.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.access.keys import Role
from hub.access.who import Who
from hub.models import ApiKey, SavedView
from hub.portfolio.changes import ChangesFilter
from hub.portfolio.tasks import Chosen, MilestoneFilter, TaskFilter
from hub.portfolio.texts import Text
from hub.portfolio.timeline import TimelineFilter

SHARERS = (Role.ADMIN, Role.PMO)
LONGEST_QUERY, LONGEST_NAME, MOST = 2_000, 100, 200
PLACE = frozenset({"page", "after", "format"})
"""Where in a list somebody is, and as what file: no part of a view."""
PROJECT = re.compile(r"/projects/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Shape = dict[str, Any]


class ViewProblem(ValueError):
    """A view that cannot be kept; ``part`` names what is wrong with it (name, page, query, shared)."""

    def __init__(self, part: str, words: str) -> None:
        super().__init__(words)
        self.part = part


class NameTaken(ViewProblem):
    """The same owner has a view of this name on this page already."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder's name is an OSError
        raise ValueError("is not a time zone") from error
    return name


class Shown(BaseModel):
    """How a page shows what its filter finds."""

    tz: Annotated[str, Field(max_length=100), AfterValidator(_zone)] | None = None
    sort: str | None = Field(None, pattern=r"^[a-z]{1,20}$")
    order: Literal["asc", "desc"] | None = None
    since: date | None = None
    first: date | None = Field(None, alias="from")
    zoom: Literal["week", "month", "quarter"] | None = None
    weeks: int | None = Field(None, ge=1, le=26)
    over: Literal["1"] | None = None
    show: Literal["open", "moved", "overdue", "all"] | None = None
    view: Literal["list", "board", "timeline", "milestones"] | None = None
    by: Literal["category", "section", "person"] | None = None
    colour: list[Literal["red", "amber", "grey", "green"]] = []
    triage: Literal["in", "out", "unsorted"] | None = None
    q: Text | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """``filter``: what narrows it; ``shown``: the names out of ``Shown`` that it knows beside."""

    name: str
    filter: type[BaseModel]
    shown: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        return self.shown | frozenset(self.filter.model_fields)


def _page(name: str, narrowed: type[BaseModel], shown: str) -> Page:
    return Page(name, narrowed, frozenset(("tz", *shown.split())))


PAGES: Mapping[str, Page] = {
    "/": _page("Portfolio", Chosen, "since"),
    "/projects": _page("Projects", Chosen, "q colour triage sort order"),
    "/tasks": _page("Tasks", TaskFilter, "sort order"),
    "/timeline": _page("Timeline", TimelineFilter, "zoom from"),
    "/milestones": _page("Milestones", MilestoneFilter, "since show sort order"),
    "/workload": _page("Workload", Chosen, "q weeks over from"),
    "/changes": _page("Changes", ChangesFilter, "since"),
}
ONE_PROJECT = _page("Project", TimelineFilter, "view sort order by zoom from")


def page_of(path: str) -> Page | None:
    """What a path shows; None where no view of it can be kept."""
    return ONE_PROJECT if PROJECT.fullmatch(path) else PAGES.get(path)


def kept(path: str, pairs: Collection[tuple[str, str]]) -> str:
    """Of an address' parameters those that make the view, as a query."""
    found = page_of(path)
    return urlencode([(name, text) for name, text in pairs if text and found is not None and name in found.known])


def checked(path: str, query: str) -> str:
    """The query in one spelling. Raises ViewProblem where the page does not exist, does not know a filter, or its value makes no sense."""
    found = page_of(path)
    if found is None:
        raise ViewProblem("page", f"there is no such page to keep a view of; there are {', '.join(PAGES)} and /projects/ID")
    if len(query) > LONGEST_QUERY:
        raise ViewProblem("query", f"a view's query may have {LONGEST_QUERY} characters")
    try:
        pairs = [(name, text) for name, text in parse_qsl(query.removeprefix("?"), max_num_fields=200, errors="strict") if name not in PLACE]
    except ValueError as error:
        raise ViewProblem("query", "this is not the query of an address") from error
    if unknown := {name for name, _ in pairs} - found.known:
        raise ViewProblem("query", f"{path} has no filter {', '.join(sorted(unknown))[:200]}; it has {', '.join(sorted(found.known))}")
    for model in (found.filter, Shown):
        _fits(model, pairs)
    return urlencode(pairs)


def _fits(model: type[BaseModel], pairs: Sequence[tuple[str, str]]) -> None:
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if texts := [text for known, text in pairs if known == key]:
            given[key] = texts if str(field.annotation).startswith("list") else texts[-1]
    try:
        model.model_validate(given)
    except ValidationError as error:
        raise ViewProblem("query", "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())) from error


def named(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ViewProblem("name", f"a view needs a name of 1 to {LONGEST_NAME} characters")
    return name


def owner_of(session: Session, who: Who) -> str:
    """Whose views these are: a key's are its person's, if it has one."""
    if who.user_id is not None:
        return f"user:{who.user_id}"
    if who.key_id is None:
        return "guest"
    person = session.scalar(select(ApiKey.owner_user_id).where(ApiKey.id == who.key_id))
    return f"user:{person}" if person is not None else f"key:{who.key_id}"


def listed(session: Session, who: Who, page: str | None = None) -> list[Shape]:
    """One's own and the shared ones, by page and name; at most a thousand."""
    mine = owner_of(session, who)
    wanted = select(SavedView).where(or_(SavedView.owner == mine, SavedView.shared.is_(True)))
    if page is not None:
        wanted = wanted.where(SavedView.page == page)
    rows = session.scalars(wanted.order_by(SavedView.page, func.lower(SavedView.name), SavedView.id).limit(1000))
    return [_shape(row, mine, who) for row in rows]


def one(session: Session, who: Who, view_id: UUID) -> tuple[SavedView, Shape] | None:
    """One of those."""
    row, mine = session.get(SavedView, view_id), owner_of(session, who)
    return (row, _shape(row, mine, who)) if row is not None and (row.owner == mine or row.shared) else None


def shape_of(session: Session, who: Who, row: SavedView) -> Shape:
    """As the asker sees it, or saw it until they took it out of everybody's sight."""
    return _shape(row, owner_of(session, who), who)


def _shape(row: SavedView, mine: str, who: Who) -> Shape:
    plain = {name: getattr(row, name) for name in ("id", "name", "page", "query", "shared", "created_at", "changed_at")}
    url = row.page + (f"?{row.query}" if row.query else "")
    return {**plain, "url": url, "mine": row.owner == mine, "may_change": row.owner == mine if not row.shared else who.may(*SHARERS)}


def add(session: Session, who: Who, name: str, page: str, query: str, now: datetime, *, shared: bool = False) -> SavedView:
    """Keeps a view. Raises ViewProblem, NameTaken, PermissionError (only a PMO or an admin shares)."""
    if shared and not who.may(*SHARERS):
        raise PermissionError
    owner = owner_of(session, who)
    made = SavedView(id=uuid4(), owner=owner, name=named(name), page=page, query=checked(page, query), shared=shared, created_at=now, changed_at=now)
    if (session.scalar(select(func.count()).where(SavedView.owner == owner)) or 0) >= MOST:
        raise ViewProblem("name", f"{MOST} views are kept already: delete one first")
    session.add(made)
    _write(session, made)
    return made


def change(
    session: Session, who: Who, row: SavedView, now: datetime, *, name: str | None = None, query: str | None = None, shared: bool | None = None
) -> None:
    """Parts that are None stay. What is or becomes shared is a PMO's or an admin's to change: everybody opens it. Raises as ``add``."""
    if (row.shared or shared) and not who.may(*SHARERS):
        raise PermissionError
    row.name = row.name if name is None else named(name)
    row.query = row.query if query is None else checked(row.page, query)
    row.shared = row.shared if shared is None else shared
    row.changed_at = now
    _write(session, row)


def remove(session: Session, who: Who, row: SavedView) -> None:
    """One's own may go whatever it is. Raises PermissionError where it is somebody else's and the asker is neither PMO nor admin."""
    if row.owner != owner_of(session, who) and not who.may(*SHARERS):
        raise PermissionError
    session.delete(row)
    session.flush()


def _write(session: Session, row: SavedView) -> None:
    name, page = row.name, row.page
    try:
        session.flush()
    except IntegrityError as error:
        raise NameTaken("name", f"there is a view {name!r} of {page} already: choose another name") from error
