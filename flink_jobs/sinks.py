"""From a resolved schema and a key to tables: Kafka and JDBC for Flink, columns for PostgreSQL."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flink_jobs import alerts
from flink_jobs.columns import Column, parse_schema, quote
from flink_jobs.model import Model
from flink_jobs.reserved import POSTGRES

PLAIN_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")
REVISION = "revision"
__all__ = ["Column", "parse_schema", "quote"]
POSTGRES_TYPES = {
    "BIGINT": "bigint",
    "INT": "integer",
    "SMALLINT": "smallint",
    "TINYINT": "smallint",
    "DOUBLE": "double precision",
    "FLOAT": "real",
    "BOOLEAN": "boolean",
    "STRING": "text",
    "DATE": "date",
    "BYTES": "bytea",
    "TIMESTAMP(3)": "timestamp with time zone",
}
"""Type of a PostgreSQL column, as format_type() spells it, by Flink's type at the sink."""


@dataclass(frozen=True)
class PostgresTable:
    """A table that PostgreSQL must have: (name, type, NOT NULL) of each column, and the key."""

    schema: str
    name: str
    columns: tuple[tuple[str, str, bool], ...]
    key: tuple[str, ...]


def check(model: Model, columns: Sequence[Column]) -> None:
    """Refuse a key that is not selected or can be NULL, and an alert of another shape."""
    by_name = {column.name: column for column in columns}
    # The runner makes the key of alerts.
    for name in () if alerts.TOPIC in model.sinks else model.key:
        if name not in by_name:
            raise model.error(
                f"key column {name} is not in the SELECT",
                text=name,
                remedy=f"select it, or choose the key of: {', '.join(by_name)}",
            )
        if not by_name[name].not_null:
            raise model.error(
                f"key column {name} can be NULL",
                text=name,
                remedy=f"say what a missing one means: COALESCE({name}, …) AS {name}",
            )
    if REVISION in by_name and model.sinks != ("none",):
        raise model.error(
            "the runner adds the column revision", text=REVISION, remedy="rename yours"
        )
    if "alerts" in model.sinks:
        _check_alert(model, by_name)
    if "postgres" in model.sinks:
        for column in columns:
            _check_postgres_column(model, column)


def _check_alert(model: Model, by_name: dict[str, Column]) -> None:
    for wanted in alerts.SEEN:
        found = by_name.get(wanted.name)
        if found is None or found.sink_type != wanted.type:
            has = f"it has {found.sink_type}" if found else "it is missing"
            raise model.error(
                f"an alert needs the column {wanted.name} {wanted.type}: {has}",
                text=wanted.name if found else "",
                remedy=f"select CAST(… AS {wanted.type}) AS {wanted.name}",
            )
    extra = sorted(set(by_name) - {column.name for column in alerts.SEEN})
    if extra:
        remedy = "put what it says into message or detail; all alerts share one table"
        raise model.error(f"no column {extra[0]} in alerts", text=extra[0], remedy=remedy)


def _check_postgres_column(model: Model, column: Column) -> None:
    if column.name.upper() in POSTGRES or not PLAIN_NAME.match(column.name):
        why = "a reserved word" if column.name.upper() in POSTGRES else "not a plain name"
        raise model.error(
            f"column {column.name} is {why} in PostgreSQL",
            text=column.name,
            remedy=f"rename it: … AS {column.name.lower()}_value (small letters, digits, _)",
        )
    postgres_type(model, column)


def postgres_type(model: Model, column: Column) -> str:
    """PostgreSQL's type for a column. SqlError if there is none."""
    kind = column.sink_type
    if kind.startswith("DECIMAL("):
        return kind.replace("DECIMAL", "numeric").replace(" ", "")
    if kind not in POSTGRES_TYPES:
        raise model.error(
            f"no PostgreSQL type for column {column.name} {kind}",
            text=column.name,
            remedy="cast it to a plain type, or send the model to Kafka only",
        )
    return POSTGRES_TYPES[kind]


def postgres_table(model: Model, columns: Iterable[Column], schema: str) -> PostgresTable:
    """The table in PostgreSQL that a model's rows go to."""
    listed = [
        (column.name, postgres_type(model, column), column.name in model.key) for column in columns
    ]
    listed.append((REVISION, "integer", True))
    name = "alerts" if "alerts" in model.sinks else model.name
    return PostgresTable(schema, name, tuple(listed), model.key)


def sink_ddl(
    name: str,
    columns: Sequence[Column],
    key: Sequence[str],
    options: dict[str, str],
    revision: bool = True,
) -> str:
    """`CREATE TABLE` of a sink: the view's columns, the revision, the key and the options."""
    lines = [
        f"    {quote(column.name)} {column.sink_type}{' NOT NULL' if column.name in key else ''}"
        for column in columns
    ]
    if revision:
        lines.append(f"    {quote(REVISION)} INT")
    if key:
        lines.append(f"    PRIMARY KEY ({', '.join(map(quote, key))}) NOT ENFORCED")
    return f"CREATE TABLE {quote(name)} (\n" + ",\n".join(lines) + f"\n) {with_clause(options)}"


def with_clause(options: dict[str, str]) -> str:
    """`WITH (…)` of a table."""
    pairs = [f"    '{key}' = '{escape(value)}'" for key, value in options.items()]
    return "WITH (\n" + ",\n".join(pairs) + "\n)"


def escape(text: str) -> str:
    """Text for the inside of a SQL string."""
    return text.replace("'", "''")


def upsert_kafka(servers: str, topic: str) -> dict[str, str]:
    """Options of a topic that holds the newest row of each key."""
    options = {
        "connector": "upsert-kafka",
        "topic": topic,
        "properties.bootstrap.servers": servers,
        "key.format": "json",
        "value.format": "json",
    }
    return {**options, **_producer(), **_json("key.json."), **_json("value.json.")}


def append_kafka(servers: str, topic: str, transactions: str = "") -> dict[str, str]:
    """Options of a topic that holds every row; `transactions`: prefix of exactly-once ids."""
    options = {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": servers,
        "format": "json",
        **_producer(),
        **_json("json."),
    }
    if transactions:
        options["sink.delivery-guarantee"] = "exactly-once"
        options["sink.transactional-id-prefix"] = transactions
        options["properties.transaction.timeout.ms"] = "600000"
    return options


def jdbc(url: str, table: PostgresTable) -> dict[str, str]:
    """Options of a PostgreSQL table; the driver takes the password from its password file."""
    return {
        "connector": "jdbc",
        "url": url,
        "table-name": f"{table.schema}.{table.name}",
        "sink.buffer-flush.max-rows": "1000",
        "sink.buffer-flush.interval": "1 s",
        "sink.max-retries": "5",
    }


def _producer() -> dict[str, str]:
    return {"properties.compression.type": "lz4", "properties.linger.ms": "5"}


def _json(prefix: str) -> dict[str, str]:
    """Decimals as plain numbers (never 1.2E-9), times as ISO-8601."""
    return {
        f"{prefix}encode.decimal-as-plain-number": "true",
        f"{prefix}timestamp-format.standard": "ISO-8601",
    }


def insert(
    table: str, origin: str, columns: Iterable[Column], where: str = "", revision: bool = True
) -> str:
    """`INSERT` of the rows of a view or query as revision 0."""
    last = [f"0 AS {quote(REVISION)}"] if revision else []
    names = ", ".join([*(column.selected for column in columns), *last])
    condition = f" WHERE {where}" if where else ""
    return f"INSERT INTO {quote(table)} SELECT {names} FROM {origin}{condition}"
