"""Saved views: kept from the page that they show, opened from its menu, named, shared and thrown away on a page of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from hub.models import SavedView
from hub.portfolio import saved
from hub.portfolio.saved import NameTaken, ViewProblem
from hub.web.desk import Act, Desk, View, Wrong, nothing
from hub.web.login import safe_next, signed_in


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/views", show)
    desk.do(made, "/views", save_view)
    desk.do(made, "/views/{view_id}", change_view)
    desk.do(made, "/views/{view_id}/delete", delete_view)


def show(view: View) -> Response:
    who = signed_in(view.request)
    pages = {path: page.name for path, page in saved.PAGES.items()}
    return view.page("views.html", rows=saved.listed(view.session, who), pages=pages, may_share=who.may(*saved.SHARERS))


def save_view(act: Act) -> str:
    """Back to where it was kept; what stands in its address and is no filter of the page stays out."""
    where = urlsplit(safe_next(act.fields.get("address")))
    query = saved.kept(where.path, parse_qsl(where.query))
    with act.desk.database.writing() as session, said():
        made = saved.add(
            *(session, signed_in(act.request), act.fields.get("name", ""), where.path, query, act.desk.now()), shared=bool(act.fields.get("shared"))
        )
        return made.page + (f"?{made.query}" if made.query else "")


def change_view(act: Act) -> str:
    """Its name, and whether everybody finds it."""
    with act.desk.database.writing() as session, said():
        row = _found(session, act)
        saved.change(session, signed_in(act.request), row, act.desk.now(), name=act.fields.get("name", ""), shared=bool(act.fields.get("shared")))
    return "/views"


def delete_view(act: Act) -> str:
    with act.desk.database.writing() as session, said():
        saved.remove(session, signed_in(act.request), _found(session, act))
    return "/views"


def _found(session: Session, act: Act) -> SavedView:
    found = saved.one(session, signed_in(act.request), act.id("view_id", "saved view"))
    if found is None:
        raise nothing("saved view")
    return found[0]


@contextmanager
def said() -> Iterator[None]:
    """What cannot be kept, on a page."""
    try:
        yield
    except NameTaken as error:
        raise Wrong(409, "This name is taken", "You have a view of that name on that page already: go back and choose another name.") from error
    except ViewProblem as error:
        raise Wrong(422, "This view cannot be kept", f"{error}. Go back and change that.") from error
    except PermissionError as error:
        raise Wrong(409, "This is not yours to change", "What everybody finds, the PMO and admins name and change. Save one of your own.") from error
