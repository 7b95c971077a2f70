"""Planning a job without an engine: schemas are given, statements are collected."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.render import Plan, Planner, Step
from flink_jobs.settings import ROOT

BAR = """(
  `exchange` STRING NOT NULL,
  `symbol` STRING NOT NULL,
  `window_start` TIMESTAMP(3) NOT NULL
)"""
ALERT = """(
  `rule_id` STRING,
  `severity` VARCHAR(8) NOT NULL,
  `subject` STRING NOT NULL,
  `event_time` TIMESTAMP_LTZ(3) *ROWTIME*,
  `value` DECIMAL(38, 10),
  `threshold` DECIMAL(38, 10),
  `cool_down` INT,
  `message` STRING,
  `detail` STRING
)"""


def schema(step: Step) -> str:
    """The schema of a query of the project's own jobs."""
    return ALERT if "cool_down" in step.sql else BAR


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """Plans a job of sql/ with variables."""

    def make(job: str, **variables: str) -> Plan:
        catalog = Catalog.load(ROOT / "sql", variables)
        return Planner(catalog, catalog.job(job), lambda step: None, schema).make()

    return make


def test_each_sink_reads_the_view_of_its_model(plan: Callable[..., Plan]) -> None:
    """A model is computed once for its sinks, and adds the revision."""
    inserts = plan("bars").inserts
    bars = [insert for insert in inserts if insert.startswith("INSERT INTO `bars_1m_")]
    assert [insert.split("`")[1] for insert in bars] == ["bars_1m_kafka", "bars_1m_postgres"]
    assert all(insert.endswith("0 AS `revision` FROM `bars_1m`") for insert in bars)


def test_topics_and_tables_have_the_prefix_and_schema(plan: Callable[..., Plan]) -> None:
    """The runner knows which topics and tables the job needs."""
    made = plan("bars", TOPIC_PREFIX="t.", ANALYTICS_SCHEMA="s")
    assert set(made.topics) == {
        "t.analytics.bars_1m",
        "t.analytics.moving_average_1h_10m",
        "t.analytics.trade_sessions_30s",
        "t.alerts",
        "t.market.late-events",
    }
    assert {table.schema for table in made.tables.values()} == {"s"}
    assert made.settings["pipeline.name"] == "t.bars"


def test_every_window_model_has_a_companion_for_late_rows(plan: Callable[..., Plan]) -> None:
    """Late pairs of all window models of a view leave by one INSERT."""
    (late,) = [insert for insert in plan("bars").inserts if "`trades_late`" in insert]
    for name in ("bars_1m", "moving_average_1h_10m", "trade_sessions_30s"):
        assert f"SELECT '{name}', `exchange`, `symbol`" in late
    assert late.count("TABLE trades_behind") == 2
    assert "trades_late" not in plan("alerts").statement_set


def test_repeats_of_an_alert_are_counted_by_the_runner(plan: Callable[..., Plan]) -> None:
    """A rule says what it saw; alert_id, count and last time are made of it, for both sinks."""
    inserts = [text for text in plan("alerts").inserts if "large_trade" in text]
    assert [text.split("`")[1] for text in inserts] == ["alerts_kafka", "alerts_postgres"]
    assert all("GROUP BY alert_id" in text and "COUNT(*) AS `count`" in text for text in inserts)


def test_window_time_is_for_other_models_only(plan: Callable[..., Plan]) -> None:
    """The time attribute that cascades read does not leave."""
    tables = plan("bars").tables
    assert "window_time" not in {name for name, *_ in tables["bars_1m"].columns}


def test_a_start_in_time_holds_back_half_windows(plan: Callable[..., Plan]) -> None:
    """Sources start earlier than the first window that sinks accept."""
    made = plan("bars", START_FROM="2026-03-08T02:30:00Z")
    source = next(step.sql for step in made.steps if "CREATE TABLE trade_events" in step.sql)
    assert "'scan.startup.mode' = 'timestamp'" in source
    assert f"'scan.startup.timestamp-millis' = '{(1772937000 - 3605) * 1000}'" in source
    sinks = [insert for insert in made.inserts if "_late`" not in insert]
    assert all("TIMESTAMP '2026-03-08 02:30:00.000'" in insert for insert in sinks)


def test_no_password_is_in_the_rendered_script(plan: Callable[..., Plan]) -> None:
    """The script names the database user and nothing secret."""
    script = plan("bars").script()
    assert "?user=market" in script
    assert "password" not in script.lower()


def test_the_script_is_plain_flink_sql(plan: Callable[..., Plan]) -> None:
    """SET lines, statements with semicolons, one statement set, no variable left."""
    script = plan("alerts").script()
    assert script.startswith("SET 'table.local-time-zone' = 'UTC';\n")
    assert "${" not in script
    assert script.endswith("END;\n")
    assert script.count("EXECUTE STATEMENT SET") == 1


def test_a_topic_with_a_name_of_its_own_has_just_the_columns_selected(tmp_path: Path) -> None:
    """An append topic that is a contract with its readers carries no revision."""
    for name, header in (("ours", ""), ("theirs", "-- Topic: theirs\n")):
        model = f"-- Question: What?\n-- Sinks: kafka-append\n{header}SELECT * FROM trades"
        (tmp_path / "windows").mkdir(exist_ok=True)
        (tmp_path / f"windows/{name}.sql").write_text(model)
    shutil.copy(ROOT / "sql/jobs.toml", tmp_path)
    catalog = Catalog.load(tmp_path, {})
    for name, wanted in (("ours", True), ("theirs", False)):
        job = catalog.job(str(tmp_path / f"windows/{name}.sql"))
        made = Planner(catalog, job, lambda step: None, schema).make()
        assert ("revision" in made.script()) == wanted
