"""Raw in, record out: each oddity of the vendor is a folder of ``tests/golden/monday``, named for it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Item
from connectors.monday import mapping
from connectors.monday.board import context_of
from connectors.records import KINDS

GOLDEN = Path(__file__).parents[2] / "golden" / "monday"
CASES = sorted(folder for folder in GOLDEN.iterdir() if folder.is_dir())


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_record_is_the_golden_one(case: Path) -> None:
    (expected,) = [path for path in case.iterdir() if path.stem in KINDS]
    lent = case / "context.json"
    context = None
    if lent.exists():
        context = context_of(read(lent)["project"], read(lent).get("options", {}))
    raw = read(case / "raw.json")
    record = mapping.record(Item(id=f"{expected.stem}:{raw.get('id')}", raw=raw, context=context))
    assert json.loads(json.dumps(asdict(record), default=str)) == read(expected)
    assert isinstance(record, KINDS[expected.stem])
