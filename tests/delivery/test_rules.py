"""The schedule and the circuit, without a network."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery.circuit import FLOOR, MOST, REFUSED, REFUSED_FOR, START, UNANSWERED, Circuit
from hub.delivery.lanes import BURST, CATCH_UP, Pace
from hub.delivery.schedule import ASKED, DELAYS, next_try

START_AT = datetime(2026, 11, 23, tzinfo=UTC)


@given(st.floats(0, 1, exclude_max=True))
def test_an_event_is_tried_for_at_least_72_hours(chance: float) -> None:
    at, attempts = START_AT, 1
    while (again := next_try(attempts, START_AT, at, None, lambda: chance)) is not None:
        assert again > at
        at, attempts = again, attempts + 1
    assert timedelta(hours=72) <= at - START_AT <= timedelta(hours=96)
    assert attempts == len(DELAYS) + 1


def test_what_could_not_be_tried_for_days_is_not_given_up_for_its_age() -> None:
    assert next_try(2, START_AT, START_AT + timedelta(days=20), None, lambda: 0.0) is not None


@pytest.mark.parametrize("attempts", [1, 3, ASKED])
def test_a_receiver_may_ask_for_less_or_more_than_our_delay(attempts: int) -> None:
    for wait in (timedelta(0), timedelta(seconds=1), timedelta(hours=5)):
        assert next_try(attempts, START_AT, START_AT, wait, lambda: 0.0) == START_AT + wait


def test_a_receiver_that_keeps_asking_is_asked_less_often_in_the_end() -> None:
    again = next_try(ASKED + 1, START_AT, START_AT, timedelta(seconds=1), lambda: 0.0)
    assert again == START_AT + DELAYS[-1]


def test_catching_up_goes_at_a_bounded_pace() -> None:
    pace, clock, sent = Pace(), 0.0, 0
    while clock < 4:
        wait = pace.wait(clock)
        sent += wait == 0
        clock += wait
    assert 4 * CATCH_UP <= sent <= 4 * CATCH_UP + BURST + 1


def test_one_refused_event_never_opens_the_circuit() -> None:
    circuit = Circuit()
    assert not any(circuit.failed(7, START_AT + timedelta(hours=tries), answered=True) for tries in range(100))


def test_many_refused_events_open_it_once_that_has_lasted() -> None:
    circuit = Circuit()
    assert not any(circuit.failed(number, START_AT, answered=True) for number in range(REFUSED * 5))
    assert circuit.limit == 1
    assert circuit.failed(999, START_AT + REFUSED_FOR, answered=True)


def test_no_answer_at_all_opens_it_soon() -> None:
    circuit = Circuit()
    assert [circuit.failed(number, START_AT, answered=False) for number in range(UNANSWERED)] == [False] * (UNANSWERED - 1) + [True]


def test_a_success_between_keeps_it_closed() -> None:
    circuit = Circuit()
    for number in range(500):
        assert not circuit.failed(number, START_AT + timedelta(seconds=number), answered=number % 2 == 0)
        if number % 4 == 3:
            assert not circuit.succeeded()


def test_trials_come_one_at_a_time_ever_further_apart_until_one_succeeds() -> None:
    circuit, pauses = Circuit(trials=0), []
    for trial in range(12):
        assert circuit.limit == 1
        assert circuit.failed(trial, START_AT, answered=False)
        pauses.append(circuit.pause(None, lambda: 0.5))
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=5)
    assert circuit.pause(timedelta(hours=1), lambda: 0.5) == timedelta(hours=1)
    assert circuit.succeeded()
    assert (circuit.trials, circuit.flow) == (None, START)


@given(st.lists(st.booleans(), max_size=300))
def test_the_flow_stays_within_its_bounds(outcomes: list[bool]) -> None:
    circuit = Circuit()
    for number, fine in enumerate(outcomes):
        if fine:
            circuit.succeeded()
        else:
            circuit.failed(number % 5, START_AT, answered=True)
        assert FLOOR <= circuit.flow <= MOST
