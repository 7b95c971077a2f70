"""Errors in bursts are reported once."""

import logging

import pytest

from connectors.bursts import Bursts


def test_a_burst_is_one_line_and_a_number(caplog: pytest.LogCaptureFixture) -> None:
    """The next line after the period says how many were held back; other errors are not held."""
    now = [0.0]
    bursts = Bursts(logging.getLogger("test"), period=10, clock=lambda: now[0])
    for second in (0.0, 1.0, 9.9, 10.0, 11.0):
        now[0] = second
        bursts.report("a", "a failed", ValueError("x"))
    assert bursts.report("b", "b failed")
    assert [record.getMessage() for record in caplog.records] == [
        "a failed",
        "a failed (2 more since the last report)",
        "b failed",
    ]
    assert caplog.records[0].exc_info
    assert not caplog.records[1].exc_info
