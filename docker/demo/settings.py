"""Settings of the demo, from the environment and from `.env`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from docker.local.settings import ROOT

VENUES = ("binance", "coinbase")


class DemoSettings(BaseSettings):
    """How large a market the demo plays, and its ports. Names in capitals with `DEMO_` before."""

    model_config = SettingsConfigDict(
        env_prefix="DEMO_", env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore"
    )

    seconds: float | None = Field(None, gt=0)
    """End by itself after so long; without it on Ctrl-C."""
    since: str = "2h"
    """The market starts so far in the past …"""
    catch_up: str = "200x"
    """… and is played so fast until it reaches the present."""
    symbols: int = Field(8, ge=1, le=50)
    rate: float = Field(6, gt=0)
    """Trades per simulated second and venue."""
    seed: int = 7
    topic_prefix: str = "demo."
    analytics_schema: str = "demo"
    control_port: int = Field(18100, ge=1, le=65535)
    binance_port: int = Field(18101, ge=1, le=65535)
    coinbase_port: int = Field(18102, ge=1, le=65535)
    binance_metrics_port: int = Field(18201, ge=1, le=65535)
    coinbase_metrics_port: int = Field(18202, ge=1, le=65535)

    @property
    def names(self) -> dict[str, str]:
        """What the demo's topics and schema are called, for commands about them."""
        return {"TOPIC_PREFIX": self.topic_prefix, "ANALYTICS_SCHEMA": self.analytics_schema}

    def port(self, venue: str) -> int:
        """Port of the venue's simulated exchange."""
        return int(getattr(self, f"{venue}_port"))

    def metrics_port(self, venue: str) -> int:
        """Port of the metrics of the venue's connector."""
        return int(getattr(self, f"{venue}_metrics_port"))
