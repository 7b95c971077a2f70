"""Parse path of one core: frame to normalised event to record value, against bare msgspec.

    python -m tests.benchmarks.parse

- ``bare``: a loop that decodes each frame into a typed struct of all its fields and encodes the
  normalised event, which was made beforehand: what the library alone costs.
- ``bare + struct``: the same, but the event is built from the decoded fields in place, with
  constants for everything else: no dispatch, no symbol table, no list of items, no checks.
- ``ours``: ``parse`` with all checks, then ``encode``, as the feed does it.
- ``unchecked``: ours with the checks of numbers and times taken out, to see what they cost.

All variants run in turns within one process; each keeps its best CPU time. The frames of a kind
are all different (10,000 frames, 20 symbols, prices that walk, sizes that repeat rarely).
"""

import random
from collections.abc import Callable
from time import process_time
from typing import Any

import msgspec
from msgspec import Struct

from connectors.events import SCHEMA_VERSION, BookUpdate, Quote, Trade
from connectors.exchanges import binance_frames, binance_parser, registry
from connectors.exchanges.base import MAX_FUTURE, Instrument, Item, Parser
from connectors.exchanges.binance_parser import BinanceParser
from connectors.kafka.serde import encode

FRAMES = 10_000
NOW = 1_700_000_100_000_000
SYMBOLS = [f"{base}-USDT" for base in (
    "BTC", "ETH", "SOL", "BNB", "XRP", "DOGE", "ADA", "TRX", "AVAX", "LINK", "DOT", "LTC", "BCH",
    "UNI", "ATOM", "XLM", "ETC", "FIL", "NEAR", "APT",
)]  # fmt: skip


class AllOfTrade(Struct, gc=False):
    e: str
    E: int
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    M: bool


class AllOfQuote(Struct, gc=False):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


class AllOfDepth(Struct, gc=False):
    e: str
    E: int
    s: str
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class TradeEnvelope(Struct, gc=False):
    stream: str
    data: AllOfTrade


class QuoteEnvelope(Struct, gc=False):
    stream: str
    data: AllOfQuote


class DepthEnvelope(Struct, gc=False):
    stream: str
    data: AllOfDepth


def make_frames(kind: str, seed: int = 1) -> list[bytes]:
    """Return frames as Binance writes them; depth frames have 15 + 15 levels."""
    rng = random.Random(seed)
    prices = [rng.uniform(0.5, 70_000) for _ in SYMBOLS]
    return [_frame(kind, number, rng, prices) for number in range(FRAMES)]


def _frame(kind: str, number: int, rng: random.Random, prices: list[float]) -> bytes:
    which = rng.randrange(len(SYMBOLS))
    prices[which] *= 1 + rng.gauss(0, 1e-5)
    native = SYMBOLS[which].replace("-", "")

    def price(step: int = 0) -> str:
        return f"{prices[which] * (1 + step * 1e-5):.2f}000000"

    def size() -> str:
        return f"{rng.expovariate(1):.5f}000"

    ms = 1_700_000_000_000 + number
    if kind == "trade":
        return (
            f'{{"stream":"{native.lower()}@trade","data":{{"e":"trade","E":{ms},"s":"{native}",'
            f'"t":{4_000_000_000 + number},"p":"{price()}","q":"{size()}","T":{ms},'
            f'"m":{rng.choice(("true", "false"))},"M":true}}}}'
        ).encode()
    if kind == "quote":
        return (
            f'{{"stream":"{native.lower()}@bookTicker","data":{{"u":{400_900_217 + number},'
            f'"s":"{native}","b":"{price(-1)}","B":"{size()}","a":"{price(1)}","A":"{size()}"}}}}'
        ).encode()
    bids = ",".join(f'["{price(-i)}","{size()}"]' for i in range(1, 16))
    asks = ",".join(f'["{price(i)}","{size()}"]' for i in range(1, 16))
    return (
        f'{{"stream":"{native.lower()}@depth@100ms","data":{{"e":"depthUpdate","E":{ms},'
        f'"s":"{native}","U":{number * 10},"u":{number * 10 + 9},"b":[{bids}],"a":[{asks}]}}}}'
    ).encode()


Loop = Callable[[], None]
ENVELOPES = {"trade": TradeEnvelope, "quote": QuoteEnvelope, "book 15+15": DepthEnvelope}


def bare(kind: str, frames: list[bytes], events: list[Item]) -> Loop:
    """Decode a typed struct, encode the event made beforehand."""
    decode = msgspec.json.Decoder(ENVELOPES[kind]).decode
    encoder = msgspec.json.Encoder().encode

    def loop() -> None:
        for frame, event in zip(frames, events, strict=True):
            decode(frame)
            encoder(event)

    return loop


def _trade(d: AllOfTrade) -> Trade:
    return Trade(
        "binance", "BTC-USDT", d.s, d.T * 1000, NOW, "binance-1", "venue", 1, str(d.t), d.t, d.p,
        d.q, "sell" if d.m else "buy",
    )  # fmt: skip


def _quote(d: AllOfQuote) -> Quote:
    return Quote(
        "binance", "BTC-USDT", d.s, NOW, NOW, "binance-1", "receipt", 1, d.b, d.B, d.a, d.A, d.u
    )


