"""First steps on a machine: `python3 -m docker.bootstrap doctor|setup|clean`.

Only the standard library, and it must at least start on Pythons that are too old or too new.
"""

from __future__ import annotations  # so that a Python that is too old can still say so

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from docker.doctor import (
    ALL,
    ROOT,
    Fault,
    browser_faults,
    environment,
    examine,
    python,
    state_folder,
)
from docker.install import Installer, InstallError

OURS = (
    *("airflow", "batch", "cache", "cds", "cds.new", "demo", "flink", "kafka", "log", "postgres"),
    *("run", "stamps", "stocks", "venv", "pgpass", "setup.lock", "sources.sql", "sql-history"),
)
"""What we put into a state folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the status of the process."""
    options = parser().parse_args(arguments)
    env = environment()
    if options.command == "setup":
        return setup(env, options.ports, options.groups or ALL, options.tests)
    if options.command == "clean":
        return clean(state_folder(env))
    faults = examine(env, options.ports, options.groups or ALL)
    print(describe(faults) if faults else "This machine has what the project needs.")
    if missing := browser_faults():
        print(f"For `make test-long`: {describe(missing)}")
    return 1 if faults else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python3 -m docker.bootstrap", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, text in (
        ("doctor", "say what this machine lacks"),
        ("setup", "install what is missing into the state folder"),
        ("clean", "remove the state folder; stop the services first"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--no-ports",
            dest="ports",
            action="store_false",
            help="do not look whether the stack's ports are free (tests choose their own)",
        )
        command.add_argument(
            "--tests",
            action="store_true",
            help="also what only the long tests need: a browser",
        )
        command.add_argument(
            "--for",
            dest="groups",
            action="append",
            choices=ALL,
            help="look at ports and memory of this group of services only",
        )
    return top


def setup(
    env: Mapping[str, str], ports: bool, groups: Sequence[str] = ALL, tests: bool = False
) -> int:
    """Cure what can be cured, refuse with all faults if any is left, install the parts.

    A browser that cannot be installed is no reason to refuse: its tests say that it is missing.
    """
    faults = examine(env, ports, groups)
    packages = missing_packages([*faults, *(browser_faults() if tests else [])])
    if packages and can_install_packages():
        install_packages(packages)
        faults = examine(env, ports, groups)
    interpreter = python()
    if faults or interpreter is None:
        print(describe(faults), file=sys.stderr)
        return 1
    try:
        Installer(state_folder(env), interpreter).install(report=say)
    except InstallError as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    return 0


def say(line: str) -> None:
    """Print a line in one piece: parts are installed by several threads."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def clean(state: Path) -> int:
    """Remove the state folder. Of one outside the checkout only what is surely ours."""
    if ROOT in state.parents:
        shutil.rmtree(state, ignore_errors=True)
        return 0
    for name in OURS:
        shutil.rmtree(state / name, ignore_errors=True)
        if (state / name).is_file():
            (state / name).unlink()
    left = sorted(each.name for each in state.iterdir()) if state.exists() else []
    if left:
        print(f"left in {state}, since it lies outside the checkout: {', '.join(left)}")
    elif state.exists():
        state.rmdir()
    return 0


def describe(faults: Sequence[Fault]) -> str:
    """All faults with their remedies, and one command for those that packages cure."""
    lines = [f"{len(faults)} fault(s) found:"]
    lines += [f"  - {fault.what}\n    remedy: {fault.remedy}" for fault in faults]
    packages = missing_packages(faults)
    if packages and shutil.which("apt-get"):
        lines.append(
            "  one command for the packages:\n"
            f"    sudo apt-get update && sudo apt-get install -y {' '.join(packages)}"
        )
    return "\n".join(lines)


def missing_packages(faults: Sequence[Fault]) -> list[str]:
    """Debian packages that cure the faults, each once."""
    return sorted({package for fault in faults for package in fault.packages})


def can_install_packages() -> bool:
    """Root on a Debian system."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: Sequence[str]) -> None:
    """Say what is missing and install it; what fails is found by the next examination."""
    print(f"Missing system packages, installing them now: {' '.join(packages)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], install):
        subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    sys.exit(main())
