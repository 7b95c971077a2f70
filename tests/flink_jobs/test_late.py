"""Companions that tell late rows."""

from flink_jobs import late
from flink_jobs.model import parse
from flink_jobs.script import Source
from flink_jobs.sinks import Column


def test_a_row_too_late_for_its_place_is_told_with_its_own_time() -> None:
    """A model over rows in event-time order has a companion, as windows have."""
    model = parse(
        Source(
            "sql/orders/ordered.sql",
            "-- Question: In what order?\n-- Sinks: kafka-append\nSELECT COUNT(*) OVER (ORDER BY "
            "event_time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place FROM orders",
        )
    )
    columns = [Column("order_id", "STRING", True), Column("event_time", "TIMESTAMP_LTZ(3)")]
    assert late.views([model]) == {"orders": "event_time"}
    time = "CAST(`event_time` AS TIMESTAMP(3))"
    assert late.insert("orders", [model], {"orders": columns}) == (
        "INSERT INTO `orders_late`\nSELECT 'ordered', CAST(NULL AS STRING) AS exchange, "
        f"CAST(NULL AS STRING) AS symbol, {time}, {time}, ROW(`order_id`, {time})\n"
        "FROM `orders_behind`\nWHERE TRUE"
    )
