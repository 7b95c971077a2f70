"""Waiting that can be ended at any moment."""

import time

import pytest

from dags.batch.pace import LOOK_SECONDS, SLICE, Halt, rest


def test_a_rest_lasts_as_long_as_it_was_asked_for() -> None:
    """And looks at nothing if it is short."""
    looks: list[int] = []
    begun = time.monotonic()
    rest(0.3, lambda: looks.append(1), lambda: False)
    assert time.monotonic() - begun >= 0.3
    assert looks == []


def test_an_interruption_ends_it_within_a_slice() -> None:
    """A signal handler need only set a flag."""
    begun = time.monotonic()
    with pytest.raises(Halt, match="interrupted"):
        rest(60, lambda: None, lambda: time.monotonic() - begun > 0.1)
    assert time.monotonic() - begun < 0.1 + 2 * SLICE


def test_a_look_may_end_it() -> None:
    """Each second somebody looks whether the worker is still to work."""

    def look() -> None:
        raise Halt("paused")

    begun = time.monotonic()
    with pytest.raises(Halt, match="paused"):
        rest(60, look, lambda: False)
    assert LOOK_SECONDS <= time.monotonic() - begun < LOOK_SECONDS + 2 * SLICE


def test_no_time_is_no_rest() -> None:
    """A token that is due at once costs nothing, and nobody is asked."""
    rest(0, lambda: pytest.fail("looked"), lambda: pytest.fail("asked"))
