"""Takes pages apart: attributes, links, forms, and tables as people read them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img"}


@dataclass
class Read(HTMLParser):
    """``tags``: every element with its attributes; ``tables``: rows of cells in plain words; ``words``: all text."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    words: str = ""
    facts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._term = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "table":
            self.tables.append([])
        if tag == "tr" and self.tables:
            self.tables[-1].append([])
        if tag in ("td", "th") and self.tables:
            self.tables[-1][-1].append("")
        if tag in ("dt", "dd"):
            self._term = "" if tag == "dt" else self._term
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "dd" and self._term in self.facts:
            self.facts[self._term] = self.facts[self._term].strip()
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "title" in self._open or "script" in self._open:
            return
        self.words += data
        if ("td" in self._open or "th" in self._open) and self.tables and self.tables[-1]:
            self.tables[-1][-1][-1] = squeezed(self.tables[-1][-1][-1] + data)
        if "dt" in self._open:
            self._term += data.strip()
        if "dd" in self._open and self._term:
            self.facts[self._term] = squeezed(self.facts.get(self._term, "") + data)


def squeezed(text: str) -> str:
    """White space as a browser shows it; a thin space is no white space."""
    return re.sub(r"[ \n]+", " ", text).lstrip()


def read(text: str) -> Read:
    made = Read()
    made.feed(text)
    return made


def table(text: str, first: str) -> list[dict[str, str]]:
    """The table whose first heading is this, as dictionaries by heading."""
    for rows in read(text).tables:
        if rows and rows[0][0].strip().rstrip(" ▲▼") == first:
            heads = [each.strip().rstrip(" ▲▼") for each in rows[0]]
            return [dict(zip(heads, map(str.strip, cells), strict=False)) for cells in rows[1:]]
    raise AssertionError(f"the page has no table that begins with {first!r}")
