"""Where the service is put together: API, pages, jobs and clock over one database. Nothing is global;
nothing starts before the app's lifespan does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from hub import __version__, delivery, log
from hub.access.oidc.provider import Provider
from hub.access.throttle import rates
from hub.access.trail import Trail
from hub.api import events, health, metrics, problems, routes
from hub.api.envelope import Envelope
from hub.api.hub import Hub
from hub.db import Database
from hub.delivery.sender import Sender
from hub.delivery.sender import handlers as delivery_handlers
from hub.jobs.base import Args, Handler, Jobs
from hub.jobs.clock import Clock
from hub.models import Connection, SyncRun
from hub.portfolio import joining
from hub.receivers import Receivers
from hub.receivers import router as receivers_router
from hub.settings import Settings
from hub.sync import bells, retention, runs
from hub.sync.contact import Contact
from hub.sync.engine import RETRY_AFTER, Engine
from hub.vault import Vault
from hub.web import docs, login, oidc, pages, people
from hub.web.safety import Safety

Now = Callable[[], datetime]
LEASED_ELSEWHERE = timedelta(seconds=5)
ABOUT = "One portfolio over the tools that teams work in. Every answer says in `meta` how old and how complete it is."


def create_app(settings: Settings, database: Database, vault: Vault, jobs: Jobs, now: Now, *, open_home: bool = False) -> FastAPI:
    """The ASGI app. Its lifespan starts jobs and clock, and stops them after the last request.
    ``open_home``: show the portfolio's page without a key."""
    app = FastAPI(
        title="Hub",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=partial(_lifespan, database, vault, settings, jobs, now),
        generate_unique_id_function=_operation_id,
        webhooks=events.webhooks(),
    )
    app.state.hub = Hub(settings, database, vault, jobs, now)
    app.state.parameters = {}
    app.state.rates = rates(settings.key_rate, now)
    app.add_middleware(Trail, database=database, now=now)
    app.add_middleware(Safety, settings=settings, database=database, now=now)
    app.add_middleware(Envelope)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    problems.install(app)
    provider = None if settings.oidc_missing else Provider(settings, now)
    login.install(app, login.Front(database, settings, now, pages.environment(), open_home=open_home, provider=provider))
    app.include_router(routes.api())
    app.include_router(health.router)
    app.include_router(metrics.router)
    if settings.receiver_bind is None:
        _receive(app, settings, database, vault, jobs, now)
    app.include_router(docs.router())
    app.include_router(people.router())
    app.include_router(oidc.router())
    app.include_router(pages.router(settings, database, vault, jobs, now))
    app.mount("/static", pages.static(), name="static")
    return app


def create_receiver_app(settings: Settings, database: Database, vault: Vault, jobs: Jobs, now: Now) -> FastAPI:
    """An app for a listener of its own: where tools' webhooks arrive, and the sign of life, and nothing else. Starts and stops nothing."""
    app = FastAPI(title="Hub", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Envelope)
    problems.install(app)
    app.add_api_route("/healthz", health.healthz, methods=["GET"], include_in_schema=False)
    _receive(app, settings, database, vault, jobs, now)
    return app


def _receive(app: FastAPI, settings: Settings, database: Database, vault: Vault, jobs: Jobs, now: Now) -> None:
    """Without a public address no tool was ever given one to call."""
    if settings.public_url is not None:
        app.state.receivers = Receivers(database, vault, jobs, now, settings.public_url)
        app.include_router(receivers_router(app.state.receivers))


def _operation_id(route: APIRoute) -> str:
    return route.name


def handlers(engine: Engine, jobs: Jobs) -> Mapping[str, Handler]:
    """What jobs do, by name."""
    return {"sync": partial(_sync, engine, jobs), "tidy": partial(_tidy, engine), **bells.handlers(_contact(engine), jobs)}


def _contact(engine: Engine) -> Contact:
    return Contact(engine.database, engine.vault, engine.settings, engine.now)


def _sync(engine: Engine, jobs: Jobs, args: Args) -> None:
    """``run_id``: that run, and while another process reads the connection, it is asked again soon. Else ``connection_id``:
    a scheduled one of its own, unless another process, whose clock rang too, has done it or is at it."""
    with engine.database.writing() as session:
        if given := args.get("run_id"):
            run = session.get(SyncRun, UUID(given))
        else:
            if not runs.is_due(session, UUID(args["connection_id"]), engine.now()):
                return
            run = runs.queue(session, UUID(args["connection_id"]), "schedule", engine.now(), kind=runs.POLL)
        if run is None:
            log.get("sync").warning("no such run", run_id=given)
            return
        run_id, connection_id = run.id, run.connection_id
        due = session.get_one(Connection, connection_id).next_sync_at
    try:
        outcome = engine.sync(run_id)
    finally:
        if not args.get("run_id"):
            _move_on(engine, connection_id, due)
    if outcome is None:
        jobs.submit("sync", str(connection_id), {"run_id": str(run_id)}, at=engine.now() + LEASED_ELSEWHERE)
    if outcome is not None:
        joining.apply_rule(engine.database, engine.now())
    bells.after_run(_contact(engine), jobs, run_id)
    delivery.ring(jobs)


def _tidy(engine: Engine, _args: Args) -> None:
    with engine.database.writing() as session:
        retention.prune(session, engine.now(), engine.settings.retention_runs)


def _move_on(engine: Engine, connection_id: UUID, due: datetime | None) -> None:
    """A run that ended without saying when the next one is due (an unexpected error, a paused
    connection) must not leave the clock with a used slot."""
    with engine.database.writing() as session:
        connection = session.get(Connection, connection_id)
        if connection is not None and connection.state != "broken" and connection.next_sync_at == due and connection.lease_owner is None:
            connection.next_sync_at = engine.now() + RETRY_AFTER


@asynccontextmanager
async def _lifespan(database: Database, vault: Vault, settings: Settings, jobs: Jobs, now: Now, _app: FastAPI) -> AsyncIterator[None]:
    machinery = Machinery.build(settings, database, vault, jobs, now)
    machinery.start()
    try:
        yield
    finally:
        await run_sync(machinery.stop)


@dataclass(frozen=True, slots=True)
class Machinery:
    """What works beside the answers: the clock, the engine of the syncs, the sender of webhooks, and the jobs that join them."""

    jobs: Jobs
    clock: Clock
    engine: Engine
    sender: Sender

    @classmethod
    def build(cls, settings: Settings, database: Database, vault: Vault, jobs: Jobs, now: Now) -> Machinery:
        sender = Sender(database, vault, settings, now)
        engine = Engine(database, vault, settings, now, watch=lambda _progress: sender.ring())
        return cls(jobs, Clock(database, jobs, now, hooks=settings.public_url is not None), engine, sender)

    def start(self) -> None:
        self.jobs.start({**handlers(self.engine, self.jobs), **delivery_handlers(self.sender)})
        self.sender.start()
        self.clock.start()

    def stop(self) -> None:
        """In this order nothing new begins, running syncs end at their next page and are waited for, and what they told is sent as far as it goes."""
        self.clock.stop()
        self.engine.stop()
        self.jobs.stop()
        self.sender.stop()
