"""What the event engine adds to the parse path of one core.

    python -m tests.benchmarks.engine

- ``path``: frame to event to record value, handed to a plain function (as `parse.py` measures).
- ``engine``: the same, but the event goes through an `EventEngine` to that function.
- ``coroutine``: the same with a coroutine function as handler, which has lanes and a task.

All variants run in turns within one process; each keeps its best CPU time. The share is what the
engine adds, divided by the path without it: the bound is 20 % for plain handlers.
"""

import asyncio
from collections.abc import Callable
from time import process_time

from connectors.engine import EventEngine
from connectors.exchanges import registry
from connectors.exchanges.base import Instrument, Item, Parser
from connectors.kafka.serde import encode
from tests.benchmarks.parse import NOW, SYMBOLS, make_frames

TYPES = {"trade": "trade", "quote": "price_update", "book": "order_book"}
BOUND = 0.20


def publish(event: object) -> None:
    """What a publisher does first."""
    encode(event)


async def publish_later(event: object) -> None:
    """The same, as a coroutine function."""
    encode(event)


async def measure(kind: str, turns: int) -> dict[str, float]:
    """Return the best CPU time a frame of each variant, in ns."""
    frames = make_frames(kind)
    instruments = [Instrument(s, s.replace("-", ""), "0.01", "0.00001") for s in SYMBOLS]
    parser = registry.venue("binance").parser(instruments, "binance-1")
    best = {
        "path": float("inf"),
        "engine": float("inf"),
        "coroutine": float("inf"),
    }
    for _ in range(turns):
        best["path"] = min(best["path"], _timed(frames, parser, publish))
        for name, handler in (("engine", publish), ("coroutine", publish_later)):
            engine = EventEngine(capacity=len(frames))
            engine.register_handler(TYPES[kind], handler)
            task = asyncio.create_task(engine.process_events())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            start = process_time()
            _timed(frames, parser, engine.emit_nowait)
            engine.stop()
            await task
            best[name] = min(best[name], (process_time() - start) / len(frames) * 1e9)
            if engine.processing_stats["events_processed"] != len(frames):
                raise RuntimeError(f"not all events were handled: {engine.processing_stats}")
    return best


def _timed(frames: list[bytes], parser: Parser, take: Callable[[Item], object]) -> float:
    parse = parser.parse
    start = process_time()
    for frame in frames:
        for item in parse(frame, NOW):
            take(item)
    return (process_time() - start) / len(frames) * 1e9


def run(turns: int = 30) -> dict[str, float]:
    """Print the table; return the shares by name, for the summary of all benchmarks."""
    results: dict[str, float] = {}
    print(f"{'ns a frame':12}{'path':>10}{'engine':>10}{'coroutine':>11}{'share':>8}{'share':>8}")
    for kind in TYPES:
        best = asyncio.run(measure(kind, turns))
        path = best["path"]
        shares = {name: best[name] / path - 1 for name in ("engine", "coroutine")}
        print(f"{kind:12}{path:10.0f}{best['engine']:10.0f}{best['coroutine']:11.0f}"
              f"{shares['engine']:8.1%}{shares['coroutine']:8.1%}")  # fmt: skip
        results |= {f"engine_{kind}_{name}_share": share for name, share in shares.items()}
    worst = max(share for name, share in results.items() if "_engine_" in name)
    print(f"plain handlers: at most {worst:.1%} of the parse path (bound {BOUND:.0%})")
    return results


if __name__ == "__main__":
    run()
