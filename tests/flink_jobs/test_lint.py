"""Checks of a model that need no engine."""

import pytest

from flink_jobs import lint, model
from flink_jobs.errors import SqlError
from flink_jobs.script import Source

HEADER = "-- Question: What?\n-- Key: id\n-- Sinks: kafka\n"


def parsed(body: str) -> model.Model:
    """A model with this SELECT."""
    return model.parse(Source("sql/windows/trial.sql", HEADER + body))


@pytest.mark.parametrize(
    "body",
    [
        "SELECT MD5(CAST(RAND() AS STRING)) AS id FROM t",
        "SELECT COALESCE(a, UUID()) AS `id`, b FROM t",
    ],
)
def test_a_key_made_by_chance_is_refused(body: str) -> None:
    """However deep the function stands."""
    with pytest.raises(SqlError, match="each replay would add rows anew"):
        lint.check(parsed(body))


def test_chance_beside_the_key_is_allowed() -> None:
    """Only the key must come out the same again."""
    lint.check(parsed("SELECT UUID() AS other, a AS id, NOW() AS at_time FROM t"))


def test_warnings_name_the_operator() -> None:
    """State with a TTL, by option or hint, and windows are no matter."""
    plan = (
        "== Optimized Execution Plan ==\nCalc(select=[a])\n+- GroupAggregate(groupBy=[a])\n"
        "   +- GlobalWindowAggregate(groupBy=[a])\n+- GroupAggregate(groupBy=[b], "
        "stateTtlHints=[[[STATE_TTL]]])\n   +- LookupJoin(table=[x])\n"
    )
    (warning,) = lint.unbounded(plan, {})
    assert warning.startswith("unbounded state in GroupAggregate(groupBy=[a])")
    assert lint.unbounded(plan, {"table.exec.state.ttl": "1 d"}) == []
