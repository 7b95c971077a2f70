"""Checks from the command line: plan every job, run cases, run them again on save."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from flink_jobs.catalog import Catalog, guess
from flink_jobs.errors import JobError, SqlError
from flink_jobs.lint import unbounded
from flink_jobs.testing.cases import Case, cases

PAUSE = 0.3


def check_all(catalog: Catalog, paths: Sequence[Path], debug: bool = False) -> int:
    """Plan every job, run every case below the paths; the number of faults, each told."""
    failed = 0
    for name in catalog.jobs:
        failed += _told(f"job {name}", partial(_plan, catalog, name, debug))
    return failed + run_cases(catalog, cases(paths), debug)


def run_cases(catalog: Catalog, found: Sequence[Case], debug: bool = False) -> int:
    """Run cases, tell each; the number of those that failed."""
    from flink_jobs.testing.run import run_case

    begun = time.monotonic()
    failed = sum(_told(case.title, partial(run_case, catalog, case, debug)) for case in found)
    seconds = time.monotonic() - begun
    print(f"{len(found)} cases run in {seconds:.1f} s, {failed} failed", flush=True)
    return failed


def cases_of(paths: Sequence[Path], model: str) -> list[Case]:
    """Cases of one model, by its name or path. JobError if there are none."""
    name = Path(model).stem
    found = cases(paths)
    chosen = [c for c in found if Path(c.content.get("model", "")).stem == name]
    if not chosen:
        known = sorted({Path(c.content["model"]).stem for c in found if "model" in c.content})
        raise JobError(f"no cases of {model}{guess(name, known)}")
    return chosen


def watch(files: Callable[[], Sequence[Path]]) -> Iterator[None]:
    """Once at first, then whenever one of the files has been saved."""
    seen: dict[Path, int] = {}
    while True:
        now = {path: path.stat().st_mtime_ns for path in files() if path.exists()}
        if now != seen:
            seen = now
            yield
        time.sleep(PAUSE)


def _plan(catalog: Catalog, name: str, debug: bool) -> str:
    from flink_jobs.jobs import explain_job, plan_job

    plan, engine = plan_job(catalog, name, debug)
    for warning in unbounded(explain_job(plan, engine), plan.settings):
        print(f"warning: job {name}: {warning}")
    return ""


def _told(title: str, run: Callable[[], str]) -> int:
    try:
        fault = run()
    except (SqlError, JobError) as error:
        fault = str(error)
    print(f"{'FAILED' if fault else 'ok'} {title}")
    if fault:
        print("  " + fault.replace("\n", "\n  "))
    return int(bool(fault))
