"""The one contract that every registered venue keeps. A new venue needs `samples/<venue>.py`."""

import gzip
import json
import re
from collections import Counter, defaultdict

import pytest

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges import registry
from connectors.exchanges.base import (
    DeadLetter,
    Instrument,
    Item,
    ReconnectRequest,
    ResponseError,
    SequenceGap,
    Subscribed,
    Subscription,
    VenueError,
    VenueHeartbeat,
    Wanted,
)
from connectors.kafka.serde import decode, encode
from connectors.kafka.topics import WRITERS
from connectors.settings import Settings
from tests.connectors.exchanges.sample import NOW, TIME, Row, Sample, load
from tests.recordings import frames, message, message_names, require

LARGEST_FRAME = 20_000
"""Bytes of a request: below the least that a venue documents (Bybit, 21,000)."""

SAMPLES = [load(name) for name in registry.VENUES]


def venues(samples: list[Sample]) -> pytest.MarkDecorator:
    """Run a test once per venue."""
    return pytest.mark.parametrize("sample", samples, ids=[one.venue for one in samples])


every_venue = venues(SAMPLES)
RECORDED = ["bitflyer", "bybit", "okx", "upbit"]
"""Binance's and Coinbase's recordings have tests of their own."""


def only(items: list[Item]) -> Item:
    """Return the one item; Coinbase's frames that are sent again tell of a gap besides."""
    found = [item for item in items if not isinstance(item, SequenceGap)]
    assert len(found) == 1, items
    return found[0]


@every_venue
def test_symbols_both_ways(sample: Sample) -> None:
    """Native names are found without REST, and by the venue's own list, in the order asked."""
    venue = registry.venue(sample.venue)
    wanted = [one.symbol for one in sample.instruments][::-1]
    assert [venue.native_symbol(one.symbol) for one in sample.instruments] == [
        one.native_symbol for one in sample.instruments
    ]
    assert tuple(venue.parse_instruments(sample.listing, wanted)) == sample.instruments[::-1]
    assert venue.instruments_request(wanted, "https://host/").startswith("https://host/")
    with pytest.raises(ValueError, match="not a symbol"):
        venue.native_symbol("btc/usd")


@every_venue
def test_unfit_and_missing_listings_are_refused(sample: Sample) -> None:
    """One error names every symbol that is not listed; other answers are quoted."""
    venue = registry.venue(sample.venue)
    quote = sample.instruments[0].symbol.split("-")[1]
    with pytest.raises(ResponseError, match=f"NO1-{quote}.*not listed.*NO2-{quote}"):
        venue.parse_instruments(sample.listing, [f"NO1-{quote}", f"NO2-{quote}"])
    for body in (b"", b"<html>", b"{}", b'{"code":-1121,"msg":"x"}', b"5", b'{"data":{"list":5}}'):
        with pytest.raises(ResponseError, match=sample.venue):
            venue.parse_instruments(body, [sample.instruments[0].symbol])
        with pytest.raises(ResponseError, match=sample.venue):
            venue.parse_trades(body, sample.instruments[0], NOW, "rest")


@every_venue
def test_limits_addresses_and_partition(sample: Sample) -> None:
    """What the feed needs: limits of every channel, addresses, a partition to write to."""
    venue, limits = registry.venue(sample.venue), registry.venue(sample.venue).limits
    assert venue.name == sample.venue and (venue.name, 0) in WRITERS
    assert venue.channels <= set(limits.stale)
    assert min(limits.subscriptions, limits.messages_per_second, limits.silence) > 0
    assert limits.rest_interval > 0 and limits.rest_burst > 0 and limits.connects_per_minute > 0
    settings = Settings(_env_file=None)
    assert settings.rest_base(venue.name).startswith("https://")
    for channel in venue.channels:
        base = settings.ws_base(venue.name)
        url = venue.ws_url([Subscription(channel, sample.instruments[0].symbol)], base)
        assert url.startswith(base) and url.startswith("wss://")
    frame = sample.parser().keepalive_frame()
    assert limits.keepalive is None or frame is not None
    if frame is not None and sample.pong is not None:
        assert limits.keepalive is not None and limits.keepalive < limits.silence * 4
        assert only(sample.parser().parse(sample.pong, NOW)) == VenueHeartbeat()


