"""Which subscriptions share a connection."""

from connectors.exchanges import registry
from connectors.exchanges.base import Subscription
from connectors.feed.group import split


def one_address(_: Subscription) -> str:
    """All that most venues have."""
    return ""


def test_the_channels_of_a_symbol_stay_together() -> None:
    """Within the venue's limit; what does not fit begins the next connection."""
    wanted = [Subscription(c, s) for c in ("trades", "quotes") for s in ("A-B", "C-D", "E-F")]
    parts = split(wanted, 5, one_address)
    assert [[one.symbol for one in part] for part in parts] == [["A-B"] * 2 + ["C-D"] * 2,
                                                                ["E-F"] * 2]  # fmt: skip


def test_okx_serves_candles_at_another_address() -> None:
    """They get connections of their own; each part has one address."""
    venue = registry.venue("okx")
    symbols = [f"A{number}-USDT" for number in range(5)]
    wanted = [Subscription(c, s) for s in symbols for c in ("trades", "candles", "books")]
    parts = split(wanted, 6, lambda one: venue.ws_url([one], "wss://okx"))
    urls = [venue.ws_url(part, "wss://okx") for part in parts]
    assert sorted(urls) == ["wss://okx/ws/v5/business"] + ["wss://okx/ws/v5/public"] * 2
    assert sorted(one for part in parts for one in part) == sorted(wanted)
    assert [len(part) for part in parts if part[0].channel == "candles"] == [5]
