"""Mistakes planted in models: some case of the model must catch each."""

import os
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.errors import SqlError
from flink_jobs.settings import ROOT, Settings
from flink_jobs.testing.check import cases_of
from flink_jobs.testing.run import run_case

pytestmark = pytest.mark.flink


class Mutation(NamedTuple):
    """A text of a file under sql/, what stands there instead, and the model that it harms."""

    file: str
    text: str
    planted: str
    model: str


FEW = (
    Mutation(
        "windows/bars_1m.sql",
        "CAST(SPLIT_INDEX(MIN(price_in_order), '|', 1) AS DECIMAL(19, 10))",
        "FIRST_VALUE(price)",
        "bars_1m",
    ),
    Mutation("windows/bars_1m.sql", "MIN(price) AS low", "MAX(price) AS low", "bars_1m"),
    Mutation("windows/cross_venue_gap_1m.sql", "a.symbol = b.symbol AND", "", "cross_venue_gap_1m"),
)
MORE = (
    Mutation("sources/trades.sql", "- ${WATERMARK_DELAY} *", "- 0 *", "bars_1m"),
    Mutation(
        "windows/bars_running_1m.sql",
        "INTERVAL '5' SECOND",
        "INTERVAL '6' SECOND",
        "bars_running_1m",
    ),
    Mutation(
        "windows/rolling_5m.sql",
        "INTERVAL '5' MINUTE",
        "INTERVAL '299.999' SECOND(3, 3)",
        "rolling_5m",
    ),
    Mutation("windows/top_movers_1m.sql", "place <= 5", "place < 5", "top_movers_1m"),
    Mutation(
        "windows/top_movers_1m.sql",
        "ORDER BY ABS(move_percent)",
        "ORDER BY move_percent",
        "top_movers_1m",
    ),
    Mutation(
        "windows/trade_sessions_30s.sql",
        "INTERVAL '30' SECOND",
        "INTERVAL '31' SECOND",
        "trade_sessions_30s",
    ),
    Mutation(
        "alerts/large_trade.sql", "size >= rule.threshold", "size > rule.threshold", "large_trade"
    ),
    Mutation(
        "alerts/large_trade.sql",
        "AND NOT REGEXP(judged.subject, rule.unless_fits)",
        "",
        "large_trade",
    ),
    Mutation("windows/volume_profile_1m.sql", "price - MOD", "price + MOD", "volume_profile_1m"),
    Mutation(
        "windows/quote_spread_1m.sql",
        "bid_price >= ask_price",
        "bid_price > ask_price",
        "quote_spread_1m",
    ),
    Mutation("views/trades.sql", "WHERE event_type = 'trade'", "", "bars_1m"),
    Mutation("views/trades.sql", "COALESCE(trade_seq, 0) AS STRING", "0 AS STRING", "bars_1m"),
)


def caught(folder: Path, mutation: Mutation) -> bool:
    """Whether a case of the model differs."""
    copytree(ROOT / "sql", folder / "sql")
    path = folder / "sql" / mutation.file
    text = path.read_text()
    assert mutation.text in text
    path.write_text(text.replace(mutation.text, mutation.planted))
    os.environ.update(Settings().flink_environment())
    given = {name: os.environ[name] for name in ("DATABASE_URL",) if name in os.environ}
    catalog = Catalog.load(folder / "sql", given)
    for case in cases_of([ROOT / "tests/sql"], mutation.model):
        try:
            if run_case(catalog, case):
                return True
        except SqlError:
            return False  # what does not even plan proves nothing about the cases
    return False


@pytest.mark.parametrize(
    "mutation", FEW, ids=lambda one: f"{one.model}: {one.planted or 'nothing'}"
)
def test_a_planted_mistake_is_caught(tmp_path: Path, mutation: Mutation) -> None:
    """FIRST_VALUE, MAX for MIN, a join without its key."""
    assert caught(tmp_path, mutation)


@pytest.mark.long
@pytest.mark.parametrize(
    "mutation", MORE, ids=lambda one: f"{one.model}: {one.planted or 'nothing'}"
)
def test_each_planted_mistake_is_caught(tmp_path: Path, mutation: Mutation) -> None:
    """No watermark delay, wrong bounds, wrong order, missing conditions."""
    assert caught(tmp_path, mutation)