@every_venue
def test_requests_are_small_and_name_everything(sample: Sample) -> None:
    """Hundreds of symbols make requests within the size limit, in which each is named."""
    venue = registry.venue(sample.venue)
    fine = "0.00000001"
    quote = sample.instruments[0].symbol.split("-")[1]
    symbols = [f"C{number}-{quote}" for number in range(100)]
    made = [Instrument(one, venue.native_symbol(one), fine, fine) for one in symbols]
    parser = venue.parser(made, "x")
    wanted = [Subscription(c, one) for c in sorted(venue.channels) for one in symbols]
    assert len(wanted) <= venue.limits.subscriptions * len(venue.channels)
    for sent in (parser.subscribe_frames(wanted), parser.unsubscribe_frames(wanted[:1])):
        assert all(len(frame) <= LARGEST_FRAME and json.loads(frame) for frame in sent)
    text = b"".join(venue.parser(made, "x").subscribe_frames(wanted)).lower()
    for one in made:
        assert re.search(rb"(\b|_)%b(\b|_)" % re.escape(one.native_symbol.lower().encode()), text)
    assert parser.subscribe_frames([]) == [] or not venue.confirms
    for bad in (Subscription("trades", "NO-SUCH"), Subscription("other", symbols[0])):  # type: ignore[arg-type]
        with pytest.raises((ValueError, KeyError)):
            parser.subscribe_frames([bad])


@every_venue
def test_confirmations(sample: Sample) -> None:
    """The answers to all requests leave exactly what was asked; ending one takes it away."""
    venue, parser = registry.venue(sample.venue), sample.parser()
    wanted = sample.subscriptions()
    assert venue.confirms == (sample.answers is not None)
    if sample.answers is None:
        return
    seen: set[Subscription] = set()

    def answer(requests: list[bytes]) -> list[Subscribed]:
        answers = [a for one in requests for a in sample.answers(json.loads(one))]  # type: ignore[misc]
        items = [i for a in answers for i in parser.parse(json.dumps(a).encode(), NOW)]
        return [item for item in items if isinstance(item, Subscribed)]

    found = answer(parser.subscribe_frames(wanted))
    for item in found:
        seen |= item.active
    assert seen == set(wanted)
    if sample.venue != "coinbase":  # its sample answers name one channel at a time
        assert found[-1].active == set(wanted)
        assert answer(parser.unsubscribe_frames(wanted[:1]))[-1].active == set(wanted[1:])


@venues([one for one in SAMPLES if one.refusal is not None])
def test_refusals_name_the_subscription(sample: Sample) -> None:
    """A symbol that was delisted is refused by name, so that the others live on."""
    assert sample.refusal is not None
    parser = sample.parser()
    wanted = sample.subscriptions()[:1]
    request = json.loads(parser.subscribe_frames(wanted)[-1])
    item = only(parser.parse(json.dumps(sample.refusal(request)).encode(), NOW))
    assert isinstance(item, VenueError) and item.rejected == tuple(wanted)


@venues([one for one in SAMPLES if one.maintenance is not None])
def test_maintenance_asks_for_a_new_connection(sample: Sample) -> None:
    """A notice that the connection will be closed is understood."""
    assert sample.maintenance is not None
    assert isinstance(only(sample.parser().parse(sample.maintenance, NOW)), ReconnectRequest)


@every_venue
def test_each_frame_gives_its_items(sample: Sample) -> None:
    """Every documented frame gives exactly the expected kinds, valid and encodable."""
    parser = sample.parser()
    kinds: Counter[type] = Counter()
    for frame, expected in sample.frames:
        items = parser.parse(frame, NOW)
        assert tuple(map(type, items)) == expected, frame
        kinds.update(expected)
        for item in items:
            if isinstance(item, (Trade, Quote, BookUpdate, Candle)):
                check_event(item, frame, sample)
    wanted = {"trades": Trade, "quotes": Quote, "books": BookUpdate, "candles": Candle}
    venue = registry.venue(sample.venue)
    assert {channel for channel, kind in wanted.items() if kinds[kind]} == venue.channels


