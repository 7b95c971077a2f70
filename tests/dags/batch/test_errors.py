"""Classification of failures and delays between tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.stocks.bars import Failure
from dags.batch.errors import (
    JITTER,
    LONGEST_DELAY,
    TABLE,
    ErrorAction,
    ErrorHandler,
    ErrorType,
    classify,
)

HANDLER = ErrorHandler(max_retries=3, retry_delay=2.0, backoff_multiplier=2.0)
FAILURES = st.sampled_from(Failure)
RETRIES = st.integers(min_value=0, max_value=12)


def test_every_failure_has_a_class() -> None:
    """A new kind of failure cannot be forgotten."""
    assert set(TABLE) == set(Failure)


@pytest.mark.parametrize(
    ("failure", "kind", "action", "refused"),
    [
        (Failure.RATE_LIMITED, "TEMPORARY", "SLOW_DOWN", False),
        (Failure.TIMEOUT, "TEMPORARY", "RETRY", False),
        (Failure.CONNECTION, "TEMPORARY", "RETRY", True),
        (Failure.UNREACHABLE, "TEMPORARY", "RETRY", True),
        (Failure.SERVER_ERROR, "TEMPORARY", "RETRY", False),
        (Failure.MALFORMED, "TEMPORARY", "RETRY", False),
        (Failure.EMPTY, "TEMPORARY", "RETRY", False),
        (Failure.NO_DATA, "PERMANENT", "NO_DATA", False),
        (Failure.NOT_FOUND, "PERMANENT", "RECORD", False),
        (Failure.UNAUTHORIZED, "PERMANENT", "RECORD", True),
        (Failure.FORBIDDEN, "PERMANENT", "RECORD", True),
        (Failure.BAD_REQUEST, "PERMANENT", "RECORD", True),
        (Failure.LOCAL, "SYSTEM", "STOP", False),
        (Failure.UNEXPECTED, "SYSTEM", "STOP", False),
    ],
)
def test_what_is_done_at_the_first_try(
    failure: Failure, kind: str, action: str, refused: bool
) -> None:
    """The whole table."""
    decision = HANDLER.decide(failure, "7203", 0)
    assert (decision.type, decision.action, decision.refused) == (kind, action, refused)


@given(FAILURES, RETRIES)
def test_a_stock_is_not_tried_for_ever(failure: Failure, retries: int) -> None:
    """After max_retries only a 429 brings a stock back, and that uses none."""
    decision = HANDLER.decide(failure, "7203", retries)
    assert decision.action is not ErrorAction.REFUSED
    if retries >= 3:
        assert decision.action is not ErrorAction.RETRY
    assert (decision.delay > 0) is (decision.action is ErrorAction.RETRY)


@given(FAILURES, RETRIES)
def test_only_the_system_stops_the_batch(failure: Failure, retries: int) -> None:
    """No stock's failure does, however often it failed."""
    kind = classify(failure, retries).type
    stops = HANDLER.decide(failure, "7203", retries).action is ErrorAction.STOP
    assert stops is (kind is ErrorType.SYSTEM)


def test_an_empty_answer_is_believed_the_second_time() -> None:
    """Also where no retry is allowed at all."""
    assert HANDLER.decide(Failure.EMPTY, "7203", 1).action is ErrorAction.NO_DATA
    assert ErrorHandler(0, 2, 2).decide(Failure.EMPTY, "7203", 0).action is ErrorAction.NO_DATA


@given(st.from_regex(r"[0-9A-Z]{4}", fullmatch=True), st.integers(0, 10))
def test_delays_double_and_differ_by_stock(code: str, retries: int) -> None:
    """2 s × 2^n, longer by at most the jitter, always the same for a stock and a try."""
    plain = 2.0 * 2**retries
    delay = HANDLER.next_delay(code, retries)
    assert min(plain, LONGEST_DELAY) <= delay <= min(plain * (1 + JITTER), LONGEST_DELAY)
    assert delay == HANDLER.next_delay(code, retries)


def test_victims_of_one_storm_do_not_come_back_together() -> None:
    """The jitter spreads them."""
    delays = {round(HANDLER.next_delay(str(code), 0), 2) for code in range(1000, 1100)}
    assert len(delays) > 30
