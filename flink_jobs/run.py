"""What `flink run -py` takes: submits jobs of sql/jobs.toml, or single model files.

    flink run -d -pyclientexec PYTHON -pyexec PYTHON -py flink_jobs/run.py bars alerts
    flink run … -py flink_jobs/run.py -- --job bars --from 2026-11-22T08:00:00Z

Flink's own command line takes a bare `--job` for its `--jobmanager`, so name the jobs first, or
put `--` before the options.
A job that ran before goes on from its savepoint or newest checkpoint where its plan is the same,
and is computed anew from the topics where it is not; --from always starts anew.
Prints one JSON line for each submitted job: {"job": "bars", "id": "…", "how": "…"}.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from flink_jobs import lifecycle, settings  # noqa: E402
from flink_jobs.catalog import Catalog  # noqa: E402
from flink_jobs.errors import JobError, SqlError  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Submit each job named; 1 if one of them is refused."""
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="job of jobs.toml, or a model file")
    parser.add_argument("--job", action="append", default=[], help="the same, as an option")
    parser.add_argument("--from", dest="start", help="earliest, latest or an ISO time")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--version", action="append", type=int, default=[], help="number of an earlier submission"
    )
    parser.add_argument("--debug", action="store_true", help="show Java stacks")
    options = parser.parse_args(arguments)
    if not options.jobs and not options.job and not options.version:
        parser.error("name a job; put `--` before options, Flink takes --job for --jobmanager")
    given = {**settings.environment(), **dict(pair.split("=", 1) for pair in options.set)}
    try:
        catalog = Catalog.load(settings.Settings().market_streams_sql, given)
        for name in [*options.jobs, *options.job]:
            done = lifecycle.submit(catalog, name, options.start, options.debug)
            print(json.dumps(done), flush=True)
        for number in options.version:
            print(json.dumps(lifecycle.submit_version(catalog, number, options.debug)), flush=True)
    except (SqlError, JobError) as error:
        print(error, file=sys.stderr)
        if options.debug:
            raise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