def check_event(item: Trade | Quote | BookUpdate | Candle, frame: bytes, sample: Sample) -> None:
    """Common fields; numbers as the venue wrote them, exponents aside."""
    assert decode(encode(item)) == item
    assert item.exchange == sample.venue and item.source == f"{sample.venue}-1"
    assert 0 < item.ts_event <= item.ts_recv + 60_000_000
    if b"e-" in frame.lower():
        return
    numbers: list[str] = []
    if isinstance(item, Trade):
        numbers = [item.price, item.size]
    elif isinstance(item, Quote):
        numbers = [item.bid_price, item.bid_size, item.ask_price, item.ask_size]
    elif isinstance(item, Candle):
        numbers = [item.open, item.high, item.low, item.close, item.volume]
    elif item.exchange != "kraken":  # adds what fell out of its depth
        numbers = [text for level in [*item.bids, *item.asks] for text in level]
    for text in numbers:
        assert text.encode() in frame, text


@every_venue
def test_books_chain(sample: Sample) -> None:
    """An update of a joined book follows the last; snapshots and first updates follow nothing."""
    parser, last, joined = sample.parser(), -2, False
    for frame, _ in sample.frames:
        items = parser.parse(frame, NOW)
        for item in items:
            if isinstance(item, BookUpdate):
                joined = joined or item.is_snapshot
                if item.is_snapshot:
                    assert item.prev_sequence == -1
                elif joined and item.prev_sequence != -1:
                    assert item.prev_sequence == last
                last = item.sequence
            joined = joined and type(item).__name__ != "BookBroken"


def bad_values(sample: Sample) -> list[tuple[str, bytes, str]]:
    """What must not become a trade: name, frame, reason."""
    quote = "" if sample.numbers else '"'
    future = sample.time(NOW + 61_000_000)
    cases = [
        (f"price {text}", sample.trade_frame(price=f"{quote}{text}{quote}"), "price")
        for text in ("0", "-1", "1.12345678901", "1234567890", "12345678901234567890123")
    ]
    cases += [
        (f"size {text}", sample.trade_frame(size=f"{quote}{text}{quote}"), "size")
        for text in ("0.0", "-0.5", "1.123456789", "12345678901")
    ]
    nan = "malformed" if sample.numbers else "price"
    cases += [
        ("price NaN", sample.trade_frame(price=f"{quote}NaN{quote}"), nan),
        ("price null", sample.trade_frame(price="null"), "price"),
        ("price true", sample.trade_frame(price="true"), "price"),
        ("price NUL", sample.trade_frame(price='"1\\u0000"'), "text"),
        ("price surrogate", sample.trade_frame(price='"\\ud800"'), "text"),
        ("price list", sample.trade_frame(price="[]"), "price"),
        ("time null", sample.trade_frame(time="null"), "time"),
        ("time text", sample.trade_frame(time='"yesterday"'), "time"),
        ("time future", sample.trade_frame(time=future), "future"),
        ("gzip", gzip.compress(sample.trade_frame()), "malformed|text"),
        ("binary", bytes(range(256)), "malformed|text"),
        ("empty", b"", "malformed"),
        ("cut", sample.trade_frame()[:-3], "malformed"),
        ("array", b"[5]", "malformed"),
    ]
    if not sample.numbers:
        cases.append(("price exponent", sample.trade_frame(price='"1e5"'), "price"))
    native = sample.instruments[0].native_symbol
    renamed = sample.trade_frame().replace(native.encode(), b"NO_SUCH")
    return [*cases, ("unknown symbol", renamed, "symbol")]


@every_venue
def test_bad_values_are_dead_letters(sample: Sample) -> None:
    """Each has its reason, keeps its bytes, and leaves the next good frame alone."""
    parser = sample.parser()
    for name, frame, reason in bad_values(sample):
        item = only(parser.parse(frame, NOW))
        assert isinstance(item, DeadLetter), (name, item)
        assert item.reason in reason.split("|"), (name, item.reason, item.detail)
        assert item.raw in frame or json.loads(item.raw), name
        assert isinstance(only(parser.parse(sample.trade_frame(), NOW)), Trade), name


