"""Is the process alive, and can it serve. Without a key: whoever watches a machine has none."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from hub import migrate
from hub.api import answers
from hub.api.hub import HubHere
from hub.migrate import DatabaseProblem

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive?")
def healthz() -> Response:
    return Response(answers.dump({"status": "ok"}), media_type="application/json")


@router.get("/readyz", summary="Ready?", responses={503: {"description": "not yet; the answer says why", "content": {"application/json": {}}}})
def readyz(hub: HubHere) -> Response:
    """200 when the database is reachable and has this program's version; else 503 with the reason."""
    try:
        migrate.require_readable(hub.database)
    except DatabaseProblem as problem:
        return _not_ready(str(problem))
    except SQLAlchemyError as error:
        return _not_ready(f"the database does not answer ({type(error).__name__})")
    return Response(answers.dump({"status": "ready"}), media_type="application/json")


def _not_ready(reason: str) -> Response:
    return Response(answers.dump({"status": "not ready", "reason": reason}), 503, media_type="application/json")
