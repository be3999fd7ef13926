"""One definition per type: complete, true of its example, of what the sync tells, and of README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # the library ships no types

from hub.delivery import catalogue, envelope
from hub.events import EventType

README = Path(__file__).parent.parent.parent / "README.md"


def test_every_type_is_defined_once() -> None:
    assert [each.type for each in catalogue.DEFINITIONS] == list(EventType)


@pytest.mark.parametrize("kind", catalogue.BY_TYPE)
def test_each_example_fits_its_schema(kind: str) -> None:
    entry = catalogue.entry(kind)
    Draft202012Validator.check_schema(entry["schema"])
    Draft202012Validator(entry["schema"], format_checker=FormatChecker()).validate(entry["example"])
    assert entry["example"]["type"] == kind


@pytest.mark.parametrize("kind", catalogue.BY_TYPE)
def test_a_schema_refuses_another_types_message(kind: str) -> None:
    other = "task.moved" if kind != "task.moved" else "task.created"
    assert not Draft202012Validator(catalogue.schema(kind)).is_valid(envelope.envelope(catalogue.example(other)))


def test_a_thin_example_fits_too() -> None:
    for kind in catalogue.BY_TYPE:
        catalogue.message_of(kind).model_validate(envelope.envelope(catalogue.example(kind), thin=True))


def test_readmes_table_is_made_from_the_catalogue() -> None:
    found = re.search(r"<!-- events: .*? -->\n(.*?)\n<!-- /events -->", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, "README has no table of events between its marks"
    wanted = 'python -c "from hub.delivery.catalogue import table; print(table())"'
    assert found[1] == catalogue.table(), f"put the output of this between README's marks: {wanted}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["task.*", "task.moved"], None),
        (["task.status"], "there is no type task.status: did you mean task.status_changed"),
        (["tasks.*"], "did you mean task.*"),
        (["zzz"], "there are task.created, task.updated"),
    ],
)
def test_a_type_that_is_misspelt_is_told_with_what_was_meant(given: list[str], said: str | None) -> None:
    words = catalogue.unknown(given)
    assert words is None if said is None else said in (words or "")
