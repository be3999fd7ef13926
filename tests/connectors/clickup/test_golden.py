"""Raw in, record out: a case for each oddity that the vendor's specification and its users tell of.

An expected file holds what the record says; fields at their default are left out, so that a new field of the contract changes no file.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Context, Item
from connectors.clickup import lean, mapping
from connectors.records import KINDS

CASES = sorted((Path(__file__).parents[2] / "golden" / "clickup").iterdir())


def said(value: Any) -> Any:
    if is_dataclass(value):
        pairs = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: said(held) for one, held in pairs if one.default is MISSING or held != one.default}
    return [said(one) for one in value] if isinstance(value, tuple) else value


def load(case: Path) -> tuple[dict[str, Any], str, dict[str, Any], Context | None]:
    raw = json.loads((case / "raw.json").read_text())
    kind = next(word for word in KINDS if (case / f"{word}.json").exists())
    context = case / "context.json"
    zones = json.loads(context.read_text()) if context.exists() else None
    return raw, kind, json.loads((case / f"{kind}.json").read_text()), zones and Context(",".join(zones["timezones"]), zones)


@pytest.mark.parametrize("case", CASES, ids=lambda folder: folder.name)
def test_the_vendors_body_becomes_the_record(case: Path) -> None:
    raw, _, expected, context = load(case)
    record = mapping.record(Item(expected["id"], raw, context))
    assert json.loads(json.dumps(said(record), default=str)) == expected


@pytest.mark.parametrize("case", [case for case in CASES if (case / "task.json").exists()], ids=lambda folder: folder.name)
def test_the_stored_body_becomes_the_same_record(case: Path) -> None:
    raw, _, expected, context = load(case)
    stored = json.loads(json.dumps(lean.task(raw)))
    assert mapping.record(Item(expected["id"], stored, context)) == mapping.record(Item(expected["id"], raw, context))
    assert len(json.dumps(stored)) < len(json.dumps(raw))
    assert lean.task(stored) == stored


@pytest.mark.parametrize("case", [case for case in CASES if (case / "field.json").exists()], ids=lambda folder: folder.name)
def test_the_stored_definition_becomes_the_same_field(case: Path) -> None:
    raw, _, expected, _ = load(case)
    assert mapping.record(Item(expected["id"], lean.field(raw))) == mapping.record(Item(expected["id"], raw))
