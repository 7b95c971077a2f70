"""
### Daily bars of every listed stock

Fetches the daily bars of all stocks of the Tokyo Stock Exchange from Yahoo Finance into
PostgreSQL (table `daily_bars`), every weekday after the close. On a day without a session the run
ends green at its first task.

| task | what it does |
|---|---|
| `session_gate` | ends the run on a holiday; refuses params that make no sense |
| `check_systems` | settings, database and its migrations, cache folder, upstream |
| `refresh_listing` | takes the exchange's list over; a bad list changes nothing |
| `plan` | which stocks, from which session on, in chunks |
| `fetch` | one task a chunk; goes on where it was after any kill |
| `check_integrity` | counts, gaps, order of prices, jumps …; a row each in `batch_findings` |
| `refill` | fetches the gaps again |
| `report` | what happened, stored with the execution and in this task's log |
| `notify` | tells people (`BATCH_NOTIFY_URLS`) |
| `watcher` | makes the run red if anything failed |

**By hand**: Trigger, choose a mode. **Past sessions**: Trigger, Backfill; each date fetches its
one session. **Pause, resume, stop, retry failed**: on the page *Batch* or with
`python -m dags.batch`. A stock that fails does not fail the run: see the report.
"""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from airflow.sdk import (
    CronTriggerTimetable,
    Param,
    TriggerRule,
    conf,
    dag,
    get_current_context,
    task,
)

from dags.batch.config import BatchConfig
from dags.batch.notify import on_dag_failure
from dags.batch.operators import (
    FetchChunk,
    Refill,
    SessionGate,
    failed_tasks,
    retry_policy,
    run_of,
)
from dags.batch.params import fields

SHORT = timedelta(minutes=10)
# A chunk takes two minutes; a storm of 429 may stretch that to hours.
LONG = timedelta(hours=6)


@dag(
    schedule=CronTriggerTimetable("0 18 * * 1-5", timezone="Asia/Tokyo"),
    # No start_date: with one, switching the DAG on would at once run the session that went by.
    catchup=False,
    max_active_runs=1,
    # Pauses included: the next session's run must find its place.
    dagrun_timeout=timedelta(hours=23),
    doc_md=__doc__,
    tags=["stocks", "batch"],
    params={name: Param(**field) for name, field in fields().items()},
    on_failure_callback=on_dag_failure,
    default_args={
        "owner": "market-data",
        "retries": 3,
        "retry_delay": timedelta(seconds=20),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "retry_policy": retry_policy(),
        "execution_timeout": SHORT,
    },
)
def all_stocks_fetch() -> None:
    """See the module."""

    @task(multiple_outputs=False)
    def check_systems(params: dict[str, Any] | None = None) -> dict[str, str]:
        """Settings, database, cache folder, upstream."""
        from dags.batch import steps

        return steps.check_systems(params or {})

    @task(multiple_outputs=False)
    def refresh_listing() -> dict[str, Any]:
        """Take the exchange's list over."""
        from dags.batch import steps

        return steps.refresh_listing()

    @task
    def plan(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Which stocks, from which session on, in chunks."""
        from dags.batch import steps

        most = conf.getint("core", "max_map_length", fallback=1024)
        return steps.make_plan(run_of(get_current_context()), params or {}, most)

    @task(execution_timeout=timedelta(minutes=30), multiple_outputs=False)
    def check_integrity() -> dict[str, Any]:
        """Run all rules; findings by rule."""
        from dags.batch import steps

        return steps.check_integrity(run_of(get_current_context()).run_id)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def report() -> dict[str, Any] | None:
        """What happened."""
        from dags.batch import steps

        context = get_current_context()
        return steps.write_report(run_of(context).run_id, failed_tasks(context))

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def notify(made: dict[str, Any] | None = None) -> str:
        """Tell people."""
        from dags.batch import steps

        context = get_current_context()
        return steps.tell(run_of(context), failed_tasks(context), made)

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def watcher() -> None:
        """The report runs in any case, and a run is as red as its last tasks: hence this one."""
        raise RuntimeError("a task of this run failed, see above")

    gate = SessionGate(task_id="session_gate")
    chunks = plan()
    fetch = FetchChunk.partial(
        task_id="fetch",
        retries=8,
        execution_timeout=LONG,
        max_active_tis_per_dagrun=BatchConfig.load().max_workers,
        map_index_template="{{ task.stocks }}",
    ).expand_kwargs(chunks)
    refill = Refill(task_id="refill", retries=8, execution_timeout=LONG)
    made = report()
    parts = [
        gate,
        check_systems(),
        refresh_listing(),
        chunks,
        fetch,
        check_integrity(),
        refill,
        made,
        notify(made),
    ]
    for before, after in pairwise(parts):
        before >> after
    parts >> watcher()


all_stocks_fetch()
