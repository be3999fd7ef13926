"""A pretend ClickUp (API v2: reading, and webhooks) over the pretend world, mounted at ``/clickup/api``.

As strict as the service where its behaviour is known: bare personal tokens, pages of 100 over a moving set, defaults that leave out subtasks and
closed tasks, ``archived`` as a switch, a workspace read that silently lacks whatever lies in an archived list, folder or space. Where it is disputed
(does ``_gt`` include the instant itself?) both readings occur, by the world's seed; where it answers in several shapes, they vary by task. Where it
is unknown the sandbox chooses the answer that a careless client would notice. Writes to tasks and containers are not served: such paths are unknown
routes.
"""

from __future__ import annotations

from hub.sandbox.clickup.app import app
from hub.sandbox.clickup.errors import error_body

__all__ = ["app", "error_body"]
