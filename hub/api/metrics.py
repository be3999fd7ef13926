"""/metrics, for Prometheus: read from the tables when asked, so every process of a hub answers the same. A fixed number of statements, plus a small
one per endpoint that lags; labels are names that an admin gave, never ids of tasks or events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub import events
from hub.access import keys
from hub.access.keys import Role
from hub.access.trail import REFUSED, WHO
from hub.access.who import Who
from hub.api.door import CHALLENGE, within
from hub.api.hub import HubHere
from hub.api.problems import Problem, documented
from hub.delivery import endpoints, retention
from hub.models import Connection, Endpoint, SyncRun

LOOPBACK = ("127.0.0.1", "::1")
PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
RECENT = timedelta(hours=24)
WORDS = {401: "not from this machine, and no valid key", 403: "not an admin's key", 429: "too often; Retry-After says when again"}


def admin_or_here(request: Request, hub: HubHere) -> None:
    """This machine itself, or an admin's key. What a proxy on this machine passes on does not come from here. Refusals are in the audit log,
    throttled as wrong keys are anywhere."""
    direct = request.client is not None and request.client.host in LOOPBACK and not any(name in request.headers for name in PASSED_ON)
    if direct and "authorization" not in request.headers:
        return
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    address, failures = request.client.host if request.client else "", request.app.state.rates.failures
    within(failures.wait(address, hub.now(), count=False))
    with hub.database.reading() as session:
        key = keys.verify(session, text.strip(), hub.now()) if scheme.lower() == "bearer" else None
    if key is None:
        failures.wait(address, hub.now())
        request.scope[REFUSED] = keys.prefix_of(text.strip())
        raise Problem(401, "unauthorized", "send an admin's API key: Authorization: Bearer hub_...", headers=CHALLENGE)
    request.scope[WHO] = Who(None, key.id, key.name, Role(key.role), None)
    if key.role != Role.ADMIN.value:
        raise Problem(403, "forbidden", f"this needs a key with the role admin; this one is {key.role}")


router = APIRouter(tags=["health"], dependencies=[Depends(admin_or_here)])


@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse, responses=documented(WORDS))
def metrics(hub: HubHere) -> Response:
    """Of the log, endpoints, connections and runs; from this machine, or with an admin's key."""
    with hub.database.reading() as session:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Tables(list(figures(session, hub.now()))))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True, slots=True, eq=False)
class Tables(Collector):
    found: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.found


def figures(session: Session, now: datetime) -> Iterator[Metric]:
    yield CounterMetricFamily("hub_events", "events ever written to the log", value=events.head(session))
    yield GaugeMetricFamily("hub_events_kept", "events that the log holds", value=events.head(session) - retention.dropped(session))
    yield from _endpoints(session, now)
    yield from _connections(session, now)
    runs = GaugeMetricFamily("hub_sync_runs", "runs of the last 24 hours, by state", labels=["tool", "state"])
    counted = select(Connection.tool, SyncRun.state, func.count()).join(Connection, Connection.id == SyncRun.connection_id)
    for tool, state, count in session.execute(counted.where(SyncRun.queued_at >= now - RECENT).group_by(Connection.tool, SyncRun.state)):
        runs.add_metric([tool, state], count)
    yield runs


def _endpoints(session: Session, now: datetime) -> Iterator[Metric]:
    standing = endpoints.figures(session, now)
    rows = [(each, standing[each.id]) for each in session.scalars(select(Endpoint).order_by(Endpoint.name)) if each.id in standing]
    yield _counter("hub_deliveries", "messages that a receiver took", {each.name: each.delivered for each, _ in rows})
    yield _counter("hub_attempts", "messages that were posted, taken or not", {each.name: each.attempted for each, _ in rows})
    yield _gauge("hub_endpoint_backlog", "events of the log not looked at yet", {each.name: at.backlog for each, at in rows})
    lags = {each.name: at.lag.total_seconds() if at.lag else 0.0 for each, at in rows}
    yield _gauge("hub_endpoint_lag_seconds", "age of the first event not looked at yet", lags)
    failing = {each.name: (now - each.failing_since).total_seconds() if each.failing_since else 0.0 for each, _ in rows}
    yield _gauge("hub_endpoint_failing_seconds", "how long it has taken nothing", failing)
    parked = GaugeMetricFamily("hub_endpoint_parked", "events set aside", labels=["endpoint", "state"])
    state = GaugeMetricFamily("hub_endpoint_state", "1 for the state it is in", labels=["endpoint", "state"])
    for each, at in rows:
        state.add_metric([each.name, each.state], 1)
        for word, count in (("waiting", at.waiting), ("behind", at.behind), ("dead", at.dead)):
            parked.add_metric([each.name, word], count)
    yield parked
    yield state


def _connections(session: Session, now: datetime) -> Iterator[Metric]:
    rows = session.scalars(select(Connection).where(Connection.state != "detached").order_by(Connection.name)).all()
    state = GaugeMetricFamily("hub_connection_state", "1 for the state it is in", labels=["connection", "tool", "state"])
    age = GaugeMetricFamily("hub_connection_age_seconds", "time since what is held was read", labels=["connection", "tool"])
    for each in rows:
        state.add_metric([each.name, each.tool, each.state], 1)
        if each.last_synced_at is not None:
            age.add_metric([each.name, each.tool], (now - each.last_synced_at).total_seconds())
    yield state
    yield age


def _counter(name: str, words: str, values: Mapping[str, Any]) -> Metric:
    return _filled(CounterMetricFamily(name, words, labels=["endpoint"]), values)


def _gauge(name: str, words: str, values: Mapping[str, Any]) -> Metric:
    return _filled(GaugeMetricFamily(name, words, labels=["endpoint"]), values)


def _filled(family: Any, values: Mapping[str, Any]) -> Metric:
    for endpoint, value in values.items():
        family.add_metric([endpoint], value)
    made: Metric = family
    return made
