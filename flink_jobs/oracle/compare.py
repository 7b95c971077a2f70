"""Expected against actual windows, row for row and value for value."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flink_jobs.oracle import actual, expected
from flink_jobs.oracle.expected import Rows
from flink_jobs.oracle.ledger import load

_EXAMPLES = 5
BARS = ("bars_1m", "moving_average_1h_10m", "trade_sessions_30s")


@dataclass(frozen=True)
class Comparison:
    """What one model's rows in one place differ in."""

    model: str
    place: str
    rows: int
    differences: int
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.model} in {self.place}: {self.rows} windows, {self.differences} differences"
        return "\n  ".join([text, *self.examples])


def compare(model: str, place: str, want: Rows, have: Rows, closed_until_ms: int) -> Comparison:
    """Compare all windows closed at ``closed_until_ms``.

    A difference is a missing window, a window that should not be there, or one whose columns
    differ. Columns of ``have`` that the oracle does not compute (``revision``) are left alone.
    """
    have = {key: row for key, row in have.items() if row["window_end"] - 1 <= closed_until_ms}
    found = [f"missing {key}: {want[key]}" for key in want.keys() - have.keys()]
    found += [f"unexpected {key}: {have[key]}" for key in have.keys() - want.keys()]
    for key in want.keys() & have.keys():
        wrong = {
            name: (value, have[key].get(name))
            for name, value in want[key].items()
            if have[key].get(name) != value
        }
        if wrong:
            found.append(f"{key}: (expected, actual) {wrong}")
    return Comparison(model, place, len(want), len(found), sorted(found)[:_EXAMPLES])


@dataclass(frozen=True)
class Places:
    """Where the results are, and how far the market's time has come there."""

    bootstrap: str
    database_url: str
    schema: str = "analytics"
    topic_prefix: str = ""
    watermark_delay_ms: int = 5000

    def topic(self, name: str) -> str:
        """Full name of a topic."""
        return f"{self.topic_prefix}{name}"


def check(ledgers: list[Path], places: Places, models: list[str] | None = None) -> list[Comparison]:
    """Recompute models from the ledgers and compare them with PostgreSQL and the topics.

    By default those of the job `bars`.
    """
    closed = actual.watermark_ms(
        places.bootstrap, places.topic("market.trades"), places.watermark_delay_ms
    )
    db = load(ledgers)
    results = []
    for model in models or BARS:
        want = expected.MODELS[model](db, closed)
        in_postgres = actual.postgres_rows(places.database_url, places.schema, model)
        in_topic = actual.topic_rows(places.bootstrap, places.topic(f"analytics.{model}"), model)
        results.append(compare(model, "PostgreSQL", want, in_postgres, closed))
        results.append(compare(model, "Kafka", want, in_topic, closed))
    return results


def check_until_equal(
    run: Callable[[], list[Comparison]], timeout: float = 60, pause: float = 2
) -> list[Comparison]:
    """Repeat ``run`` until nothing differs or the time is over: results are in flight at first."""
    deadline = time.monotonic() + timeout
    while True:
        results = run()
        if not any(result.differences for result in results) or time.monotonic() > deadline:
            return results
        time.sleep(pause)
