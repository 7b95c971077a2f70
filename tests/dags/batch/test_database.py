"""Connections: lost, refused, full."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from connectors.stocks.bars import Failure
from dags.batch.config import DatabaseSettings
from dags.batch.database import Database, connect
from dags.batch.engine import ChunkState
from dags.batch.errors import DatabaseRefused, DatabaseUnavailable, MigrationError, StorageFull
from docker.local.postgres import Postgres
from docker.local.service import ServiceError
from tests.dags.batch.parts import CODES, Bench, assert_consistent, rows
from tests.dags.conftest import BatchDatabase, free_port

pytestmark = pytest.mark.integration
T = TypeVar("T")


def kill(server: Postgres) -> None:
    """kill -9 of the server with all its processes, as if the machine had lost power."""
    found = server.process.find()
    assert found
    family = [found, *found.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)


def test_a_connection_is_durable_and_in_utc(database: BatchDatabase) -> None:
    """Whatever the server's defaults are."""
    with connect(database.settings).cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('synchronous_commit'), current_setting('timezone'), "
            "current_schema(), current_setting('application_name')"
        )
        assert cursor.fetchone() == ("on", "UTC", database.settings.batch_schema, "batch")


def test_a_wrong_password_is_said_at_once(database: BatchDatabase, tmp_path: Path) -> None:
    """No waiting for what will not pass; the remedy names the variables; no secret is shown."""
    wrong = tmp_path / "pgpass"
    wrong.touch(mode=0o600)
    wrong.write_text("*:*:*:*:hunter2\n")
    begun = time.monotonic()
    with pytest.raises(DatabaseRefused, match="password authentication failed") as caught:
        Database(DatabaseSettings.load(pgpassfile=wrong)).run(lambda cursor: None)
    assert time.monotonic() - begun < 5
    assert "PGPASSFILE" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_database_is_said_at_once(database: BatchDatabase) -> None:
    """A wrong name does not become right by waiting."""
    url = database.settings.database_url.removesuffix("market") + "nowhere"
    with pytest.raises(DatabaseRefused, match='database "nowhere" does not exist'):
        Database(DatabaseSettings.load(database_url=url)).run(lambda cursor: None)


def test_a_database_that_is_gone_is_waited_for(database: BatchDatabase) -> None:
    """For so long as the setting says, then DatabaseUnavailable with the remedy."""
    url = f"postgresql://market@127.0.0.1:{free_port()}/market"
    settings = DatabaseSettings.load(database_url=url, batch_database_patience=0.5)
    begun = time.monotonic()
    with pytest.raises(
        DatabaseUnavailable, match=r"(?s)no database for 0\.5 s.*: start it .*, then resume"
    ):
        Database(settings).run(lambda cursor: None)
    assert 0.4 < time.monotonic() - begun < 5


def test_an_error_rolls_back(database: BatchDatabase) -> None:
    """And the connection can be used again."""
    own = Database(database.settings)
    with pytest.raises(psycopg2.errors.DivisionByZero):
        own.run(lambda cursor: cursor.execute("CREATE TABLE t (i int); SELECT 1 / 0"))
    assert own.run(lambda cursor: cursor.execute("SELECT 1")) is None
    assert rows(database, "SELECT to_regclass('t')") == [(None,)]


def test_a_killed_session_is_made_again(database: BatchDatabase) -> None:
    """The work is done once more, from its beginning."""
    own = Database(database.settings)
    attempts = []

    def work(cursor: Cursor) -> None:
        attempts.append(1)
        cursor.execute("CREATE TABLE once (i int)")
        if len(attempts) == 1:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    own.run(work)
    assert len(attempts) == 2
    assert rows(database, "SELECT count(*) FROM once") == [(0,)]


class LosesAnswers(Database):
    """Each nth commit goes through, but its answer is lost with the connection."""

    nth = 2
    commits = 0

    def _attempt(self, work: Callable[[Cursor], T]) -> T:
        result = super()._attempt(work)
        self.commits += 1
        if self.commits % self.nth == 0:
            self.close()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return result


@pytest.mark.parametrize("nth", [2, 3, 5])
def test_a_commit_whose_answer_is_lost_counts_once(database: BatchDatabase, nth: int) -> None:
    """Wherever in the work that happens: nothing is stored, logged or counted twice."""
    bench = Bench(database, {"6758.T": [Failure.TIMEOUT], "9984.T": [Failure.RATE_LIMITED]})
    bench.engine.database = own = LosesAnswers(database.settings)
    own.nth = nth
    batch = bench.engine.start_batch(CODES)
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert bench.engine.finish(batch).status == "completed"
    assert_consistent(database, CODES)
    assert rows(database, "SELECT count(*) FROM batch_executions") == [(1,)]
    assert bench.stocks("retry_count")[1] == (1,)


