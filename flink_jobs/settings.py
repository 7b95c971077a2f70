"""Settings of the runner: where the cluster and the files are, and the values of `${VARIABLES}`."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, SettingsConfigDict

from flink_jobs.errors import JobError

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Read from environment variables of the same names, then from `.env`."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    flink_rest_url: str = "http://127.0.0.1:18081"
    market_streams_state: Path = ROOT / ".stack"
    market_streams_installed: Path | None = None
    """State folder that holds the virtual environments, if it is another one."""
    market_streams_sql: Path = ROOT / "sql"
    """Folder of the SQL files and jobs.toml."""

    @property
    def flink_python(self) -> Path:
        """Interpreter of the flink environment."""
        installed = self.market_streams_installed or self.market_streams_state
        return (ROOT / installed).absolute() / "venv/flink/bin/python"

    def flink_environment(self) -> dict[str, str]:
        """Environment of Flink's scripts and of PyFlink: what is set goes before what we know."""
        state = (ROOT / self.market_streams_state).absolute()
        home = sorted((self.flink_python.parent.parent / "lib").glob("*/site-packages/pyflink"))
        known = {
            "FLINK_CONF_DIR": str(state / "flink/conf"),
            "FLINK_LIB_DIR": str(state / "flink/lib"),
            "FLINK_OPT_DIR": str(state / "flink/opt"),
            "FLINK_LOG_DIR": str(state / "flink/log"),
            "PGPASSFILE": str(state / "pgpass"),
        }
        if home:
            known["FLINK_HOME"] = str(home[0])
        if not Path(known["FLINK_CONF_DIR"]).is_dir():
            del known["FLINK_CONF_DIR"]
        return {**known, **os.environ}


def environment() -> dict[str, str]:
    """Variables of the process over those of `.env`; empty ones count as unset."""
    values = {**dotenv_values(ROOT / ".env"), **os.environ}
    return {name: value for name, value in values.items() if value}


def variables(defaults: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Values of the variables: the defaults of jobs.toml, `given` ones (the environment) first.

    DATABASE follows from DATABASE_URL unless it is given itself.
    """
    values = {name: given.get(name, str(default)) for name, default in defaults.items()}
    if "DATABASE_URL" in given and "DATABASE" not in given:
        values["DATABASE"] = jdbc_url(given["DATABASE_URL"])
    return values


def jdbc_url(url: str) -> str:
    """`postgresql://user@host:port/name` as a JDBC URL, which names the user but no password."""
    parts = urlsplit(url)
    if parts.password:
        raise JobError(
            "DATABASE_URL holds a password, which would show in the Flink web page.\n"
            "  to do: put it into the file that PGPASSFILE names (host:port:database:user:password)"
        )
    query = f"?{urlencode({'user': parts.username})}" if parts.username else ""
    return f"jdbc:postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}{query}"


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file. JobError if it is absent or broken."""
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise JobError(f"{path} is missing") from None
    except tomllib.TOMLDecodeError as error:
        raise JobError(f"{path}: {error}") from None
