"""/users, /keys, /audit: who may do what, and what was done. For admins' keys."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access import audit, grants, keys, links, users
from hub.access.audit import Actor
from hub.access.grants import GrantProblem
from hub.access.keys import Role, Scope
from hub.access.trail import RECORDED, WHO
from hub.access.users import UserProblem
from hub.api import answers
from hub.api.door import ADMIN
from hub.api.hub import Hub, HubHere
from hub.api.problems import Problem, not_found
from hub.models import ApiKey, Audit, User

router = APIRouter(tags=["access"], dependencies=[ADMIN])
AUDIT_COLUMNS = ("id", "at", "actor_kind", "actor_id", "address", "action", "target", "before", "after", "previous", "hash")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


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

    email: str = Field(max_length=320)
    name: str = Field(max_length=200)
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

    name: str = Field(min_length=1, max_length=200, pattern=r"\S")
    role: Role
    scope: Scope = Scope.FULL
    expires_at: AwareDatetime | None = None
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
            made = users.add(session, asked.email, asked.name, asked.role, hub.now())
        except UserProblem as error:
            raise Problem(409, "user_not_added", str(error)) from error
        path = f"/setup/{links.make(session, hub.now(), user_id=made.id)}" if hub.settings.local_login else None
        if path is None:
            users.open_for_provider(made, hub.now())
        audit.add(session, _by(request), "user.created", f"user:{made.id}", hub.now(), after={"role": made.role})
        return _json({"data": _user(made), "setup_path": path}, 201)


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
            before, after = _change(session, user, asked, hub.now())
        except UserProblem as error:
            raise Problem(409, "last_admin", str(error)) from error
        if after != before:
            audit.add(session, by, "user.changed", f"user:{user.id}", hub.now(), before=before, after=after)
        session.flush()
        return _json({"data": _user(user)})


def _change(session: Session, user: User, asked: UserChange, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    before = {"role": user.role, "disabled": user.disabled_at is not None}
    if asked.role is not None and asked.role.value != user.role:
        users.set_role(session, user, asked.role, now)
    if asked.disabled and user.disabled_at is None:
        users.disable(session, user, now)
    elif asked.disabled is False:
        users.enable(user)
    return before, {"role": user.role, "disabled": user.disabled_at is not None}


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
        try:
            text = keys.create(session, asked.name, asked.role.value, hub.now(), expires_at=asked.expires_at, scope=asked.scope, owner=owner)
        except ValueError as error:
            raise Problem(422, "invalid_body", str(error), errors=[("/", str(error))]) from error
        made = session.scalars(select(ApiKey).where(ApiKey.prefix == keys.prefix_of(text))).one()
        _grant(session, made, owner, asked, hub.now())
        after = {"role": made.role, "scope": made.scope, "grants": asked.grants, "expires_at": made.expires_at, "owner_user_id": made.owner_user_id}
        audit.add(session, _by(request), "key.created", f"key:{made.id}", hub.now(), after=after)
        return _json({"data": _key(made), "key": text}, 201)


def _grant(session: Session, key: ApiKey, owner: User | None, asked: NewKey, now: datetime) -> None:
    try:
        targets = grants.parsed(asked.grants, asked.role, owner_role=owner.role if owner else None)
        grants.replace(session, grants.Subject("key", key.id), targets, now, None)
    except GrantProblem as error:
        raise Problem(422, "invalid_body", str(error), errors=[("/grants", str(error))]) from error


@router.delete("/keys/{key_id}", summary="Revoke a key", status_code=204)
def revoke_key(request: Request, hub: HubHere, key_id: UUID) -> Response:
    """At once. Revoking one that is revoked does no harm."""
    by = _by(request)
    with hub.database.writing() as session:
        held = session.get(ApiKey, key_id)
        if held is None:
            raise not_found("key")
        if keys.revoke(session, held.prefix, hub.now()):
            audit.add(session, by, "key.revoked", f"key:{held.id}", hub.now())
    return Response(status_code=204)


def _key(row: ApiKey) -> dict[str, Any]:
    return {name: getattr(row, name) for name in KeyShape.model_fields}


# -- the audit log ------------------------------------------------------------------------------------------------------------------


class AuditQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    actor_id: str | None = Field(None, max_length=100, description="a user's or key's id; at the command line the system's name")
    action: str | None = Field(None, max_length=100, description="such as user.changed")
    target: str | None = Field(None, max_length=200, description="such as user:ID")
    since: AwareDatetime | None = Field(None, description="from this moment on")
    until: AwareDatetime | None = Field(None, description="before this moment")

    def where(self) -> list[Any]:
        same = [getattr(Audit, name) == value for name in ("actor_id", "action", "target") if (value := getattr(self, name)) is not None]
        times = [Audit.at >= self.since] if self.since else []
        return [*same, *times, *([Audit.at < self.until] if self.until else [])]


class AuditPage(AuditQuery):
    cursor: str | None = Field(None, pattern=r"^[0-9]{1,18}$", description="the last answer's next_cursor")
    limit: int = Field(100, ge=1, le=1000, description="rows a page")


@router.get("/audit", summary="What was done, newest first", response_model=AuditAnswer)
def list_audit(hub: HubHere, asked: Annotated[AuditPage, Query()]) -> Response:
    where = [*asked.where(), *([Audit.id < int(asked.cursor)] if asked.cursor else [])]
    with hub.database.reading() as session:
        rows = session.scalars(select(Audit).where(*where).order_by(Audit.id.desc()).limit(asked.limit + 1)).all()
    shown = [{name: getattr(row, name) for name in AUDIT_COLUMNS} for row in rows[: asked.limit]]
    return _json({"data": shown, "next_cursor": str(shown[-1]["id"]) if len(rows) > asked.limit else None})


@router.get("/audit.csv", summary="The same as a file, oldest first", response_class=StreamingResponse)
def export_audit(request: Request, hub: HubHere, asked: Annotated[AuditQuery, Query()]) -> Response:
    """That it was taken out is in the log too."""
    with hub.database.writing() as session:
        audit.add(session, _by(request), "audit.exported", None, hub.now(), after=asked.model_dump(exclude_none=True))
        last = session.scalars(select(Audit.id).order_by(Audit.id.desc()).limit(1)).one()
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(hub, asked, last), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(hub: Hub, asked: AuditQuery, last: int) -> Iterator[str]:
    yield _csv(AUDIT_COLUMNS)
    after = 0
    while True:
        page = select(Audit).where(*asked.where(), Audit.id > after, Audit.id <= last).order_by(Audit.id).limit(audit.PAGE)
        with hub.database.reading() as session:
            rows = session.scalars(page).all()
        if not rows:
            return
        yield "".join(_csv([audit.shape(row)[name] for name in AUDIT_COLUMNS]) for row in rows)
        after = rows[-1].id


def _csv(values: Any) -> str:
    """One line. A cell that a spreadsheet would take for a formula gets an apostrophe in front."""
    line = io.StringIO()
    cells = [answers.dump(each).decode() if isinstance(each, dict) else "" if each is None else str(each) for each in values]
    csv.writer(line).writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells])
    return line.getvalue()
