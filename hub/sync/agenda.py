"""What a run is to read first, and by which reading of the tool's data."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from connectors.base import Cadence, Connector, Scope, Slice
from connectors.records import Ref
from hub.connections import Opened
from hub.sync import inbox, runs

A_BURST = 3
"""So many reads by id for each slice of a poll are more than what is left to read after it."""
CADENCES = {runs.POLL: (Cadence.POLL,), runs.STRUCTURE: (Cadence.STRUCTURE, Cadence.POLL)}


def reading(connector: Connector, account: Opened) -> str:
    """Another mapping, other options, another scope make what is held worth less until everything is read again: a name for all three."""
    said = [connector.mapping_version, account.options, sorted(account.scope.workspaces), sorted(account.scope.excluded)]
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def first_slices(connector: Connector, scope: Scope, kind: str, named: Sequence[Ref]) -> tuple[Sequence[Slice], bool]:
    """What the connector is asked to begin with, and whether containers are among it. ``named`` by webhooks: their word on anything but a task is
    looked up in the tree, and many tasks are polled before they are read one by one."""
    if kind == runs.FULL:
        return connector.roots(scope), True
    if any(not ref.startswith("task:") for ref in named):
        kind = runs.STRUCTURE
    if kind == runs.TOUCH and _is_a_burst(connector, scope, named):
        kind = runs.POLL
    return [piece for cadence in CADENCES.get(kind, ()) for piece in connector.feeds(cadence, scope)], kind == runs.STRUCTURE


def wide_enough(session: Session, connector: Connector, connection_id: UUID, kind: str) -> str:
    """The kind of a run that was to be of this one: where webhooks told more than can be named, and a walk of the containers does not say what was
    deleted, everything is read."""
    beyond = not connector.capabilities.tells_deletions and inbox.overfull(session, connection_id)
    return runs.FULL if beyond else kind


def _is_a_burst(connector: Connector, scope: Scope, named: Sequence[Ref]) -> bool:
    """Whether a poll, and then reading by id what it did not bring, costs fewer calls than reading all by id."""
    polls = connector.feeds(Cadence.POLL, scope)
    return len(set(named)) > A_BURST * len(polls) * connector.capabilities.lookup_batch > 0
