"""Makers of the source of bars: what the setting `source` names."""

from collections.abc import Callable

from connectors.stocks.settings import load_stock_settings
from connectors.stocks.yahoo import YahooSource
from dags.batch.config import BatchConfig


def yahoo(config: BatchConfig, throttle: Callable[[], None]) -> YahooSource:
    """Yahoo Finance, or whoever speaks its protocol at YAHOO_BASE_URL."""
    return YahooSource(
        load_stock_settings(), throttle, timeout=config.worker_timeout, period=config.period
    )
