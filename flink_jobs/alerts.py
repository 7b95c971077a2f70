"""Alerts: what every rule selects, and the one shape that they all leave in.

A model with `Sinks: alerts` selects what it has seen (SEEN). The runner puts repeats of the same
rule and subject within the rule's cool-down together: the first leaves at once, each repeat
upserts the same alert_id with a higher count.
"""

from flink_jobs.columns import Column

TOPIC = "alerts"
SAID = (
    Column("rule_id", "STRING"),
    Column("severity", "STRING"),
    Column("subject", "STRING"),
    Column("event_time", "TIMESTAMP(3)"),
    Column("value", "DECIMAL(38, 10)"),
    Column("threshold", "DECIMAL(38, 10)"),
    Column("message", "STRING"),
    Column("detail", "STRING"),
)
SEEN = (*SAID, Column("cool_down", "INT"))
"""What a rule selects; `cool_down` in seconds."""
ALERT = (
    Column("alert_id", "STRING", True),
    Column("count", "BIGINT"),
    Column("last_event_time", "TIMESTAMP(3)"),
    *SAID,
)
"""What leaves: topic and table `alerts`."""


def grouped(origin: str, condition: str = "") -> str:
    """The SELECT of ALERT over the rows of SEEN that a view or query gives.

    alert_id = MD5(rule, subject, event time floored to the cool-down). Severity is critical as
    soon as one of the repeats is; the rest is that of the first. A slot is remembered for as long
    as the job's `table.exec.state.ttl` says (a hint STATE_TTL is lost on the way into the INSERT).
    """
    seconds = "TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', happened)"
    slot = f"CAST({seconds} / GREATEST(cool_down, 1) * GREATEST(cool_down, 1) AS STRING)"
    where = f"\n    WHERE {condition}" if condition else ""
    return f"""SELECT
    alert_id,
    COUNT(*) AS `count`,
    MAX(happened) AS last_event_time,
    MIN(rule_id) AS rule_id,
    CASE
        WHEN COUNT(*) FILTER (WHERE severity = 'critical') > 0 THEN 'critical'
        ELSE FIRST_VALUE(severity)
    END AS severity,
    MIN(subject) AS subject,
    MIN(happened) AS event_time,
    FIRST_VALUE(`value`) AS `value`,
    FIRST_VALUE(threshold) AS threshold,
    FIRST_VALUE(message) AS message,
    FIRST_VALUE(detail) AS detail
FROM (
    SELECT *, COALESCE(MD5(CONCAT_WS('|', rule_id, subject, {slot})), '') AS alert_id
    FROM (SELECT *, CAST(event_time AS TIMESTAMP(3)) AS happened FROM {origin}) AS seen{where}
) AS slots
GROUP BY alert_id"""
