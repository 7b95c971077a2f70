"""Errors of the connectors, and the one rule that says which of them end a feed.

ConnectorError
├── ConfigurationError      a setting, a symbol or a venue is wrong: fatal
├── BrokerUnreachable       Kafka did not answer at start: fatal, names the remedy
├── VenueRefused            the venue answered with an error: retry
├── FeedStale               the venue sends nothing although the socket lives: retry
├── ReconnectRequested      the venue asks for a new connection: retry
├── BufferStuck             Kafka took nothing for too long: retry once there is room
├── ProducerFailed          the Kafka client is broken for good: a new one takes over
└── BufferFull              one record does not fit now (flow control, never leaves a feed)
"""

import aiohttp
from websockets.exceptions import (
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)


class ConnectorError(Exception):
    """Any error the connectors raise on purpose."""


class ConfigurationError(ConnectorError):
    """What was asked for cannot work; the text names the remedy."""


class BrokerUnreachable(ConnectorError):
    """No Kafka broker answered."""

    def __init__(self, bootstrap: str, cause: object) -> None:
        super().__init__(
            f"no Kafka broker answers at {bootstrap} ({cause}): start it (`make up`) "
            "or set KAFKA_BOOTSTRAP_SERVERS"
        )


class VenueRefused(ConnectorError):
    """The venue refused something: an error frame, or a REST answer that is not a success."""


class FeedStale(ConnectorError):
    """Nothing arrives although the socket is open."""


class ReconnectRequested(ConnectorError):
    """The venue announced that it will close the connection."""


class ProducerFailed(ConnectorError):
    """The Kafka client can send nothing more; a new one must take over from what the log has."""


class BufferFull(ConnectorError):
    """The producer's bounded buffer cannot take one more record now."""


class BufferStuck(ConnectorError):
    """The producer's buffer stayed full beyond the patience of the feed."""


RETRIED_HTTP_STATUS = frozenset({408, 418, 425, 429})
"""Client-error codes that mean "later", not "never". 418 and 429 are Binance's rate limits."""


def retry_or_fatal(error: BaseException) -> BaseException | None:
    """None where a new try can help; otherwise the error that must end the feed.

    The network, the venue and the broker may fail and come back, so their errors are retried
    without end. Wrong settings and errors of our own code are not: trying again hides them.
    """
    if isinstance(error, (ConfigurationError, BrokerUnreachable)):
        return error
    if isinstance(error, ConnectorError):
        return None
    if isinstance(error, InvalidStatus):
        return _by_status(error.response.status_code, error)
    if isinstance(error, aiohttp.ClientResponseError):
        return _by_status(error.status, error)
    if isinstance(error, (InvalidURI, aiohttp.InvalidURL)):
        return error
    if isinstance(error, (InvalidHandshake, WebSocketException, aiohttp.ClientError)):
        return None
    if isinstance(error, (OSError, EOFError)):  # TimeoutError is an OSError
        return None
    return error


def _by_status(status: int, error: BaseException) -> BaseException | None:
    """HTTP status to retry (None) or fatal (the error)."""
    if 400 <= status < 500 and status not in RETRIED_HTTP_STATUS:
        return error
    return None
