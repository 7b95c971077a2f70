"""Which stocks, and from which session on."""

from datetime import date, timedelta
from typing import Any

import pytest

from dags.batch.models import Mode
from dags.batch.params import fields
from dags.batch.plan import Stock, Stored, check_chunks, make, retry, select, some
from dags.batch.request import BadRequest, Request, parse
from dags.batch.sessions import Sessions

DAY = date(2026, 11, 20)
SESSIONS = Sessions(DAY - timedelta(days=back) for back in range(40))
DEFAULTS = {name: field["default"] for name, field in fields().items()}
STOCKS = [
    Stock("7203", "prime", False, False, True),
    Stock("130A", "growth", False, False, True),
    Stock("9399", "prime", True, False, True),
    Stock("25935", "prime", False, True, True),
    Stock("1306", "etf", False, False, True),
    Stock("9999", "standard", False, False, False),
]


def asked(**params: Any) -> Request:
    """A request with these params."""
    return parse({**DEFAULTS, **params}, backfill=False, session=DAY)


def test_default_selection() -> None:
    """Ordinary shares, foreign ones too; no class shares, funds or delisted stocks."""
    assert select(STOCKS, asked()) == ["130A", "7203", "9399"]


def test_selection_by_flags() -> None:
    """Each kind can be had or left out."""
    assert select(STOCKS, asked(include_foreign=False)) == ["130A", "7203"]
    assert "25935" in select(STOCKS, asked(include_class_shares=True))
    assert "1306" in select(STOCKS, asked(include_etf=True))
    assert select(STOCKS, asked(segments=["growth"])) == ["130A"]


def test_named_stocks_are_taken_from_any_segment() -> None:
    """Who names an ETF wants it."""
    assert select(STOCKS, asked(mode="symbols", symbols=["1306", "25935"])) == ["1306", "25935"]


def test_unknown_and_delisted_symbols_are_refused() -> None:
    """Both are told at once, before anything is fetched."""
    with pytest.raises(BadRequest) as caught:
        select(STOCKS, asked(mode="symbols", symbols=["7203", "0001", "9999"]))
    assert caught.value.faults == [
        "symbols: 0001 not in the list of the exchange",
        "symbols: 9999 no longer listed; their prices are kept",
    ]


def test_nothing_to_fetch_is_an_error() -> None:
    """An empty selection is a mistake, not a run that ends green."""
    with pytest.raises(BadRequest, match="nothing to fetch, none of 1"):
        select(STOCKS[:1], asked(segments=["growth"]))


def test_differential_goes_back_by_the_overlap() -> None:
    """From the last stored session minus the overlap, up to now."""
    stored = Stored({"7203": date(2026, 11, 18)}, {"7203"})
    made = make(STOCKS, asked(), stored, SESSIONS, overlap=10)
    assert made.windows == {"7203": (date(2026, 11, 8), None)}
    assert list(made.codes) == ["130A", "7203", "9399"]


def test_a_backfilled_session_is_no_history() -> None:
    """A stock of which only single sessions were fetched still gets its whole history."""
    stored = Stored({"7203": date(2026, 11, 18)}, set())
    assert make(STOCKS, asked(), stored, SESSIONS, overlap=10).windows == {}


def test_full_takes_the_whole_history() -> None:
    """Whatever is stored."""
    stored = Stored({"7203": DAY}, {"7203"})
    assert make(STOCKS, asked(mode="full"), stored, SESSIONS, overlap=10).windows == {}


def test_session_takes_its_one_session() -> None:
    """Of every stock, also of those with history."""
    stored = Stored({"7203": DAY}, {"7203"})
    made = make(STOCKS, asked(mode="session"), stored, SESSIONS, overlap=10)
    assert set(made.windows.values()) == {(DAY, DAY)}
    assert set(made.windows) == {"130A", "7203", "9399"}
    assert asked(mode="session").mode == Mode.SESSION


def test_retry_keeps_the_windows() -> None:
    """A failed stock is fetched as it was to be; one without window gets its history."""
    made = retry({"7203": (DAY, None), "130A": (None, None)}, "batch_1")
    assert (list(made.codes), made.windows) == (["130A", "7203"], {"7203": (DAY, None)})


def test_nothing_to_retry() -> None:
    """An execution without failed stocks says so."""
    with pytest.raises(BadRequest, match="batch_1 has no failed stocks"):
        retry({}, "batch_1")


def test_too_many_chunks() -> None:
    """More tasks than Airflow maps: the remedy has a number that works."""
    assert check_chunks(3800, 50, 10, 1024) == 81
    with pytest.raises(BadRequest, match="choose 4 or more"):
        check_chunks(3800, 1, 10, 1024)
    assert check_chunks(3800, 4, 10, 1024) <= 960


def test_long_lists_are_cut() -> None:
    """An error names the first ten."""
    assert some([str(number) for number in range(12)]).endswith("9 and 2 more")
