"""What a vendor's status counts as. Order of evidence: the admin's word, the vendor's own type where it says done, a suggestion by name among the
open categories, the vendor's type, unknown."""

from __future__ import annotations

import re

from connectors.records import StatusCategory

SETTLED = (StatusCategory.DONE, StatusCategory.CANCELLED)
NO_STATUS = StatusCategory.UNSTARTED
"""What is suggested for tasks that carry no status at all."""

NAMES: dict[StatusCategory, tuple[str, ...]] = {
    StatusCategory.BLOCKED: ("blocked", "stuck", "on hold", "waiting", "impeded"),
    StatusCategory.BACKLOG: ("backlog", "icebox", "someday", "ideas", "parked"),
    StatusCategory.UNSTARTED: ("to do", "todo", "to-do", "not started", "open", "new", "planned", "ready", "next", "untitled section"),
    StatusCategory.STARTED: ("in progress", "doing", "working on it", "in review", "review", "started", "active", "wip", "testing", "in development"),
}
"""Words by which an open status is suggested a category; first match wins. Never done or cancelled: those a name does not decide."""

PATTERNS = [(category, re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)")) for category, words in NAMES.items()]


def suggest(name: str | None) -> StatusCategory | None:
    """The open category that a status' name suggests, or None."""
    if name is None:
        return NO_STATUS
    folded = name.casefold()
    return next((category for category, pattern in PATTERNS if pattern.search(folded)), None)


def unconfirmed(name: str | None, vendor: StatusCategory) -> tuple[StatusCategory, str]:
    """The category of a status without an admin's word, and its source: ``vendor`` or ``suggested``."""
    if vendor in SETTLED:
        return vendor, "vendor"
    suggestion = suggest(name)
    if suggestion is not None and suggestion != vendor:
        return suggestion, "suggested"
    return vendor, "vendor"
