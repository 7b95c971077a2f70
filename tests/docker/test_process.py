"""Processes that outlive their parent, and the pid files that find them again."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from docker.local.marks import read_pid_file, start_mark, write_pid_file
from docker.local.process import Launch, ManagedProcess, running

SLEEP = Launch(
    [sys.executable, "-c", "print('begun', flush=True); input_ = __import__('time').sleep(60)"], {}
)
STUBBORN = Launch(
    [
        sys.executable,
        "-c",
        "import signal, subprocess, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '60']).pid, flush=True)\n"
        "time.sleep(60)",
    ],
    {},
)

PARENT = Launch(
    [
        sys.executable,
        "-c",
        "import subprocess, time\n"
        "print(subprocess.Popen(['sleep', '60'], process_group=0).pid, flush=True)\n"
        "time.sleep(60)",
    ],
    {},
)


def wait_for_log(process: ManagedProcess) -> str:
    """First line of the log."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if lines := process.last_lines():
            return lines[0]
        time.sleep(0.02)
    raise AssertionError("the process wrote nothing")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ManagedProcess]:
    """A process named `probe`, killed at the end whatever the test did."""
    managed = ManagedProcess("probe", tmp_path)
    yield managed
    managed.stop(signal.SIGKILL, 5)


def test_started_process_is_found_by_another_caller(
    process: ManagedProcess, tmp_path: Path
) -> None:
    """The pid file tells any later caller which process it is."""
    pid = process.start(SLEEP)
    found = ManagedProcess("probe", tmp_path).find()
    assert found is not None
    assert found.pid == pid


def test_process_has_its_own_session(process: ManagedProcess) -> None:
    """Ctrl-C in the parent's terminal does not reach it."""
    pid = process.start(SLEEP)
    assert os.getsid(pid) == pid


def test_pid_of_another_process_is_stale(process: ManagedProcess) -> None:
    """A living process with the saved pid but another start time is not ours."""
    process.pid_file.parent.mkdir(parents=True)
    process.pid_file.write_text(json.dumps({"pid": os.getpid(), "started": "another-boot/1"}))
    assert process.find() is None
    assert not process.pid_file.exists()


@pytest.mark.parametrize("text", ["", "17", "{}", '{"pid": "x", "started": "y"}', "not json"])
def test_broken_pid_file_is_stale(process: ManagedProcess, text: str) -> None:
    """A pid file that cannot be read means no process."""
    process.pid_file.parent.mkdir(parents=True)
    process.pid_file.write_text(text)
    assert process.find() is None


def test_process_without_pid_file_is_found_by_its_tag(process: ManagedProcess) -> None:
    """A parent killed between start and pid file leaves no orphan: the file is made again."""
    pid = process.start(SLEEP)
    wait_for_log(process)
    process.pid_file.unlink()
    found = process.find()
    assert found is not None
    assert found.pid == pid
    assert read_pid_file(process.pid_file) == pid


def test_tag_of_another_state_folder_is_not_ours(process: ManagedProcess, tmp_path: Path) -> None:
    """Stacks in two state folders do not see each other's processes."""
    process.start(SLEEP)
    wait_for_log(process)
    assert ManagedProcess("probe", tmp_path / "other").find() is None


def test_stop_ends_the_process_cleanly(process: ManagedProcess) -> None:
    """The stop signal is enough for a process that listens to it."""
    pid = process.start(SLEEP)
    wait_for_log(process)
    assert process.stop(signal.SIGTERM, 10) == "stopped"
    assert running(pid) is None
    assert not process.pid_file.exists()


def test_stop_kills_the_whole_session_after_the_deadline(process: ManagedProcess) -> None:
    """A process that ignores the signal is killed, and its children with it."""
    pid = process.start(STUBBORN)
    child = int(wait_for_log(process))
    assert process.stop(signal.SIGTERM, 0.3).startswith("killed")
    assert running(pid) is None
    psutil.wait_procs([each for each in [running(child)] if each], timeout=5)
    assert running(child) is None


def test_stop_kills_what_a_dead_process_left(process: ManagedProcess) -> None:
    """A child outlives its killed parent, even in a group of its own: the stop finds it."""
    pid = process.start(PARENT)
    child = int(wait_for_log(process))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert running(child) is not None
    end = process.stop(signal.SIGTERM, 1)
    assert end == "was not running, but 1 of its processes were left: killed"
    assert running(child) is None


def test_sweep_spares_those_of_another_state_folder(
    process: ManagedProcess, tmp_path: Path
) -> None:
    """The same name elsewhere is another service."""
    pid = process.start(SLEEP)
    wait_for_log(process)
    assert ManagedProcess("probe", tmp_path / "other").sweep() == 0
    assert running(pid) is not None


def test_stop_of_nothing_says_so(process: ManagedProcess) -> None:
    """Stopping twice is no error."""
    assert process.stop(signal.SIGTERM, 1) == "was not running"


def test_killed_child_counts_as_gone(process: ManagedProcess) -> None:
    """A zombie that its parent has not waited for is no running service."""
    pid = process.start(SLEEP)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while process.find() is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.find() is None


def test_log_of_the_run_before_is_kept(process: ManagedProcess) -> None:
    """A restart does not wipe the lines that say why the last run ended."""
    process.start(SLEEP)
    wait_for_log(process)
    process.stop(signal.SIGKILL, 5)
    process.start(SLEEP)
    assert process.log_file.with_suffix(".log.1").read_text() == "begun\n"


def test_start_mark_of_a_living_process_is_stable(tmp_path: Path) -> None:
    """The same process has the same mark, and a pid file made of it is good."""
    assert start_mark(os.getpid()) == start_mark(os.getpid()) is not None
    write_pid_file(tmp_path / "x.pid", os.getpid())
    assert read_pid_file(tmp_path / "x.pid") == os.getpid()
