"""All venues at once: 50 symbols × 8 venues, through real sockets, into a real broker.

    python -m tests.benchmarks.venues                 # about a minute; needs Kafka
    python -m tests.benchmarks.venues --minutes 30    # the steady part for so long: memory

Each venue has a feed in a process of its own, as in use; one server process plays all eight, with
frames made of the contract tests' samples, new ids and times in each. First a steady rate
(``--rate`` trades a second and symbol): processor time, memory each 10 s, and the latency from the
read of the socket to the append in Kafka's log (the topic is stamped by the broker). Then, without
``--minutes``, as fast as the machine goes. Memory is flat where, after the first fifth of the time,
no process leaves ±5 % of its median.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
import uuid
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import psutil
from kafka import KafkaConsumer, TopicPartition

from connectors.exchanges import registry
from connectors.feed.supervisor import Feed
from connectors.kafka.admin import ensure_topics
from connectors.kafka.topics import TRADES, partition_of, topics_for
from connectors.settings import load_settings
from tests.benchmarks.venue_server import SYMBOLS, many, serve_venues, symbols_of

STEADY, FLAT_OUT, SETTLE = 30.0, 15.0, 5.0
SAMPLE_EVERY = 10.0
LATEST = 20_000
"""Records of each venue from whose stamps latencies are taken."""
TOLERANCE = 0.05


class Sample(NamedTuple):
    """One look at one feed's process."""

    at: float
    events: int
    cpu: float
    rss: int


class _Stamp(msgspec.Struct):
    event_type: str
    ts_recv: int


def run_feed(name: str, url: str, prefix: str, state: str, pipe: Connection) -> None:
    """One feed's process: answers each message with its counters; None ends it."""
    asyncio.run(_run_feed(name, url, prefix, Path(state), pipe))


async def _run_feed(name: str, url: str, prefix: str, state: Path, pipe: Connection) -> None:
    settings = load_settings(
        topic_prefix=prefix,
        market_streams_state=state,
        metrics_port=-1,
        bus_reports=False,
        **{f"{name}_ws_url": f"ws://{url}", f"{name}_rest_url": f"http://{url}"},
        coinbase_exchange_rest_url=f"http://{url}",
    )
    feed = Feed(many(name), symbols_of(name), ["trades"], settings)
    stop = asyncio.Event()
    task = asyncio.create_task(feed.run(stop))
    own = psutil.Process()
    while await asyncio.to_thread(pipe.recv):
        state_now = feed.state
        events = 0 if state_now is None else state_now.total_events()
        cpu = own.cpu_times()
        sample = Sample(time.monotonic(), events, cpu.user + cpu.system, own.memory_info().rss)
        pipe.send((sample, feed.stats.connected, feed.stats.gaps, feed.stats.conflated))
        if task.done():
            break
    stop.set()
    pipe.send((await task, feed.stats.dead_letters, feed.stats.duplicates))


class Feeds:
    """The processes of a run."""

    def __init__(self, prefix: str, state: str, ports: dict[str, int]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes: dict[str, Connection] = {}
        self.processes = []
        for name in registry.VENUES:
            ours, theirs = context.Pipe()
            words = (name, f"127.0.0.1:{ports[name]}", prefix, state, theirs)
            process = context.Process(target=run_feed, args=words, daemon=True)
            process.start()
            self.pipes[name] = ours
            self.processes.append(process)

    def look(self) -> dict[str, Sample]:
        """A sample of each feed."""
        found = {}
        for name, pipe in self.pipes.items():
            pipe.send("look")
            found[name] = pipe.recv()[0]
        return found

    def wait_live(self) -> None:
        """Until each feed brings events."""
        deadline = time.monotonic() + 60
        while not all(sample.events for sample in self.look().values()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not all feeds are live: {self.look()}")
            time.sleep(0.2)

    def stop(self) -> dict[str, Any]:
        """End all; gives what each left behind."""
        ends = {}
        for name, pipe in self.pipes.items():
            pipe.send(None)
            ends[name] = pipe.recv()
        for process in self.processes:
            process.join(10)
        return ends


def watch(feeds: Feeds, seconds: float) -> list[dict[str, Sample]]:
    """A sample of each feed each 10 s, the first and the last included."""
    end = time.monotonic() + seconds
    found = [feeds.look()]
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, SAMPLE_EVERY))
        found.append(feeds.look())
    return found


def latencies(bootstrap: str, topic: str) -> dict[str, tuple[float, float]]:
    """Per venue: median and 99th percentile of (append in the log - read of the socket), ms."""
    decode = msgspec.json.Decoder(_Stamp).decode
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    found = {}
    for name in registry.VENUES:
        where = TopicPartition(topic, partition_of(name))
        consumer.assign([where])
        end = consumer.end_offsets([where])[where]
        consumer.seek(where, max(0, end - LATEST))
        times = []
        while consumer.position(where) < end:
            for record in consumer.poll(timeout_ms=500).get(where, ()):
                event = decode(record.value)
                if event.event_type == "trade":
                    times.append(record.timestamp - event.ts_recv / 1000)
        cuts = statistics.quantiles(times, n=100)
        found[name] = (cuts[49], cuts[98])
    consumer.close()
    return found


