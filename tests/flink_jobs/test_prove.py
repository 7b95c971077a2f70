"""What a proof says of its numbers."""

import pytest

from flink_jobs.prove import Proof, lines

pytestmark = pytest.mark.flink


def test_late_rows_explain_what_the_live_job_lacks_and_nothing_else_does() -> None:
    """A difference to batch or oracle is one whatever came late."""
    assert Proof("m", 9, live=2, batch=0, oracle=0, late=3).equal
    assert not Proof("m", 9, live=2, batch=0, oracle=0, late=0).equal
    assert not Proof("m", 9, live=0, batch=1, oracle=0, late=3).equal
    assert not Proof("m", 9, live=0, batch=None, oracle=1, late=3).equal
    assert Proof("m", 9, live=None, batch=None, oracle=None, late=0).equal


def test_what_was_not_compared_is_a_dash() -> None:
    """The note says why."""
    told = lines([Proof("bars_1m", 12, 0, None, 0, 1, "no batch: because")])
    assert told[1].split() == ["bars_1m", "12", "0", "-", "0", "1", "no", "batch:", "because"]
