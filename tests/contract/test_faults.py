"""What goes wrong on the way: once, and the read is still the whole; for ever, and it is an error that says who must act, never a shorter list."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

from connectors.errors import AuthFailed, BadResponse, ConnectorError, NotFound, RateLimited, Refused, Transient
from hub.sandbox import truth
from hub.sandbox.knobs import Fault, FaultKind
from tests.contract.reading import read_all
from tests.contract.stage import Stage
from tests.contract.vendor import Vendor

pytestmark = pytest.mark.anyio

ALWAYS = 1_000_000
IMPATIENT, PATIENT = 0.4, 2.0
"""Seconds of real time after which a client gives up a silent vendor, which stays silent for longer than any test. The patient one is for tests in
which all other calls must come through on a busy machine."""
WAITED_OUT = 120.0
"""Seconds that a reader may spend on one short fault."""


@dataclass(frozen=True, slots=True)
class Trouble:
    kind: FaultKind
    code: int = 500

    def __str__(self) -> str:
        return f"{self.kind}-{self.code}" if self.kind == "status" else self.kind


PASSING = [
    *(Trouble("status", code) for code in (429, 500, 502, 503, 504)),
    *(Trouble(kind) for kind in ("html", "empty", "truncated", "not_json", "reset", "timeout")),
]
"""What time heals."""
LASTING: list[tuple[Trouble, type[ConnectorError]]] = [
    (Trouble("status", 400), BadResponse),
    (Trouble("status", 401), AuthFailed),
    *((trouble, RateLimited if trouble.code == 429 else Transient) for trouble in PASSING),
]


def meet(vendor: Vendor, stage: Stage, trouble: Trouble, where: str, times: int, skip: int = 0) -> None:
    stage.knobs.faults.append(Fault(vendor.tool, where, trouble.kind, times=times, skip=skip, code=trouble.code))
    if trouble.kind == "timeout":
        stage.client.timeout = httpx.Timeout(IMPATIENT if times == ALWAYS else PATIENT)


@pytest.mark.parametrize("trouble", PASSING, ids=str)
@pytest.mark.parametrize("place", ["structure", "tasks"])
async def test_a_fault_that_passes_costs_nothing_but_time(vendor: Vendor, stage: Stage, trouble: Trouble, place: str) -> None:
    stage.knobs.page_size = 20
    meet(vendor, stage, trouble, vendor.structure_page if place == "structure" else vendor.task_page, times=1, skip=int(place == "tasks"))
    notes = await read_all(stage.connector())
    assert stage.knobs.faults == []
    assert any(row["fault"] for row in stage.sandbox.log.rows)
    assert notes.tasks() == set(truth.expected_tasks(stage.world, vendor.tool))
    assert 0 < stage.time.now - stage.wire.sent[0].at < WAITED_OUT


@pytest.mark.parametrize(("trouble", "kind"), LASTING, ids=str)
@pytest.mark.parametrize("place", ["structure", "tasks"])
async def test_a_fault_that_stays_is_an_error_of_the_right_kind(
    vendor: Vendor, stage: Stage, trouble: Trouble, kind: type[ConnectorError], place: str
) -> None:
    meet(vendor, stage, trouble, vendor.structure_page if place == "structure" else vendor.task_page, times=ALWAYS)
    with pytest.raises(kind) as caught:
        await read_all(stage.connector())
    assert not isinstance(caught.value, Refused | NotFound)
    assert type(caught.value) is kind


async def test_what_a_fault_says_holds_no_token(vendor: Vendor, stage: Stage) -> None:
    meet(vendor, stage, Trouble("status", 500), vendor.task_page, times=ALWAYS)
    with pytest.raises(Transient) as caught:
        await read_all(stage.connector())
    assert stage.token not in f"{caught.value!r} {caught.value} {caught.value.args}"
    assert stage.token not in repr(stage.connector().http)
