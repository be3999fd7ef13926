"""Tables only. Importing this package registers all of them with ``hub.db.Base``."""

from hub.models.access import ApiKey
from hub.models.connections import Connection
from hub.models.events import Change, Counter, Event
from hub.models.portfolio import (
    Assignment,
    Container,
    Dependency,
    Field,
    Identity,
    Project,
    Raw,
    Section,
    Status,
    StatusMapping,
    Synced,
    Task,
    TaskProject,
    Team,
)
from hub.models.sync import Coverage, Missing, Seen, SyncPass, SyncRun, SyncSlice

__all__ = [
    "ApiKey",
    "Assignment",
    "Change",
    "Connection",
    "Container",
    "Counter",
    "Coverage",
    "Dependency",
    "Event",
    "Field",
    "Identity",
    "Missing",
    "Project",
    "Raw",
    "Section",
    "Seen",
    "Status",
    "StatusMapping",
    "SyncPass",
    "SyncRun",
    "SyncSlice",
    "Synced",
    "Task",
    "TaskProject",
    "Team",
]
