"""Check the windows in PostgreSQL and Kafka against ledgers: `python -m flink_jobs.oracle LEDGER…`.

The last line counts the windows compared and the differences; the status is 1 unless windows
were compared and none differed.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from flink_jobs.oracle import expected
from flink_jobs.oracle.compare import Places, check, check_until_equal

HELP = "default: the windows of the job bars"


def parser() -> argparse.ArgumentParser:
    """The command line; addresses default to the environment's and then to the local stack's."""
    top = argparse.ArgumentParser(prog="python -m flink_jobs.oracle", description=__doc__)
    top.add_argument("ledgers", nargs="+", type=Path, help="ledgers of the local exchange")
    top.add_argument("--model", action="append", choices=list(expected.MODELS), help=HELP)
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:19092")
    database = os.environ.get("DATABASE_URL", "postgresql://market@127.0.0.1:15432/market")
    top.add_argument("--bootstrap", default=bootstrap)
    top.add_argument("--database-url", default=database)
    top.add_argument("--schema", default=os.environ.get("ANALYTICS_SCHEMA", "analytics"))
    top.add_argument("--topic-prefix", default=os.environ.get("TOPIC_PREFIX", ""))
    top.add_argument("--watermark-delay", type=float, default=5, help="of the sources, seconds")
    top.add_argument("--timeout", type=float, default=60, help="wait so long for results, seconds")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and say by the status whether all is equal."""
    options = parser().parse_args(arguments)
    places = Places(
        options.bootstrap,
        options.database_url,
        options.schema,
        options.topic_prefix,
        round(options.watermark_delay * 1000),
    )
    results = check_until_equal(
        lambda: check(options.ledgers, places, options.model), options.timeout
    )
    for result in results:
        print(result)
    windows = sum(result.rows for result in results)
    differences = sum(result.differences for result in results)
    print(f"{windows} windows compared with the oracle, differences: {differences}")
    return 0 if windows and not differences else 1


if __name__ == "__main__":
    sys.exit(main())
