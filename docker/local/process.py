"""A service as a child process that outlives its parent and can always be found again.

Each process gets a session of its own, a log file, and a pid file with its pid and its start
time, since pids are used again. The process also carries `MARKET_STREAMS_SERVICE` in its
environment: so it is found even if its parent was killed before the pid file was written.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from docker.local.marks import read_pid_file, write_pid_file

TAG = "MARKET_STREAMS_SERVICE"
STOPPED = "stopped"
"""What a stop says that needed no kill."""


class Identity(NamedTuple):
    """User and group that a process runs as; None keeps our own."""

    user: str
    group: str


class Launch(NamedTuple):
    """How to start a process."""

    command: Sequence[str | Path]
    environment: Mapping[str, str]
    """Added to our own environment."""
    identity: Identity | None = None
    stop_signal: signal.Signals = signal.SIGTERM


class ManagedProcess:
    """One named process of the state folder."""

    def __init__(self, name: str, state: Path) -> None:
        self.name = name
        self.tag = f"{name}@{state}"
        self.pid_file = state / "run" / f"{name}.pid"
        self.log_file = state / "log" / f"{name}.log"

    def start(self, launch: Launch) -> int:
        """Start the process and return its pid. The last run's log is kept as `.log.1`."""
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(
                [str(part) for part in launch.command],
                env={**os.environ, **launch.environment, TAG: self.tag},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
                user=launch.identity.user if launch.identity else None,
                group=launch.identity.group if launch.identity else None,
                extra_groups=[] if launch.identity else None,
            )
        write_pid_file(self.pid_file, child.pid)
        return child.pid

    def find(self) -> psutil.Process | None:
        """The running process, or None. A pid file that is stale is removed."""
        process = self._from_pid_file() or self._from_tag()
        if process is None:
            self.pid_file.unlink(missing_ok=True)
        return process

    def stop(self, stop_signal: signal.Signals, seconds: float) -> str:
        """Stop the process; kill it after the deadline, and all that it leaves. Say how it went."""
        process = self.find()
        if process is None:
            return f"was not running{left(self.sweep())}"
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
        result = STOPPED if wait_gone(process, seconds) else self._kill(process, seconds)
        self.pid_file.unlink(missing_ok=True)
        self.sweep()
        return result

    def sweep(self) -> int:
        """Kill what a dead process has left: its descendants carry its tag. Return how many.

        They may be in groups of their own, and start others meanwhile.
        """
        killed = 0
        while orphans := [each for each, tag in carriers() if tag == self.tag]:
            for orphan in orphans:
                with contextlib.suppress(psutil.Error):
                    orphan.kill()
                    killed += 1
            for orphan in orphans:
                wait_gone(orphan, 10)
        return killed

    def last_lines(self, count: int = 15) -> list[str]:
        """End of the log."""
        if not self.log_file.exists():
            return []
        with self.log_file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 64 * 1024))
            return log.read().decode(errors="replace").splitlines()[-count:]

    def _from_pid_file(self) -> psutil.Process | None:
        pid = read_pid_file(self.pid_file)
        return None if pid is None else running(pid)

    def _from_tag(self) -> psutil.Process | None:
        for process, tag in tagged():
            if tag == self.tag:
                write_pid_file(self.pid_file, process.pid)
                return process
        return None

    def _kill(self, process: psutil.Process, seconds: float) -> str:
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            os.killpg(os.getpgid(process.pid), signal.SIGKILL)
        wait_gone(process, 10)
        return f"killed: it did not stop within {seconds:g} s"


def left(count: int) -> str:
    """What a stop adds about processes that it had to kill."""
    return f", but {count} of its processes were left: killed" if count else ""


def carriers() -> Iterator[tuple[psutil.Process, str]]:
    """All processes of any stack with their tags, but not this very process."""
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            process = running(pid) if pid != os.getpid() else None
            tag = process.environ().get(TAG) if process else None
            if process and tag:
                yield process, tag


def tagged() -> Iterator[tuple[psutil.Process, str]]:
    """The services among the carriers: session leaders. Their children inherit the tag."""
    for process, tag in carriers():
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == process.pid:
                yield process, tag


def names_running(state: Path) -> list[str]:
    """Names of all processes that belong to this state folder, or left some behind."""
    end = f"@{state}"
    return sorted({tag.removesuffix(end) for _, tag in carriers() if tag.endswith(end)})


def running(pid: int) -> psutil.Process | None:
    """The process with this pid unless it is gone or a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def wait_gone(process: psutil.Process, seconds: float) -> bool:
    """Wait until a process has ended; a zombie that nobody has waited for has ended too."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
        if not process.is_running() or running(process.pid) is None:
            return True
        time.sleep(0.05)
    return False
