"""Where a page's question is received: who asks, which connections and day are meant, and how the answer is dressed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, unquote
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from hub.access import audit, scope
from hub.access.audit import Actor
from hub.access.keys import Role
from hub.access.scope import Scope
from hub.access.trail import RECORDED
from hub.db import Database
from hub.jobs.base import Jobs
from hub.portfolio import saved
from hub.portfolio.keyset import Key, Keyset
from hub.portfolio.reach import Day, Reach, meta, reach
from hub.settings import Settings
from hub.vault import Vault
from hub.web import login, words
from hub.web.address import Address
from hub.web.export import MOST, WRITERS, Column, Sheet, send
from hub.web.login import Fields, csrf, only, signed_in

Form = Annotated[Fields, Depends(csrf)]
Filter = TypeVar("Filter", bound=BaseModel)
ZONE_COOKIE = "hub_tz"
MOST_PARAMETERS = 1_000
PAGES = (
    ("/", "Portfolio"),
    ("/projects", "Projects"),
    ("/tasks", "Tasks"),
    ("/timeline", "Timeline"),
    ("/milestones", "Milestones"),
    ("/workload", "Workload"),
    ("/changes", "Changes"),
)
ADMIN = (
    ("/admin/connections", "Connections", (Role.ADMIN,)),
    ("/admin/data", "Data quality", (Role.ADMIN, Role.PMO, Role.VIEWER)),
    ("/admin/statuses", "Status mapping", (Role.ADMIN, Role.PMO)),
    ("/admin/people", "People", (Role.ADMIN,)),
    ("/admin/endpoints", "Endpoints", (Role.ADMIN,)),
    ("/admin/keys", "Keys & users", (Role.ADMIN,)),
    ("/admin/audit", "Audit", (Role.ADMIN,)),
)


class Wrong(Exception):
    """A page cannot be shown as asked; the message says what to do instead."""

    def __init__(self, status: int, title: str, advice: str) -> None:
        super().__init__(advice)
        self.status, self.title, self.advice = status, title, advice


def nothing(what: str) -> Wrong:
    return Wrong(404, f"There is no such {what}", "It may have been removed, or the address is not complete. Look for it in the lists above.")


@dataclass(frozen=True)
class Desk:
    """What pages are made with."""

    settings: Settings
    database: Database
    vault: Vault
    jobs: Jobs
    now: Callable[[], datetime]
    templates: Environment

    def add(self, router: APIRouter, path: str, show: Callable[[View], Response], *roles: Role) -> None:
        """A page for reading, for these roles (none: for everybody who is signed in): one read transaction; what is wrong with a question is said on
        a page."""

        def endpoint(request: Request) -> Response:
            try:
                with self.database.reading() as session:
                    return show(View(self, request, session))
            except Wrong as wrong:
                return self.error(request, wrong)

        router.add_api_route(path, endpoint, methods=["GET"], name=f"page {path}", dependencies=[Depends(only(*roles) if roles else signed_in)])

    def do(self, router: APIRouter, path: str, act: Callable[[Act], str | Response], *roles: Role) -> None:
        """What a form asks for, by these roles (none: by everybody who is signed in); ``act`` gives the address of the page to go on to, or the
        answer itself where it is shown only this once."""

        def endpoint(request: Request, fields: Form) -> Response:
            try:
                found = act(Act(self, request, fields))
                return RedirectResponse(found, 303) if isinstance(found, str) else found
            except Wrong as wrong:
                return self.error(request, wrong)

        router.add_api_route(
            path, endpoint, methods=["POST"], name=f"page.{act.__name__}", dependencies=[Depends(only(*roles) if roles else signed_in)]
        )

    def render(self, template: str, request: Request, *, status: int = 200, **values: Any) -> HTMLResponse:
        shared = {**frame(request), "words": words, **login.given(request)}
        return HTMLResponse(self.templates.get_template(template).render(**shared, **values), status)

    def error(self, request: Request, wrong: Wrong, *, begin: str | None = None) -> Response:
        """``begin``: where to begin again, if not at this very page; a form's own address shows none."""
        return self.render(
            "error.html", request, status=wrong.status, wrong=wrong, begin=begin or (request.url.path if request.method == "GET" else None)
        )