def test_missing_tables_are_said_with_the_remedy(database: BatchDatabase) -> None:
    """A new database is not a riddle."""
    settings = database.settings.model_copy(update={"batch_schema": "batch_nowhere"})
    with pytest.raises(MigrationError, match=r"does not exist: .*dags\.batch migrate"):
        Database(settings).run(lambda cursor: cursor.execute("SELECT 1 FROM batch_executions"))


def test_a_deadlock_is_tried_again(database: BatchDatabase) -> None:
    """The server ends one of the two; its work is done once more."""
    rows(database, "CREATE TABLE pair AS SELECT n FROM generate_series(1, 2) AS n; SELECT 1")
    both = threading.Barrier(2)

    def work_on(first: int, second: int) -> None:
        held = []

        def work(cursor: Cursor) -> None:
            cursor.execute("SET LOCAL deadlock_timeout = '100ms'")
            cursor.execute("UPDATE pair SET n = n WHERE n = %s", (first,))
            if not held:
                held.append(1)
                both.wait(5)
            cursor.execute("UPDATE pair SET n = n WHERE n = %s", (second,))

        Database(database.settings).run(work)
        done.append(first)

    done: list[int] = []
    threads = [threading.Thread(target=work_on, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(done) == [1, 2]


@pytest.mark.parametrize("state", ["53100", "53200"])
def test_a_full_database_fails_the_execution_resumably(database: BatchDatabase, state: str) -> None:
    """The server says so itself, by its own error code; nothing of the stock is stored."""
    with database.connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.symbol = '6758.T' AND NEW.trade_date > '2025-01-20' THEN "
            f"RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{state}'; END IF; "
            "RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON daily_bars "
            "FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES)
    with pytest.raises(StorageFull, match="make room on the database's disk"):
        bench.engine.run_chunk(batch)
    execution = bench.engine.find(batch)
    assert execution.status == "failed"
    assert execution.reason and "could not extend file" in execution.reason
    assert rows(database, "SELECT DISTINCT symbol FROM daily_bars") == [("7203.T",)]
    assert [status for (status,) in bench.stocks("status")] == ["completed"] + ["pending"] * 3
    with database.connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER full_disk ON daily_bars")
    bench.engine.resume_batch(batch)
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert_consistent(database, CODES)


def test_a_database_that_stays_away_leaves_the_execution_as_it_is(
    database: BatchDatabase, postgres_server: Postgres
) -> None:
    """The task fails, nothing else does: the next try goes on where this one was."""
    other = connect(
        DatabaseSettings.load(
            database_url=database.settings.database_url.removesuffix("market") + "postgres"
        ),
        autocommit=True,
    )

    def allow(connections: bool) -> None:
        with other.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE market ALLOW_CONNECTIONS {connections}")

    def go_away() -> None:
        allow(False)
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'market'"
            )

    bench = Bench(database, {"6758.T": [go_away]})
    bench.engine.database.settings = database.settings.model_copy(
        update={"batch_database_patience": 0.3}
    )
    batch = bench.engine.start_batch(CODES)
    try:
        with pytest.raises(DatabaseUnavailable, match=r"no database for 0\.3 s"):
            bench.engine.run_chunk(batch)
    finally:
        allow(True)
        other.close()
    fresh = database._replace(connection=connect(database.settings, autocommit=True))
    assert rows(fresh, "SELECT status FROM batch_executions") == [("running",)]
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert_consistent(fresh, CODES)
    fresh.connection.close()


def test_a_killed_server_costs_nothing(database: BatchDatabase, postgres_server: Postgres) -> None:
    """kill -9 of PostgreSQL in the middle of the work: the workers wait, then go on."""
    codes = [str(1000 + number) for number in range(60)]
    bench = Bench(database, delay=0.02)
    batch = bench.engine.start_batch(codes)
    results = []
    thread = threading.Thread(target=lambda: results.append(bench.engine.run_chunk(batch)))
    thread.start()
    time.sleep(0.6)
    kill(postgres_server)
    begun = time.monotonic()
    while True:
        try:
            postgres_server.start()
            break
        except ServiceError:
            assert time.monotonic() < begun + 20
    database.connection.close()
    fresh = database._replace(connection=connect(database.settings, autocommit=True))
    done = rows(fresh, "SELECT count(*) FROM batch_execution_details WHERE status = 'completed'")
    assert 0 < done[0][0] < 60, "the server was not killed in the middle"
    thread.join(60)
    assert [result.state for result in results] == [ChunkState.DONE]
    assert_consistent(fresh, codes)
    fresh.connection.close()


def test_the_password_of_the_local_stack_is_found(
    database: BatchDatabase, postgres_server: Postgres, tmp_path: Path
) -> None:
    """Without PGPASSFILE the state folder's own file is taken: commands work in a bare shell."""
    env = {k: v for k, v in os.environ.items() if k != "PGPASSFILE"}
    env["MARKET_STREAMS_STATE"] = str(postgres_server.settings.market_streams_state)
    program = "from dags.batch.database import connect; connect().close(); print('in')"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=env,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "in\n", done.stderr
