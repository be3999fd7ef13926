"""A page's own address: the filters live in it, so that a view can be kept, sent and opened again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

PASSING = ("page", "after", "format", "sorted")
"""Where in a list somebody is, as what file, and what they just did: goes with the first change."""


class Address:
    """A path with its parameters; empty ones, as forms send them, are left out."""

    def __init__(self, path: str, params: Sequence[tuple[str, str]]) -> None:
        self.path = path
        self.params = [(name, text) for name, text in params if text != ""]

    def __str__(self) -> str:
        return self.path + (f"?{urlencode(self.params)}" if self.params else "")

    def but(self, **changes: Any) -> str:
        """The same with these parameters instead; None takes one away. Any change goes back to the first page."""
        gone = {*changes, *PASSING}
        kept = [(name, text) for name, text in self.params if name not in gone]
        for name, value in changes.items():
            kept += [(name, str(each)) for each in (value if isinstance(value, list | tuple) else [value]) if each is not None]
        return self.path + (f"?{urlencode(kept)}" if kept else "")

    def all(self, name: str) -> list[str]:
        return [text for given, text in self.params if given == name]

    def one(self, name: str, default: str = "") -> str:
        return next(reversed(self.all(name)), default)

    def hidden(self, *without: str) -> list[tuple[str, str]]:
        """What a filter form carries along beside its own fields."""
        return [(name, text) for name, text in self.params if name not in (*without, *PASSING)]
