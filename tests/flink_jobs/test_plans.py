"""Whether state of one version of a job fits another, decided on statements and plans."""

from dataclasses import replace

import pytest

from flink_jobs.plans import SECTION, Statements, by_sink, changes

PLAN = """== Abstract Syntax Tree ==
LogicalSink(table=[x])

== Optimized Execution Plan ==
Scan(table=[[trades]])(reuse_id=[1])

Calc(select=[a], where=[{where}])(reuse_id=[2])
+- Reused(reference_id=[1])

Sink(table=[default_catalog.default_database.bars_1m_kafka], fields=[a])
+- Reused(reference_id=[2])

Sink(table=[default_catalog.default_database.bars_1m_postgres], fields=[a])
+- Reused(reference_id=[2])

Sink(table=[default_catalog.default_database.trades_late], fields=[a])
+- Union(all=[true])
   :- Reused(reference_id=[1])
   +- Reused(reference_id=[1])
"""
SOURCE = """CREATE TABLE trade_events (
    a STRING -- the letter
) WITH (
    'connector' = 'kafka',
    'topic' = 'market.trades',
    -- where to begin
    'scan.startup.mode' = 'earliest-offset',
    'properties.bootstrap.servers' = '127.0.0.1:19092'
)"""
BEFORE = Statements({"parallelism.default": "1"}, (SOURCE,), ("INSERT INTO t SELECT 1",))


def planned(where: str = "a > 1", more: str = "") -> str:
    """What EXPLAIN would say."""
    return PLAN.format(where=where) + more


def never(_: Statements) -> str:
    """A plan that must not be asked for."""
    raise AssertionError


def test_a_change_reaches_every_sink_behind_it_and_no_other() -> None:
    """Both sinks read what has changed; late rows read what is before it."""
    old, new = by_sink(planned()), by_sink(planned("a > 2"))
    assert {sink for sink in old if old[sink] != new[sink]} == {"bars_1m_kafka", "bars_1m_postgres"}


def test_numbers_of_shared_parts_do_not_matter() -> None:
    """They are counted anew with every plan."""
    moved = planned().replace("_id=[1]", "_id=[7]")
    assert by_sink(moved) == by_sink(planned())


def test_a_part_that_is_nowhere_is_told() -> None:
    """A plan that cannot be read decides nothing."""
    with pytest.raises(ValueError, match="missing"):
        by_sink(f"{SECTION}\nSink(table=[x])\n+- Reused(reference_id=[3])\n")


def test_the_same_statements_need_no_plan() -> None:
    """Addresses, the place to begin, comments and spaces do not count."""
    other = SOURCE.replace("earliest-offset", "timestamp").replace("19092", "9092")
    other = other.replace("-- where to begin", "-- from here on").replace("    'top", "  'top")
    assert changes(BEFORE, replace(BEFORE, steps=(other,)), never) == []


def test_other_statements_with_the_same_plan_fit() -> None:
    """Such as a comment in the SELECT, or a name that the optimizer removes."""
    after = replace(BEFORE, inserts=("INSERT INTO t SELECT 1 AS one",))
    assert changes(BEFORE, after, lambda _: planned()) == []


@pytest.mark.parametrize(
    ("after", "plan", "told"),
    [
        (replace(BEFORE, inserts=("x",)), planned("a > 2"), ["bars_1m: its plan has changed"]),
        (
            replace(BEFORE, inserts=("x",)),
            planned(
                more="\nSink(table=[c.d.bars_5m_kafka], fields=[a])\n+- Reused(reference_id=[1])"
            ),
            ["bars_5m: is new"],
        ),
        (
            replace(BEFORE, settings={"parallelism.default": "2"}),
            planned(),
            ["parallelism 1 → 2"],
        ),
        (
            replace(BEFORE, steps=(SOURCE.replace("market.trades", "other"),)),
            planned(),
            ["table trade_events: is declared otherwise"],
        ),
        (replace(BEFORE, python="f00"), planned(), ["the Python functions have changed"]),
    ],
    ids=["plan", "model", "parallelism", "table", "functions"],
)
def test_each_reason_to_compute_anew_is_told(after: Statements, plan: str, told: list[str]) -> None:
    """State of the version before would not fit."""
    assert changes(BEFORE, after, lambda asked: planned() if asked == BEFORE else plan) == told


def test_a_sink_that_is_gone_is_told_of_its_model() -> None:
    """A model that no longer writes one of its sinks has changed."""
    less = planned().replace(
        "Sink(table=[default_catalog.default_database.bars_1m_kafka]", "Other("
    )
    after = replace(BEFORE, inserts=("x",))
    found = changes(BEFORE, after, lambda asked: planned() if asked == BEFORE else less)
    assert found == ["bars_1m: its plan has changed"]


def test_statements_survive_their_keeping() -> None:
    """What is read back equals what was written."""
    assert Statements.of(BEFORE.json()) == BEFORE
