"""Which projects count, decided on the page of projects: the ticked ones, all that fit its filter once their number was said, or a rule for those
to come.

The filter is the page's own and stands in the address of the form, so what is decided about is exactly what was listed."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ValidationError
from sqlalchemy import select

from hub.access import audit
from hub.access.keys import Role
from hub.access.trail import RECORDED
from hub.models import Project
from hub.portfolio import policy, triage
from hub.portfolio import projects as listing
from hub.portfolio.policy import Decision, RuleKind, TriageRuleShape
from hub.portfolio.projects import ProjectFilter
from hub.web.desk import Act, Desk, View, Wrong
from hub.web.login import signed_in
from hub.web.projects import lines_of

DECISIONS = (triage.IN, triage.OUT, triage.UNSORTED)
PART = 1_000
"""Ids in one statement."""
MOST_RULES = 500


def routes(made: APIRouter, desk: Desk) -> None:
    deciders = (Role.ADMIN, Role.PMO)
    desk.add(made, "/projects/sort", show, *deciders)
    desk.do(made, "/projects/sort", sort_projects, *deciders)
    desk.do(made, "/projects/rules", add_rule, *deciders)
    desk.do(made, "/projects/rules/remove", remove_rule, *deciders)


def show(view: View) -> Response:
    """How many fit the filter, before anything is decided about them."""
    rules = [(rule, _said(rule)) for rule in policy.triage_rules(view.session)]
    return view.page("sort.html", number=len(fitting(view)), query=_query(view), rule=_as_rule(view), rules=rules)


def fitting(view: View) -> list[UUID]:
    """All that fit the filter of the page, whatever part of them it shows."""
    asked = view.address.one("triage", "counting")
    if asked == "counting" or view.address.all("colour"):
        return [line["id"] for line in lines_of(view)[0]]
    sorting = triage.triage(view.session, view.reached)
    given = {"triage": [asked], "q": view.address.one("q") or None}
    try:
        wanted = listing.conditions(ProjectFilter.model_validate(given), sorting)
    except ValidationError as error:
        raise Wrong(400, "This filter makes no sense", "Begin again without filters.") from error
    return list(view.session.scalars(select(Project.id).where(*view.reached.projects(), *wanted)))


def sort_projects(act: Act) -> str:
    """A person's word on each of them, and one row in the audit log for all."""
    decision = act.fields.get("triage", "")
    if decision not in DECISIONS:
        raise Wrong(422, "This choice does not exist", "Go back, choose again and send it.")
    with act.desk.database.writing() as session:
        view = View(act.desk, act.request, session)
        ids, query = _chosen(act, view), _query(view)
        seen, changed = view.everything.projects(), 0
        for start in range(0, len(ids), PART):
            part = select(Project.id).where(Project.id.in_(ids[start : start + PART]), *seen)
            changed += triage.decide(session, part, decision)
        by = audit.actor(signed_in(act.request), act.request.client.host if act.request.client else None)
        after = {"triage": decision, "asked": len(ids), "changed": changed, "filter": query, "projects": [str(each) for each in ids]}
        audit.add(session, by, "projects.sorted", None, act.desk.now(), after=after)
    act.request.scope[RECORDED] = True
    return f"/projects?{query}&sorted={changed}" if query else f"/projects?sorted={changed}"


def _chosen(act: Act, view: View) -> list[UUID]:
    if not (said := act.fields.get("number")):
        try:
            ids = [UUID(text) for text in act.fields.getlist("id")]
        except ValueError as error:
            raise Wrong(422, "There is no such project", "Go back, load the page again and send it.") from error
        if not ids:
            raise Wrong(422, "No project was chosen", "Go back and tick those that you mean.")
        return ids
    ids = fitting(view)
    if str(len(ids)) != said:
        raise Wrong(409, "The list has changed", f"{len(ids)} projects fit now, not {said[:9]}: load the page again, and decide about these.")
    return ids


def _query(view: View) -> str:
    return view.address.but(sorted=None).partition("?")[2]


def _as_rule(view: View) -> TriageRuleShape | None:
    """The filter as a rule, where there is one that says the same: part of a name, or a tool."""
    params = [(name, text) for name, text in view.address.params if name in ("q", "tool", "connection_id", "colour")]
    if len(params) != 1 or params[0][0] not in ("q", "tool"):
        return None
    name, text = params[0]
    kind, value = (RuleKind.NAME, f"*{text}*") if name == "q" else (RuleKind.TOOL, text)
    return TriageRuleShape(kind=kind, value=value[:500], decision=Decision.OUT)


def add_rule(act: Act) -> str:
    """In front of the others: the first that fits decides, and what somebody just said is what they mean."""
    try:
        rule = TriageRuleShape.model_validate({name: act.fields.get(name) for name in ("kind", "value", "decision")})
    except ValidationError as error:
        raise Wrong(422, "This is no rule", "Go back, choose again and send it.") from error
    with act.desk.database.writing() as session:
        others = [each for each in policy.triage_rules(session) if (each.kind, each.value) != (rule.kind, rule.value)]
        if len(others) >= MOST_RULES:
            raise Wrong(409, "There are too many rules", "Take one away first.")
        policy.save(session, act.desk.now(), triage_rules=[rule, *others])
    return "/projects/sort"


def remove_rule(act: Act) -> str:
    """By what it says; one that is gone already is no matter."""
    with act.desk.database.writing() as session:
        gone = (act.fields.get("kind"), act.fields.get("value"))
        left = [each for each in policy.triage_rules(session) if (each.kind.value, each.value) != gone]
        policy.save(session, act.desk.now(), triage_rules=left)
    return "/projects/sort"


def _said(rule: TriageRuleShape) -> str:
    if rule.kind is RuleKind.NAME:
        return f"named {rule.value}"
    if rule.kind is RuleKind.TOOL:
        return f"of {rule.value}"
    return f"below {rule.value}"