def frame(request: Request) -> dict[str, Any]:
    """What the head of a page is made of."""
    return {"menu": PAGES, "admin_menu": _admin_menu(request), "path": request.url.path}


def _admin_menu(request: Request) -> list[tuple[str, str]]:
    """What the reader may open of it."""
    who = login.known(request)
    return [(path, name) for path, name, roles in ADMIN if who is not None and who.may(*roles)]


@dataclass(frozen=True, slots=True)
class Act:
    """A form that was sent, from a page of ours by somebody who may."""

    desk: Desk
    request: Request
    fields: Fields

    def id(self, name: str, what: str) -> UUID:
        """Of the path."""
        return path_id(self.request, name, what)

    def ids(self, name: str) -> list[UUID]:
        """What was ticked."""
        try:
            return [UUID(text) for text in self.fields.getlist(name)]
        except ValueError as error:
            raise Wrong(422, "This form is not whole", "Go back, load the page again and send it.") from error

    def by(self) -> Actor:
        """Who acts, for an act that writes its own row into the audit log."""
        self.request.scope[RECORDED] = True
        return audit.actor(login.signed_in(self.request), self.request.client.host if self.request.client else None)

    def page(self, template: str, **values: Any) -> Response:
        """An answer to be shown this once: not to be kept by the browser either."""
        with self.desk.database.reading() as session:
            answer = View(self.desk, self.request, session).page(template, **values)
        answer.headers["Cache-Control"] = "no-store"
        return answer


def path_id(request: Request, name: str, what: str) -> UUID:
    try:
        return UUID(request.path_params[name])
    except ValueError as error:
        raise nothing(what) from error


@dataclass(frozen=True, slots=True)
class Pages:
    """Numbered pages of a list."""

    number: int
    size: int
    total: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.size))

    def of(self, total: int) -> Pages:
        return replace(self, total=total)


