"""No regular expression of ours takes long for any text: the work is bounded by its form, which is read here, not by a clock."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import connectors
import hub
from hub import log

PARSER: Any = importlib.import_module("re._parser")
UNBOUNDED = 100
"""Repeated so often or more counts as without end."""
CONSTANTS: Any = importlib.import_module("re._constants")
REPEATS = {CONSTANTS.MAX_REPEAT, CONSTANTS.MIN_REPEAT}


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every pattern that a module of ours holds."""
    for package in (hub, connectors):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "__main__" in found.name or ".sandbox" in found.name or "_migrations" in found.name:
                continue
            module = importlib.import_module(found.name)
            yield from ((f"{found.name}.{name}", value) for name, value in vars(module).items() if isinstance(value, re.Pattern))


def repeats(parsed: Any, inside: bool = False) -> Iterator[bool]:
    """For each repetition without end: whether it lies inside another one, which is what makes a pattern try exponentially many ways."""
    for kind, value in parsed:
        endless = kind in REPEATS and value[1] >= UNBOUNDED
        if endless:
            yield inside
        for part in _below(kind, value):
            yield from repeats(part, inside or endless)


def _below(kind: Any, value: Any) -> Iterator[Any]:
    if kind in REPEATS or kind is CONSTANTS.POSSESSIVE_REPEAT:
        yield value[2]
    elif kind is CONSTANTS.SUBPATTERN:
        yield value[3]
    elif kind is CONSTANTS.BRANCH:
        yield from value[1]
    elif kind in (CONSTANTS.ASSERT, CONSTANTS.ASSERT_NOT):
        yield value[1]


def nested(pattern: str, flags: int = 0) -> bool:
    return any(repeats(PARSER.parse(pattern, flags)))


def test_no_pattern_repeats_a_repetition() -> None:
    found = dict(patterns())
    assert len(found) > 10
    assert [name for name, pattern in found.items() if nested(pattern.pattern, pattern.flags & ~re.UNICODE)] == []


@pytest.mark.parametrize(("pattern", "bad"), [("(a+)+b", True), ("(?:a*b?)*c", True), ("(a|b+)*", True), ("a+b+", False), ("(ab)*c{1,9}", False)])
def test_the_judge_of_patterns_is_judged(pattern: str, bad: bool) -> None:
    assert nested(pattern) is bad


@pytest.mark.parametrize("beginning", ["eyJ", "Bearer ", "pk_", "hub_aaaaaaaa"])
def test_what_begins_like_a_secret_is_taken_whole(beginning: str) -> None:
    """The search through a log's texts never reads on in vain and begins anew one letter further: that would be work by the square of the length."""
    text = f"-{beginning}a" * 1_000
    left = log.BEARER.sub("", text)
    assert beginning not in left
    assert len(log.BEARER.findall(text)) <= 1_000
