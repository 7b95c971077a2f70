"""Settings of the batch: parameters of a run, environment variables, defaults, in that order."""

import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dags.batch.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = r"^[a-z_][a-z0-9_]{0,62}$"
LEASE_FACTOR = 4
"""Leases in units of the time-out of one call: a fetch may take a few calls."""
NOT_BY_PARAMETER = frozenset({"source", "worker_host"})
"""What a host decides for itself: a run may not say which code is imported."""

Period = Literal["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"]


class DatabaseSettings(BaseSettings):
    """Where the state is: `DATABASE_URL`, `PGPASSFILE`, `BATCH_SCHEMA`, …"""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str = "postgresql://market@127.0.0.1:15432/market"
    """As libpq takes it; the password is better in the file below."""
    pgpassfile: Path | None = None
    """Default: that of the local stack, if there is one."""
    market_streams_state: Path = ROOT / ".stack"
    batch_schema: str = Field("public", pattern=SCHEMA)
    """All tables of the batch are in this schema."""
    batch_database_patience: float = Field(60.0, ge=0, le=3600)
    """Seconds in which a lost database may come back before the batch gives up."""

    @property
    def passfile(self) -> Path | None:
        """The password file to be used; None: libpq's own default."""
        if self.pgpassfile:
            return self.pgpassfile
        own = self.market_streams_state / "pgpass"
        return own if own.exists() else None

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Settings of the environment; `values` go before it. ConfigError tells all faults."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(faults_of(error)) from None


class BatchConfig(BaseSettings):
    """How an execution is worked on. In the environment names begin with `BATCH_`.

    Times are seconds.
    """

    model_config = SettingsConfigDict(
        env_prefix="BATCH_",
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    max_workers: int = Field(10, ge=1, le=64)
    worker_timeout: float = Field(30.0, gt=0, le=600)
    """For one call to the source."""
    requests_per_second: float = Field(5.0, gt=0, le=1000)
    """Of all workers on all hosts together."""
    burst_limit: int = Field(20, ge=1, le=1000)
    max_retries: int = Field(3, ge=0, le=10)
    """Of one stock, after its first try."""
    retry_delay: float = Field(2.0, ge=0, le=600)
    backoff_multiplier: float = Field(2.0, ge=1, le=10)
    batch_size: int = Field(50, ge=1, le=1000)
    """Stocks in a chunk: what one Airflow task works on."""
    commit_interval: int = Field(10, ge=1, le=1000)
    """Stocks after which a worker writes counters and progress. Bars are committed at once."""
    period: Period = "max"
    """History that is fetched of a stock of which nothing is stored."""
    interval: Literal["1d"] = "1d"
    overlap_sessions: int = Field(10, ge=1, le=250)
    """Stored sessions that a differential update fetches again, to see whether they changed."""
    breaker_threshold: int = Field(5, ge=1, le=1000)
    """Refusals in a row after which the execution is paused."""
    lease_seconds: float | None = Field(None, gt=0, le=7200)
    """How long a claimed stock is left alone; default: 4 × worker_timeout."""
    throttle_wait: float = Field(60.0, ge=0, le=3600)
    """Pause of all workers after a 429; doubles with each further one."""
    throttle_wait_max: float = Field(900.0, ge=0, le=3600)
    source: str = Field("dags.batch.sources:yahoo", pattern=r"^[\w.]+:\w+$")
    """`module:function` that makes the source of bars out of (config, throttle)."""
    worker_host: str = Field(default_factory=socket.gethostname, min_length=1, max_length=100)
    """Name of this host in worker ids. Two hosts may not share one."""

    @model_validator(mode="after")
    def _waits_in_order(self) -> Self:
        if self.throttle_wait > self.throttle_wait_max:
            raise ValueError(
                f"throttle_wait={self.throttle_wait:g} is more than "
                f"throttle_wait_max={self.throttle_wait_max:g}"
            )
        return self

    @property
    def lease(self) -> float:
        """Seconds for which a claimed stock is left alone."""
        return self.lease_seconds or LEASE_FACTOR * self.worker_timeout

    @classmethod
    def load(cls, params: Mapping[str, Any] | None = None, *, ignore: Collection[str] = ()) -> Self:
        """Effective settings: `params` go before the environment, that before the defaults.

        A parameter that is None was left empty and counts as not given. Names in `ignore` are
        somebody else's. ConfigError names every fault, one a line.
        """
        given = {k: v for k, v in (params or {}).items() if v is not None and k not in ignore}
        faults = [f"{name}: no such setting" for name in given if name not in cls.model_fields]
        faults += [
            f"{name}: is set by the environment only (BATCH_{name.upper()})"
            for name in given
            if name in NOT_BY_PARAMETER
        ]
        known = {k: v for k, v in given.items() if k in cls.model_fields}
        try:
            config = cls(**known)
        except ValidationError as error:
            faults += faults_of(error)
        if faults:
            raise ConfigError(faults)
        return config

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Settings that were stored with an execution; what a host decides comes from here."""
        return cls.load({k: v for k, v in stored.items() if k in cls.model_fields})

    def stored(self) -> dict[str, Any]:
        """What is kept with the execution, fit for JSON."""
        return self.model_dump(mode="json", exclude=set(NOT_BY_PARAMETER))


def faults_of(error: ValidationError) -> list[str]:
    """One line for each fault: name, reason, value."""
    lines = []
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"])
        reason = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {reason}, was {fault['input']!r}" if name else reason)
    return lines