def _book(d: AllOfDepth) -> BookUpdate:
    return BookUpdate(
        "binance", "BTC-USDT", d.s, d.E * 1000, NOW, "binance-1", "venue", 1, False, d.b, d.a, d.u,
        d.U - 1, 1,
    )  # fmt: skip


BUILD: dict[str, Callable[[Any], Item]] = {"trade": _trade, "quote": _quote, "book 15+15": _book}


def bare_with_struct(kind: str, frames: list[bytes]) -> Loop:
    """Decode a typed struct, build the event from it, encode that."""
    decode = msgspec.json.Decoder(ENVELOPES[kind]).decode
    build = BUILD[kind]
    encoder = msgspec.json.Encoder().encode

    def loop() -> None:
        for frame in frames:
            encoder(build(decode(frame).data))

    return loop


def ours(frames: list[bytes], parser: Parser) -> Loop:
    """Parse with all checks and encode, as the feed does."""

    def loop() -> None:
        for frame in frames:
            for item in parser.parse(frame, NOW):
                encode(item)

    return loop


class Unchecked(BinanceParser):
    """The same parser without the checks of numbers and times: only to see what they cost."""

    def parse(self, frame: bytes, ts_recv: int) -> list[Item]:
        """See `BinanceParser.parse`."""
        try:
            last = frame[-3]
            if last == 0x65:
                trade = binance_frames.decode_trade(frame).data
                native, seq, ts_event = trade.s, trade.t, trade.T * 1000
                return [
                    Trade(
                        binance_parser.NAME,
                        self._symbols[native],
                        native,
                        ts_event,
                        ts_recv,
                        self._source,
                        "venue",
                        SCHEMA_VERSION,
                        str(seq),
                        seq,
                        trade.p,
                        trade.q,
                        "sell" if trade.m else "buy",
                    )
                ]
            if last == 0x22:
                return self._quote(frame, ts_recv)
            if last == 0x5D:
                return self._book(frame, ts_recv)
        except KeyError:
            pass
        return self._tolerant(frame, ts_recv)

    def _quote(self, frame: bytes, ts_recv: int) -> list[Item]:
        quote = binance_frames.decode_quote(frame).data
        native = quote.s
        return [
            Quote(
                binance_parser.NAME,
                self._symbols[native],
                native,
                ts_recv,
                ts_recv,
                self._source,
                "receipt",
                SCHEMA_VERSION,
                quote.b,
                quote.B,
                quote.a,
                quote.A,
                quote.u,
            )
        ]

    def _book(self, frame: bytes, ts_recv: int) -> list[Item]:
        book = binance_frames.decode_depth(frame).data
        native, ts_event = book.s, book.E * 1000
        return [
            BookUpdate(
                binance_parser.NAME,
                self._symbols[native],
                native,
                ts_event,
                ts_recv,
                self._source,
                "venue",
                SCHEMA_VERSION,
                False,
                book.b,
                book.a,
                book.u,
                book.U - 1,
                1,
            )
        ]


def measure(kind: str, turns: int) -> dict[str, float]:
    """Return the best CPU time a frame of each variant, in ns."""
    frames = make_frames(kind.split()[0])
    instruments = [Instrument(s, s.replace("-", ""), "0.01", "0.00001") for s in SYMBOLS]
    parser = registry.venue("binance").parser(instruments, "binance-1")
    events = [item for frame in frames for item in parser.parse(frame, NOW)]
    if not all(isinstance(event, (Trade, Quote, BookUpdate)) for event in events):
        raise RuntimeError(f"the {kind} frames of this benchmark are not all events")
    loops = {
        "bare": bare(kind, frames, events),
        "bare + struct": bare_with_struct(kind, frames),
        "ours": ours(frames, parser),
        "unchecked": ours(frames, Unchecked(instruments, "binance-1", MAX_FUTURE)),
    }
    best = dict.fromkeys(loops, float("inf"))
    for _ in range(turns):
        for name, loop in loops.items():
            start = process_time()
            loop()
            best[name] = min(best[name], (process_time() - start) / len(frames) * 1e9)
    return best


def run(turns: int = 40) -> dict[str, float]:
    """Print the table; return frames/s and ratios by name, for the summary of all benchmarks."""
    results: dict[str, float] = {}
    print(f"{'frames/s':12}{'bare':>12}{'bare+struct':>13}{'ours':>12}{'unchecked':>12}"
          f"{'of bare':>10}{'of b+struct':>13}{'checks':>8}")  # fmt: skip
    for kind in ENVELOPES:
        best = measure(kind, turns)
        rates = [1e9 / best[name] for name in ("bare", "bare + struct", "ours", "unchecked")]
        of_bare, of_struct = best["bare"] / best["ours"], best["bare + struct"] / best["ours"]
        checks = 1 - best["unchecked"] / best["ours"]
        print(f"{kind:12}{rates[0]:12,.0f}{rates[1]:13,.0f}{rates[2]:12,.0f}{rates[3]:12,.0f}"
              f"{of_bare:10.2f}{of_struct:13.2f}{checks:8.1%}")  # fmt: skip
        name = kind.replace(" ", "_").replace("+", "_")
        results |= {f"parse_{name}_per_s": rates[2], f"parse_{name}_of_bare": of_bare,
                    f"parse_{name}_of_bare_struct": of_struct,
                    f"parse_{name}_checks_share": checks}  # fmt: skip
    return results


if __name__ == "__main__":
    run()
