"""A page that shows what it showed the last time is known by its bytes; what it brings is still what a caller that never knows anything reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from connectors.base import Item, Json, Known, Page, Slice
from tests.contract.reading import Caller, Notes
from tests.contract.stage import Stage
from tests.contract.vendor import Vendor

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Book:
    """The pages of the last reading, kept as the hub keeps them. ``again``: those that were known."""

    pages: dict[tuple[str, bytes], Page] = field(default_factory=dict)
    again: list[Page] = field(default_factory=list)

    def recognise(self, piece: Slice, fingerprint: bytes) -> Mapping[str, Json] | None:
        found = self.pages.get((piece.key, fingerprint))
        return None if found is None else {"cursor": found.cursor}

    async def read(self, stage: Stage) -> Notes:
        """One whole reading by a new process; the items of known pages are those of the page that it is known by."""
        notes, known = Notes(), dict(self.pages)
        self.again = []

        def keep(piece: Slice, page: Page) -> None:
            if page.fingerprint is None:
                return
            if page.again:
                assert not page.items
                self.again.append(page)
                notes.items.update({item.id: item for item in known[piece.key, page.fingerprint].items})
            elif not page.opens:
                self.pages[piece.key, page.fingerprint] = page

        connector = stage.connector()
        connector.know(Known(recognise=self.recognise))
        return await Caller(connector, notes, after_page=keep).everything()


def tasks(notes: Notes) -> dict[str, Item]:
    return {ref: item for ref, item in notes.items.items() if ref.startswith("task:")}


async def test_a_second_reading_knows_pages_and_brings_the_same(stage: Stage) -> None:
    book = Book()
    first = tasks(await book.read(stage))
    assert book.again == []
    second = tasks(await book.read(stage))
    assert sum(1 for page in book.pages.values() if any(item.id.startswith("task:") for item in page.items))
    assert book.again
    assert {ref: dict(item.raw) for ref, item in second.items()} == {ref: dict(item.raw) for ref, item in first.items()}


async def test_what_has_changed_is_on_no_known_page(vendor: Vendor, stage: Stage) -> None:
    book = Book()
    before = tasks(await book.read(stage))
    home = vendor.closable(stage.world)
    made = stage.world.create_task(vendor.tool, "Just now", home)
    gone = next(key for key in sorted(stage.world.tasks[vendor.tool]) if f"task:{key}" in before)
    stage.world.delete_task(vendor.tool, gone)
    after = tasks(await book.read(stage))
    assert f"task:{made.id}" in after
    assert f"task:{gone}" not in after
    assert {dict(item.raw)["name"] for ref, item in after.items() if ref == f"task:{made.id}"} == {"Just now"}
