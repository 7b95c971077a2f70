"""Settings from the environment."""

from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from connectors.settings import load_settings


@pytest.fixture(autouse=True)
def away_from_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own `.env` has no say here."""
    monkeypatch.chdir(tmp_path)


def test_the_default_buffer_holds_a_minute_at_two_thousand_events_a_second() -> None:
    """The promise of the documentation."""
    assert load_settings().buffer_records == 60 * 2_000


def test_variables_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are the field names in upper case."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "10.0.0.1:9092")
    monkeypatch.setenv("TOPIC_PREFIX", "test.")
    settings = load_settings()
    assert settings.kafka_bootstrap_servers == "10.0.0.1:9092"
    assert settings.topic("market.trades") == "test.market.trades"


def test_each_fault_is_named_with_its_variable_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants to find faults one by one."""
    monkeypatch.setenv("PRODUCER", "rabbit")
    monkeypatch.setenv("BUFFER_RECORDS", "many")
    with pytest.raises(ConfigurationError, match=r"(?s)PRODUCER.*rabbit|BUFFER_RECORDS") as caught:
        load_settings()
    assert "PRODUCER" in str(caught.value) and "BUFFER_RECORDS" in str(caught.value)


def test_a_policy_that_a_channel_cannot_have_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trades cannot stand for each other, so they are never conflated."""
    monkeypatch.setenv("BACKPRESSURE_TRADES", "conflate")
    monkeypatch.setenv("BACKPRESSURE_BOOKS", "drop")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    text = str(caught.value)
    assert "BACKPRESSURE_TRADES: Input should be 'block', 'drop_oldest' or 'drop_newest'" in text
    assert "BACKPRESSURE_BOOKS: Input should be 'block', 'conflate'" in text
    monkeypatch.setenv("BACKPRESSURE_TRADES", "drop_newest")
    monkeypatch.setenv("BACKPRESSURE_BOOKS", "block")
    assert load_settings().policies == {
        "trades": "drop_newest",
        "quotes": "conflate",
        "books": "block",
        "candles": "block",
    }


def test_old_trades_have_an_address_of_their_own_where_the_venue_needs_one() -> None:
    """Coinbase gives trades by id on its Exchange API only."""
    settings = load_settings()
    assert settings.trades_base("coinbase") == "https://api.exchange.coinbase.com"
    assert settings.trades_base("binance") == "https://api.binance.com"


def test_an_unknown_venue_has_no_address() -> None:
    """The error names the variable that does not exist."""
    with pytest.raises(ConfigurationError, match="NOWHERE_WS_URL"):
        load_settings().ws_base("nowhere")
