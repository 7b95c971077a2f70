"""Settings of the connectors: environment variables, or a `.env` file in the working directory."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.errors import ConfigurationError

Policy = Literal["block", "conflate", "drop_oldest", "drop_newest"]
"""What becomes of a channel's events while Kafka is slow; see `connectors.kafka.backlog`."""
LosingPolicy = Literal["block", "drop_oldest", "drop_newest"]
"""For channels whose events cannot stand for each other: trades, and candles, which may be closed
ones."""


class Settings(BaseSettings):
    """Every name is an environment variable in upper case, for example ``KAFKA_BOOTSTRAP_SERVERS``.

    Times are seconds. Defaults reach the real venues and the stack of `make up`.
    """

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore")

    kafka_bootstrap_servers: str = "127.0.0.1:19092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ssl_cafile: Path | None = None
    """PEM file of the authorities that signed the brokers; default: those of the system."""
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    topic_prefix: str = ""
    market_streams_state: Path = Path(".stack")

    binance_ws_url: str = "wss://stream.binance.com:9443"
    binance_rest_url: str = "https://api.binance.com"
    coinbase_ws_url: str = "wss://advanced-trade-ws.coinbase.com"
    coinbase_rest_url: str = "https://api.coinbase.com"
    coinbase_exchange_rest_url: str = "https://api.exchange.coinbase.com"
    kraken_ws_url: str = "wss://ws.kraken.com"
    kraken_rest_url: str = "https://api.kraken.com"
    okx_ws_url: str = "wss://ws.okx.com:8443"
    okx_rest_url: str = "https://www.okx.com"
    bybit_ws_url: str = "wss://stream.bybit.com"
    bybit_rest_url: str = "https://api.bybit.com"
    bitflyer_ws_url: str = "wss://ws.lightstream.bitflyer.com"
    bitflyer_rest_url: str = "https://api.bitflyer.com"
    gmo_ws_url: str = "wss://api.coin.z.com"
    gmo_rest_url: str = "https://api.coin.z.com/public"
    upbit_ws_url: str = "wss://api.upbit.com"
    upbit_rest_url: str = "https://api.upbit.com"

    binance_ws_api_url: str = "wss://ws-api.binance.com:443"
    binance_api_key: SecretStr = SecretStr("")
    """For the private channel only; never logged."""
    binance_api_secret: SecretStr = SecretStr("")

    producer: Literal["confluent", "kafka-python"] = "confluent"
    linger_ms: int = Field(20, ge=0)
    delivery_timeout: float = Field(1800.0, gt=0)
    """How long the producer retries one record before it goes to the dead-letter file."""
    buffer_records: int = Field(120_000, ge=100)
    """Records that wait for Kafka: 60 s at 2,000 events/s."""
    buffer_bytes: int = Field(128 * 1024 * 1024, ge=1024 * 1024)
    buffer_patience: float = Field(5.0, ge=0)
    """How long a full buffer leaves the socket unread before the socket is closed."""
    conflate_above: float = Field(0.5, gt=0, le=1)
    """Share of the buffer above which the policies below count, to leave room for trades."""
    backpressure_trades: LosingPolicy = "block"
    backpressure_quotes: Policy = "conflate"
    backpressure_books: Policy = "conflate"
    backpressure_candles: LosingPolicy = "block"
    backpressure_queue: int = Field(10_000, ge=1)
    """Events of a channel that wait under ``drop_oldest``."""
    flush_timeout: float = Field(30.0, ge=0)

    shard: int = Field(0, ge=0)
    heartbeat_margin: float = Field(2.0, ge=0)
    replay_speed: float = Field(1.0, gt=0)
    """Venue seconds per real second, for a replayed market."""
    missing_after: float = Field(2.5, ge=0)
    """Venue time after which a skipped trade id is asked for by REST."""
    max_fill: int = Field(20_000, ge=0)
    """Most trades to fetch by REST for one symbol in one go; the rest is told as a gap."""
    max_held: int = Field(500_000, ge=1)
    """Most trades to hold while filling; then the feed goes live with what it has."""
    fill_timeout: float = Field(60.0, gt=0)
    confirm_timeout: float = Field(10.0, gt=0)
    connect_timeout: float = Field(10.0, gt=0)
    backoff_base: float = Field(0.5, gt=0)
    backoff_cap: float = Field(30.0, gt=0)
    connections: int = Field(1, ge=1, le=4)
    """How many connections carry each subscription; what they bring twice is published once."""
    renew: float | None = Field(None, gt=0)
    """Age at which a connection is replaced; default: what the venue's adapter says."""
    silence: float | None = Field(None, gt=0)
    """No frame for so long means a dead connection; default: what the venue's adapter says."""

    standby_database_url: str = ""
    """PostgreSQL that says which of several processes publishes; empty: this one alone."""

    bus_reports: bool = True
    """A feed also tells the event bus: ``system_status``, ``error_occurred``, ``heartbeat``."""

    metrics_port: int = Field(0, ge=-1, le=65535)
    """Prometheus metrics on 127.0.0.1. 0: any free port (it is logged); -1: off."""

    @property
    def policies(self) -> dict[str, Policy]:
        """What becomes of each channel's events while Kafka is slow."""
        return {
            "trades": self.backpressure_trades,
            "quotes": self.backpressure_quotes,
            "books": self.backpressure_books,
            "candles": self.backpressure_candles,
        }

    @property
    def dead_letter_folder(self) -> Path:
        """Where records go that Kafka refused for good."""
        return self.market_streams_state / "dead-letters"

    def topic(self, name: str) -> str:
        """Full name of a topic."""
        return self.topic_prefix + name

    def ws_base(self, venue: str) -> str:
        """WebSocket address of a venue, without path."""
        return self._address(f"{venue}_ws_url")

    def rest_base(self, venue: str) -> str:
        """REST address that lists a venue's instruments."""
        return self._address(f"{venue}_rest_url")

    def trades_base(self, venue: str) -> str:
        """REST address that gives a venue's old trades by id."""
        name = f"{venue}_exchange_rest_url"
        return self._address(name if name in type(self).model_fields else f"{venue}_rest_url")

    def _address(self, field: str) -> str:
        if field not in type(self).model_fields:
            raise ConfigurationError(f"no setting {field.upper()}")
        return str(getattr(self, field)).rstrip("/")


def load_settings(**overrides: object) -> Settings:
    """Read the settings; all faults in one ConfigurationError, each with its variable's name."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            f" (was {fault['input']!r})"
            for fault in error.errors()
        )
        raise ConfigurationError(f"settings: {faults}") from error
