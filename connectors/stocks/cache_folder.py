"""A folder of its own for each process: yfinance's SQLite files break when they are shared.

A folder is removed when its process ends. One that a killed process left is removed by the next
process that makes its own: the lock on it is gone, whatever became of the process id.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "yfinance-"
LOCK = "lock"
YOUNG = 60.0
"""Seconds without a change before a folder may be taken for left: it may not be locked yet."""


def make_cache_folder(parent: Path) -> Path:
    """Make this process's folder under ``parent`` and remove those of dead processes.

    OSError where ``parent`` cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)  # kept until the process is gone
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    """At exit; a forked child leaves its parent's folder alone."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Nobody holds the folder's lock, nor is about to take it."""
    try:
        if time.time() - folder.stat().st_mtime < YOUNG:
            return False
        handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR)
    except OSError:  # another process was faster, or it is not ours to remove
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
