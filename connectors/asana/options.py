"""What an admin may choose about the mapping."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Context


@dataclass(frozen=True, slots=True)
class Options:
    """``status_field``: per project gid the enum custom field whose option is the status. ``priority_field``: gid or name of the priority field."""

    status_field: Mapping[str, str] = field(default_factory=dict)
    priority_field: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Raises ValueError saying which option is not understood; options of other tools are none of ours."""
        status_field = given.get("status_field") or {}
        if not isinstance(status_field, Mapping) or not all(isinstance(gid, str) for pair in status_field.items() for gid in pair):
            raise ValueError("status_field: give an object of project gid to custom field gid")
        priority_field = given.get("priority_field")
        if priority_field is not None and not isinstance(priority_field, str):
            raise ValueError("priority_field: give the gid or the name of a custom field")
        return cls(status_field=dict(status_field), priority_field=priority_field.casefold() if priority_field else None)

    def context(self) -> Context | None:
        """Null while nothing was chosen, so that a connection without options has nothing to version."""
        if not self.status_field and not self.priority_field:
            return None
        text = json.dumps([sorted(self.status_field.items()), self.priority_field], ensure_ascii=False)
        return Context(version=hashlib.sha256(text.encode()).hexdigest()[:16], data=self)


DEFAULT = Options()
