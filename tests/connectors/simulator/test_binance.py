"""Binance's protocol, seen by a real client."""

import json
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from tests.connectors.simulator.harness import Client, Exchange, exchange, until

FAST: dict[str, Any] = {"rate": 200.0, "speed": 20.0}


async def test_subscribe_is_acknowledged_and_data_follows() -> None:
    """SUBSCRIBE gives a null result with the request's id, then combined envelopes."""
    async with exchange(**FAST) as here:
        client = await here.binance("btcusdt@trade")
        assert {"result": None, "id": 1} in client.frames
        frame = await client.wait(lambda one: "stream" in one, "a trade")
        assert frame["stream"] == "btcusdt@trade"
        data = frame["data"]
        assert set(data) == {"e", "E", "s", "t", "p", "q", "T", "m", "M"}
        assert data["e"] == "trade" and data["s"] == "BTCUSDT" and data["E"] >= data["T"]
        assert len(data["p"].partition(".")[2]) == len(data["q"].partition(".")[2]) == 8


def of_stream(name: str, frame: dict[str, Any]) -> bool:
    """Whether a combined frame is of a stream."""
    return frame.get("stream") == name


async def test_address_names_streams() -> None:
    """``/ws/<stream>`` sends raw data, ``/stream?streams=a/b`` envelopes."""
    async with exchange(**FAST) as here:
        raw = await here.connect("binance", "/ws/btcusdt@trade")
        combined = await here.connect("binance", "/stream?streams=btcusdt@trade/ethusdt@trade")
        assert (await raw.wait(lambda one: True, "a frame"))["s"] == "BTCUSDT"
        for name in ("btcusdt@trade", "ethusdt@trade"):
            await combined.wait(partial(of_stream, name), name)


async def test_list_unsubscribe_and_property() -> None:
    """LIST_SUBSCRIPTIONS tells the streams, UNSUBSCRIBE ends them, ``combined`` can be set."""
    async with exchange(**FAST) as here:
        client = await here.connect("binance", "/ws/btcusdt@trade/ethusdt@trade")
        await client.send({"method": "LIST_SUBSCRIPTIONS", "id": 2})
        answer = await client.wait(lambda one: one.get("id") == 2, "list")
        assert answer["result"] == ["btcusdt@trade", "ethusdt@trade"]
        await client.send({"method": "SET_PROPERTY", "params": ["combined", True], "id": 3})
        await client.wait(lambda one: "stream" in one, "an envelope")
        names = ["btcusdt@trade", "ethusdt@trade"]
        await client.send({"method": "UNSUBSCRIBE", "params": names, "id": 4})
        await client.wait(lambda one: one.get("id") == 4, "acknowledgement")
        count = len(client.frames)
        now = here.engine.clock.now_us
        await until(lambda: here.engine.clock.now_us > now + 2_000_000, "two seconds pass")
        assert len(client.frames) == count
        assert here.engine.venues["binance"].subscribers == 0


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", 3),
        ("[1]", 2),
        ({"params": ["btcusdt@trade"], "id": 1}, 2),
        ({"method": "SUBSCRIB", "params": [], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt"], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [], "id": {"a": 1}}, 2),
        ({"method": "GET_PROPERTY", "params": ["colour"], "id": 1}, 0),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}, 1),
        ({"method": "SUBSCRIBE", "params": [f"s{n}@trade" for n in range(1025)], "id": 1}, 2),
    ],
)
async def test_bad_requests_get_error_frames(message: object, code: int) -> None:
    """Each with Binance's code and a text; the connection stays."""
    async with exchange(**FAST) as here:
        client = await here.connect("binance", "/ws")
        await client.send(message)
        error = await client.wait(lambda one: "code" in one, "error frame")
        assert error["code"] == code and error["msg"]
        await client.send({"method": "LIST_SUBSCRIPTIONS", "id": 9})
        assert (await client.wait(lambda one: one.get("id") == 9, "list"))["result"] == []


async def test_unknown_symbol_is_acknowledged_and_silent() -> None:
    """As on the venue: the subscription succeeds and nothing comes."""
    async with exchange(**FAST) as here:
        client = await here.binance("nosuchusdt@trade", "btcusdt@trade")
        await until(lambda: len(client.binance_trades()) > 20, "trades")
        assert {one["s"] for one in client.binance_trades()} == {"BTCUSDT"}


async def test_too_many_messages_end_the_connection() -> None:
    """More than five in a second: closed with 1008."""
    async with exchange(**FAST) as here:
        client = await here.connect("binance", "/ws")
        for number in range(6):
            await client.send({"method": "LIST_SUBSCRIPTIONS", "id": number})
        end = await client.closed()
        assert end.rcvd is not None and end.rcvd.code == 1008


