"""One human across tools: who may be the same, with the evidence, to be confirmed or refused; who was joined, to be parted or undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from hub.access import records
from hub.access.audit import Actor
from hub.access.keys import Role
from hub.portfolio import joining, matches, people, policy
from hub.portfolio.joining import JoiningProblem
from hub.portfolio.people import PeopleFilter
from hub.portfolio.policy import Policy
from hub.web.desk import Act, Desk, View, Wrong

A_PAGE = 50
HOME = "/admin/people"


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, HOME, show, Role.ADMIN)
    desk.do(made, f"{HOME}/join", join, Role.ADMIN)
    desk.do(made, f"{HOME}/distinct", distinct, Role.ADMIN)
    desk.do(made, f"{HOME}/split", split, Role.ADMIN)
    desk.do(made, f"{HOME}/undo", undo, Role.ADMIN)
    desk.do(made, f"{HOME}/domains", domains, Role.ADMIN)


def show(view: View) -> Response:
    session, reached = view.session, view.reached
    asked = view.asked(PeopleFilter)
    found, further = people.page(session, asked, reached, view.day.today, view.key(people.ORDER), A_PAGE)
    suggested, more = matches.suggestions(session, reached)
    done = matches.acts(session)
    told = people.humans(session, view.everything, {each.person_id for each in done})
    return view.page(
        "people.html",
        suggestions=suggested,
        more=more,
        people=found,
        further=view.further(further),
        domains=policy.load(session).own_domains,
        acts=[{"act": each, "person": told.get(each.person_id), "users": len(each.former)} for each in done],
        actors=records.names(session, [_id(each.actor) for each in done] + [_id(each.undone_by) for each in done]),
    )


def _id(actor: str | None) -> str | None:
    return (actor or "").partition(":")[2] or None


def join(act: Act) -> str:
    said = act.fields.get("evidence", "")
    evidence = said if said in (joining.SAME_ADDRESS, joining.SAME_NAME) else None
    return _did(act, lambda session, by: joining.merge(session, act.ids("ids"), act.desk.now(), by, evidence=evidence))


def distinct(act: Act) -> str:
    return _did(act, lambda session, by: joining.differ(session, act.ids("ids"), act.desk.now(), by))


def split(act: Act) -> str:
    return _did(act, lambda session, by: joining.split(session, _one(act, "person"), act.ids("ids"), act.desk.now(), by))


def undo(act: Act) -> str:
    return _did(act, lambda session, by: joining.undo(session, _one(act, "act"), act.desk.now(), by))


def domains(act: Act) -> str:
    """Keeps the domains and joins at once whom they join."""
    wanted = act.fields.get("domains", "").replace(",", " ").split()
    with act.desk.database.writing() as session:
        try:
            changed = Policy.model_validate({**policy.load(session).model_dump(exclude_unset=True), "own_domains": wanted})
        except ValidationError as error:
            raise Wrong(422, "This is no list of domains", "Write domains such as example.org, with a space between them; at most 50.") from error
        policy.save(session, act.desk.now(), policy=changed)
    joining.apply_rule(act.desk.database, act.desk.now())
    return HOME


def _one(act: Act, name: str) -> Any:
    found = act.ids(name)
    if len(found) != 1:
        raise Wrong(422, "This form is not whole", "Go back, load the page again and send it.")
    return found[0]


def _did(act: Act, deed: Callable[[Session, Actor], object]) -> str:
    try:
        with act.desk.database.writing() as session:
            deed(session, act.by())
    except JoiningProblem as error:
        raise Wrong(409, "Not as things stand", f"{str(error).capitalize()}.") from error
    return HOME