def flat(samples: list[dict[str, Sample]]) -> dict[str, float]:
    """Per venue: the largest distance from the median of its memory, after the first fifth."""
    kept = samples[len(samples) // 5 :]
    found = {}
    for name in registry.VENUES:
        sizes = [sample[name].rss for sample in kept]
        middle = statistics.median(sizes)
        found[name] = max(abs(size - middle) / middle for size in sizes)
    return found


def _rates(first: dict[str, Sample], last: dict[str, Sample]) -> dict[str, tuple[float, float]]:
    """Per venue: events a second and processor time a second."""
    return {
        name: (
            (last[name].events - first[name].events) / (last[name].at - first[name].at),
            (last[name].cpu - first[name].cpu) / (last[name].at - first[name].at),
        )
        for name in registry.VENUES
    }


def _table(
    rates: dict[str, tuple[float, float]], times: dict[str, tuple[float, float]], rss: Any
) -> None:
    print(f"{'venue':10}{'events/s':>10}{'CPU':>7}{'MiB':>6}{'p50 ms':>9}{'p99 ms':>9}")
    for name, (events, cpu) in rates.items():
        mib, (p50, p99) = rss[name].rss / 2**20, times[name]
        print(f"{name:10}{events:10,.0f}{cpu:7.1%}{mib:6.0f}{p50:9.1f}{p99:9.1f}")
    total = [sum(part) for part in zip(*rates.values(), strict=True)]
    print(f"{'all':10}{total[0]:10,.0f}{total[1]:7.1%}", flush=True)


def run(rate: float = 5.0, minutes: float = 0.0) -> dict[str, float]:
    """Print the tables; return the sums, for the summary of all benchmarks."""
    prefix = f"bench{uuid.uuid4().hex[:8]}."
    bootstrap = load_settings().kafka_bootstrap_servers
    stamped = {"message.timestamp.type": "LogAppendTime"}
    ensure_topics(
        bootstrap,
        prefix,
        [
            one._replace(config={**one.config, **stamped}) if one.name == TRADES.name else one
            for one in topics_for(registry.VENUES)
        ],
    )
    context = multiprocessing.get_context("spawn")
    server_pipe, theirs = context.Pipe()
    server = context.Process(target=serve_venues, args=(theirs,), daemon=True)
    server.start()
    ports = server_pipe.recv()
    server_pipe.send(rate)
    with TemporaryDirectory() as state:
        feeds = Feeds(prefix, state, ports)
        feeds.wait_live()
        time.sleep(SETTLE)
        samples = watch(feeds, minutes * 60 or STEADY)
        time.sleep(0.2)
        times = latencies(bootstrap, prefix + TRADES.name)
        print(f"steady: {SYMBOLS} symbols × {len(registry.VENUES)} venues, {rate:g}/s each")
        steady = _rates(samples[0], samples[-1])
        _table(steady, times, samples[-1])
        worst = flat(samples)
        if minutes:
            _memory(samples, worst)
        result = _sums("venues_steady", steady, times)
        if not minutes:
            server_pipe.send(0.0)
            time.sleep(SETTLE)
            fast = watch(feeds, FLAT_OUT)
            server_pipe.send(rate)
            full = _rates(fast[0], fast[-1])
            times = latencies(bootstrap, prefix + TRADES.name)
            print("as fast as it goes, all processes on this machine:")
            _table(full, times, fast[-1])
            result |= _sums("venues_full", full, times)
        ends = feeds.stop()
    server_pipe.send(None)
    server.join(5)
    bad = {name: end for name, end in ends.items() if end[0] or end[1]}
    if bad:
        raise RuntimeError(f"records left or dead letters: {bad}")
    return result


def _sums(
    name: str, rates: dict[str, tuple[float, float]], times: dict[str, tuple[float, float]]
) -> dict[str, float]:
    return {
        f"{name}_events_per_s": round(sum(events for events, _ in rates.values())),
        f"{name}_cpu": round(sum(cpu for _, cpu in rates.values()), 3),
        f"{name}_worst_p99_ms": round(max(p99 for _, p99 in times.values()), 1),
    }


def _memory(samples: list[dict[str, Sample]], worst: dict[str, float]) -> None:
    """Memory of each process every 10 s as lines of JSON, and the verdict."""
    for sample in samples:
        row = {name: round(one.rss / 2**20, 1) for name, one in sample.items()}
        print(json.dumps({"seconds": round(sample["binance"].at - samples[0]["binance"].at)} | row))
    verdict = "flat" if max(worst.values()) <= TOLERANCE else "NOT FLAT"
    shown = ", ".join(f"{name} {share:.1%}" for name, share in worst.items())
    print(f"memory after the first fifth, farthest from the median: {shown}: {verdict} (±5 %)")


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--rate", type=float, default=5.0, help="trades a second and symbol")
    words.add_argument("--minutes", type=float, default=0.0, help="steady for so long")
    given = words.parse_args()
    json.dump(run(given.rate, given.minutes), sys.stdout, indent=2)
    print()
