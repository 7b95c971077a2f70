"""Migrations: forward, once, checked."""

import shutil
import threading
from pathlib import Path

import pytest

from dags.batch.database import connect
from dags.batch.errors import MigrationError
from dags.batch.migrations import FOLDER, migrate
from tests.dags.batch.parts import rows
from tests.dags.conftest import BatchDatabase, drop

pytestmark = pytest.mark.integration


def test_a_second_time_there_is_nothing_to_do(database: BatchDatabase) -> None:
    """The fixture has applied all files, in order."""
    assert migrate(database.connection) == []
    names = [name for (name,) in rows(database, "SELECT name FROM batch_migrations ORDER BY name")]
    assert names == sorted(path.name for path in FOLDER.glob("*.sql"))


def test_two_at_once_apply_everything_once(
    database: BatchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one waits."""
    settings = database.settings.model_copy(update={"batch_schema": "batch_two_at_once"})
    drop(settings, settings.batch_schema)
    applied: list[list[str]] = []

    def run() -> None:
        connection = connect(settings)
        applied.append(migrate(connection))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drop(settings, settings.batch_schema)
    assert sorted(len(names) for names in applied) == [0, len(list(FOLDER.glob("*.sql")))]


def test_a_file_that_changed_is_named(database: BatchDatabase, tmp_path: Path) -> None:
    """With the remedy; a new file beside it is not applied either."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "sql"))
    changed = folder / "001_executions.sql"
    changed.write_text(changed.read_text() + "\n-- changed")
    (folder / "999_more.sql").write_text("CREATE TABLE more (i int);")
    with pytest.raises(MigrationError, match=r"001_executions\.sql: was applied .* new file"):
        migrate(database.connection, folder)
    assert rows(database, "SELECT to_regclass('more')") == [(None,)]


def test_a_file_that_fails_leaves_nothing(database: BatchDatabase, tmp_path: Path) -> None:
    """All or nothing; afterwards the repaired file is applied."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "sql"))
    (folder / "998_good.sql").write_text("CREATE TABLE good (i int);")
    bad = folder / "999_bad.sql"
    bad.write_text("CREATE TABLE bad (i int); SELECT 1 / 0;")
    with pytest.raises(Exception, match="division by zero"):
        migrate(database.connection, folder)
    assert rows(database, "SELECT to_regclass('good')") == [(None,)]
    bad.write_text("CREATE TABLE bad (i int);")
    assert migrate(database.connection, folder) == ["998_good.sql", "999_bad.sql"]


def test_the_promised_indexes_are_there(database: BatchDatabase) -> None:
    """By the names that people were told."""
    found = {
        name
        for (name,) in rows(
            database, "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
        )
    }
    assert {
        "idx_batch_executions_status",
        "idx_batch_execution_details_batch_id",
        "idx_batch_execution_details_status",
    } <= found


def test_bars_lie_in_partitions_by_year(database: BatchDatabase) -> None:
    """Years may be added later, and adding them twice does no harm."""
    found = rows(
        database,
        "INSERT INTO daily_bars (symbol, trade_date) VALUES ('7203.T', '2025-01-06'), "
        "('7203.T', '1985-01-07') RETURNING tableoid::regclass::text",
    )
    assert found == [("daily_bars_2025",), ("daily_bars_other",)]
    rows(database, "SELECT ensure_bar_years(2029, 2032)")
    assert rows(database, "SELECT to_regclass('daily_bars_2032') IS NOT NULL") == [(True,)]
