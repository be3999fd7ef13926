"""/users, /keys, /audit: who may do what, and what was done. For admins' keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from hub.access import acts, audit, grants, keys, records, users
from hub.access.audit import Actor
from hub.access.grants import GrantProblem
from hub.access.keys import Role, Scope
from hub.access.records import AuditFilter
from hub.access.trail import RECORDED, WHO
from hub.access.users import UserProblem
from hub.api import answers
from hub.api.door import ADMIN
from hub.api.exact import Exact
from hub.api.hub import Hub, HubHere
from hub.api.problems import Problem, not_found
from hub.models import ApiKey, User
from hub.portfolio.tasks import Instant
from hub.portfolio.texts import Text

router = APIRouter(tags=["access"], dependencies=[ADMIN], route_class=Exact)
FILE: dict[str, dict[int | str, dict[str, Any]]] = {
    form: {200: {"content": {f"{media}; charset=utf-8": {"schema": {"type": "string"}}}}}
    for form, media in (("csv", "text/csv"), ("jsonl", "application/x-ndjson"))
}


class UserShape(BaseModel):
    """``state``: active, invited (has not chosen a password nor come in by the log-in provider yet), disabled."""

    id: UUID
    email: str
    name: str
    role: Role
    state: str
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None


class NewUser(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: Text = Field(max_length=320)
    name: Text = Field(max_length=200)
    role: Role


class UserChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    disabled: bool | None = None


class KeyShape(BaseModel):
    """``scope``: full, or read (nothing that changes anything, whatever the role)."""

    id: UUID
    name: str
    prefix: str
    role: Role
    scope: Scope
    owner_user_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKey(BaseModel):
    """``grants``: what a viewer's or consumer's key may see; needed for those, and of no use for an admin's."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(min_length=1, max_length=200, pattern=r"\S")
    role: Role
    scope: Scope = Scope.FULL
    expires_at: Instant | None = None
    grants: list[str] = Field([], max_length=grants.MOST, description=f"each one of: {grants.CHOICES}")
    owner_user_id: UUID | None = Field(
        None, description="the key is worth no more than this person at the moment, and nothing once they are disabled"
    )


class AuditShape(BaseModel):
    """``hash`` covers the row and the ``previous`` row's hash."""

    id: int
    at: datetime
    actor_kind: str
    actor_id: str | None
    address: str | None
    action: str
    target: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous: str
    hash: str


class UsersAnswer(BaseModel):
    data: list[UserShape]
    next_cursor: None


class UserAnswer(BaseModel):
    data: UserShape


class NewUserAnswer(BaseModel):
    """``setup_path``: where the person chooses a password, once, within a day; shown this once. Null where people log in by the provider only: their
    first log-in there with this verified address, within a week, is joined to them."""

    data: UserShape
    setup_path: str | None


class KeysAnswer(BaseModel):
    data: list[KeyShape]
    next_cursor: None


class NewKeyAnswer(BaseModel):
    data: KeyShape
    key: str = Field(description="shown this once")


class AuditAnswer(BaseModel):
    data: list[AuditShape]
    next_cursor: str | None


def _json(value: Any, status: int = 200) -> Response:
    return Response(answers.dump(value), status, media_type="application/json", headers={"Cache-Control": "no-store"})


def _by(request: Request) -> Actor:
    """Who acts; the act records itself."""
    request.scope[RECORDED] = True
    return audit.actor(request.scope[WHO], request.client.host if request.client else None)


# -- people -------------------------------------------------------------------------------------------------------------------------


@router.get("/users", summary="People who log in", response_model=UsersAnswer)
def list_users(hub: HubHere) -> Response:
    """By e-mail address, all in one page."""
    with hub.database.reading() as session:
        return _json({"data": [_user(each) for each in users.listed(session)], "next_cursor": None})


@router.post("/users", summary="Add a person", status_code=201, response_model=NewUserAnswer)
def create_user(request: Request, hub: HubHere, asked: NewUser) -> Response:
    with hub.database.writing() as session:
        try:
            made, token = acts.invite(session, asked.email, asked.name, asked.role, hub.now(), _by(request), local=hub.settings.local_login)
        except UserProblem as error:
            raise Problem(409, "user_not_added", str(error)) from error
        return _json({"data": _user(made), "setup_path": f"/setup/{token}" if token else None}, 201)


