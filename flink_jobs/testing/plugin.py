"""Pytest collects the cases: `pytest tests/sql -k bars`.

A YAML file below a folder whose conftest.py names this plugin is a module, a case in it a test.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError, SqlError
from flink_jobs.settings import ROOT, Settings, environment
from flink_jobs.testing.cases import Case, load


class Difference(Exception):
    """A model did not answer as its case says."""


@cache
def catalog() -> Catalog:
    """The project's SQL, with the database that the environment names."""
    os.environ.update(Settings().flink_environment())
    given = {name: value for name, value in environment().items() if name == "DATABASE_URL"}
    return Catalog.load(Settings().market_streams_sql, given)


class CaseFile(pytest.File):
    """A file of cases."""

    def collect(self) -> Iterator["CaseItem"]:
        """One test a case."""
        for case in load(self.path):
            yield CaseItem.from_parent(self, name=case.title, case=case)


class CaseItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, **rest: Any) -> None:
        super().__init__(**rest)
        self.case = case
        self.add_marker("flink")

    def runtest(self) -> None:
        """Run the model over the given rows."""
        from flink_jobs.testing.run import run_case

        fault = run_case(catalog(), self.case)
        if fault:
            raise Difference(fault)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The difference as a table, a fault as file, line and remedy; no stack."""
        if isinstance(excinfo.value, (Difference, SqlError, JobError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the case is, for reports."""
        return self.path, None, self.name


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """YAML files beside models' tests are cases, where PyFlink is installed."""
    if file_path.suffix == ".yaml" and file_path.is_relative_to(ROOT / "tests/sql"):
        return CaseFile.from_parent(parent, path=file_path)
    return None
