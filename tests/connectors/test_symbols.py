import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import symbols


@pytest.mark.parametrize(
    ("symbol", "separator", "native"),
    [
        ("BTC-USDT", "", "BTCUSDT"),
        ("ETH-BTC", "", "ETHBTC"),
        ("1INCH-USDT", "", "1INCHUSDT"),
        ("BTC-FDUSD", "", "BTCFDUSD"),
        ("BTC-USD", "-", "BTC-USD"),
        ("BTC-JPY", "_", "BTC_JPY"),
    ],
)
def test_names_go_both_ways(symbol: str, separator: str, native: str) -> None:
    """The venue form and back."""
    assert symbols.join(symbol, separator) == native
    assert symbols.split(native, separator) == symbol


@given(st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True), st.sampled_from(symbols.QUOTES))
def test_separated_names_are_never_ambiguous(base: str, quote: str) -> None:
    """Any base and quote survive the way there and back."""
    assert symbols.split(symbols.join(f"{base}-{quote}", "/"), "/") == f"{base}-{quote}"
    assert symbols.parse(f"{base}-{quote}") == (base, quote)


@pytest.mark.parametrize(
    "text", ["", "BTC", "BTC-", "-USD", "btc-usd", "BTC-USD-X", "BTC-USD\n", "B\x00-C"]
)
def test_what_is_no_symbol_is_refused(text: str) -> None:
    """The error quotes it."""
    with pytest.raises(ValueError, match="not a symbol"):
        symbols.parse(text)


@pytest.mark.parametrize("native", ["", "USDT", "BTCXXX", "btcusdt", "BTC/USD"])
def test_joined_name_without_a_known_quote_is_refused(native: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"not a symbol|no known quote"):
        symbols.split(native)


def test_kind_of_a_market() -> None:
    """BTC-JPY-FX is another market than BTC-JPY."""
    assert symbols.cut_kind("BTC-JPY-FX", "FX") == ("BTC-JPY", True)
    assert symbols.cut_kind("BTC-JPY", "FX") == ("BTC-JPY", False)
    for text in ("BTC-JPY-X", "BTC-FX", "-FX"):
        with pytest.raises(ValueError, match="not a symbol"):
            symbols.cut_kind(text, "FX")


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    """One that is like none gets no guess."""
    known = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert symbols.nearest("BTCUSTD", known) == ", did you mean BTCUSDT?"
    assert symbols.nearest("WXYZ", known) == ""
