"""From schema and key to sinks."""

import pytest

from flink_jobs import alerts, sinks
from flink_jobs.errors import JobError, SqlError
from flink_jobs.model import Model, parse
from flink_jobs.postgres import statements
from flink_jobs.script import Source
from flink_jobs.sinks import Column, PostgresTable

SCHEMA = """(
  `exchange` STRING NOT NULL,
  `window_start` TIMESTAMP(3) NOT NULL,
  `seen_at` TIMESTAMP_LTZ(3) *ROWTIME*,
  `price` DECIMAL(38, 10),
  `nested` ROW<`a` INT, `b` STRING> NOT NULL
)"""


def model(sinks: str = "kafka, postgres", key: str = "exchange, window_start") -> Model:
    """A model whose SELECT names the columns of the tests."""
    header = f"-- Question: What?\n-- Key: {key}\n-- Sinks: {sinks}\n"
    text = f"{header}SELECT exchange, `user`, Price\nFROM t"
    return parse(Source("sql/windows/m.sql", text))


def test_a_resolved_schema_becomes_columns() -> None:
    """Names, types with commas, NOT NULL and time attributes are told apart."""
    assert sinks.parse_schema(SCHEMA) == [
        Column("exchange", "STRING", True),
        Column("window_start", "TIMESTAMP(3)", True),
        Column("seen_at", "TIMESTAMP_LTZ(3)"),
        Column("price", "DECIMAL(38, 10)"),
        Column("nested", "ROW<`a` INT, `b` STRING>", True),
    ]


def test_a_sink_has_the_key_the_revision_and_times_without_zone() -> None:
    """Derived DDL: key columns NOT NULL, the revision last, LTZ as TIMESTAMP(3)."""
    ddl = sinks.sink_ddl("x", sinks.parse_schema(SCHEMA)[:4], ("exchange",), {"a": "it's"})
    assert ddl == (
        "CREATE TABLE `x` (\n    `exchange` STRING NOT NULL,\n    `window_start` TIMESTAMP(3),\n"
        "    `seen_at` TIMESTAMP(3),\n    `price` DECIMAL(38, 10),\n    `revision` INT,\n"
        "    PRIMARY KEY (`exchange`) NOT ENFORCED\n) WITH (\n    'a' = 'it''s'\n)"
    )
    insert = sinks.insert("x", "`v`", [Column("seen_at", "TIMESTAMP_LTZ(3)")], "a > 1")
    assert insert == (
        "INSERT INTO `x` SELECT CAST(`seen_at` AS TIMESTAMP(3)) AS `seen_at`, 0 AS `revision` "
        "FROM `v` WHERE a > 1"
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([Column("exchange", "STRING", True)], "key column window_start is not in the SELECT"),
        (
            [Column("exchange", "STRING"), Column("window_start", "TIMESTAMP(3)", True)],
            "key column exchange can be NULL",
        ),
    ],
)
def test_a_key_must_be_selected_and_never_null(columns: list[Column], message: str) -> None:
    """A key that is missing or can be NULL is refused with the remedy."""
    with pytest.raises(SqlError, match=message) as caught:
        sinks.check(model(), columns)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Column("user", "STRING"), "user is a reserved word in PostgreSQL"),
        (Column("Price", "STRING"), "Price is not a plain name in PostgreSQL"),
        (Column("nested", "ROW<`a` INT>"), "no PostgreSQL type"),
        (Column("revision", "INT"), "the runner adds the column revision"),
    ],
)
def test_columns_that_postgresql_cannot_have_are_refused(column: Column, message: str) -> None:
    """Names and types that PostgreSQL would choke on are told before anything is submitted."""
    key = [Column("exchange", "STRING", True), Column("window_start", "TIMESTAMP(3)", True)]
    with pytest.raises(SqlError, match=message) as caught:
        sinks.check(model(), [*key, column])
    assert caught.value.remedy
    if column.name in ("user", "Price"):
        assert caught.value.line == 4


def test_kafka_alone_may_have_any_column_name() -> None:
    """Reserved words of PostgreSQL do not matter where the rows do not go there."""
    sinks.check(
        model("kafka", "exchange"), [Column("exchange", "STRING", True), Column("user", "INT")]
    )


def test_alerts_share_one_schema() -> None:
    """A missing, wrong or extra column of an alert is named."""
    alert = model("alerts", "alert_id")
    sinks.check(alert, alerts.SEEN)
    with pytest.raises(SqlError, match=r"severity STRING: it is missing"):
        sinks.check(alert, [c for c in alerts.SEEN if c.name != "severity"])
    with pytest.raises(SqlError, match=r"value DECIMAL\(38, 10\): it has DOUBLE"):
        wrong = [Column("value", "DOUBLE") if c.name == "value" else c for c in alerts.SEEN]
        sinks.check(alert, wrong)
    with pytest.raises(SqlError, match="no column more in alerts"):
        sinks.check(alert, [*alerts.SEEN, Column("more", "INT")])


TABLE = PostgresTable(
    "s",
    "t",
    (("a", "text", True), ("b", "numeric(38,10)", False), ("revision", "integer", True)),
    ("a",),
)
SHAPE = {"a": "text", "b": "numeric(38,10)", "revision": "integer"}


def test_a_new_table_has_key_and_revision_guard() -> None:
    """A table that is missing is made with its key and its trigger."""
    create, trigger, withdrawn = statements(TABLE, {}, ())
    assert create == (
        "CREATE TABLE s.t (a text NOT NULL, b numeric(38,10), "
        "revision integer NOT NULL DEFAULT 0, PRIMARY KEY (a))"
    )
    assert "BEFORE UPDATE ON s.t" in trigger
    assert withdrawn.endswith("EXECUTE FUNCTION s.keep_withdrawn('a')")


def test_a_new_column_is_added_and_the_same_shape_left_alone() -> None:
    """ALTER TABLE for what is new, nothing for what fits."""
    assert statements(TABLE, SHAPE, ("a",)) == []
    older = {name: kind for name, kind in SHAPE.items() if name != "b"}
    assert statements(TABLE, older, ("a",)) == ["ALTER TABLE s.t ADD COLUMN b numeric(38,10)"]


@pytest.mark.parametrize(
    ("shape", "key", "message"),
    [
        ({**SHAPE, "b": "text"}, ("a",), r"column b is text, not numeric\(38,10\)"),
        (SHAPE, ("a", "b"), r"the key is \(a, b\), not \(a\)"),
    ],
)
def test_a_changed_type_or_key_is_refused(
    shape: dict[str, str], key: tuple[str, ...], message: str
) -> None:
    """What cannot be changed in place is refused, with what to do instead."""
    with pytest.raises(JobError, match=message) as caught:
        statements(TABLE, shape, key)
    assert "DROP TABLE s.t" in str(caught.value)
