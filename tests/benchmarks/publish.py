"""Socket to Kafka: our feed against a bare loop of the same libraries with the same settings.

    python -m tests.benchmarks.publish            # needs Kafka at KAFKA_BOOTSTRAP_SERVERS

A server process blasts ready-made Binance trade frames. The bare loop receives, decodes, encodes
and produces the same records, and checks nothing. Both run in turn, so that they share the noise
of the machine; what counts is the median of the ratios of neighbouring runs. Events per second of
processor time (all threads of the process) are given too: other work on the machine moves them
less.
"""

import asyncio
import json
import multiprocessing
import statistics
import sys
import time
import uuid
from http import HTTPStatus
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Producer as Librdkafka
from kafka import KafkaAdminClient, KafkaProducer
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode

from connectors.events import SCHEMA_VERSION, Trade
from connectors.exchanges import registry
from connectors.feed.connection import open_connection
from connectors.feed.supervisor import Feed
from connectors.kafka.admin import ensure_topics
from connectors.kafka.producer_librdkafka import librdkafka_config
from connectors.kafka.producers import BATCH_BYTES
from connectors.kafka.topics import TOPICS, TRADES
from connectors.settings import Settings, load_settings

NATIVE = [f"COIN{number}USDT" for number in range(20)]
SYMBOLS = [f"COIN{number}-USDT" for number in range(20)]
EVENTS = {"confluent": 300_000, "kafka-python": 90_000}
ROUNDS = 5
CHUNK = 64 * 1024


def frames(count: int, first_round: int) -> list[bytes]:
    """Trade frames in Binance's combined form; ids of each symbol are consecutive."""
    now = time.time_ns() // 1_000_000
    size = len(NATIVE)
    made = []
    for number in range(count):
        native, ms = NATIVE[number % size], now + number // 100
        maker = "true" if number % 2 else "false"
        made.append(
            f'{{"stream":"{native.lower()}@trade","data":{{"e":"trade","E":{ms},"s":"{native}",'
            f'"t":{first_round + number // size},"p":"{68016 + number % 97}.19000000",'
            f'"q":"0.15084000","T":{ms},"m":{maker},"M":true}}}}'.encode()
        )
    return made


def listing() -> bytes:
    """Answer of ``exchangeInfo`` for the symbols."""
    return json.dumps(
        {
            "symbols": [
                {
                    "symbol": native,
                    "status": "TRADING",
                    "baseAsset": native.removesuffix("USDT"),
                    "quoteAsset": "USDT",
                    "filters": [
                        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
                        {"filterType": "LOT_SIZE", "stepSize": "0.00001000"},
                    ],
                }
                for native in NATIVE
            ]
        }
    ).encode()


def serve_frames(pipe: Connection) -> None:
    """Server process: sends its port, then for each number received prepares such a burst."""
    asyncio.run(_serve_frames(pipe))


async def _serve_frames(pipe: Connection) -> None:
    burst = b""
    first = 1

    async def handle(websocket: ServerConnection) -> None:
        request = json.loads(await websocket.recv())
        await websocket.send(json.dumps({"result": None, "id": request["id"]}))
        # Ready-made bytes straight into the transport: the server must not be the bottleneck.
        for start in range(0, len(burst), CHUNK):
            websocket.transport.write(burst[start : start + CHUNK])
            while websocket.transport.get_write_buffer_size() > 8 * CHUNK:  # noqa: ASYNC110
                await asyncio.sleep(0.0005)
        await websocket.wait_closed()

    def answer(_: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/api/v3/exchangeInfo"):
            body = listing()
        elif request.path.startswith("/api/v3/historicalTrades"):
            body = b"[]"
        else:
            return None
        headers = Headers({"Content-Length": str(len(body)), "Content-Type": "application/json"})
        return Response(HTTPStatus.OK, "OK", headers, body)

    async with serve(handle, "127.0.0.1", 0, process_request=answer, compression=None) as server:
        pipe.send(next(iter(server.sockets)).getsockname()[1])
        while (count := await asyncio.to_thread(pipe.recv)) is not None:
            burst = b"".join(
                Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in frames(count, first)
            )
            first += count // len(NATIVE)
            pipe.send("ready")


class _Data(msgspec.Struct, gc=False):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class _TradeFrame(msgspec.Struct, gc=False):
    data: _Data


def bare_sender(settings: Settings, topic: str) -> tuple[Any, Any, Any]:
    """(send(key, value, ms), poll(), flush()) of the bare client with the feed's options."""
    if settings.producer == "confluent":
        failed: list[object] = []
        config = librdkafka_config(settings)
        client = Librdkafka({**config, "on_delivery": lambda error, _: failed.append(error)})
        produce = client.produce

        def send(key: bytes, value: bytes, ms: int) -> None:
            while True:
                try:
                    return produce(topic, value, key, 0, timestamp=ms)
                except BufferError:
                    client.poll(0.01)

        return send, lambda: client.poll(0), lambda: client.flush(60)
    python_client = KafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        enable_idempotence=True,
        acks="all",
        compression_type="lz4",
        linger_ms=settings.linger_ms,
        batch_size=BATCH_BYTES,
        metrics_enabled=False,
    )
    python_client.partitions_for(topic)
    errors: list[object] = []

    def send_python(key: bytes, value: bytes, ms: int) -> None:
        future = python_client.send(topic, value, key, None, 0, ms)
        future.add_errback(errors.append)

    return send_python, lambda: None, lambda: python_client.flush(60)


