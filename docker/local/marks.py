"""Which process a pid means: pids are used again, a pid with its start time is not.

Only the standard library: the doctor reads pid files before anything is installed.
"""

from __future__ import annotations  # so that a Python that is too old can still say so

import json
import subprocess
from pathlib import Path


def start_mark(pid: int) -> str | None:
    """When a process started, in a form that no change of the clock alters; None if it is gone.

    On Linux the boot's id and the clock ticks since then (field 22 of proc_pid_stat), elsewhere
    what `ps` says.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{fields[19]}"
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def read_pid_file(path: Path) -> int | None:
    """Pid out of a pid file, if that very process still exists."""
    try:
        saved = json.loads(path.read_text())
        pid, mark = int(saved["pid"]), str(saved["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if start_mark(pid) == mark else None


def write_pid_file(path: Path, pid: int) -> None:
    """Note a process; nothing is written if it is gone already."""
    mark = start_mark(pid)
    if mark is not None:
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps({"pid": pid, "started": mark}))
        draft.replace(path)
