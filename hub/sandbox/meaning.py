"""What a status' name suggests: the house rule for words, stated a second time on purpose so that the hub's own reading of it has a witness."""

from __future__ import annotations

import re
from functools import lru_cache

SUGGESTIONS: dict[str, tuple[str, ...]] = {
    "backlog": ("backlog", "icebox", "someday", "ideas", "parked"),
    "unstarted": ("to do", "todo", "to-do", "not started", "open", "new", "planned", "ready", "next", "untitled section"),
    "started": ("in progress", "doing", "working on it", "in review", "review", "started", "active", "wip", "testing", "in development"),
    "blocked": ("blocked", "stuck", "on hold", "waiting", "impeded"),
}
_BY_LENGTH = sorted(((phrase, category) for category, phrases in SUGGESTIONS.items() for phrase in phrases), key=lambda pair: -len(pair[0]))
_PATTERNS = [(re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)"), category) for phrase, category in _BY_LENGTH]


@lru_cache(maxsize=4096)
def suggest(name: str | None) -> str | None:
    """The category that a name suggests, never done or cancelled; None where it suggests nothing. No name at all
    suggests ``unstarted``. The longest phrase wins."""
    if name is None:
        return "unstarted"
    folded = name.strip().casefold()
    return next((category for pattern, category in _PATTERNS if pattern.search(folded)), None)


def clickup_category(name: str, vendor_type: str) -> str:
    """ClickUp's own type decides done; a name refines the rest; else open is unstarted and custom is started."""
    if vendor_type in ("done", "closed"):
        return "done"
    return suggest(name) or {"open": "unstarted", "custom": "started"}.get(vendor_type, "unknown")


def monday_category(name: str | None, vendor_type: str) -> str:
    """A label that an admin marked as done is done; else what its name suggests."""
    return "done" if vendor_type == "done" else suggest(name) or "unknown"


def asana_category(section: str | None, completed: bool) -> str:
    """The tick-box decides done; else what the section's name suggests."""
    return "done" if completed else suggest(section) or "unknown"