@router.patch("/users/{user_id}", summary="Change a person's role, or shut them out", response_model=UserAnswer)
def change_user(request: Request, hub: HubHere, user_id: UUID, asked: UserChange) -> Response:
    """Their sessions end. Disabled: their keys are refused and their endpoints hold events back; what is enabled again gets its keys back, and its
    endpoints when somebody resumes them."""
    by = _by(request)
    with hub.database.writing() as session:
        user = session.get(User, user_id)
        if user is None:
            raise not_found("user")
        try:
            acts.change_user(session, user, hub.now(), by, role=asked.role, disabled=asked.disabled)
        except UserProblem as error:
            raise Problem(409, "last_admin", str(error)) from error
        return _json({"data": _user(user)})


def _user(row: User) -> dict[str, Any]:
    return {name: users.state(row) if name == "state" else getattr(row, name) for name in UserShape.model_fields}


# -- keys ---------------------------------------------------------------------------------------------------------------------------


@router.get("/keys", summary="API keys", response_model=KeysAnswer)
def list_keys(hub: HubHere) -> Response:
    """Newest first, all in one page, revoked ones too."""
    with hub.database.reading() as session:
        return _json({"data": [_key(each) for each in keys.listed(session)], "next_cursor": None})


@router.post("/keys", summary="Make a key", status_code=201, response_model=NewKeyAnswer)
def create_key(request: Request, hub: HubHere, asked: NewKey) -> Response:
    with hub.database.writing() as session:
        owner = session.get(User, asked.owner_user_id) if asked.owner_user_id else None
        if asked.owner_user_id and (owner is None or owner.disabled_at is not None):
            raise Problem(422, "invalid_body", "there is no such active user", errors=[("/owner_user_id", "there is no such active user")])
        by, ends = _by(request), asked.expires_at
        try:
            made, text = acts.issue_key(
                session, asked.name, asked.role, hub.now(), by, granted=asked.grants, scope=asked.scope, expires_at=ends, owner=owner
            )
        except ValueError as error:
            pointer = "/grants" if isinstance(error, GrantProblem) else "/"
            raise Problem(422, "invalid_body", str(error), errors=[(pointer, str(error))]) from error
        return _json({"data": _key(made), "key": text}, 201)


@router.delete("/keys/{key_id}", summary="Revoke a key", status_code=204)
def revoke_key(request: Request, hub: HubHere, key_id: UUID) -> Response:
    """At once. Revoking one that is revoked does no harm."""
    by = _by(request)
    with hub.database.writing() as session:
        held = session.get(ApiKey, key_id)
        if held is None:
            raise not_found("key")
        acts.revoke_key(session, held, hub.now(), by)
    return Response(status_code=204)


def _key(row: ApiKey) -> dict[str, Any]:
    return {name: getattr(row, name) for name in KeyShape.model_fields}


# -- the audit log ------------------------------------------------------------------------------------------------------------------


class AuditPage(AuditFilter):
    cursor: str | None = Field(None, pattern=r"^[0-9]{1,18}$", description="the last answer's next_cursor")
    limit: int = Field(100, ge=1, le=1000, description="rows a page")


@router.get("/audit", summary="What was done, newest first", response_model=AuditAnswer)
def list_audit(hub: HubHere, asked: Annotated[AuditPage, Query()]) -> Response:
    with hub.database.reading() as session:
        rows, further = records.page(session, asked, int(asked.cursor) if asked.cursor else None, asked.limit)
        shown = [{name: getattr(row, name) for name in records.COLUMNS} for row in rows]
    return _json({"data": shown, "next_cursor": None if further is None else str(further)})


@router.get("/audit.csv", summary="The same as a file, oldest first", response_class=StreamingResponse, responses=FILE["csv"])
def export_audit(request: Request, hub: HubHere, asked: Annotated[AuditFilter, Query()]) -> Response:
    """That it was taken out is in the log too."""
    return _file(request, hub, asked, "csv")


@router.get("/audit.jsonl", summary="The same, a row of JSON a line", response_class=StreamingResponse, responses=FILE["jsonl"])
def export_audit_lines(request: Request, hub: HubHere, asked: Annotated[AuditFilter, Query()]) -> Response:
    """For a collector of logs, oldest first. That it was taken out is in the log too."""
    return _file(request, hub, asked, "jsonl")


def _file(request: Request, hub: Hub, asked: AuditFilter, form: str) -> Response:
    with hub.database.writing() as session:
        last = records.taken_out(session, asked, hub.now(), _by(request))
    headers = {"Content-Disposition": f'attachment; filename="audit.{form}"', "Cache-Control": "no-store"}
    lines = records.lines(hub.database.reading, asked, last, form)
    return StreamingResponse(lines, media_type=next(iter(FILE[form][200]["content"])), headers=headers)
