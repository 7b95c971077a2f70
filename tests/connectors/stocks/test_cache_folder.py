"""Each process has a folder of its own, and none is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from connectors.stocks.cache_folder import PREFIX, YOUNG, make_cache_folder

PROGRAM = """
import sys
from pathlib import Path
from connectors.stocks.cache_folder import make_cache_folder
print(make_cache_folder(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def start(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a folder; it ends when its stdin does."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_is_removed_when_the_process_ends(tmp_path: Path) -> None:
    """By itself."""
    process, folder = start(tmp_path)
    assert folder.is_dir()
    process.communicate()
    assert not folder.exists()


def age(folder: Path) -> None:
    """Make the folder look as if nothing had changed in it for a while."""
    then = folder.stat().st_mtime - YOUNG - 1
    os.utime(folder, (then, then))


def test_that_of_a_killed_process_is_removed_by_a_later_one(tmp_path: Path) -> None:
    """But not that of a living one."""
    killed, left = start(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    living, kept = start(tmp_path)
    assert left.is_dir()
    age(left)
    age(kept)
    other, _ = start(tmp_path)
    assert not left.exists()
    assert kept.is_dir()
    for process in (living, other):
        process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_a_young_one_is_left_alone(tmp_path: Path) -> None:
    """Its process may be about to lock it."""
    young, old = tmp_path / f"{PREFIX}young", tmp_path / f"{PREFIX}old"
    for folder in (young, old):
        folder.mkdir()
    age(old)
    make_cache_folder(tmp_path)
    assert young.is_dir()
    assert not old.exists()