class Speed(NamedTuple):
    """Events per second, of the clock and of this process's processor time."""

    wall: float
    cpu: float


class _Timer:
    def __init__(self) -> None:
        self._started = time.perf_counter(), time.process_time()

    def speed(self, count: int) -> Speed:
        wall, cpu = self._started
        return Speed(count / (time.perf_counter() - wall), count / (time.process_time() - cpu))


async def bare(url: str, settings: Settings, count: int) -> Speed:
    """Speed of the bare loop, until Kafka has confirmed all."""
    venue = registry.venue("binance")
    send, poll, flush = bare_sender(settings, settings.topic(TRADES.name))
    decode = msgspec.json.Decoder(_TradeFrame).decode
    encode = msgspec.json.Encoder().encode
    names = dict(zip(NATIVE, SYMBOLS, strict=True))
    keys = {native: f"binance|{symbol}".encode() for native, symbol in names.items()}
    async with open_connection(f"{url}/stream", venue.limits, 10) as websocket:
        await websocket.send('{"method":"SUBSCRIBE","params":[],"id":1}')
        await websocket.recv()
        receive, time_ns = websocket.recv, time.time_ns
        timer = _Timer()
        for number in range(count):
            frame = await receive(decode=False)
            now = time_ns() // 1000
            data = decode(frame).data
            native = data.s
            side = "sell" if data.m else "buy"
            event = Trade(
                "binance",
                names[native],
                native,
                data.T * 1000,
                now,
                "bare",
                "venue",
                SCHEMA_VERSION,
                str(data.t),
                data.t,
                data.p,
                data.q,
                side,  # type: ignore[arg-type]
            )
            send(keys[native], encode(event), data.T)
            if number & 1023 == 0:
                poll()
        flush()
        return timer.speed(count)


async def ours(settings: Settings, count: int) -> Speed:
    """Speed of the feed, until Kafka has confirmed all."""
    feed = Feed(registry.venue("binance"), SYMBOLS, ["trades"], settings)
    stop = asyncio.Event()
    running = asyncio.create_task(feed.run(stop))
    while (feed.state is None or not feed.state.total_events()) and not running.done():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    timer = _Timer()
    while not running.done():
        # Seldom: each wake-up may wait for the interpreter lock behind a busy client thread.
        await asyncio.sleep(0.02)
        if feed.state is not None and feed.state.total_events() >= count:
            break
    assert feed.state is not None
    await asyncio.to_thread(feed.state.publisher.producer.flush, 60)
    speed = timer.speed(count)
    stop.set()
    left = await running
    assert left == 0 and feed.stats.duplicates == 0 and feed.stats.gaps == 0
    return speed


def run(rounds: int = ROUNDS) -> dict[str, float]:
    """Medians of events/s and their ratio, per producer."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    server = context.Process(target=serve_frames, args=(theirs,), daemon=True)
    server.start()
    url = f"127.0.0.1:{pipe.recv()}"
    result: dict[str, float] = {}
    try:
        for producer, count in EVENTS.items():
            result |= _compare(pipe, url, producer, count, rounds)
    finally:
        pipe.send(None)
        server.join(5)
    return result


def _compare(
    pipe: Connection, url: str, producer: str, count: int, rounds: int
) -> dict[str, float]:
    settings = load_settings(
        topic_prefix=f"bench-{uuid.uuid4().hex[:8]}.",
        producer=producer,
        binance_ws_url=f"ws://{url}",
        binance_rest_url=f"http://{url}",
        buffer_records=500_000,
        metrics_port=-1,
    )
    bootstrap = settings.kafka_bootstrap_servers
    ensure_topics(bootstrap, settings.topic_prefix)
    pairs: list[tuple[Speed, Speed]] = []
    try:
        for _ in range(rounds):
            _burst(pipe, count)
            plain = asyncio.run(bare(f"ws://{url}", settings, count))
            _burst(pipe, count)
            pairs.append((plain, asyncio.run(ours(settings, count))))
    finally:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        admin.delete_topics([settings.topic(topic.name) for topic in TOPICS])
        admin.close()
    median = statistics.median
    return {
        f"publish_{producer}_bare_per_s": round(median(plain.wall for plain, _ in pairs)),
        f"publish_{producer}_ours_per_s": round(median(feed.wall for _, feed in pairs)),
        f"publish_{producer}_ratio": round(median(f.wall / p.wall for p, f in pairs), 3),
        f"publish_{producer}_cpu_ratio": round(median(f.cpu / p.cpu for p, f in pairs), 3),
    }


def _burst(pipe: Connection, count: int) -> None:
    """Have the server prepare its next burst."""
    pipe.send(count)
    pipe.recv()


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=2)
    print()
