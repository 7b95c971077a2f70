"""Reading models: header, SELECT, windows."""

import pytest

from flink_jobs.errors import SqlError
from flink_jobs.model import parse
from flink_jobs.script import Source

HEADER = "-- Question: How many?\n-- Key: symbol, window_start\n-- Sinks: kafka, postgres\n"
WINDOW = "FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '5' MINUTE))"


def test_a_header_and_a_select_make_a_model() -> None:
    """Name, key, sinks, question and the window call come out of the file."""
    text = (
        "-- Question: How many trades\n--           in a minute?\n-- Key: symbol, window_start\n"
        f"-- Sinks: kafka\n-- Topic: counts\nSELECT symbol, window_start {WINDOW}"
    )
    model = parse(Source("sql/windows/counts.sql", text))
    assert (model.name, model.key, model.sinks) == (
        "counts",
        ("symbol", "window_start"),
        ("kafka",),
    )
    assert model.question == "How many trades in a minute?"
    assert (model.topic, model.delivery) == ("counts", "at-least-once")
    (window,) = model.windows
    assert (window.kind, window.table, window.time_column) == ("TUMBLE", "trades", "event_time")
    assert model.lookback == 300


@pytest.mark.parametrize(
    ("body", "table", "length"),
    [
        ("SELECT SUM(a) OVER w FROM tx WINDOW w AS (ORDER BY event_time RANGE BETWEEN "
         "INTERVAL '5' MINUTE PRECEDING AND CURRENT ROW)", "tx", 300),
        ("SELECT SUM(a) OVER w FROM tx WINDOW w AS (ORDER BY event_time RANGE BETWEEN "
         "INTERVAL '1.5' SECOND(3, 3) PRECEDING AND CURRENT ROW)", "tx", 1.5),
        ("SELECT COUNT(*) OVER (PARTITION BY a ORDER BY event_time ROWS BETWEEN UNBOUNDED "
         "PRECEDING AND CURRENT ROW) FROM tx", "tx", 0),
    ],
)  # fmt: skip
def test_rows_before_each_row_are_a_window(body: str, table: str, length: float) -> None:
    """Late rows are told of it, and a later start reads as far back as it looks."""
    model = parse(Source("m.sql", f"{HEADER}{body}"))
    assert [(w.kind, w.table, w.length) for w in model.windows] == [("OVER", table, length)]
    assert model.lookback == length


@pytest.mark.parametrize(
    "order",
    ["window_time", "arrival"],
)
def test_only_a_source_time_makes_rows_late(order: str) -> None:
    """Rows of closed windows are always behind the watermark; order of arrival knows no late."""
    frame = f"(ORDER BY {order} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
    assert parse(Source("m.sql", f"{HEADER}SELECT SUM(a) OVER {frame} FROM bars")).windows == ()


def test_set_lines_above_the_select_are_options_of_the_job() -> None:
    """A model may bring Flink options of its own."""
    model = parse(Source("m.sql", f"{HEADER}SET 'a.b' = 'c';\nSELECT 1;"))
    assert model.settings == {"a.b": "c"}
    assert model.statement.text == "SELECT 1"


@pytest.mark.parametrize(
    ("call", "length"),
    [
        ("HOP(TABLE t, DESCRIPTOR(x), INTERVAL '10' MINUTE, INTERVAL '1' HOUR)", 3600),
        ("CUMULATE(TABLE t, DESCRIPTOR(x), INTERVAL '1' HOUR, INTERVAL '1' DAY)", 86400),
        ("SESSION(TABLE t PARTITION BY (a, b), DESCRIPTOR(x), INTERVAL '30' SECOND)", 30),
        ("TUMBLE(TABLE t, DESCRIPTOR(x), INTERVAL '1' DAY, INTERVAL '8' HOUR)", 86400),
    ],
)
def test_a_window_knows_its_length_and_can_read_another_table(call: str, length: float) -> None:
    """The length is the interval that bounds the window; only the table's name is replaced."""
    window = parse(Source("m.sql", f"{HEADER}SELECT 1 FROM TABLE({call})")).windows[0]
    assert window.length == length
    assert window.over("late") == call.replace("TABLE t", "TABLE late")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("SELECT 1", "no Question", 1),
        ("-- Question: Why?\n-- Key: a\nSELECT 1", "no Sinks", 1),
        ("-- Question: Why?\n-- Sinks: kafka\nSELECT 1", "no Key", 1),
        ("-- Question: Why?\n-- Sinks: kafka, mysql\nSELECT 1", "unknown sink mysql", 2),
        ("-- Question: Why?\n-- Sink: kafka\nSELECT 1", "unknown header field Sink", 2),
        ("-- Question: Why?\n-- Question: How?\nSELECT 1", "stands twice", 2),
        ("-- Question: Why?\n-- Sinks: alerts, kafka\nSELECT 1", "stand alone", 2),
        (
            "-- Question: Why?\n-- Sinks: kafka\n-- Key: a\n-- Delivery: exactly-once\nSELECT 1",
            "exactly-once without an append topic",
            4,
        ),
        (HEADER + "SELECT 1;\nSELECT 2", "more than one statement", 5),
        (HEADER + "INSERT INTO x SELECT 1", "INSERT is not a SELECT", 4),
        (HEADER, "no SELECT", 1),
        (HEADER + "SELECT 'a\nFROM t", "unbalanced quote", 4),
        (HEADER + "SELECT 1\nFROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(x)))", "window call", 5),
    ],
)
def test_a_broken_model_is_refused_with_place_and_remedy(
    text: str, message: str, line: int
) -> None:
    """Each fault of a model file names its line and what to do."""
    with pytest.raises(SqlError, match=message) as caught:
        parse(Source("sql/windows/broken.sql", text))
    assert caught.value.line == line
    assert caught.value.path == "sql/windows/broken.sql"
    assert caught.value.remedy
