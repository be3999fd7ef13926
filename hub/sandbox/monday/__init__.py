"""A pretend monday.com platform API: one GraphQL endpoint over the pretend world, as strict as the real one where its rules are known.

``POST`` to the app's root. The schema (``schema.graphql``) is a part of the vendor's own of version 2026-10; a test holds it to that. What the
vendor leaves unsaid is decided here so that a careless client is found out: items have no order of their own, boards of several levels and
archived ones come only when asked for, also by id; a date column's ``date`` and ``time`` follow the user's zone while ``value`` is UTC. Not
served: comments, files, documents' contents, dashboards; writes are refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import Route

from hub.sandbox.consent import Office
from hub.sandbox.courier import Courier
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday.door import Door
from hub.sandbox.monday.errors import error_body
from hub.sandbox.monday.oauth import door
from hub.sandbox.world import World

__all__ = ["app", "door", "error_body"]


def app(
    world: World, knobs: Knobs, *, clock: Callable[[], float] = time.time, courier: Courier | None = None, office: Office | None = None
) -> Starlette:
    """The pretend server over ``world``, to be mounted where the API's base URL points. ``clock`` (Unix seconds) drives limits and cursors.
    Without a ``courier`` nobody can be called, so that no webhook can be made."""
    served = Door(world, knobs, clock, courier, office)
    return Starlette(routes=[Route("/", served.serve, methods=["POST"])])
