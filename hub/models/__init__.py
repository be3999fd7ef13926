"""Tables only. Importing this package registers all of them with ``hub.db.Base``."""

from hub.models.access import AdminLink, ApiKey, Audit, LoginAttempt, PendingLogin, User, UserIdentity, UserSession
from hub.models.connections import Connection, Consent
from hub.models.delivery import Attempt, Endpoint, Parked, Replay
from hub.models.events import Change, Counter, Event
from hub.models.grants import SHARED, Grant
from hub.models.hooks import Hook, Inbound
from hub.models.pages import SavedView
from hub.models.people import Apart, Merge, Person
from hub.models.policy import Capacity, Holiday, Policy, TimeOff, TriageRule
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
from hub.models.portfolios import Portfolio, PortfolioProject, PortfolioRule
from hub.models.sync import Coverage, FamiliarPage, Incident, Mark, Missing, Seen, SyncPass, SyncRun, SyncSlice
from hub.models.views import DUE_MOVED, FINISHED, MILESTONE, STATUS_MOVED, Written

__all__ = [
    "DUE_MOVED",
    "FINISHED",
    "MILESTONE",
    "SHARED",
    "STATUS_MOVED",
    "AdminLink",
    "Apart",
    "ApiKey",
    "Assignment",
    "Attempt",
    "Audit",
    "Capacity",
    "Change",
    "Connection",
    "Consent",
    "Container",
    "Counter",
    "Coverage",
    "Dependency",
    "Endpoint",
    "Event",
    "FamiliarPage",
    "Field",
    "Grant",
    "Holiday",
    "Hook",
    "Identity",
    "Inbound",
    "Incident",
    "LoginAttempt",
    "Mark",
    "Merge",
    "Missing",
    "Parked",
    "PendingLogin",
    "Person",
    "Policy",
    "Portfolio",
    "PortfolioProject",
    "PortfolioRule",
    "Project",
    "Raw",
    "Replay",
    "SavedView",
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
    "TimeOff",
    "TriageRule",
    "User",
    "UserIdentity",
    "UserSession",
    "Written",
]
