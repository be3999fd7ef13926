"""What endpoints work with, put together once by ``create_app`` and reached through the app's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from hub.api.problems import Problem
from hub.db import Database
from hub.jobs.base import Jobs
from hub.portfolio.reach import Day, Reach, reach
from hub.portfolio.tasks import Concerned
from hub.settings import Settings
from hub.sync import contact
from hub.vault import Vault


@dataclass(frozen=True, slots=True)
class Hub:
    settings: Settings
    database: Database
    vault: Vault
    jobs: Jobs
    now: Callable[[], datetime]

    def day(self, tz: str | None = None) -> Day:
        """Now, where the hub is or in the zone asked for."""
        if tz is None:
            return Day(self.now(), self.settings.zone)
        try:
            return Day(self.now(), ZoneInfo(tz))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder's name is an OSError
            problem = f"{tz[:60]!r} is not a time zone: write a name such as Europe/Berlin"
            raise Problem(400, "invalid_parameter", problem, errors=[("query/tz", problem)]) from error

    def reach(self, session: Session, asked: Concerned | None = None) -> Reach:
        """The connections that a filter means. A tool that does not exist is a mistake, not an empty answer."""
        if asked is None:
            return reach(session)
        if asked.tool and (unknown := set(asked.tool) - set(contact.tools())):
            problem = f"no such tool: {', '.join(sorted(unknown))[:100]}; there are {', '.join(contact.tools())}"
            raise Problem(400, "invalid_parameter", problem, errors=[("query/tool", problem)])
        return reach(session, tools=set(asked.tool), connection_ids=set(asked.connection_id))

    def reach_of(self, session: Session, connection_id: UUID) -> Reach:
        """One connection; a problem if there is none of that id."""
        found = reach(session, connection_ids={connection_id})
        if not found.connections:
            raise Problem(404, "not_found", "there is no such connection")
        return found


def of(request: Request) -> Hub:
    return cast(Hub, request.app.state.hub)


HubHere = Annotated[Hub, Depends(of)]
