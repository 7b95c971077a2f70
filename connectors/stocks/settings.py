"""Settings of the stocks' sources: environment variables, or a `.env` file."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """Settings are wrong; the text names each variable, its fault and its value."""


class StockSettings(BaseSettings):
    """Every name is an environment variable in upper case, for example ``YAHOO_BASE_URL``."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore")

    yahoo_base_url: str = ""
    """Takes the place of `https://<host of Yahoo>`; empty: Yahoo itself."""
    jpx_listing_url: str = ""
    """http, https or file; empty: the exchange's own .xlsx, else its .xls."""
    jpx_min_rows: int = Field(3000, ge=1)
    """A list with fewer stocks is refused."""
    jpx_max_shrink: float = Field(0.05, ge=0, lt=1)
    """A list that lost more than this share of the one before is refused."""
    market_streams_state: Path = Path(".stack")
    stock_cache: Path | None = None
    """Folder of Yahoo's session and of yfinance's caches; default: STATE/stocks."""

    @field_validator("yahoo_base_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return _address(value, ("http", "https"))

    @field_validator("jpx_listing_url")
    @classmethod
    def _any_address(cls, value: str) -> str:
        return _address(value, ("http", "https", "file"))

    @property
    def cache_folder(self) -> Path:
        """Absolute: the working directory may change later."""
        return (self.stock_cache or self.market_streams_state / "stocks").absolute()


def load_stock_settings(**overrides: object) -> StockSettings:
    """Read the settings; all faults in one SettingsError, each with its variable's name."""
    try:
        return StockSettings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            f" (was {fault['input']!r})"
            for fault in error.errors()
        )
        raise SettingsError(f"settings: {faults}") from error


def _address(value: str, schemes: tuple[str, ...]) -> str:
    """``value`` without a slash at its end; ValueError where it is not an address."""
    value = value.strip().rstrip("/")
    if not value:
        return ""
    parts = urlsplit(value)
    if parts.scheme not in schemes or not (parts.netloc or parts.scheme == "file"):
        raise ValueError(f"must be an address with {' or '.join(f'{one}://' for one in schemes)}")
    return value
