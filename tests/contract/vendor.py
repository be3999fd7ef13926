"""What the contract has to know of one vendor to put it to the test. Everything else is the same for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.records import Ref
from hub.sandbox.world import Tool, World
from tests.contract.stage import Stage

LogRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vendor:
    """``task_page``, ``structure_page``: what a request for tasks, or for containers, has in its line or
    body. ``small_plan``: the least generous one.

    ``said_wait``: seconds that a 429's headers ask to wait. ``cursors_expire``: the vendor hands out paging tokens that die.
    ``repeats``: makes the vendor give the same page again and again. ``closable``: a project that is asked for by its own id.
    ``puzzle``: gives a task a status that says nothing to anybody; returns the task's id and the status' name.
    ``undeclared``: what a logged request asks for that the vendor's specification does not know; ``writes``: whether it would change anything.
    ``page_rows``: tasks on the vendor's largest page.
    """

    tool: Tool
    task_page: str
    structure_page: str
    small_plan: str
    small_rate: int
    several_homes: bool
    cursors_expire: bool
    said_wait: Callable[[Mapping[str, str]], float]
    repeats: Callable[[Stage], None]
    closable: Callable[[World], str]
    puzzle: Callable[[World], tuple[str, str]]
    undeclared: Callable[[LogRow], Iterable[str]]
    writes: Callable[[LogRow], bool]
    page_rows: int

    def __str__(self) -> str:
        return self.tool


def task(key: str) -> Ref:
    return f"task:{key}"


def project(key: str) -> Ref:
    return f"project:{key}"
