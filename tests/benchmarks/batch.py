"""The batch as a whole: real Airflow, PostgreSQL and yfinance against the loopback Yahoo.

    python -m tests.benchmarks.batch                    # 3,800 stocks at 50 calls a second
    python -m tests.benchmarks.batch --rate 5           # as Yahoo is to be treated: 13 minutes

- ``limit``: what the token bucket allows, (calls - burst) / rate seconds, against the time from
  the server's first to its last call.
- ``overhead``: the whole run in Airflow against the limit.
- memory is the sum of the proportional set sizes of all processes of the stack, at its highest.
"""

import argparse
import threading
import time
from datetime import datetime

import psutil

from docker.local.process import carriers
from docker.local.settings import ROOT
from tests.integration.batch import Batch, batch_with
from tests.integration.conftest import airflow_with

BURST = 20


def main() -> None:
    """Run once and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.batch", description=__doc__)
    parser.add_argument("--stocks", type=int, default=3800)
    parser.add_argument("--rate", type=float, default=50, help="calls a second")
    parser.add_argument("--years", type=int, default=1, help="length of the histories")
    parser.add_argument("--workers", type=int, default=10)
    options = parser.parse_args()
    with (
        airflow_with(ROOT / "dags", {}, parallelism=options.workers) as airflow,
        batch_with(airflow, symbols=options.stocks, years=options.years) as batch,
        Memory(batch) as memory,
    ):
        conf = {
            "mode": "full",
            "requests_per_second": options.rate,
            "burst_limit": BURST,
            "max_workers": options.workers,
        }
        begun = time.monotonic()
        run = batch.trigger(conf)
        state = batch.wait_end(run, 3600)
        whole = time.monotonic() - begun
        table(batch, run, options.rate, whole, state, memory.most)


def table(batch: Batch, run: str, rate: float, whole: float, state: str, memory: int) -> None:
    """Print what was measured."""
    batch.judge(batch.execution(run))
    upstream = batch.upstream_state()
    calls, stocks = upstream["http_calls"], len(batch.ordinary())
    fetching = seconds_between(upstream["first_call"], upstream["last_call"])
    limit = (sum(upstream["by_kind"]["price"].values()) - BURST) / rate
    ((rows, first, last),) = batch.rows(
        "SELECT sum(d.records_inserted), min(d.start_time), max(d.end_time)"
        " FROM batch_execution_details d"
    )
    storing = (last - first).total_seconds()
    print(f"run                     {state} after {whole:.1f} s")
    print(f"stocks, bars            {stocks:,}, {rows:,}, all equal to the server's")
    print(f"HTTP calls a stock      {calls / stocks:.4f}")
    print(f"fetch phase             {storing:.1f} s, limit {limit:.1f} s: {limit / storing:.1%}")
    print(f"  as the server saw it  {fetching:.1f} s")
    print(f"most calls in a second  {upstream['max_in_a_second']}")
    print(f"whole run over limit    {whole / limit - 1:.1%}")
    print(f"bars stored a second    {rows / storing:,.0f}")
    print(f"memory, highest         {memory / 2**20:,.0f} MiB")


def seconds_between(first: str | float, last: str | float) -> float:
    """Seconds between two times, given as numbers or as ISO texts."""
    if isinstance(first, str) and isinstance(last, str):
        return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    return float(last) - float(first)


class Memory:
    """Looks now and then at what the stack's processes hold."""

    def __init__(self, batch: Batch) -> None:
        self.end = f"@{batch.airflow.settings.market_streams_state}"
        self.most = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(5):
            total = 0
            for process, tag in list(carriers()):
                if tag.endswith(self.end):
                    try:
                        total += int(process.memory_full_info().pss)
                    except psutil.Error:
                        continue
            self.most = max(self.most, total)


if __name__ == "__main__":
    main()
