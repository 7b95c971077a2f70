"""Settings of `make batch`, from the environment and from `.env`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from docker.local.settings import ROOT


class BatchDemoSettings(BaseSettings):
    """How many stocks there are and how fast they may be asked for. Names begin with `DEMO_`."""

    model_config = SettingsConfigDict(
        env_prefix="DEMO_", env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore"
    )

    batch_symbols: int = Field(3800, ge=1, le=6000)
    batch_rate: float = Field(5, gt=0, le=1000)
    """Requests per second; 3800 stocks take 13 minutes at 5. At 50 two cores are the limit."""
    batch_burst: int = Field(20, ge=1)
    """Requests that may go out at once after a pause."""
    batch_years: int = Field(1, ge=1, le=30)
    """Length of the histories."""
    batch_seed: int = 7
    batch_faults: Path | None = None
    """JSON file of faults that the local Yahoo makes; see connectors/simulator/stocks/faults.py."""
    batch_port: int = Field(18103, ge=1, le=65535)
    """Port of the local Yahoo and JPX."""
    batch_schema: str = Field("batch_demo", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    """Schema of its tables, which is dropped at the next start: made-up bars stay apart."""
    batch_resume: bool = False
    """Go on with the run that was stopped, instead of a new one."""

    @property
    def expected_seconds(self) -> float:
        """The least time that the rate allows for one request a stock."""
        return max(0.0, self.batch_symbols - self.batch_burst) / self.batch_rate
