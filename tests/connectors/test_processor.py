"""`DataStreamProcessor` against a scripted exchange on a real socket."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import connectors.engine
from connectors.engine import EventEngine
from connectors.errors import ConfigurationError
from connectors.processor import DataStreamProcessor
from connectors.settings import load_settings
from docker.local.settings import ROOT
from tests.connectors.feed.running import until
from tests.connectors.feed.scripted import ScriptedBinance, scripted_binance

EXAMPLE = re.compile(r"^```python\n(import asyncio\nfrom connectors\.engine.*?)^```", re.M | re.S)


@pytest.fixture
async def exchange() -> AsyncIterator[ScriptedBinance]:
    """An exchange of this test alone."""
    async with scripted_binance() as scripted:
        yield scripted


class Seen:
    """What the handlers of one engine got."""

    def __init__(self) -> None:
        self.trades: list[int] = []
        self.statuses: list[str] = []
        self.processor: DataStreamProcessor


@asynccontextmanager
async def running() -> AsyncIterator[Seen]:
    """An engine and a processor with quick retries."""
    engine, seen = EventEngine(), Seen()
    engine.register_handler("trade", lambda event: seen.trades.append(event.trade_seq))
    engine.register_handler("system", lambda event: seen.statuses.append(event.kind))
    settings = load_settings(backoff_base=0.02, backoff_cap=0.05)
    task = asyncio.create_task(engine.process_events())
    async with DataStreamProcessor(engine, settings) as seen.processor:
        seen.processor.subscribe("binance", ["BTC-USDT"], ["trades"])
        yield seen
    engine.stop()
    await task


async def test_events_and_statuses_reach_the_handlers(exchange: ScriptedBinance) -> None:
    """Connected, subscribed, and the trades as the venue sent them."""
    async with running() as seen:
        connection = await seen.processor.connect_exchange("binance", f"ws://{exchange.url}")
        await until(lambda: connection.active)
        await exchange.send(*exchange.make("BTCUSDT", range(1, 4)))
        await until(lambda: len(seen.trades) == 3)
        assert seen.processor.connections == {"binance": connection}
        assert connection.active == set(seen.processor.subscriptions["binance"])
    assert seen.trades == [1, 2, 3]
    assert seen.statuses == ["connected", "subscribed"]


async def test_a_failed_first_connect_is_tried_again(exchange: ScriptedBinance) -> None:
    """Nobody listens at first; as soon as the exchange does, events come."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    async with running() as seen:
        connection = await seen.processor.connect_exchange("binance", f"ws://{host}:{port}")
        await until(lambda: connection.attempts >= 2)
        assert "OSError" in connection.last_error or "Refused" in connection.last_error
        connection.ws_url = f"ws://{exchange.url}"
        await until(lambda: connection.active)
        await exchange.send(exchange.trade("BTCUSDT", 1))
        await until(lambda: seen.trades == [1])


async def test_a_cut_connection_comes_back_with_its_subscriptions(
    exchange: ScriptedBinance,
) -> None:
    """Each cut is told, and nothing has to be done about it."""
    async with running() as seen:
        connection = await seen.processor.connect_exchange("binance", f"ws://{exchange.url}")
        for number in (1, 2, 3):
            await until(lambda: connection.active)
            await exchange.send(exchange.trade("BTCUSDT", number))
            await until(lambda number=number: seen.trades[-1:] == [number])
            await exchange.drop()
            await until(lambda number=number: exchange.connections > number)
    assert seen.trades == [1, 2, 3]
    assert seen.statuses[:6] == ["connected", "subscribed", "disconnected"] * 2


async def test_bad_frames_are_counted_and_logged_and_harm_nothing(
    exchange: ScriptedBinance, caplog: pytest.LogCaptureFixture
) -> None:
    """Not JSON, JSON of another shape, a negative price: the connection goes on."""
    bad = exchange.trade("BTCUSDT", 1).replace('"p":"', '"p":"-')
    with caplog.at_level(logging.ERROR):
        async with running() as seen:
            connection = await seen.processor.connect_exchange("binance", f"ws://{exchange.url}")
            await until(lambda: connection.active)
            await exchange.send("{not json", "[1, 2]", bad, "\x00", *["{"] * 20)
            await exchange.send(exchange.trade("BTCUSDT", 2))
            await until(lambda: seen.trades == [2])
            assert sum(connection.dead_letters.values()) == 24
            assert connection.dead_letters["price"] == 1
            assert connection.attempts == 1
    assert len(caplog.records) == len(connection.dead_letters)
    assert seen.statuses.count("dead_letter") == len(connection.dead_letters)


async def test_what_cannot_work_is_refused_at_once() -> None:
    """Unknown exchange, no symbol, nothing subscribed: each names itself."""
    processor = DataStreamProcessor(EventEngine(), load_settings())
    with pytest.raises(ConfigurationError, match="unknown venue 'nowhere'"):
        processor.subscribe("nowhere", ["BTC-USDT"])
    with pytest.raises(ConfigurationError, match="not a symbol"):
        processor.subscribe("binance", ["BTCUSDT"])
    processor.subscriptions.clear()
    with pytest.raises(ConfigurationError, match="call subscribe first"):
        await processor.connect_exchange("binance", "ws://127.0.0.1:1")


def examples() -> dict[str, str]:
    """Where the ten lines are shown: the package, and the README if it shows them."""
    texts = {
        "connectors.engine": connectors.engine.__doc__ or "",
        "README.md": (ROOT / "README.md").read_text(encoding="utf-8"),
    }
    found = {name: EXAMPLE.search(text) for name, text in texts.items()}
    return {name: match[1] for name, match in found.items() if match}


def test_the_package_shows_an_example() -> None:
    """The next test has something to run."""
    assert "connectors.engine" in examples()


@pytest.mark.parametrize("where", examples())
async def test_the_ten_lines_that_are_shown_work(
    where: str,
    exchange: ScriptedBinance,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are run as they stand, against an exchange at another address."""
    monkeypatch.setenv("BINANCE_WS_URL", f"ws://{exchange.url}")
    shown: dict[str, Any] = {}
    exec(compile(examples()[where], where, "exec"), shown)
    task = asyncio.create_task(shown["main"](0.5))
    await exchange.subscribed.wait()
    await exchange.send(exchange.trade("BTCUSDT", 7))
    await task
    assert capsys.readouterr().out == "BTC-USDT 100.5 0.25\n"
