"""Settings of the local stack: all faults at once, each with its variable."""

from pathlib import Path

import pytest

from docker.local.settings import ROOT, SettingsError, load


def test_defaults_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any variable the stack is in the checkout, on the documented ports."""
    for name in ("MARKET_STREAMS_STATE", "KAFKA_PORT", "POSTGRES_PORT", "FLINK_REST_PORT"):
        monkeypatch.delenv(name, raising=False)
    settings = load(_env_file=None)
    assert settings.market_streams_state == ROOT / ".stack"
    assert settings.bootstrap == "127.0.0.1:19092"
    assert settings.database_url == "postgresql://market@127.0.0.1:15432/market"
    assert settings.flink_rest == "http://127.0.0.1:18081"


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three wrong variables give three lines that name variable and value."""
    monkeypatch.setenv("KAFKA_PORT", "abc")
    monkeypatch.setenv("POSTGRES_PORT", "70000")
    monkeypatch.setenv("FLINK_TASKMANAGER_MEMORY", "plenty")
    with pytest.raises(SettingsError) as caught:
        load()
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("KAFKA_PORT=abc:")
    assert lines[1].startswith("POSTGRES_PORT=70000:")
    assert lines[2].startswith("FLINK_TASKMANAGER_MEMORY=plenty:")


def test_port_used_twice_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two services on one port: the second one names the first."""
    monkeypatch.setenv("KAFKA_PORT", "20001")
    monkeypatch.setenv("FLINK_REST_PORT", "20001")
    with pytest.raises(SettingsError, match=r"FLINK_REST_PORT=20001: .* taken by KAFKA_PORT"):
        load()


def test_relative_state_folder_is_meant_from_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The working directory does not move the state folder."""
    monkeypatch.setenv("MARKET_STREAMS_STATE", "somewhere")
    monkeypatch.chdir(tmp_path)
    assert load().market_streams_state == ROOT / "somewhere"


def test_state_folder_with_a_space_is_a_fault(tmp_path: Path) -> None:
    """Flink's scripts would split the path."""
    with pytest.raises(SettingsError, match="has a space"):
        load(market_streams_state=tmp_path / "a b")


def test_environment_names_this_stack(tmp_path: Path) -> None:
    """Clients get the addresses, the password file and Flink's folders, but no password."""
    env = load(market_streams_state=tmp_path, kafka_port=20001, postgres_port=20002).environment()
    assert env["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:20001"
    assert env["DATABASE_URL"] == "postgresql://market@127.0.0.1:20002/market"
    assert env["PGPASSFILE"] == str(tmp_path / "pgpass")
    assert env["FLINK_CONF_DIR"] == str(tmp_path / "flink/conf")
    assert env["AIRFLOW_URL"] == "http://127.0.0.1:18080"
    assert env["AIRFLOW_HOME"] == str(tmp_path / "airflow")
    assert env["AIRFLOW_PASSWORDS"] == str(tmp_path / "airflow/passwords.json")
