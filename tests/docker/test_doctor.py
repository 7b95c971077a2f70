"""The doctor: every fault in one list, each with its remedy."""

import os
import socket
from pathlib import Path

import pytest

from docker.bootstrap import clean, describe, main, missing_packages
from docker.doctor import (
    Fault,
    available_memory,
    browser_faults,
    examine,
    java_version,
    port_faults,
    read_env,
    runs,
    state_folder,
)
from docker.local.marks import write_pid_file


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ("command not found", None),
        ("", None),
    ],
)
def test_java_version_is_read_from_its_first_line(text: str, version: int | None) -> None:
    """Old and new ways of numbering are understood."""
    assert java_version(text) == version


def test_all_missing_programs_are_in_one_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With nothing on PATH Java, Maven and the compiler are told together with their packages."""
    monkeypatch.setenv("PATH", str(tmp_path))
    faults = examine({"MARKET_STREAMS_STATE": str(tmp_path)}, ports=False)
    assert [fault.what.split()[0] for fault in faults] == ["Java", "Maven", "there"]
    assert missing_packages(faults) == ["gcc", "maven", "openjdk-17-jre-headless", "python3-dev"]


def test_a_browser_is_for_the_tests_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is told and can be installed, but who runs no tests does without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_packages(browser_faults()) == ["chromium"]
    assert "chromium" not in describe(examine({"MARKET_STREAMS_STATE": str(tmp_path)}, ports=False))
    (tmp_path / "chromium").touch(mode=0o755)
    assert browser_faults() == []


def test_old_java_of_java_home_is_not_cured_by_a_package(tmp_path: Path) -> None:
    """A wrong JAVA_HOME has to be corrected: installing another Java would not help."""
    old = tmp_path / "bin/java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    env = {"MARKET_STREAMS_STATE": str(tmp_path), "JAVA_HOME": str(tmp_path)}
    (fault,) = examine(env, ports=False)
    assert "is 11" in fault.what
    assert "JAVA_HOME" in fault.remedy
    assert not fault.packages


def test_taken_port_is_a_fault_unless_our_own_service_holds_it(tmp_path: Path) -> None:
    """A stranger on the port is told; the stack's own living process is not."""
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        env = {"POSTGRES_PORT": str(port), **unused("KAFKA_PORT", "KAFKA_CONTROLLER_PORT")}
        env |= unused("FLINK_REST_PORT", "FLINK_RPC_PORT", "AIRFLOW_PORT")
        (fault,) = port_faults(env, tmp_path)
        assert fault.what == f"port {port} (postgres) is taken"
        assert "POSTGRES_PORT" in fault.remedy
        (tmp_path / "run").mkdir()
        write_pid_file(tmp_path / "run/postgres.pid", os.getpid())
        assert port_faults(env, tmp_path) == []


def test_ports_of_another_group_do_not_matter(tmp_path: Path) -> None:
    """Whoever starts only the market may have something else on Airflow's port."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        env = {"AIRFLOW_PORT": str(stranger.getsockname()[1]), **unused("POSTGRES_PORT")}
        env |= unused("KAFKA_PORT", "KAFKA_CONTROLLER_PORT", "FLINK_REST_PORT", "FLINK_RPC_PORT")
        assert port_faults(env, tmp_path, ["market"]) == []
        (fault,) = port_faults(env, tmp_path, ["batch"])
        assert "AIRFLOW_PORT" in fault.remedy


def test_group_runs_if_a_service_of_its_own_does(tmp_path: Path) -> None:
    """PostgreSQL belongs to both groups and tells nothing."""
    (tmp_path / "run").mkdir()
    write_pid_file(tmp_path / "run/postgres.pid", os.getpid())
    assert not runs(tmp_path, "market")
    write_pid_file(tmp_path / "run/airflow-api.pid", os.getpid())
    assert runs(tmp_path, "batch")
    assert not runs(tmp_path, "market")


def unused(*names: str) -> dict[str, str]:
    """Free ports for these variables."""
    ports = {}
    for name in names:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports[name] = str(probe.getsockname()[1])
    return ports


@pytest.mark.parametrize("text", ["0", "65536", "-1", "kafka"])
def test_what_is_no_port_is_a_fault(tmp_path: Path, text: str) -> None:
    """A wrong port variable is told by the doctor too."""
    faults = port_faults({"KAFKA_PORT": text}, tmp_path)
    assert f"KAFKA_PORT={text} is not a port" in [fault.what for fault in faults]


def test_little_memory_is_read_from_meminfo(tmp_path: Path) -> None:
    """The kernel's estimate counts, in GiB."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  8000000 kB\nMemAvailable:    2097152 kB\n")
    assert available_memory(meminfo) == 2.0
    assert available_memory(tmp_path / "none") is None


def test_env_file_is_read_like_a_shell_would(tmp_path: Path) -> None:
    """Comments and blank lines are left out, quotes and `export` dropped."""
    file = tmp_path / ".env"
    file.write_text("# KAFKA_PORT=1\n\nKAFKA_PORT=2\nexport A='b c'\nEMPTY=\n")
    assert read_env(file) == {"KAFKA_PORT": "2", "A": "b c", "EMPTY": ""}
    assert read_env(tmp_path / "none") == {}


def test_state_folder_follows_its_setting(tmp_path: Path) -> None:
    """An absolute state folder is taken as it is."""
    assert state_folder({"MARKET_STREAMS_STATE": str(tmp_path)}) == tmp_path.resolve()


def test_description_has_one_command_for_all_packages() -> None:
    """Packages that cure several faults are named once, in one command."""
    text = describe([Fault("a", "b", ("maven",)), Fault("c", "d", ("gcc", "maven"))])
    assert "2 fault(s)" in text
    assert "apt-get install -y gcc maven" in text


def test_this_machine_is_fit_for_the_tests(capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with status 0 where `make test` can run."""
    assert main(["doctor", "--no-ports"]) == 0
    assert "has what the project needs" in capsys.readouterr().out


def test_clean_outside_the_checkout_spares_what_is_not_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state folder set to a home folder by mistake does not cost the home folder."""
    (tmp_path / "venv/base").mkdir(parents=True)
    (tmp_path / "pgpass").write_text("x")
    (tmp_path / "thesis.txt").write_text("precious")
    assert clean(tmp_path) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]
    assert "thesis.txt" in capsys.readouterr().out


def test_clean_removes_a_folder_of_its_own(tmp_path: Path) -> None:
    """Nothing is left of a state folder that held only our things."""
    state = tmp_path / "state"
    (state / "stamps").mkdir(parents=True)
    assert clean(state) == 0
    assert not state.exists()
