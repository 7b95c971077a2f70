"""What was submitted of each job, kept in PostgreSQL: to go on from it, and to go back to it."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from flink_jobs import postgres
from flink_jobs.plans import Statements

TABLE = "job_submissions"
COLUMNS = (
    *("submission_id", "job_name", "flink_id", "asked", "files", "variables", "statements"),
    *("flink_version", "kafka_cluster", "restored_from", "savepoint", "wanted", "forgotten"),
)
SELECT = "SELECT {columns} FROM {table} WHERE {condition} ORDER BY submission_id DESC"


@dataclass(frozen=True)
class Submission:
    """One submission of a job."""

    submission_id: int
    job_name: str
    """With the prefix of its topics."""
    flink_id: str
    asked: str
    files: Mapping[str, str]
    """Texts of the SQL folder by path under it."""
    variables: Mapping[str, str]
    statements: Statements
    flink_version: str
    kafka_cluster: str
    restored_from: str | None
    savepoint: str | None
    wanted: bool
    forgotten: bool


class Submissions:
    """The table of one schema; each call is a transaction of its own. JobError as `connect`."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.url = variables["DATABASE"]
        self.table = sql.Identifier(variables["ANALYTICS_SCHEMA"], TABLE)

    def newest(self, job_name: str) -> Submission | None:
        """The last submission of a job."""
        found = self._select("job_name = %s", job_name)
        return found[0] if found else None

    def of(self, job_name: str) -> list[Submission]:
        """All submissions of a job, newest first."""
        return self._select("job_name = %s", job_name)

    def get(self, submission_id: int) -> Submission | None:
        """One by its number."""
        found = self._select("submission_id = %s", submission_id)
        return found[0] if found else None

    def wanted(self) -> list[Submission]:
        """Newest submissions of the jobs that are to run, in the order of their submission."""
        newest: dict[str, Submission] = {}
        for each in self._select("true"):
            newest.setdefault(each.job_name, each)
        return [each for each in reversed(newest.values()) if each.wanted]

    def add(self, **values: Any) -> None:
        """Remember a submission: values of the columns by name."""
        cells = {
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in values.items()
        }
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            self.table,
            sql.SQL(", ").join(map(sql.Identifier, cells)),
            sql.SQL(", ").join(map(sql.Placeholder, cells)),
        )
        with self._cursor() as cursor:
            cursor.execute(query, cells)

    def stopped(self, one: Submission, savepoint: str | None, wanted: bool) -> None:
        """Remember where a job has stopped, and whether it is still wanted."""
        self._set(one.submission_id, savepoint=savepoint, wanted=wanted)

    def forget(self, job_name: str) -> None:
        """The job was cancelled: it is not wanted, and goes on from nowhere."""
        if one := self.newest(job_name):
            self._set(one.submission_id, wanted=False, forgotten=True)

    def _set(self, submission_id: int, **values: Any) -> None:
        pairs = [
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in values
        ]
        query = sql.SQL("UPDATE {} SET {} WHERE submission_id = {}").format(
            self.table, sql.SQL(", ").join(pairs), sql.Literal(submission_id)
        )
        with self._cursor() as cursor:
            cursor.execute(query, values)

    def _select(self, condition: str, *values: object) -> list[Submission]:
        """Submissions, newest first; none while the table is not there."""
        with self._cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (self.table.as_string(cursor),))
            if cursor.fetchone()[0] is None:
                return []
            query = sql.SQL(SELECT).format(
                columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
                table=self.table,
                condition=sql.SQL(condition),
            )
            cursor.execute(query, values)
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
        return [
            Submission(**{**row, "statements": Statements.of(row["statements"])}) for row in rows
        ]

    def _cursor(self) -> AbstractContextManager[Any]:
        return postgres.connect(self.url)
