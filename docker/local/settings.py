"""Settings of the local stack, from the environment and from `.env`."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from docker.jars import class_path, flink_home, optional_jars
from docker.local.defaults import PORTS

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
MEMORY = r"^\d+[mg]$"
PORT_FIELDS = tuple(name.lower() for name in PORTS)


class SettingsError(Exception):
    """Settings are wrong. The text has one line for each fault."""


class StackSettings(BaseSettings):
    """Where the stack lives, which ports it takes, how large it may grow.

    Every field is read from the environment variable of the same name in capitals.
    """

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    market_streams_state: Path = ROOT / ".stack"
    """Data, logs, passwords and pid files."""
    market_streams_installed: Path | None = None
    """Jars and virtual environments, if another state folder holds them (tests share them)."""

    kafka_port: int = Field(PORTS["KAFKA_PORT"], ge=1, le=65535)
    kafka_controller_port: int = Field(PORTS["KAFKA_CONTROLLER_PORT"], ge=1, le=65535)
    kafka_heap: str = Field("1g", pattern=MEMORY)
    kafka_retention_check_ms: int = Field(300_000, ge=100)
    """How often the broker looks for records to delete."""

    postgres_port: int = Field(PORTS["POSTGRES_PORT"], ge=1, le=65535)

    flink_rest_port: int = Field(PORTS["FLINK_REST_PORT"], ge=1, le=65535)
    flink_rpc_port: int = Field(PORTS["FLINK_RPC_PORT"], ge=1, le=65535)
    flink_prometheus: bool = True
    """The reporter listens on all interfaces (it has no option for it): false turns it off."""
    flink_metrics_ports: str = Field("19249-19259", pattern=r"^\d+(-\d+)?$")
    flink_slots: int = Field(8, ge=1, le=256)
    flink_taskmanager_memory: str = Field("2g", pattern=MEMORY)
    flink_jobmanager_memory: str = Field("1g", pattern=MEMORY)
    flink_checkpoint_interval: str = Field("10 s", pattern=r"^\d+ ?(ms|s|min|h)$")

    airflow_port: int = Field(PORTS["AIRFLOW_PORT"], ge=1, le=65535)
    airflow_dags: Path = ROOT / "dags"
    airflow_parallelism: int = Field(12, ge=1, le=256)
    """Tasks that run at the same time, of all DAGs together."""
    airflow_dead_after: int = Field(60, ge=5)
    """A task or service without a heartbeat for so many seconds is taken for dead."""
    airflow_dag_refresh: int = Field(30, ge=1)
    """Seconds until a new or changed DAG file is seen."""

    @field_validator("market_streams_state", "market_streams_installed", "airflow_dags")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        """Relative folders are meant from the checkout, whatever the working directory."""
        if value is None:
            return None
        folder = (ROOT / value.expanduser()).resolve()
        if any(letter.isspace() for letter in str(folder)):
            raise ValueError(f"{folder} has a space in it, and Flink's scripts split such paths")
        return folder

    @field_validator(*PORT_FIELDS)
    @classmethod
    def _one_owner(cls, value: int, info: ValidationInfo) -> int:
        """Two services cannot share a port."""
        for other in PORT_FIELDS:
            if other != info.field_name and info.data.get(other) == value:
                raise ValueError(f"port {value} is taken by {other.upper()}")
        return value

    @property
    def installed(self) -> Path:
        """Folder that holds `venv/`, `kafka/libs/` and `flink/jars/`."""
        return self.market_streams_installed or self.market_streams_state

    @property
    def bootstrap(self) -> str:
        """Address of the broker for clients."""
        return f"{HOST}:{self.kafka_port}"

    @property
    def database_url(self) -> str:
        """Address of the database, without a password: PGPASSFILE holds it."""
        return f"postgresql://market@{HOST}:{self.postgres_port}/market"

    @property
    def flink_rest(self) -> str:
        """Address of Flink's REST interface and web page."""
        return f"http://{HOST}:{self.flink_rest_port}"

    @property
    def airflow_url(self) -> str:
        """Address of Airflow's page and REST interface."""
        return f"http://{HOST}:{self.airflow_port}"

    @property
    def airflow_home(self) -> Path:
        """Airflow's configuration, keys, passwords and logs of tasks."""
        return self.market_streams_state / "airflow"

    @property
    def airflow_passwords(self) -> Path:
        """JSON object with the password of each user of Airflow's page: admin, viewer."""
        return self.airflow_home / "passwords.json"

    @property
    def pgpass(self) -> Path:
        """Password file that libpq and pgjdbc read."""
        return self.market_streams_state / "pgpass"

    def environment(self) -> dict[str, str]:
        """Environment variables with which clients and Flink's scripts find this stack."""
        flink = self.market_streams_state / "flink"
        return {
            "MARKET_STREAMS_STATE": str(self.market_streams_state),
            "MARKET_STREAMS_INSTALLED": str(self.installed),
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_PORT": str(self.kafka_port),
            "KAFKA_CONTROLLER_PORT": str(self.kafka_controller_port),
            "DATABASE_URL": self.database_url,
            "POSTGRES_PORT": str(self.postgres_port),
            "PGPASSFILE": str(self.pgpass),
            "FLINK_REST_URL": self.flink_rest,
            "FLINK_REST_PORT": str(self.flink_rest_port),
            "FLINK_RPC_PORT": str(self.flink_rpc_port),
            "FLINK_METRICS_PORTS": self.flink_metrics_ports,
            "FLINK_HOME": str(flink_home(self.installed)),
            "FLINK_CONF_DIR": str(flink / "conf"),
            "FLINK_LOG_DIR": str(flink / "log"),
            "FLINK_PID_DIR": str(flink / "pid"),
            "FLINK_LIB_DIR": str(class_path(self.installed)),
            "FLINK_OPT_DIR": str(optional_jars(self.installed)),
            "AIRFLOW_URL": self.airflow_url,
            "AIRFLOW_PORT": str(self.airflow_port),
            "AIRFLOW_PASSWORDS": str(self.airflow_passwords),
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW_DAGS": str(self.airflow_dags),
        }


def load(**values: Any) -> StackSettings:
    """Read the settings; `values` go before the environment. SettingsError tells all faults."""
    try:
        return StackSettings(**values)
    except ValidationError as error:
        raise SettingsError(describe(error)) from None


def describe(error: ValidationError) -> str:
    """One line for each fault: variable, what is wrong, what it was."""
    lines = []
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"]).upper()
        reason = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{name}={fault['input']}: {reason}")
    return "\n".join(lines)
