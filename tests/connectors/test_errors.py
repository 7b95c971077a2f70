"""Retry or fatal."""

import aiohttp
import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus, InvalidURI
from websockets.http11 import Response
from yarl import URL

from connectors import errors


def refused(status: int) -> InvalidStatus:
    """A handshake answered with an HTTP status."""
    return InvalidStatus(Response(status, "", Headers()))


def answered(status: int) -> aiohttp.ClientResponseError:
    """A REST call answered with an HTTP status."""
    info = aiohttp.RequestInfo(URL("http://x"), "GET", None, URL("http://x"))  # type: ignore[arg-type]
    return aiohttp.ClientResponseError(info, (), status=status)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        ConnectionResetError(),
        TimeoutError(),
        EOFError(),
        ConnectionClosedError(None, None),
        refused(503),
        refused(429),
        answered(418),
        answered(500),
        aiohttp.ServerDisconnectedError(),
        errors.VenueRefused("too many requests"),
        errors.FeedStale("silent"),
        errors.ReconnectRequested("serverShutdown"),
        errors.BufferStuck("full"),
    ],
    ids=repr,
)
def test_what_may_pass_is_retried(error: Exception) -> None:
    """Network, venue and broker come back."""
    assert errors.retry_or_fatal(error) is None


@pytest.mark.parametrize(
    "error",
    [
        errors.ConfigurationError("no such symbol"),
        errors.BrokerUnreachable("127.0.0.1:1", "refused"),
        InvalidURI("http://x", "scheme"),
        refused(404),
        refused(451),
        answered(400),
        KeyError("a fault of ours"),
        AssertionError(),
    ],
    ids=repr,
)
def test_what_stays_wrong_ends_the_feed(error: Exception) -> None:
    """Wrong settings and faults of our own code must be seen, not repeated."""
    assert errors.retry_or_fatal(error) is error


def test_an_unreachable_broker_names_the_remedy() -> None:
    """The text says where it looked and what to do."""
    text = str(errors.BrokerUnreachable("127.0.0.1:19092", "refused"))
    assert "127.0.0.1:19092" in text and "make up" in text and "KAFKA_BOOTSTRAP_SERVERS" in text