@every_venue
def test_good_values(sample: Sample) -> None:
    """The widest numbers that fit, clocks a little ahead; exponents of JSON numbers are exact."""
    quote = "" if sample.numbers else '"'
    frame = sample.trade_frame(
        price=f"{quote}123456789.1234567891{quote}", size=f"{quote}1234567890.12345678{quote}",
        time=sample.time(NOW + 59_000_000),
    )  # fmt: skip
    trade = only(sample.parser().parse(frame, NOW))
    assert isinstance(trade, Trade)
    assert (trade.price, trade.size) == ("123456789.1234567891", "1234567890.12345678")
    assert trade.ts_event == NOW + 59_000_000
    if sample.numbers:
        frame = sample.trade_frame(price="1.50e3", size="1E-05")
        trade = only(sample.parser().parse(frame, NOW))
        assert isinstance(trade, Trade)
        assert (trade.price, trade.size) == ("1500", "0.00001")


def covered(sample: Sample, rows: list[Row], wanted: Wanted) -> list[int]:
    """Ask until nothing is left; return what came, in order of coming, and check the order."""
    venue, found, calls = registry.venue(sample.venue), [], 0
    todo: Wanted | None = wanted
    while todo is not None:
        url = venue.trades_request(sample.instruments[0], todo, "https://host")
        page = venue.parse_trades(sample.page(url, rows), sample.instruments[0], NOW, "rest")
        assert not any(isinstance(one, DeadLetter) for one in page)
        numbers = [one.trade_seq for one in page if isinstance(one, Trade)]
        assert numbers == sorted(numbers)
        found += numbers
        todo, calls = venue.rest_of_range(page, todo), calls + 1
        assert calls < 100
    return found


@every_venue
@pytest.mark.parametrize("length", [0, 1, 30, 1000, 2600])
def test_paging_ends_and_covers(sample: Sample, length: int) -> None:
    """Repeating until None brings the range, and the trade before it where ids have holes."""
    numbering = registry.venue(sample.venue).numbering
    step = {"consecutive": 1, "rising": 3, "composed": 1024}[numbering]
    first = TIME - 10_000_000 if sample.venue == "gmo" else step * 1_000_000
    step = 1000 if sample.venue == "gmo" else step  # its numbers are times in µs
    start = TIME // 1000 - 3_000_000
    rows = [Row(first + step * n, start + n * 7) for n in range(-200, length)]
    seqs = [row.number for row in rows]
    low = first - step + 1
    found = covered(sample, rows, Wanted(low, None, (start - 7) * 1000))
    wanted = [seq for seq in seqs if seq >= low - 1]
    if numbering == "composed":  # one page: the newest, without the group that its edge may cut
        newest = {"bybit": 59, "gmo": 99}[sample.venue]
        assert sorted(found) == seqs[-newest:]
    elif numbering == "rising":
        assert set(wanted) <= set(found)
    else:
        assert set(wanted[1:]) <= set(found)
    if length > 30 and numbering != "composed":
        high = first + step * 20
        part = covered(sample, rows, Wanted(low, high, (start - 7) * 1000))
        assert {seq for seq in seqs if low <= seq <= high} <= set(part)
        assert max(part) <= high or sample.venue in ("kraken", "binance")


