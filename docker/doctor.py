"""What this machine lacks: every fault at once, each with its remedy.

Only the standard library, since it runs before anything is installed.
"""

from __future__ import annotations  # so that a Python that is too old can still say so

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from docker.local.defaults import GROUPS, LISTENERS, MEMORY_GIB, PORTS
from docker.local.marks import read_pid_file

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ((3, 11), (3, 12))
"""Minor versions that Flink's Python package supports and that we test."""
JAVA = 17
DISK_GIB = 5
ALL = tuple(GROUPS)


class Fault(NamedTuple):
    """Something that is missing, what to do, and the Debian packages that would cure it."""

    what: str
    remedy: str
    packages: tuple[str, ...] = ()


def read_env(path: Path) -> dict[str, str]:
    """Variables of an `.env` file: NAME=value lines, quotes around the value dropped."""
    values = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            values[name.removeprefix("export ").strip()] = value.strip().strip("'\"")
    return values


def environment() -> dict[str, str]:
    """`.env` of the checkout with the real environment on top, empty values left out."""
    merged = {**read_env(ROOT / ".env"), **os.environ}
    return {name: value for name, value in merged.items() if value}


def state_folder(env: Mapping[str, str]) -> Path:
    """The state folder; a relative one is meant from the checkout."""
    return (ROOT / Path(env.get("MARKET_STREAMS_STATE", ".stack")).expanduser()).resolve()


def python() -> str | None:
    """A Python of a supported version: the running one first, then those on PATH."""
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for major, minor in PYTHONS:
        found = shutil.which(f"python{major}.{minor}")
        if found and f" {major}.{minor}." in output(found, "--version"):
            return found
    return None


def output(*command: str) -> str:
    """What a command prints on both streams; nothing if it cannot be run."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def java_version(text: str) -> int | None:
    """Feature version out of `java -version`: 17 for "17.0.15", 8 for "1.8.0_392"."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None


def python_faults() -> list[Fault]:
    """A supported Python that can make virtual environments."""
    if python() is None:
        return [
            Fault(
                f"Python 3.11 or 3.12 is needed, this is {sys.version.split()[0]}",
                "install python3.11 (with its venv package) and call make PYTHON=python3.11",
            )
        ]
    if find_spec("ensurepip") is None:
        return [Fault("Python has no ensurepip", "install python3-venv", ("python3-venv",))]
    return []


def program_faults(env: Mapping[str, str]) -> list[Fault]:
    """Java, Maven and the C compiler that one of Flink's Python packages is built with."""
    faults = []
    home = env.get("JAVA_HOME")
    command = f"{home}/bin/java" if home else "java"
    version = java_version(output(command, "-version"))
    if version is None or version < JAVA:
        found = "there is none" if version is None else f"{command} is {version}"
        packages = () if home else ("openjdk-17-jre-headless",)
        remedy = "correct JAVA_HOME or unset it" if home else "install openjdk-17-jre-headless"
        faults.append(Fault(f"Java {JAVA} or newer is needed, {found}", remedy, packages))
    if shutil.which("mvn") is None:
        faults.append(Fault("Maven (mvn) is not on PATH", "install maven", ("maven",)))
    if shutil.which("gcc") is None and shutil.which("cc") is None:
        faults.append(
            Fault("there is no C compiler", "install gcc and python3-dev", ("gcc", "python3-dev"))
        )
    return faults


def port_faults(env: Mapping[str, str], state: Path, groups: Collection[str] = ALL) -> list[Fault]:
    """Ports that somebody else holds, or that are no ports. Our own services may hold theirs."""
    faults = []
    wanted = {service for group in groups for service in GROUPS[group]}
    for service, names in LISTENERS.items():
        if service not in wanted:
            continue
        ours = read_pid_file(state / "run" / f"{service}.pid") is not None
        for name in names:
            text = env.get(name, str(PORTS[name]))
            if not text.isdecimal() or not 0 < int(text) < 65536:
                faults.append(Fault(f"{name}={text} is not a port", "set it to 1-65535"))
            elif not ours and not is_free(int(text)):
                remedy = f"stop what listens there, or set {name} in .env to a free port"
                faults.append(Fault(f"port {text} ({service}) is taken", remedy))
    return faults


def is_free(port: int) -> bool:
    """Whether we could listen on this port of 127.0.0.1."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def room_faults(state: Path, groups: Collection[str] = ALL) -> list[Fault]:
    """Disk where the state folder is, and memory for those groups that do not run already."""
    faults = []
    place = next(folder for folder in (state, *state.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 2**30
    if free < DISK_GIB:
        remedy = "make room, or move the state folder with MARKET_STREAMS_STATE"
        faults.append(Fault(f"{free:.1f} GiB free at {place}, {DISK_GIB} are needed", remedy))
    available = available_memory(Path("/proc/meminfo"))
    needed = sum(MEMORY_GIB[group] for group in groups if not runs(state, group))
    if available is not None and available < needed:
        faults.append(
            Fault(
                f"{available:.1f} GiB of memory available, {needed:g} are needed",
                "end other programs, start one group only (make up SERVICE=batch), or lower "
                "FLINK_TASKMANAGER_MEMORY, KAFKA_HEAP and AIRFLOW_PARALLELISM",
            )
        )
    return faults


def runs(state: Path, group: str) -> bool:
    """Whether a service that belongs to this group alone is running."""
    others = {name for other in GROUPS if other != group for name in GROUPS[other]}
    return any(
        read_pid_file(state / "run" / f"{name}.pid") for name in GROUPS[group] if name not in others
    )


def available_memory(meminfo: Path) -> float | None:
    """GiB that programs can still get; None where the kernel does not say."""
    if not meminfo.exists():
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    return int(found[1]) / 2**20 if found else None


def examine(
    env: Mapping[str, str], ports: bool = True, groups: Collection[str] = ALL
) -> list[Fault]:
    """All faults of this machine. Without `ports` for tests, which choose free ones."""
    state = state_folder(env)
    faults = [*python_faults(), *program_faults(env), *room_faults(state, groups)]
    return [*faults, *port_faults(env, state, groups)] if ports else faults


def browser_faults() -> list[Fault]:
    """Chromium, which the tests of the page inside Airflow's UI drive; nothing else needs it."""
    if shutil.which("chromium") is None:
        what = "chromium is missing: the tests in a browser fail, all else works"
        return [Fault(what, "install chromium", ("chromium",))]
    return []


if __name__ == "__main__":
    print(state_folder(environment()))
