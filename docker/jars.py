"""Flink's class path: folders of links to its own jars and to ours, laid out by the set-up.

Only the standard library: the set-up runs before any package is there.
"""

from __future__ import annotations  # so that a Python that is too old can still say so

import contextlib
from collections.abc import Iterable
from pathlib import Path

GATEWAY = "flink-sql-gateway"
"""The one of our jars that belongs beside Flink's optional parts: the SQL client needs it."""


def flink_home(installed: Path) -> Path:
    """Folder of the Flink distribution inside the flink environment; it may not exist yet."""
    found = sorted((installed / "venv/flink/lib").glob("python3.*/site-packages/pyflink"))
    return found[0] if found else installed / "venv/flink/lib/python3/site-packages/pyflink"


def class_path(installed: Path) -> Path:
    """Folder of the jars that every Flink process loads."""
    return installed / "flink/lib"


def optional_jars(installed: Path) -> Path:
    """Folder of the jars that only the SQL client and the gateway load."""
    return installed / "flink/opt"


def lay_out(installed: Path) -> None:
    """Fill both folders; environment and jars must be installed."""
    home = flink_home(installed)
    ours = sorted((installed / "flink/jars").glob("*.jar"))
    gateway = [jar for jar in ours if jar.name.startswith(GATEWAY)]
    connectors = [jar for jar in ours if jar not in gateway]
    link(optional_jars(installed), [*(home / "opt").glob("*.jar"), *gateway])
    link(class_path(installed), [*(home / "lib").glob("*.jar"), *connectors])


def link(folder: Path, jars: Iterable[Path]) -> None:
    """Make the folder hold links to just these jars."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {jar.name: jar for jar in jars}
    for old in folder.glob("*.jar"):
        if old.name not in wanted or not old.exists() or not old.samefile(wanted[old.name]):
            old.unlink(missing_ok=True)
    for name, jar in wanted.items():
        with contextlib.suppress(FileExistsError):
            (folder / name).symlink_to(jar)
