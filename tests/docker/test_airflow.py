"""Configuration of Airflow: what is written, what is kept, what is for us alone."""

import json
import stat
from configparser import ConfigParser
from pathlib import Path

import pytest

from docker.local.airflow import configure, version
from docker.local.service import ServiceError
from docker.local.settings import StackSettings, load


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """A stack in an empty folder with ports of its own."""
    return load(
        market_streams_state=tmp_path,
        market_streams_installed=load().installed,
        airflow_port=28080,
        postgres_port=25432,
        airflow_dead_after=12,
    )


def written(settings: StackSettings) -> ConfigParser:
    """airflow.cfg as Airflow reads it."""
    parser = ConfigParser()
    parser.read_string((settings.airflow_home / "airflow.cfg").read_text())
    return parser


def test_configuration_follows_the_settings(settings: StackSettings) -> None:
    """Addresses are of this stack and of 127.0.0.1; no password is in the database's address."""
    configure(settings)
    options = written(settings)
    database = options["database"]["sql_alchemy_conn"]
    assert database == "postgresql+psycopg2://airflow@127.0.0.1:25432/airflow"
    assert options["api"]["host"] == "127.0.0.1"
    assert options["api"]["port"] == "28080"
    assert options["core"]["execution_api_server_url"] == "http://127.0.0.1:28080/execution/"
    assert options["core"]["load_examples"] == "False"


@pytest.mark.parametrize(("dead_after", "heartbeat"), [(5, 1), (12, 2), (60, 5), (600, 5)])
def test_heartbeats_are_much_more_frequent_than_the_time_out(
    settings: StackSettings, dead_after: int, heartbeat: int
) -> None:
    """One lost heartbeat must not end a task, and there is at least one a second."""
    configure(settings.model_copy(update={"airflow_dead_after": dead_after}))
    options = written(settings)
    assert options.getint("scheduler", "task_instance_heartbeat_timeout") == dead_after
    assert options.getint("workers", "min_heartbeat_interval") == heartbeat


def test_keys_and_passwords_are_made_once(settings: StackSettings) -> None:
    """A second start keeps them; a person's own password and further users stay too."""
    configure(settings)
    keys = (settings.airflow_home / "keys.json").read_text()
    passwords = json.loads(settings.airflow_passwords.read_text())
    assert set(passwords) == {"admin", "viewer"}
    settings.airflow_passwords.write_text(json.dumps({**passwords, "admin": "own", "me": "x"}))
    configure(settings)
    assert (settings.airflow_home / "keys.json").read_text() == keys
    kept = json.loads(settings.airflow_passwords.read_text())
    assert kept == {**passwords, "admin": "own", "me": "x"}


def test_every_file_is_for_its_owner_alone(settings: StackSettings) -> None:
    """All of them hold secrets."""
    configure(settings)
    for file in settings.airflow_home.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_broken_file_is_told_by_its_name(settings: StackSettings) -> None:
    """A half written file is not taken for an empty one: passwords would change unnoticed."""
    settings.airflow_home.mkdir()
    settings.airflow_passwords.write_text('{"admin": ')
    with pytest.raises(ServiceError, match=r"passwords\.json is broken .* remove it"):
        configure(settings)


def test_version_is_that_of_the_requirements(settings: StackSettings) -> None:
    """It decides whether the database has to be brought up to date."""
    requirements = Path(__file__).parents[2] / "requirements/airflow.in"
    assert f"apache-airflow=={version(settings)}" in requirements.read_text().splitlines()
