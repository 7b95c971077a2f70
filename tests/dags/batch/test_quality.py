"""The integrity rules on a real database: each finds its own fault and nothing else."""

from datetime import date, timedelta

import pytest

from dags.batch import quality
from dags.batch.models import Mode
from dags.batch.quality import CheckSettings, Gap, Scope
from tests.dags.batch.market import FRIDAY, SESSIONS, add_execution, add_stock, days, plain
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration

QUIET = {"listing_count"}
"""Rules that say something about every run."""


def scope(execution_id: int, mode: Mode = Mode.DIFFERENTIAL) -> Scope:
    """Thirty sessions up to FRIDAY."""
    settings = CheckSettings(check_sessions=30, stale_sessions=5)
    return quality.scope(execution_id, mode, FRIDAY, SESSIONS, settings)


def found(database: BatchDatabase, execution_id: int) -> dict[str, set[tuple[str, str]]]:
    """(symbol, severity) of the findings by rule."""
    with database.connection.cursor() as cursor:
        cursor.execute(
            "SELECT rule, symbol, severity FROM batch_findings WHERE batch_execution_id = %s",
            (execution_id,),
        )
        rows: dict[str, set[tuple[str, str]]] = {}
        for rule, symbol, severity in cursor.fetchall():
            rows.setdefault(rule, set()).add((symbol, severity))
        return rows


def test_each_rule_finds_its_fault_only(database: BatchDatabase) -> None:
    """One stock a fault, and one without any."""
    last = days(20)
    good = [plain(day) for day in last]
    cheap = [plain(day, 150) for day in last]
    split = plain(FRIDAY, 190, splits=3)
    stocks = {
        "1000": good,
        "1001": [*good[:10], plain(last[10], high=990), *good[11:]],
        "1002": [*good[:10], plain(last[10], low=0, open=995), *good[11:]],
        "1003": [*good[:10], plain(last[10], 1400), *good[11:]],
        "1004": [*(plain(day, 2000) for day in last[:10]), plain(last[10], splits=2), *good[11:]],
        "1005": [*good[:10], good[9]._replace(trade_date=last[10]), *good[11:]],
        "1006": good[:14],
        "1007": [*good[:10], *good[11:]],
        "1008": [*good, plain(FRIDAY + timedelta(days=-5), 1000)],
        # Inside the limit of 50 at 150, but as traded it was 450 and 120, beyond the limit of 80.
        "1009": [*cheap[:10], *(plain(day, 190) for day in last[10:-1]), split],
        "1010": [*good[:10], plain(last[10], 2500), *(plain(day, 2500) for day in last[11:])],
    }
    for code, bars in stocks.items():
        add_stock(database.connection, code, bars)
    add_stock(database.connection, "1011")
    execution = add_execution(database.connection, [*stocks, "1011"])

    counts = quality.check(database.connection, scope(execution), SESSIONS)

    assert set(counts) == set(quality.rules())
    rows = found(database, execution)
    assert {rule: rows[rule] for rule in rows if rule not in QUIET} == {
        "ohlc_order": {("1001.T", "error")},
        "non_positive": {("1002.T", "error")},
        "price_jump": {
            ("1002.T", "warning"),
            ("1003.T", "warning"),
            ("1009.T", "warning"),
            ("1010.T", "error"),
        },
        "unadjusted_split": {("1004.T", "error")},
        "repeated_bar": {("1005.T", "warning")},
        "stale_symbol": {("1006.T", "warning")},
        "missing_session": {("1006.T", "warning"), ("1007.T", "warning")},
        "not_a_session": {("1008.T", "warning")},
        "no_bars": {("1011.T", "warning")},
    }
    assert rows["listing_count"] == {(None, "error")}


def test_a_second_check_replaces_the_first(database: BatchDatabase) -> None:
    """The task may be tried again."""
    add_stock(database.connection, "7203", [plain(day) for day in days(5)][:-1])
    execution = add_execution(database.connection, ["7203"])
    first = quality.check(database.connection, scope(execution), SESSIONS)
    assert quality.check(database.connection, scope(execution), SESSIONS) == first
    assert first["missing_session"] == 1
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM batch_findings")
        assert cursor.fetchone() == (sum(first.values()),)


def test_gaps_become_one_window_a_stock(database: BatchDatabase) -> None:
    """From the first missing session to the last; what was found in vain twice is left alone."""
    last = days(12)
    add_stock(database.connection, "7203", [plain(day) for day in last if day not in last[3:8:2]])
    add_stock(database.connection, "130A", [plain(day) for day in last if day != last[5]])
    add_stock(database.connection, "9999", [plain(last[0])], status="delisted")
    for number in (1, 2):
        earlier = add_execution(database.connection, ["130A"], label=f"batch_0{number}")
        quality.check(database.connection, scope(earlier), SESSIONS)
        assert len(quality.gaps(database.connection, earlier)) == 1
    execution = add_execution(database.connection, ["7203", "130A", "9999"])
    quality.check(database.connection, scope(execution), SESSIONS)

    gaps = quality.gaps(database.connection, execution)
    assert gaps == [Gap("7203", last[3], last[7], 3)]
    assert ("130A.T", "info") in found(database, execution)["missing_session"]

    with database.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO daily_bars (symbol, trade_date, close) VALUES ('7203.T', %s, 1000)",
            (last[3],),
        )
    missing = quality.still_missing(database.connection, execution)
    assert missing == {"7203": 2}
    for _ in range(2):
        assert quality.record_refill(database.connection, execution, gaps, missing) == 1
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT stock_code, records_count FROM batch_events")
        assert cursor.fetchall() == [("7203", 1)]


def test_a_refused_list_is_a_finding(database: BatchDatabase) -> None:
    """An older list is in force, and the report has to say so."""
    add_stock(database.connection, "7203", [plain(day) for day in days(3)])
    execution = add_execution(database.connection, ["7203"], mode="session")
    with database.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stock_listings (source, accepted, reason) VALUES ('x', false, 'short')"
        )
    counts = quality.check(database.connection, scope(execution, Mode.SESSION), SESSIONS)
    assert {rule for rule, count in counts.items() if count} == {"listing_count", "listing_refused"}


def test_a_backfill_looks_at_its_session_only() -> None:
    """All other runs look back further."""
    assert scope(1, Mode.SESSION).first_session == FRIDAY
    assert scope(1).first_session == date(2026, 10, 12)
    assert scope(1).stale_before == date(2026, 11, 13)


def test_every_rule_says_what_it_asks() -> None:
    """The question is the first line of each file."""
    for name, text in quality.rules().items():
        assert text.startswith("-- Question: "), name
        assert len(name) <= 40
