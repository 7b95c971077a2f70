"""The state machines of executions and stocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dags.batch.errors import ForbiddenTransition
from dags.batch.models import BatchStatus, StockStatus
from dags.batch.state import (
    EXECUTION,
    may_change,
    require_change,
    sources_of,
    stock_may_change,
)

S = BatchStatus
ALLOWED = {
    (S.RUNNING, S.PAUSED),
    (S.RUNNING, S.STOPPED),
    (S.RUNNING, S.FAILED),
    (S.RUNNING, S.COMPLETED),
    (S.PAUSED, S.RUNNING),
    (S.PAUSED, S.STOPPED),
    (S.PAUSED, S.FAILED),
    (S.STOPPED, S.RUNNING),
    (S.FAILED, S.RUNNING),
}


@given(st.sampled_from(S), st.sampled_from(S))
def test_only_these_changes_are_allowed(old: BatchStatus, new: BatchStatus) -> None:
    """And each forbidden one is refused with a remedy."""
    assert may_change(old, new) is ((old, new) in ALLOWED)
    assert (old in sources_of(new)) is may_change(old, new)
    if may_change(old, new):
        require_change("batch_1", old, new)
    else:
        with pytest.raises(ForbiddenTransition, match=r"batch_1 cannot become .*: it "):
            require_change("batch_1", old, new)


def test_a_completed_execution_is_final() -> None:
    """Every other state has a way to completion."""
    assert not EXECUTION[S.COMPLETED]
    for start in S:
        reached, new = {start}, {start}
        while new:
            new = {after for state in new for after in EXECUTION[state]} - reached
            reached |= new
        assert S.COMPLETED in reached


@given(st.lists(st.sampled_from(StockStatus), min_size=1))
def test_a_completed_stock_stays_completed(wanted: list[StockStatus]) -> None:
    """Whatever is asked of it; and only a claimed stock is ever completed."""
    state = StockStatus.PENDING
    for new in wanted:
        if stock_may_change(state, new):
            assert state is not StockStatus.COMPLETED
            if new is StockStatus.COMPLETED:
                assert state is StockStatus.PROCESSING
            state = new


class OrdersInAnyOrder(RuleBasedStateMachine):
    """Orders come in any order: work is only done while running, and stops for good at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.state = S.RUNNING
        self.completed = False

    @rule(new=st.sampled_from(S))
    def order(self, new: BatchStatus) -> None:
        try:
            require_change("batch_1", self.state, new)
        except ForbiddenTransition:
            return
        self.state = new

    @precondition(lambda self: self.state is S.COMPLETED)
    @rule()
    def end(self) -> None:
        self.completed = True

    @invariant()
    def final_is_final(self) -> None:
        assert not self.completed or self.state is S.COMPLETED


TestOrdersInAnyOrder = OrdersInAnyOrder.TestCase