def best(book: dict[str, dict[str, str]], side: str) -> str:
    """Best price of a side kept as text."""
    choose = max if side == "b" else min
    return choose(book[side], key=float)


def apply(book: dict[str, dict[str, str]], data: dict[str, Any]) -> None:
    """Apply one depthUpdate."""
    for side in ("b", "a"):
        for price, size in data[side]:
            if float(size):
                book[side][price] = size
            else:
                book[side].pop(price, None)


async def follow(here: Exchange, client: Client, stream: str) -> None:
    """Synchronize a book as Binance's documentation says; compare it with REST at the end."""
    await client.wait(lambda one: one.get("stream") == stream, "first update")
    _, snapshot = await here.get("binance", "/api/v3/depth", symbol="BTCUSDT", limit="1000")
    await here.finished()
    _, rest = await here.get("binance", "/api/v3/depth", symbol="BTCUSDT", limit="1000")
    # The last changes are sent at the end of their interval, a little after the last trade.
    await client.wait(
        lambda one: one.get("stream") == stream and one["data"]["u"] == rest["lastUpdateId"],
        "the update of the last change",
    )
    book = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    last = snapshot["lastUpdateId"]
    updates = [one["data"] for one in client.frames if one.get("stream") == stream]
    updates = [one for one in updates if one["u"] > last]
    assert len(updates) >= 3 and updates[0]["U"] <= last + 1 <= updates[0]["u"]
    for before, after in pairwise(updates):
        assert after["U"] == before["u"] + 1
    for update in updates:
        apply(book, update)
        assert float(best(book, "b")) < float(best(book, "a"))
    assert rest["lastUpdateId"] == updates[-1]["u"]
    assert book == {"b": dict(rest["bids"]), "a": dict(rest["asks"])}


@pytest.mark.parametrize(("stream", "speed"), [("depth", 40.0), ("depth@100ms", 10.0)])
async def test_book_follows_its_deltas(stream: str, speed: float) -> None:
    """Snapshot and updates join, never cross, and end in the book that REST shows."""
    trades = round(speed * 60)
    async with exchange(rate=60.0, speed=speed, trades=trades, waiting_for={"binance": 1}) as here:
        client = await here.binance("btcusdt@trade", f"btcusdt@{stream}")
        await follow(here, client, f"btcusdt@{stream}")


async def test_quotes_agree_with_trades() -> None:
    """A trade happens at the quote before it or beyond; update ids rise."""
    async with exchange(**FAST) as here:
        client = await here.binance("btcusdt@bookTicker", "btcusdt@trade")
        await until(lambda: len(client.frames) > 300, "frames")
        quote: dict[str, str] = {}
        for frame in client.frames[1:]:
            data = frame["data"]
            if "B" in data:
                assert set(data) == {"u", "s", "b", "B", "a", "A"}
                assert float(data["b"]) < float(data["a"])
                assert not quote or data["u"] > quote["u"]
                quote = data
            elif quote and data["m"]:
                assert float(data["p"]) <= float(quote["b"])
            elif quote:
                assert float(data["p"]) >= float(quote["a"])


async def test_candle_is_that_of_the_minute() -> None:
    """A closed kline_1m is what the trades of its minute make."""
    async with exchange(rate=30.0, speed=60.0, waiting_for={"binance": 1}) as here:
        client = await here.binance("btcusdt@trade", "btcusdt@kline_1m")

        def closed(frame: dict[str, Any]) -> bool:
            return bool(frame.get("data", {}).get("e") == "kline" and frame["data"]["k"]["x"])

        kline = (await client.wait(closed, "a closed candle"))["data"]["k"]
        trades = [t for t in client.binance_trades() if kline["t"] <= t["T"] <= kline["T"]]
        assert (kline["f"], kline["L"], kline["n"]) == (
            trades[0]["t"],
            trades[-1]["t"],
            len(trades),
        )
        assert (kline["o"], kline["c"]) == (trades[0]["p"], trades[-1]["p"])
        assert kline["h"] == max((t["p"] for t in trades), key=float)
        assert kline["l"] == min((t["p"] for t in trades), key=float)


async def test_plain_http_is_refused_where_a_websocket_is_expected() -> None:
    """A 400 that says so."""
    async with exchange() as here:
        status, body = await here.get("binance", "/ws")
        assert status == 400 and "WebSocket" in json.dumps(body)
