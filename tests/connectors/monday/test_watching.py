"""How far the boards were followed: logs come late and out of order between boards, and none of their entries is lost for that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.monday.logs import TICKS, Entry
from connectors.monday.watching import OVERLAP, Clock, short

START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def stamp(seconds: int) -> int:
    return (round(START.timestamp()) + seconds) * TICKS


def entry(seconds: int) -> Entry:
    return Entry(f"e{seconds}", "7", "update_name", ("1",), wide=False, at=stamp(seconds), actor=None)


def test_an_entry_that_was_late_is_seen_however_long_after_the_next_poll_comes() -> None:
    """One board's entry of the tenth second shows before another's of the second second."""
    clock = Clock(stamp(0), stamp(0), None, frozenset()).moved(stamp(10), [(stamp(10), short("e10"))], START + timedelta(seconds=15))
    later = START + timedelta(hours=1)
    assert clock.logs_since() <= stamp(2)
    assert not clock.knows(entry(2))
    assert clock.knows(entry(10))
    after = clock.moved(stamp(10), [(stamp(10), short("e10")), (stamp(2), short("e2"))], later)
    assert (after.base, after.logs_since(), after.seen) == (stamp(10), stamp(10), frozenset())


def test_polls_within_the_overlap_go_on_asking_for_the_same_stretch() -> None:
    clock = Clock(stamp(0), stamp(0), None, frozenset()).moved(stamp(10), [(stamp(10), short("e10"))], START)
    for minutes in (1, 4):
        clock = clock.moved(stamp(10), [(stamp(10), short("e10"))], START + timedelta(minutes=minutes))
        assert (clock.base, clock.knows(entry(10)), clock.knows(entry(2))) == (stamp(0), True, False)


def test_an_idle_poll_moves_nothing_once_the_overlap_is_over() -> None:
    clock = Clock(stamp(0), stamp(0), None, frozenset()).moved(stamp(10), [], START)
    settled = clock.moved(stamp(10), [], START + OVERLAP)
    assert settled != clock
    assert settled.moved(stamp(10), [], START + 2 * OVERLAP) == settled
