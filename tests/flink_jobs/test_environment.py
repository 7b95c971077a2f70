"""Faults that only Flink can find, told with file, line, column and remedy."""

import os
from pathlib import Path
from shutil import copytree

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.environment import root_cause
from flink_jobs.errors import SqlError
from flink_jobs.jobs import plan_job
from flink_jobs.settings import ROOT, Settings

pytestmark = pytest.mark.flink
HEADER = "-- Question: What?\n-- Key: symbol, window_start\n-- Sinks: kafka, postgres\n"
WINDOW = "FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))\n"
GROUP = "GROUP BY symbol, window_start, window_end\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the SQL files, for models that should not be."""
    os.environ.update(Settings().flink_environment())
    path = tmp_path_factory.mktemp("checkout") / "sql"
    copytree(ROOT / "sql", path)
    return path


def refused(folder: Path, body: str) -> SqlError:
    """The fault that a model with this SELECT gives."""
    path = folder / "windows/trial.sql"
    path.write_text(HEADER + body)
    try:
        with pytest.raises(SqlError) as caught:
            plan_job(Catalog.load(folder, {}), str(path))
        return caught.value
    finally:
        path.unlink()


def test_an_unknown_column_is_told_with_its_place(folder: Path) -> None:
    """File, line, column, the line itself, the remedy; no Java stack."""
    fault = refused(
        folder, f"SELECT\n    symbol,\n    window_start,\n    MAX(prise) AS high\n{WINDOW}{GROUP}"
    )
    assert (fault.path, fault.line, fault.column) == ("sql/windows/trial.sql", 7, 9)
    assert "prise" in fault.message
    assert fault.text == "MAX(prise) AS high"
    assert fault.remedy
    assert "\tat " not in str(fault)


def test_a_syntax_error_is_told_with_its_place(folder: Path) -> None:
    """A reserved word as a name gets the remedy of backticks."""
    fault = refused(
        folder, f"SELECT symbol, window_start,\n    MAX(price) AS value\n{WINDOW}{GROUP}"
    )
    assert (fault.path, fault.line) == ("sql/windows/trial.sql", 5)
    assert "backticks" in fault.remedy


def test_an_unknown_view_is_told(folder: Path) -> None:
    """A name that no file makes is told as such."""
    fault = refused(folder, "SELECT symbol FROM tradez")
    assert (fault.line, fault.message) == (4, "Object 'tradez' not found")


def test_a_key_that_can_be_null_is_told(folder: Path) -> None:
    """Flink's own schema decides whether a key column can be NULL."""
    fault = refused(folder, "SELECT side AS symbol, event_time AS window_start FROM trades")
    assert fault.message == "key column symbol can be NULL"
    assert "COALESCE(symbol" in fault.remedy


def test_a_column_that_postgresql_reserves_is_told(folder: Path) -> None:
    """The column is refused before a table is made."""
    fault = refused(folder, f"SELECT symbol, window_start, COUNT(*) AS `user`\n{WINDOW}{GROUP}")
    assert fault.message == "column user is a reserved word in PostgreSQL"


def test_the_innermost_cause_is_the_message() -> None:
    """Of a Java stack the last cause that says something is kept."""
    text = (
        "An error occurred while calling o8.executeSql.\n: a.b.Outer: From line 1, column 2 to "
        "line 1, column 3: outer\n\tat a.b.C(D.java:1)\n"
        "Caused by: a.b.Inner: inner words\n\t... 4 more"
    )
    assert root_cause(text) == "inner words"
