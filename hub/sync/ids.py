"""References become ids: uuid5(realm, reference), so a page may name what was not read yet, and a re-added connection finds its rows again."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID

from connectors.records import Ref


class Ids:
    """``ids(ref)`` equals ``uuid5(realm, ref)``. Remembers the references that recur on every page (people, statuses, projects), not the tasks."""

    def __init__(self, realm: UUID) -> None:
        self._prefix = realm.bytes
        self._known: dict[Ref, UUID] = {}
        self._texts: dict[Ref, str] = {}

    def __call__(self, ref: Ref) -> UUID:
        known = self._known.get(ref)
        if known is not None:
            return known
        made = UUID(bytes=sha1(self._prefix + ref.encode(), usedforsecurity=False).digest()[:16], version=5)
        if not ref.startswith("task:"):
            self._known[ref] = made
        return made

    def text(self, ref: Ref) -> str:
        """The id as it stands inside JSON."""
        known = self._texts.get(ref)
        if known is None:
            known = str(self(ref))
            if not ref.startswith("task:"):
                self._texts[ref] = known
        return known
