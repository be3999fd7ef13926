"""Who is asking: a person with a session or a program with a key, and the role that holds for either."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from hub.access.keys import Role


@dataclass(frozen=True, slots=True)
class Who:
    """``session_id`` is the hash of the cookie's token, never the token. All ids null: the demo's guest."""

    user_id: UUID | None
    key_id: UUID | None
    name: str
    role: Role
    session_id: str | None

    def may(self, *roles: Role) -> bool:
        return self.role in roles

    @property
    def kind(self) -> str:
        """What the audit log calls this actor."""
        return "user" if self.user_id else "key" if self.key_id else "guest"


GUEST = Who(None, None, "Demo", Role.ADMIN, None)
"""Everybody who comes to the demo from the machine it runs on."""
