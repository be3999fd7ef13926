"""What endpoints work with, put together once by ``create_app`` and reached through the app's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from hub.access import scope
from hub.access.scope import Scope
from hub.access.trail import WHO
from hub.access.who import Who
from hub.api.problems import Problem
from hub.db import Database
from hub.jobs.base import Jobs
from hub.portfolio.reach import Day, Reach, reach
from hub.portfolio.tasks import Chosen, Concerned
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
    request: Request | None = None
    """The one that is being answered; who asks is known once the door has let them in."""

    def scope(self, session: Session) -> Scope:
        """What the asker sees now. Raises KeyError where nobody was let in: an answer without an asker is a mistake of ours."""
        if self.request is None:
            raise KeyError(WHO)
        return scope.of(session, cast(Who, self.request.scope[WHO]))

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
        """The connections that a filter means, and of these what the asker sees. A tool that does not exist is a mistake, not an empty answer."""
        seen = self.scope(session)
        if asked is None:
            return reach(session, scope=seen)
        portfolios = asked.portfolio_id if isinstance(asked, Chosen) else ()
        if asked.tool and (unknown := set(asked.tool) - set(contact.tools())):
            problem = f"no such tool: {', '.join(sorted(unknown))[:100]}; there are {', '.join(contact.tools())}"
            raise Problem(400, "invalid_parameter", problem, errors=[("query/tool", problem)])
        return reach(session, tools=set(asked.tool), connection_ids=set(asked.connection_id), portfolio_ids=set(portfolios), scope=seen)

    def reach_of(self, session: Session, connection_id: UUID) -> Reach:
        """One connection; a problem if there is none of that id."""
        found = reach(session, connection_ids={connection_id}, scope=self.scope(session))
        if not found.connections:
            raise Problem(404, "not_found", "there is no such connection")
        return found


def of(request: Request) -> Hub:
    return replace(cast(Hub, request.app.state.hub), request=request)


HubHere = Annotated[Hub, Depends(of)]
