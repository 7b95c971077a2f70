"""Files of raw frames: written, rotated, read back, cut off."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
import zstandard

from connectors.books import OrderBook
from connectors.errors import ConfigurationError
from connectors.events import BookUpdate
from connectors.exchanges import registry
from connectors.feed.recorder import Recorder
from connectors.feed.recording import FrameFile, Line, Reading, RecordingFile, line_of
from connectors.feed.replay import Replay, venue_of
from connectors.settings import load_settings
from connectors.simulator.instruments import E8
from connectors.simulator.recording import load_recording
from tests.connectors.simulator.harness import exchange, until

HEAD: list[dict[str, object]] = [
    {"t": "header", "exchange": "binance", "config": {"trades": ["BTC-USDT"]}}
]
T = 1_780_000_000_123_457


def lines(path: Path) -> tuple[list[Line], Reading]:
    """What a file holds, and how its reading went."""
    reading = Reading()
    return [line_of(row) for row in RecordingFile(path, reading).rows()], reading


def written(folder: Path, frames: list[bytes], max_bytes: int = 10**6) -> list[Path]:
    """Files with these frames, flushed after each, closed."""
    file = FrameFile(folder, "binance", HEAD, max_bytes)
    for number, frame in enumerate(frames):
        file.add("recv", "c-1", T + number, frame)
        file.flush()
    file.close()
    return file.paths


def test_frames_come_back_as_they_travelled(tmp_path: Path) -> None:
    """Any text, any bytes, times to the µs."""
    frames = ['{"a":"é\\u0000 "}'.encode(), b"\xff\x00 binary", b"line\nbreak", b""]
    (path,) = written(tmp_path, frames)
    found, reading = lines(path)
    assert [one.data for one in found[1:]] == frames
    assert [one.ts for one in found[1:]] == [T, T + 1, T + 2, T + 3]
    assert not reading.unfinished and reading.bad_lines == 0


def test_files_rotate_and_each_stands_alone(tmp_path: Path) -> None:
    """Beyond the size the next file begins, with the header again; no frame is lost."""
    frames = [json.dumps({"n": n, "x": str(n) * 50}).encode() for n in range(60)]
    paths = written(tmp_path, frames, max_bytes=500)
    assert len(paths) > 3
    read = [lines(path)[0] for path in paths]
    assert all(one[0].kind == "header" for one in read)
    assert [line.data for one in read for line in one[1:]] == frames


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_what_comes_before_a_cut_is_used(tmp_path: Path, share: float) -> None:
    """A file without its end gives a true prefix of its frames, and is reported."""
    frames = [json.dumps({"n": n, "x": str(n * 7919)}).encode() for n in range(400)]
    (path,) = written(tmp_path, frames)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    found, reading = lines(path)
    assert reading.unfinished == [path.name]
    kept = [one.data for one in found[1:]]
    assert kept == frames[: len(kept)] and len(kept) > 400 * share * 0.8


def test_broken_lines_are_counted_and_compression_errors_end_the_file(tmp_path: Path) -> None:
    """A line that is no JSON is passed over; damage inside the compression is reported."""
    plain = tmp_path / "a.jsonl"
    plain.write_text('{"t":"header"}\nnot json\n{"t":"recv","ts":1}\n{"t":"recv","ts":2')
    found, reading = lines(plain)
    assert [one.kind for one in found] == ["header", "recv"]
    assert (reading.bad_lines, reading.unfinished) == (1, ["a.jsonl"])
    damaged = tmp_path / "b.jsonl.zst"
    damaged.write_bytes(zstandard.compress(b'{"t":"header"}\n') + b"rubbish")
    found, reading = lines(damaged)
    assert len(found) == 1 and reading.unfinished == ["b.jsonl.zst"]


@pytest.mark.parametrize("text", ["", '{"t":"recv"}\n', '{"t":"header","exchange":"bitmex"}\n'])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "c.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"c\.jsonl"):
        venue_of(path)


@pytest.mark.parametrize(("venue", "symbol"), [("binance", "BTC-USDT"), ("coinbase", "BTC-USD")])
async def test_a_venue_is_recorded_over_reconnects_for_the_local_exchange_to_play(
    venue: str, symbol: str, tmp_path: Path
) -> None:
    """Every trade sent is in the file; a cut is a line of it; the simulator can play it."""
    async with exchange(tmp_path / "ledger", rate=100.0, speed=5.0, symbols=1) as here:
        address = here.addresses[venue]
        settings = load_settings(
            **{
                f"{venue}_ws_url": address["ws"],
                f"{venue}_rest_url": address["rest"],
                "backoff_base": 0.01,
                "backoff_cap": 0.01,
            }
        )
        out = tmp_path / "out"
        recorder = Recorder(registry.venue(venue), [symbol], ["trades"], settings, out, 10**7)
        stop = asyncio.Event()
        task = asyncio.create_task(recorder.run(stop))
        await until(lambda: recorder.frames > 30, "frames")
        await here.fault("disconnect", venue)
        before = recorder.frames
        await until(lambda: recorder.frames > before + 30, "frames after the cut")
        stop.set()
        await task
    (path,) = recorder.paths
    found, reading = lines(path)
    assert not reading.unfinished
    kinds = [one.kind for one in found]
    assert kinds[:3] == ["header", "http", "connect"]
    assert (kinds.count("connect"), kinds.count("disconnect")) == (2, 1)
    played = load_recording(path)
    ids = [trade.trade_id for frame in played.frames for trade in frame.trades]
    assert played.exchange == venue and len(set(ids)) > 50
    assert venue_of(path).name == venue


class Collected:
    """Takes what a replay publishes."""

    blocked = False

    def __init__(self) -> None:
        self.books: dict[str, OrderBook] = {}
        self.breaks: list[str] = []

    def event(self, event: object, kind: str) -> None:
        """Rebuild books as a reader of the topic does."""
        if isinstance(event, BookUpdate):
            book = self.books.setdefault(event.symbol, OrderBook())
            if not event.is_snapshot and event.prev_sequence != book.sequence:
                self.breaks.append(event.symbol)
            book.apply(event)

    def heartbeat(self, event: object, topic: object) -> bool:
        """Nothing to do."""
        return True


async def test_books_of_a_recording_are_the_exchanges_own(tmp_path: Path) -> None:
    """Also after a cut connection, and without the first of several files."""
    async with exchange(rate=100.0, symbols=2, trades=500) as here:
        address = here.addresses["binance"]
        settings = load_settings(
            binance_ws_url=address["ws"], binance_rest_url=address["rest"], backoff_base=0.05
        )
        venue = registry.venue("binance")
        symbols = here.engine.venues["binance"].symbols
        recorder = Recorder(venue, symbols, ["books"], settings, tmp_path, 12_000)
        stop = asyncio.Event()
        task = asyncio.create_task(recorder.run(stop))
        await until(lambda: recorder.frames > 15, "frames")
        await here.fault("disconnect", "binance")
        before = recorder.frames
        await until(lambda: recorder.frames > before + 5, "frames after the cut")
        await here.finished()
        await asyncio.sleep(0.3)
        stop.set()
        await task
        markets = here.engine.venues["binance"].market.symbols  # type: ignore[attr-defined]
        truth = {m.instrument.symbol: (m.update_id, m.book()) for m in markets}
    assert len(recorder.paths) > 2
    for paths in (recorder.paths, recorder.paths[1:]):
        collected = Collected()
        replay = Replay(venue, collected, 0.0, 2.0)  # type: ignore[arg-type]
        await replay.play(paths)
        assert collected.books.keys() == truth.keys() and collected.breaks == []
        for symbol, (update_id, (bids, asks)) in truth.items():
            book = collected.books[symbol]
            assert book.sequence == update_id
            for side, levels in ((book.bids, bids), (book.asks, asks)):
                assert {Decimal(p): Decimal(s) for p, s in side.items()} == {
                    Decimal(p) / E8: Decimal(s) / E8 for p, s in levels.items()
                }
