"""Settings of the sources: defaults, environment, faults."""

from pathlib import Path

import pytest

from connectors.stocks.settings import SettingsError, load_stock_settings


def test_reaches_the_real_sources_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """And keeps its cache with the state."""
    for name in ("YAHOO_BASE_URL", "JPX_LISTING_URL", "STOCK_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MARKET_STREAMS_STATE", "somewhere")
    settings = load_stock_settings()
    assert (settings.yahoo_base_url, settings.jpx_listing_url) == ("", "")
    assert settings.cache_folder == Path.cwd() / "somewhere" / "stocks"


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slash at the end of an address does not matter."""
    monkeypatch.setenv("YAHOO_BASE_URL", "http://127.0.0.1:18103/")
    monkeypatch.setenv("JPX_LISTING_URL", "file:///tmp/data_j.xlsx")
    monkeypatch.setenv("JPX_MIN_ROWS", "10")
    monkeypatch.setenv("STOCK_CACHE", "/var/cache/stocks")
    settings = load_stock_settings()
    assert settings.yahoo_base_url == "http://127.0.0.1:18103"
    assert settings.jpx_listing_url == "file:///tmp/data_j.xlsx"
    assert settings.jpx_min_rows == 10
    assert settings.cache_folder == Path("/var/cache/stocks")


def test_tells_all_faults_at_once() -> None:
    """Each with its variable and its value."""
    with pytest.raises(SettingsError) as caught:
        load_stock_settings(
            yahoo_base_url="file:///tmp", jpx_listing_url="jpx.co.jp", jpx_max_shrink=2
        )
    for part in ("YAHOO_BASE_URL", "JPX_LISTING_URL", "JPX_MAX_SHRINK", "'jpx.co.jp'"):
        assert part in str(caught.value)
