"""/saved-views: addresses of pages under a name, one's own and the shared ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from hub.access.trail import WHO
from hub.access.who import Who
from hub.api import answers
from hub.api.answers import Listed, Single
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.problems import Problem, not_found
from hub.models import SavedView
from hub.portfolio import saved
from hub.portfolio.reach import meta
from hub.portfolio.saved import LONGEST_NAME, LONGEST_QUERY, NameTaken, ViewProblem
from hub.portfolio.texts import Text, storable

router = APIRouter(tags=["views"], route_class=Exact)
Name = Annotated[Text, Field(min_length=1, max_length=LONGEST_NAME)]
Asked = Annotated[
    str,
    AfterValidator(storable),
    Field(max_length=LONGEST_QUERY, description="the page's filters, sorting and zoom as in its address: overdue=true&sort=due"),
]
Shared = Annotated[bool, Field(description="everybody finds it, and sees in it what they may see anyway; for the PMO and admins")]


class ViewShape(BaseModel):
    """``url``: page and query, to be opened at this hub. ``mine``: the asker's own. ``may_change``: the asker may name, share and query it anew."""

    id: UUID
    name: str
    page: str
    query: str
    url: str
    shared: bool
    mine: bool
    may_change: bool
    created_at: datetime
    changed_at: datetime


class NewView(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    page: Text = Field(max_length=100, description="the path of a page: /tasks, /projects, /projects/ID")
    query: Asked = ""
    shared: Shared = False


class ViewChange(BaseModel):
    """Parts that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    query: Asked | None = None
    shared: Shared | None = None


class ViewsQuery(BaseModel):
    page: Text | None = Field(None, max_length=100, description="only of this page, such as /tasks")


@router.get("/saved-views", summary="Saved views", response_model=Listed[ViewShape])
def list_saved_views(request: Request, hub: HubHere, asked: Annotated[ViewsQuery, Query()]) -> Response:
    """The asker's own and the shared ones, by page and name, all in one page. A key that belongs to a person has that person's."""
    with hub.database.reading() as session:
        rows = saved.listed(session, _who(request), asked.page)
        return answers.tagged(request, answers.listed(rows, None, meta(session, hub.reach(session), hub.day())))


@router.get("/saved-views/{view_id}", summary="One saved view", response_model=Single[ViewShape])
def read_saved_view(request: Request, hub: HubHere, view_id: UUID) -> Response:
    with hub.database.reading() as session:
        return answers.tagged(request, _answer(hub, session, _found(session, request, view_id)[1]))


@router.post("/saved-views", summary="Save a view", response_model=Single[ViewShape], status_code=201)
def save_view(request: Request, hub: HubHere, asked: NewView) -> Response:
    """A page that does not exist, a filter that it does not know or a value that makes no sense is refused; so is a name that is taken."""
    with hub.database.writing() as session:
        with _said():
            made = saved.add(session, _who(request), asked.name, asked.page, asked.query, hub.now(), shared=asked.shared)
        return _answer(hub, session, saved.shape_of(session, _who(request), made), 201)


@router.patch("/saved-views/{view_id}", summary="Rename, share or change a view", response_model=Single[ViewShape])
def change_saved_view(request: Request, hub: HubHere, view_id: UUID, asked: ViewChange) -> Response:
    """What is shared, the PMO and admins change."""
    with hub.database.writing() as session:
        row, _ = _found(session, request, view_id)
        with _said():
            saved.change(session, _who(request), row, hub.now(), name=asked.name, query=asked.query, shared=asked.shared)
        return _answer(hub, session, saved.shape_of(session, _who(request), row))


@router.delete("/saved-views/{view_id}", summary="Delete a view", status_code=204)
def delete_saved_view(request: Request, hub: HubHere, view_id: UUID) -> Response:
    """One's own; somebody else's shared one, a PMO or an admin."""
    with hub.database.writing() as session:
        row, _ = _found(session, request, view_id)
        with _said():
            saved.remove(session, _who(request), row)
    return Response(status_code=204)


def _who(request: Request) -> Who:
    return cast(Who, request.scope[WHO])


def _found(session: Session, request: Request, view_id: UUID) -> tuple[SavedView, dict[str, Any]]:
    found = saved.one(session, _who(request), view_id)
    if found is None:
        raise not_found("saved view")
    return found


def _answer(hub: Hub, session: Session, shape: dict[str, Any], status: int = 200) -> Response:
    return answers.single(shape, meta(session, hub.reach(session), hub.day()), status=status)


@contextmanager
def _said() -> Iterator[None]:
    """What cannot be kept, as a problem."""
    try:
        yield
    except NameTaken as error:
        raise Problem(409, "name_taken", str(error)) from error
    except ViewProblem as error:
        raise Problem(422, "invalid_body", str(error), errors=[(f"/{error.part}", str(error))]) from error
    except PermissionError as error:
        raise Problem(403, "forbidden", "what is shared, only a key of the PMO or an admin makes and changes") from error
