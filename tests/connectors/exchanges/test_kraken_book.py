from connectors.events import BookUpdate
from connectors.exchanges.base import BookBroken
from connectors.exchanges.kraken_book import KrakenBook, _Side, checksum_text, decimals
from tests.connectors.exchanges.sample import NOW, load
from tests.connectors.exchanges.samples.kraken import ASKS, BIDS, CHECKSUM, book


def side(text: str) -> list[tuple[str, str]]:
    return [(price, size) for price, size in (level.split() for level in text.split("|"))]


def levels(one: _Side) -> list[tuple[str, str]]:
    return [one.levels[key] for key in one.best(10)]


def test_checksum_of_the_documentation() -> None:
    """Kraken's own example."""
    one = KrakenBook(10, "0.1", "0.00000001")
    one.apply(side(BIDS), side(ASKS))
    assert one.checksum() == CHECKSUM


def test_numbers_are_taken_at_the_precision_of_the_pair() -> None:
    """Zeros that a JSON number may leave out are put back; those in front go."""
    assert checksum_text("45285.2", 1) == "452852" and checksum_text("0.001", 8) == "100000"
    assert checksum_text("0.00100000", 8) == "100000" and checksum_text("5", 2) == "500"
    assert decimals("0.10") == 1 and decimals("1") == 0 and decimals("0.00000001") == 8
    bare = [(price, size.rstrip("0")) for price, size in side(BIDS)]
    one = KrakenBook(10, "0.1", "0.00000001")
    one.apply(bare, side(ASKS))
    assert one.checksum() == CHECKSUM


def test_levels_beyond_the_depth_are_told() -> None:
    """Kraken does not remove them, so the book says which ones a reader must drop."""
    one = KrakenBook(2, "0.1", "0.1")
    assert one.apply([("1.0", "1"), ("2.0", "1")], [("3.0", "1"), ("4.0", "1")]) == ([], [])
    assert one.apply([("2.5", "1")], [("9.0", "1")]) == ([("1.0", "0")], [("9.0", "0")])
    assert one.apply([("2.5", "0.0")], []) == ([], [])
    assert levels(one.bids) == [("2.0", "1")] and levels(one.asks) == [("3.0", "1"), ("4.0", "1")]


def test_same_price_written_differently_is_one_level() -> None:
    """105944.2 and 105944.20 are the same price."""
    one = KrakenBook(10, "0.1", "0.1")
    one.apply([("105944.20", "1")], [])
    one.apply([("105944.2", "2")], [])
    assert levels(one.bids) == [("105944.2", "2")]


def test_a_wrong_checksum_breaks_one_book_until_its_snapshot() -> None:
    """The bad update is not published; later ones follow nothing; a snapshot heals."""
    parser = load("kraken").parser()
    frames = [
        book("snapshot", BIDS, ASKS, CHECKSUM), book("update", "1.0 5.0", "", CHECKSUM),
        book("update", "1.0 0", "", 7), book("update", "1.0 0", "", CHECKSUM),
        book("snapshot", BIDS, ASKS, CHECKSUM), book("update", "1.0 5.0", "", CHECKSUM),
    ]  # fmt: skip
    items = [parser.parse(frame, NOW) for frame in frames]
    assert [type(one[0]) for one in items] == [
        *(BookUpdate, BookUpdate, BookBroken, BookUpdate, BookUpdate, BookUpdate)
    ]
    broken = items[2][0]
    assert isinstance(broken, BookBroken) and broken.symbol == "BTC-USD"
    assert f"checksum is {CHECKSUM}, Kraken says 7" in broken.cause
    chain = [
        (one[0].prev_sequence, one[0].sequence) for one in items if isinstance(one[0], BookUpdate)
    ]
    assert chain == [(-1, 1), (1, 2), (-1, 3), (-1, 4), (4, 5)]


def test_a_dead_letter_breaks_the_book() -> None:
    """What could not be read may have changed any level."""
    parser = load("kraken").parser()
    parser.parse(book("snapshot", BIDS, ASKS, CHECKSUM), NOW)
    bad = book("update", "1.0 5.0", "", CHECKSUM).replace(b"5.0", b"-5.0")
    assert [type(one).__name__ for one in parser.parse(bad, NOW)] == ["DeadLetter", "BookBroken"]
