"""Who comes in: a Bearer key, its role, and only with parameters that exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import BackgroundTasks, Depends, Request, Security
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from sqlalchemy.exc import OperationalError

from hub import log
from hub.access import keys
from hub.access.keys import Role
from hub.access.throttle import Rates
from hub.access.trail import HARMLESS, REFUSED, WHO
from hub.access.who import Who
from hub.api.hub import Hub, HubHere
from hub.api.problems import Problem
from hub.models import ApiKey

BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="an API key: hub key create --name N --role R")
MOST_PARAMETERS = 1_000
"""Values of one question: fewer than any database takes in one statement, and more than an address of usual length holds."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hub"'}


def within(wait: int) -> None:
    """Raises 429 where somebody has to wait."""
    if wait:
        raise Problem(429, "too_many_requests", f"too many calls: wait {wait} s", headers={"Retry-After": str(wait)})


def known_key(request: Request, hub: HubHere, after: BackgroundTasks, _documented: Annotated[object, Security(BEARER)]) -> ApiKey:
    """The caller's key. Its use is noted after the answer, so that a busy database never delays a reader."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Problem(401, "unauthorized", "send an API key: Authorization: Bearer hub_...", headers=CHALLENGE)
    now, address = hub.now(), request.client.host if request.client else ""
    rates: Rates = request.app.state.rates
    within(max(rates.failures.wait(address, now, count=False), rates.addresses.wait(address, now)))
    with hub.database.reading() as session:
        key = keys.verify(session, text.strip(), now)
    if key is None:
        rates.failures.wait(address, now)
        request.scope[REFUSED] = keys.prefix_of(text.strip())
        refused = {"WWW-Authenticate": 'Bearer realm="hub", error="invalid_token"'}
        raise Problem(401, "invalid_key", "this API key is unknown, expired or revoked", headers=refused)
    request.scope[WHO] = Who(None, key.id, key.name, Role(key.role), None)
    within(rates.keys.wait(key.prefix, now))
    if key.scope == keys.Scope.READ and request.method not in HARMLESS:
        raise Problem(403, "read_only_key", "this key may read only: hub key create makes one that may do more")
    if keys.use_is_due(key, now):
        after.add_task(_note_use, hub, key.id)
    return key


def _note_use(hub: Hub, key_id: UUID) -> None:
    try:
        with hub.database.writing() as session:
            keys.note_use(session, key_id, hub.now())
    except OperationalError as error:  # bookkeeping: the answer has been given, and the next request tries again
        log.get("api").warning("a key's use was not noted", error=str(error.orig))


def allowed(*roles: Role) -> Callable[[ApiKey], ApiKey]:
    """A dependency that lets only these roles in."""

    def check(key: Annotated[ApiKey, Depends(known_key)]) -> ApiKey:
        if key.role not in {role.value for role in roles}:
            raise Problem(403, "forbidden", f"this needs a key with the role {' or '.join(role.value for role in roles)}; this one is {key.role}")
        return key

    check.roles = roles  # type: ignore[attr-defined]  # the test of all permissions reads them
    return check


ADMIN = Depends(allowed(Role.ADMIN))
ADMIN_OR_PMO = Depends(allowed(Role.ADMIN, Role.PMO))


def known_parameters(request: Request, _key: Annotated[ApiKey, Depends(known_key)]) -> None:
    """Refuses parameters that the document does not name, and single ones given twice: a typo in a filter must not return everything."""
    if not request.query_params:
        return
    if len(request.query_params.multi_items()) > MOST_PARAMETERS:
        raise Problem(400, "too_many_parameters", f"a question may have {MOST_PARAMETERS} parameters: ask several")
    parameters = _documented_parameters(request)
    given = [name for name, _ in request.query_params.multi_items()]
    errors = [(f"query/{name}", "there is no such parameter") for name in sorted(set(given) - parameters.keys())]
    errors += [(f"query/{name}", "may be given once") for name, many in parameters.items() if not many and given.count(name) > 1]
    if errors:
        listed = ", ".join(sorted(parameters)) or "none"
        raise Problem(400, "unknown_parameter", f"{', '.join(pointer for pointer, _ in errors)[:300]}: allowed are {listed}", errors=errors)


def _documented_parameters(request: Request) -> dict[str, bool]:
    """{name: may it be repeated} of the operation asked for, out of its own part of the document, made when it is first asked for."""
    known: dict[str, dict[str, bool]] = request.app.state.parameters
    route = request.scope["route"]
    if route.name not in known:
        paths = get_openapi(title=request.app.title, version=request.app.version, routes=[route])["paths"]
        (operation,) = (operation for methods in paths.values() for operation in methods.values())
        known[route.name] = dict(map(_parameter, [each for each in operation.get("parameters", ()) if each["in"] == "query"]))
    return known[route.name]


def _parameter(documented: dict[str, Any]) -> tuple[str, bool]:
    return documented["name"], documented["schema"].get("type") == "array"
