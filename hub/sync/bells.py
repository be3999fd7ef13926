"""What the smaller jobs do: ``touch`` (something was told by a webhook: ask for a run that looks at it), ``hooks`` (put the webhooks in order) and
``backfill`` (read the past, on an admin's word)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from hub import log
from hub.jobs.base import Args, Handler, Jobs
from hub.models import Connection, SyncRun
from hub.sync import backfill, hooks, inbox, pace, runs
from hub.sync.contact import Contact

TOLD = "webhook"
BUSY = timedelta(minutes=1)
WIDE = (runs.STRUCTURE, runs.FULL)
"""Kinds of runs that may have found projects that want a webhook of their own."""


def handlers(contact: Contact, jobs: Jobs) -> Mapping[str, Handler]:
    return {"touch": partial(touch, contact, jobs), "hooks": partial(put_in_order, contact, jobs), "backfill": partial(fill, contact, jobs)}


def touch(contact: Contact, jobs: Jobs, args: Args) -> None:
    """Queues the run that reads what was told, and rings for it. Before the first full reading there is nothing to bring up to date: hints wait."""
    connection_id = UUID(args["connection_id"])
    with contact.database.writing() as session:
        connection = session.get(Connection, connection_id)
        if connection is None or connection.state != "active" or connection.history_from is None or not inbox.is_waiting(session, connection_id):
            return
        if runs.is_deferred(session, connection, contact.now()):
            return  # the tool's limit is used up: the next run that is due looks into it
        if not pace.has_room(session, connection, contact.now(), contact.settings):
            return  # what may be used of the plan's calls is: likewise
        run_id = runs.queue(session, connection_id, TOLD, contact.now(), kind=runs.TOUCH).id
    jobs.submit("sync", str(connection_id), {"run_id": str(run_id)})


def put_in_order(contact: Contact, jobs: Jobs, args: Args) -> None:
    """``sparing``: ask the vendor only where something is amiss by what the hub knows, or where it was not asked for a while."""
    connection_id = UUID(args["connection_id"])
    report = hooks.upkeep(contact, connection_id, sparing=bool(args.get("sparing")))
    for error in report.errors:
        log.get("hooks").warning("webhooks are not all in order", connection_id=str(connection_id), error=error)
    if report.made or report.restored or report.removed:
        counts = {"made": report.made, "restored": report.restored, "removed": report.removed}
        log.get("hooks").info("webhooks put in order", connection_id=str(connection_id), **counts)
    if report.run_id is not None:
        jobs.submit("sync", str(connection_id), {"run_id": str(report.run_id)})
    if report.retry_after is not None:
        jobs.submit("hooks", str(connection_id), args, at=contact.now() + timedelta(seconds=report.retry_after))


def fill(contact: Contact, jobs: Jobs, args: Args) -> None:
    """Reads a connection's past; while another run reads the connection, it is asked again soon."""
    connection_id = UUID(args["connection_id"])
    if backfill.fill(contact, connection_id, datetime.fromisoformat(args["since"])) is None:
        jobs.submit("backfill", str(connection_id), args, at=contact.now() + BUSY)


def after_run(contact: Contact, jobs: Jobs, run_id: UUID) -> None:
    """Rings for the webhooks after a run that may have found new projects, or lost some."""
    if contact.settings.public_url is None:
        return
    with contact.database.reading() as session:
        run = session.get(SyncRun, run_id)
    if run is not None and run.kind in WIDE and run.state in ("complete", "partial"):
        jobs.submit("hooks", str(run.connection_id), {"connection_id": str(run.connection_id), "sparing": True})