@every_venue
def test_same_trade_has_the_same_number_everywhere(sample: Sample) -> None:
    """Two connections number alike, and rising."""
    frames_sent = [sample.trade_frame(time=sample.time(TIME + n // 3 * 1000)) for n in range(9)]
    one, two = sample.parser(), sample.parser()
    first = [only(one.parse(frame, NOW)) for frame in frames_sent]
    assert [only(two.parse(frame, NOW)) for frame in frames_sent] == first
    numbers = [item.trade_seq for item in first if isinstance(item, Trade)]
    assert numbers == sorted(numbers) and len(numbers) == 9 and max(numbers) < 2**63
    if registry.venue(sample.venue).numbering == "composed":
        assert len(set(numbers)) == 9


@pytest.mark.parametrize("venue", RECORDED)
def test_recordings(venue: str) -> None:
    """No dead letter in real frames; trades ascend, books chain, numbers are the venue's text."""
    sample = load(venue)
    parser = sample.parser(sample.natives)
    kinds: Counter[str] = Counter()
    seqs: dict[str, int] = defaultdict(int)
    books: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for frame, ts_recv in frames(venue):
        for item in parser.parse(frame, ts_recv):
            kinds[type(item).__name__] += 1
            assert not isinstance(item, DeadLetter), item
            if isinstance(item, (Trade, Quote, BookUpdate, Candle)):
                check_event(item, frame, sample)
            if isinstance(item, Trade):
                # Upbit brings a second's last trades after the next second's first.
                slack = 2_000_000 if venue == "upbit" else 0
                assert item.trade_seq > seqs[item.symbol] - slack
                assert (item.symbol, item.trade_seq) not in seen
                seen.add((item.symbol, item.trade_seq))
                seqs[item.symbol] = max(seqs[item.symbol], item.trade_seq)
            if isinstance(item, BookUpdate):
                known = books.get(item.symbol, -1)
                assert item.prev_sequence == (-1 if item.is_snapshot else known)
                if item.is_snapshot or item.symbol in books:
                    books[item.symbol] = item.sequence
    assert kinds == expected_counts(venue)


def expected_counts(venue: str) -> Counter[str]:
    """Count what the frames hold, with the json module alone."""
    counts: Counter[str] = Counter()
    for frame, _ in frames(venue):
        one = json.loads(frame)
        if venue == "upbit":
            counts.update(["Trade"] if one["ty"] == "trade" else ["Quote", "BookUpdate"])
        elif venue == "bitflyer":
            name, data = one["params"]["channel"], one["params"]["message"]
            kind = "Quote" if "_ticker_" in name else "BookUpdate"
            counts.update(["Trade"] * len(data) if "_executions_" in name else [kind])
        elif venue == "okx":
            kinds = {"trades": "Trade", "books": "BookUpdate", "tickers": "Ignored"}
            name = one["arg"]["channel"]
            confirmed = "Ignored" if name == "tickers" else "Subscribed"
            counts.update([confirmed] if "event" in one else [kinds[name]] * len(one["data"]))
        else:
            kind = one.get("topic", "answer").split(".")[0]
            kinds = {"orderbook": "BookUpdate", "kline": "Candle", "publicTrade": "Trade"}
            size = len(one["data"]) if kind in ("kline", "publicTrade") else 1
            counts.update([kinds.get(kind, "Ignored")] * size)
    return counts


@pytest.mark.parametrize("venue", registry.VENUES)
def test_single_messages(venue: str) -> None:
    """No single message of the documentation or of other clients' tests is a dead letter."""
    require()
    natives = ("BTC-USD", "BTC/USD", "BTC-USDT", "BTCUSDT", "ETH-USD", "BNBUSDT")
    for name in message_names(venue):
        for item in load(venue).parser(natives).parse(message(name), 2**52):
            assert not isinstance(item, DeadLetter), (name, item)


@every_venue
def test_a_connection_learns_more_markets(sample: Sample) -> None:
    """What is added to a running connection is asked for, and its trades are read."""
    first, second = sample.instruments[:2]
    parser = registry.venue(sample.venue).parser([second], "x-1")
    with pytest.raises(ValueError, match=f"{first.symbol} is no instrument"):
        parser.subscribe_frames([Subscription("trades", first.symbol)])
    parser.learn([first])
    asked = b"".join(parser.subscribe_frames([Subscription("trades", first.symbol)]))
    assert first.native_symbol.lower().encode() in asked.lower()
    trade = only(parser.parse(sample.trade_frame(), NOW))
    assert isinstance(trade, Trade) and trade.symbol == first.symbol


@every_venue
def test_the_whole_list_of_a_venue(sample: Sample) -> None:
    """One request gives all native names, so that a wrong one can be answered with the nearest."""
    venue = registry.venue(sample.venue)
    assert venue.catalogue_request("http://rest").startswith("http://rest/")
    listed = venue.catalogue(sample.listing)
    assert {one.native_symbol for one in sample.instruments} <= set(listed)
    with pytest.raises(ResponseError):
        venue.catalogue(b'{"code":1}')
