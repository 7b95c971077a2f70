"""What an execution may be ordered to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dags.batch.errors import BatchInputError
from dags.batch.models import Mode
from dags.batch.start import chunk_sizes, order_of

CODE = st.from_regex(r"[0-9A-Z]{1,10}", fullmatch=True)


@given(st.lists(CODE, min_size=1))
def test_each_code_is_taken_once_in_its_order(codes: list[str]) -> None:
    """Whatever is listed twice."""
    taken = order_of(codes, Mode.FULL).codes
    assert len(set(taken)) == len(taken)
    assert sorted(taken, key=codes.index) == taken
    assert set(taken) == set(codes)


@given(st.text().filter(lambda text: not text.isalnum()))
def test_what_is_no_code_is_named(text: str) -> None:
    """A code becomes part of an address: nothing else gets that far."""
    with pytest.raises(BatchInputError, match="no codes of stocks"):
        order_of(["7203", text], Mode.FULL)


def test_only_some_bad_codes_are_named() -> None:
    """A wrong file would fill the screen."""
    with pytest.raises(BatchInputError, match="'x19' and 80 more"):
        order_of([f"x{number}" for number in range(100)], Mode.FULL)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (Mode.FULL, "all_stocks"),
        (Mode.DIFFERENTIAL, "all_stocks"),
        (Mode.SESSION, "all_stocks"),
        (Mode.SYMBOLS, "partial"),
        (Mode.FAILED, "partial"),
    ],
)
def test_the_type_follows_from_the_mode(mode: Mode, kind: str) -> None:
    """Unless it is given."""
    assert order_of(["7203"], mode).batch_type == kind
    assert order_of(["7203"], mode, batch_type="partial").batch_type == "partial"


@given(st.integers(1, 5000), st.integers(1, 200), st.integers(1, 64))
def test_chunks_hold_all_stocks(stocks: int, batch_size: int, workers: int) -> None:
    """None is empty or larger than it may be; there are few more than there must be."""
    sizes = chunk_sizes(stocks, batch_size, workers)
    assert sum(sizes) == stocks
    assert all(1 <= size <= batch_size for size in sizes)
    assert len(sizes) <= stocks / batch_size + workers


def test_workers_do_not_end_their_first_chunks_together() -> None:
    """Where each will have several; where each has one, a full one is best."""
    assert chunk_sizes(3800, 50, 10)[:11] == [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 50]
    assert len(chunk_sizes(3800, 50, 10)) == 81
    assert chunk_sizes(120, 50, 10) == [50, 50, 20]
