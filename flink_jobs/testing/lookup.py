"""Lookup sides of a case: the project's own PostgreSQL tables in a throw-away schema.

A lookup table is one whose connector is JDBC. The schema gets the migrations of `sql/postgres`,
so constraints, functions and views are the true ones; the given rows go into the base table.
"""

import re
import secrets
from types import TracebackType
from typing import Any

from psycopg2 import sql

from flink_jobs import postgres
from flink_jobs.catalog import Catalog
from flink_jobs.script import Statement

JDBC = re.compile(r"'connector'\s*=\s*'jdbc'")
NAME = re.compile(r"'table-name'\s*=\s*'\$\{ANALYTICS_SCHEMA\}\.([a-z_0-9]+)'")
BASES = {"alert_rules_in_force": "alert_rules"}
"""Table that rows given to a view go into."""


def is_lookup(statement: Statement) -> bool:
    """Whether a table is read from PostgreSQL by key."""
    return bool(JDBC.search(statement.text))


class LookupTables:
    """A schema that is made when the first lookup table asks for it, and dropped at the end."""

    def __init__(self, catalog: Catalog) -> None:
        self.schema = f"case_{secrets.token_hex(6)}"
        self.variables = {**catalog.variables, "ANALYTICS_SCHEMA": self.schema}
        self.catalog = Catalog(catalog.root, self.variables, catalog.config)
        self.made = False

    def __enter__(self) -> "LookupTables":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if self.made:
            with postgres.connect(self.variables["DATABASE"]) as cursor:
                cursor.execute(f"DROP SCHEMA {self.schema} CASCADE")

    def fill(self, statement: Statement, rows: list[dict[str, Any]]) -> None:
        """Put rows into the table that a statement reads. JobError where PostgreSQL refuses."""
        if not self.made:
            postgres.ensure(self.catalog, [])
            self.made = True
        match = NAME.search(statement.text)
        if match is None:
            remedy = "name the table '${ANALYTICS_SCHEMA}.…'"
            raise statement.source.error("not in our schema", statement.start, remedy=remedy)
        table = BASES.get(match.group(1), match.group(1))
        with postgres.connect(self.variables["DATABASE"]) as cursor:
            if rows:
                cursor.execute(f"DELETE FROM {self.schema}.{table}")
            for row in rows:
                cursor.execute(
                    sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                        sql.Identifier(self.schema, table),
                        sql.SQL(", ").join(map(sql.Identifier, row)),
                        sql.SQL(", ").join(sql.Placeholder() * len(row)),
                    ),
                    list(row.values()),
                )
