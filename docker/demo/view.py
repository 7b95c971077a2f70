"""The demo's terminal: pure functions from the state to what rich draws."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from statistics import mean
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from docker.demo.state import DemoState

BLOCKS = "▁▂▃▄▅▆▇█"
MOST_BARS = 12


def sparkline(values: list[float]) -> str:
    """One block character per value, scaled between the lowest and the highest."""
    if not values:
        return ""
    low, span = min(values), max(values) - min(values)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round((value - low) / span * top) if span else 0] for value in values)


def screen(state: DemoState, addresses: dict[str, str]) -> RenderableType:
    """The whole screen."""
    return Group(
        headline(state),
        Columns([services(state), feeds(state)]),  # below each other where it is narrow
        Panel(bars(state), title=f"1-minute bars ({state.windows} windows)", border_style="blue"),
        Panel(alerts(state), title=f"alerts ({state.alert_count})", border_style="yellow"),
        footer(state, addresses),
    )


def headline(state: DemoState) -> Text:
    """Time in the market, and how long the demo has run."""
    market = datetime.fromtimestamp(state.market_us / 1e6, UTC)
    behind = time.time() - state.market_us / 1e6
    mood = f"catching up, {behind / 60:.0f} min to go" if behind > 5 else "live"
    elapsed = time.monotonic() - state.started
    return Text.assemble(
        ("market-streams ", "bold"),
        f"  market time {market:%Y-%m-%d %H:%M:%S} UTC ({mood})   running {elapsed:.0f} s",
    )


def services(state: DemoState) -> Table:
    """The stack's processes."""
    table = Table(title="services", title_style="bold")
    for column in ("service", "port", "health", "memory"):
        table.add_column(column)
    for row in state.services:
        style = "green" if row.health == "up" else "red"
        memory = f"{row.memory / 2**20:.0f} MiB"
        table.add_row(row.service, str(row.port), Text(row.health, style), memory)
    return table


def feeds(state: DemoState) -> Table:
    """The connectors."""
    table = Table(title="feeds", title_style="bold")
    for column in ("venue", "state", "events", "events/s", "lag p50/p99", "gaps", "dead"):
        table.add_column(column, justify="right")
    for venue, feed in state.feeds.items():
        mood = Text("live", "green") if feed.connected else Text("down", "red")
        lag = f"{_lag(feed.lag_p50)}/{_lag(feed.lag_p99)}"
        table.add_row(
            venue, mood, f"{feed.events:,.0f}", f"{feed.rate:,.0f}", lag,
            str(feed.gaps), str(feed.dead_letters),
        )  # fmt: skip
    return table


def _lag(seconds: float) -> str:
    """A lag as a person would say it; replayed markets lie far behind."""
    if seconds >= 120:
        return f"{seconds / 60:.0f}m"
    return f"{seconds:.1f}s" if seconds >= 1 else f"{seconds * 1000:.0f}ms"


def bars(state: DemoState) -> RenderableType:
    """The last bar of the most traded symbols and the closes before it."""
    if not state.bars:
        return Text("the first window closes soon …", "dim")
    table = Table.grid(expand=True, padding=(0, 1))
    columns = ("venue", "symbol", "minute", "close", "vwap", "trades", "closes")
    for name in columns:
        table.add_column(justify="right" if name in ("close", "vwap", "trades") else "left")
    table.add_row(*(Text(name, "bold") for name in columns))
    busiest = sorted(state.bars.items(), key=lambda item: -mean_trades(item[1]))[:MOST_BARS]
    for (exchange, symbol), history in sorted(busiest):
        last = history[-1]
        closes = [float(bar["close"]) for bar in history]
        table.add_row(
            exchange, symbol, str(last["window_start"])[11:16], _price(last["close"]),
            _price(last["vwap"]), str(last["trade_count"]),
            Text(sparkline(closes), "green" if closes[-1] >= closes[0] else "red"),
        )  # fmt: skip
    return table


def mean_trades(history: Iterable[dict[str, Any]]) -> float:
    """Trades per bar."""
    return float(mean(bar["trade_count"] for bar in history))


def _price(value: object) -> str:
    """Seven significant digits: enough to see a tick, short enough for a column."""
    number = Decimal(str(value))
    return f"{number:,.2f}" if number >= 100 else f"{number:.5f}"


def alerts(state: DemoState) -> RenderableType:
    """The last alerts, newest first."""
    if not state.alerts:
        return Text("none yet", "dim")
    lines = [
        f"{str(alert['event_time'])[11:19]}  {alert['severity']:<8} {alert['message']}"
        for alert in reversed(state.alerts)
    ]
    return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")


def footer(state: DemoState, addresses: dict[str, str]) -> Text:
    """Late rows, dead letters, the last words of the feeds, and where to look further."""
    dead = sum(feed.dead_letters for feed in state.feeds.values())
    duplicates = sum(feed.duplicates for feed in state.feeds.values())
    lines = [f"late rows {state.late}   dead letters {dead}   duplicates removed {duplicates}"]
    lines += [f"  {note}" for note in state.notes]
    lines += [f"{name}: {address}" for name, address in addresses.items()]
    return Text("\n".join(lines), "dim", no_wrap=True, overflow="ellipsis")