class View:
    """One page being made. ``reached``: the connections that its filters mean."""

    def __init__(self, desk: Desk, request: Request, session: Session) -> None:
        self.desk, self.request, self.session = desk, request, session
        given = request.query_params.multi_items()
        if len(given) > MOST_PARAMETERS:
            raise Wrong(400, "This address is too long", f"It may have {MOST_PARAMETERS} parameters. Begin again with fewer filters.")
        self.address = Address(request.url.path, given)

    @cached_property
    def day(self) -> Day:
        """Now, in the zone of the address, else of the reader's browser, else of the hub."""
        given = self.address.one("tz")
        if given:
            zone = _zone(given)
            if zone is None:
                raise Wrong(400, "No such time zone", f"{given[:60]!r} is not a time zone: write a name such as Europe/Berlin.")
            return Day(self.desk.now(), zone)
        return Day(self.desk.now(), _zone(unquote(self.request.cookies.get(ZONE_COOKIE, ""))) or self.desk.settings.zone)

    @cached_property
    def scope_of_reader(self) -> Scope:
        """What the reader sees at this moment."""
        return scope.of(self.session, login.signed_in(self.request))

    @cached_property
    def everything(self) -> Reach:
        """All connections, whatever the filters; of these what the reader sees."""
        return reach(self.session, scope=self.scope_of_reader)

    @cached_property
    def reached(self) -> Reach:
        tools, ids = self.address.all("tool"), self.ids("connection_id")
        known = set(self.everything.tools.values())
        if unknown := set(tools) - known:
            there = ", ".join(sorted(known)) or "none yet"
            raise Wrong(400, "No such tool", f"{', '.join(sorted(unknown))[:100]} is not connected; connected are: {there}.")
        if not tools and not ids:
            return self.everything
        return reach(self.session, tools=set(tools), connection_ids=set(ids), scope=self.scope_of_reader)

    def asked(self, of: type[Filter]) -> Filter:
        """The address's parameters as a filter; one that makes no sense is said."""
        given: dict[str, Any] = {}
        for name, field in of.model_fields.items():
            key = field.alias or name
            if texts := self.address.all(key):
                given[key] = texts if str(field.annotation).startswith(("list", "typing.List")) else texts[-1]
        try:
            return of.model_validate(given)
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise Wrong(400, "This filter makes no sense", f"{said}. Correct it in the address, or begin again without filters.") from error

    def ids(self, name: str) -> list[UUID]:
        try:
            return [UUID(text) for text in self.address.all(name)]
        except ValueError as error:
            raise Wrong(400, "This filter makes no sense", f"{name} takes ids as they stand in the addresses of pages.") from error

    def id(self, name: str, what: str) -> UUID:
        """Of the path."""
        return path_id(self.request, name, what)

    def date(self, name: str, default: date) -> date:
        if not (text := self.address.one(name)):
            return default
        try:
            found = date.fromisoformat(text)
        except ValueError as error:
            raise Wrong(400, "This is no date", f"{name} is {text[:40]!r}: write a day such as {default}.") from error
        if not date(1970, 1, 1) <= found <= date(9000, 1, 1):
            raise Wrong(400, "This is too far away", f"{name} is {text[:40]!r}: write a day between 1970 and 9000.")
        return found

    def choice(self, name: str, among: Mapping[str, Any], default: str) -> str:
        text = self.address.one(name, default)
        if text not in among:
            raise Wrong(400, "This choice does not exist", f"{name} may be {', '.join(among)}.")
        return text

    def whole(self, name: str, default: int, most: int) -> int:
        text = self.address.one(name)
        if not text:
            return default
        if not (text.isascii() and text.isdecimal()) or len(text) > len(str(most)) or not 1 <= int(text) <= most:
            raise Wrong(400, "This number does not fit", f"{name} takes a whole number from 1 to {most}.")
        return int(text)

    @property
    def form(self) -> str | None:
        """The kind of file that is wanted instead of a page."""
        return self.choice("format", WRITERS, "csv") if self.address.one("format") else None

    def send(self, name: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Response:
        """What is seen, as a file."""
        said = meta(self.session, self.reached, self.day) | {"scope": self.scope}
        return send(Sheet(name, columns, rows[:MOST], said, cut or len(rows) > MOST), self.form or "csv")

    def pages(self, total: int | None, size: int) -> Pages:
        return Pages(self.whole("page", 1, 100_000), size, total or 0)

    def key(self, keyset: Keyset) -> Key | None:
        """Where a list goes on, out of the address."""
        if not (text := self.address.one("after")):
            return None
        try:
            return keyset.parse(text.split("|"))
        except ValueError as error:
            raise Wrong(400, "This page of the list does not exist", "Begin the list again from its first page.") from error

    def further(self, key: Key | None) -> str | None:
        """The address of the rest of a list."""
        return None if key is None else self.address.but(after="|".join(map(str, key)))

    def page(self, template: str, *, containers: list[UUID] | None = None, scope: str | None = None, **values: Any) -> Response:
        """The finished page, with how old and how complete its figures are. ``scope``: what they cover, where it is not all of the connections."""
        said = meta(self.session, self.reached, self.day, containers=containers or [])
        shared: dict[str, Any] = {"meta": said, "day": self.day, "address": self.address, "scope": scope or self.scope}
        shared["tools"] = sorted(set(self.everything.tools.values()))
        shared["saved"] = self._saved()
        return self.desk.render(template, self.request, **shared, connected=bool(self.everything.connections), **values)

    def _saved(self) -> dict[str, Any] | None:
        """The menu of views: those of this page, which one is open, and the address to be kept; None where a page has none."""
        path = self.address.path
        if saved.page_of(path) is None:
            return None
        who, here = login.signed_in(self.request), saved.kept(path, self.address.params)
        rows = saved.listed(self.session, who, path)
        shown = next((row for row in rows if sorted(parse_qsl(row["query"])) == sorted(parse_qsl(here))), None)
        return {"rows": rows, "shown": shown, "address": f"{path}?{here}" if here else path, "may_share": who.may(*saved.SHARERS)}

    @property
    def scope(self) -> str:
        """Whose figures these are, in words."""
        found = self.reached.connections
        if not found:
            return "nothing is connected"
        if len(found) == len(self.everything.connections):
            return f"{'all ' if len(found) > 1 else ''}{words.plural(len(found), 'connection')}"
        return "only " + ", ".join(f"{each.name}" for each in found)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name and len(name) <= 100 else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        return None
