"""/keys/{id}/grants, /users/{id}/grants, /teams/{id}/grants: who was let see what. For admins' keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from hub.access import acts, audit, grants, teams
from hub.access.audit import Actor
from hub.access.grants import GrantProblem, Subject
from hub.access.keys import Role
from hub.access.scope import BOUND
from hub.access.trail import RECORDED, WHO
from hub.api import answers
from hub.api.door import ADMIN
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.problems import Problem, not_found
from hub.models import ApiKey, Team, User

router = APIRouter(tags=["access"], dependencies=[ADMIN], route_class=Exact)
TARGETS = Field(max_length=grants.MOST, description=f"each one of: {grants.CHOICES}")


class GrantsBody(BaseModel):
    """Replaces what was granted."""

    model_config = ConfigDict(extra="forbid")

    grants: list[str] = TARGETS


class RuleBody(GrantsBody):
    enabled: bool = Field(False, description="only what is turned on lets anybody in")


class GrantsShape(BaseModel):
    """``bound`` false: the role sees whatever is not private (or, an admin, everything) besides."""

    grants: list[str]
    bound: bool


class PersonShape(BaseModel):
    id: UUID
    name: str
    email: str


class RuleShape(BaseModel):
    """``lets_in``: whom the rule lets in, or would if it were turned on, as the team is at the moment."""

    team_id: UUID
    grants: list[str]
    enabled: bool
    lets_in: list[PersonShape]


class GrantsAnswer(BaseModel):
    data: GrantsShape


class RuleAnswer(BaseModel):
    data: RuleShape


def _by(request: Request) -> Actor:
    """Who acts; the act records itself."""
    request.scope[RECORDED] = True
    return audit.actor(request.scope[WHO], request.client.host if request.client else None)


def _json(data: Any) -> Response:
    return Response(answers.dump({"data": data}), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get("/keys/{key_id}/grants", summary="What a key was granted", response_model=GrantsAnswer)
def read_key_grants(hub: HubHere, key_id: UUID) -> Response:
    with hub.database.reading() as session:
        return _shown(session, Subject("key", key_id), _role(session, ApiKey, key_id))


@router.put("/keys/{key_id}/grants", summary="Say what a key may see", response_model=GrantsAnswer)
def set_key_grants(request: Request, hub: HubHere, key_id: UUID, asked: GrantsBody) -> Response:
    """Holds from the next request on, and for the next event that its endpoints are sent."""
    with hub.database.writing() as session:
        subject, role = Subject("key", key_id), _role(session, ApiKey, key_id)
        _set(hub, session, _by(request), subject, asked.grants)
        return _shown(session, subject, role)


@router.get("/users/{user_id}/grants", summary="What a person was granted", response_model=GrantsAnswer)
def read_user_grants(hub: HubHere, user_id: UUID) -> Response:
    """By name; what they see as a member of a team is in that team's grants."""
    with hub.database.reading() as session:
        return _shown(session, Subject("user", user_id), _role(session, User, user_id))


@router.put("/users/{user_id}/grants", summary="Say what a person may see", response_model=GrantsAnswer)
def set_user_grants(request: Request, hub: HubHere, user_id: UUID, asked: GrantsBody) -> Response:
    with hub.database.writing() as session:
        subject, role = Subject("user", user_id), _role(session, User, user_id)
        _set(hub, session, _by(request), subject, asked.grants)
        return _shown(session, subject, role)


@router.get("/teams/{team_id}/grants", summary="What a tool's team lets see", response_model=RuleAnswer)
def read_team_grants(hub: HubHere, team_id: UUID) -> Response:
    with hub.database.reading() as session:
        _team(session, team_id)
        return _rule(session, team_id)


@router.put("/teams/{team_id}/grants", summary="Let a tool's team see something", response_model=RuleAnswer)
def set_team_grants(request: Request, hub: HubHere, team_id: UUID, asked: RuleBody) -> Response:
    """People of ours whose e-mail address is that of an active member of the team, whoever that is at the moment they ask. Off until `enabled`."""
    with hub.database.writing() as session:
        _team(session, team_id)
        _set(hub, session, _by(request), Subject("members", team_id), asked.grants, enabled=asked.enabled)
        return _rule(session, team_id)


def _role(session: Session, of: Any, subject_id: UUID) -> Role:
    held = session.get(of, subject_id)
    if held is None:
        raise not_found("key" if of is ApiKey else "user")
    return Role(held.role)


def _team(session: Session, team_id: UUID) -> None:
    held = session.get(Team, team_id)
    if held is None or held.deleted_at is not None:
        raise not_found("team")


def _set(hub: Hub, session: Session, by: Actor, subject: Subject, texts: list[str], *, enabled: bool = True) -> None:
    try:
        acts.set_grants(session, subject, texts, hub.now(), by, enabled=enabled)
    except GrantProblem as error:
        raise Problem(422, "invalid_body", str(error), errors=[("/grants", str(error))]) from error


def _shown(session: Session, subject: Subject, role: Role) -> Response:
    return _json({"grants": [str(each) for each in grants.listed(session, subject)], "bound": role in BOUND})


def _rule(session: Session, team_id: UUID) -> Response:
    subject = Subject("members", team_id)
    people = [{"id": each.id, "name": each.name, "email": each.email} for each in teams.members(session, team_id)]
    listed = [str(each) for each in grants.listed(session, subject)]
    return _json({"team_id": team_id, "grants": listed, "enabled": grants.is_on(session, subject), "lets_in": people})
