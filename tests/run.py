"""Runs all checks and closes with one summed line: `python -m tests.run [--long] [--only STEP]`.

Every lint tool counts as one test. Tests are counted from pytest's reports. A pytest run that
collects nothing, or dies, counts as a failure. Exit status 1 if anything failed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from docker.local.settings import ROOT, load

NOTHING_COLLECTED = 5
UNIT = "not integration and not long"
INTEGRATION = "integration and not long"
TITLES = {"airflow": "Airflow", "flink": "PyFlink"}
"""Environments beside dev, and what their steps are called after."""
CASES = sorted((ROOT / "tests/sql").rglob("*.yaml"))
"""Cases of SQL models: the test kit makes a test of each (flink_jobs/testing/plugin.py)."""


class Count(NamedTuple):
    """Tests by outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: "Count") -> "Count":
        """Sum by outcome."""
        return Count(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


class Step(NamedTuple):
    """One command. Those of group `lint` count as one test, the others are runs of pytest."""

    group: str
    name: str
    command: Sequence[str | Path]
    may_be_empty: bool = False


def steps(long: bool) -> list[Step]:
    """Everything `make test` does, or with `long` everything it leaves out."""
    programs = load().installed / "venv"
    modules = {name: modules_of(name, ROOT / "tests") for name in TITLES}

    def pytest(group: str, name: str, environment: str, expression: str) -> Step:
        words = ["-m", "pytest", "-q", "--durations=8", "-m", expression]
        chosen = modules.get(environment, []) + (CASES if environment == "flink" else [])
        program = programs / environment / "bin/python"
        command: list[str | Path] = [program, *words, *chosen]
        return Step(group, name, command, may_be_empty=long and environment in TITLES)

    if long:
        found = [pytest("long", "long tests", "dev", "long")]
        return found + [
            pytest("long", f"long tests with {title}", name, "long")
            for name, title in TITLES.items()
            if modules[name]
        ]
    dev = programs / "dev/bin"
    found = [
        Step("lint", "ruff check", [dev / "ruff", "check", "-q", "."]),
        Step("lint", "ruff format", [dev / "ruff", "format", "-q", "--check", "."]),
        Step("lint", "mypy", [dev / "mypy", "--no-error-summary"]),
        Step("lint", "import contracts", [dev / "lint-imports", "--no-logo"]),
        Step("lint", "sqlfluff", [dev / "sqlfluff", "lint", "-q", "sql"]),
        pytest("unit", "unit tests", "dev", UNIT),
        pytest("unit", "unit tests with Airflow", "airflow", UNIT),
        pytest("integration", "integration tests", "dev", INTEGRATION),
        pytest("integration", "integration tests with Airflow", "airflow", INTEGRATION),
        # Their unit tests are here too: starting PyFlink twice would cost more than it tells.
        pytest("integration", "tests with PyFlink", "flink", "not long"),
    ]
    return found


def modules_of(environment: str, folder: Path) -> list[Path]:
    """Test modules that run in an environment other than dev (see tests/conftest.py)."""
    mark = re.compile(rf"^pytestmark = .*pytest\.mark\.{environment}\b", re.MULTILINE)
    modules = sorted(folder.rglob("test_*.py"))
    return [module for module in modules if mark.search(module.read_text(encoding="utf-8"))]


def run_lint(step: Step) -> Count:
    """Run a lint tool; show what it says only if it fails."""
    done = subprocess.run(
        [str(part) for part in step.command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout)
    return Count(failed=1) if done.returncode else Count(passed=1)


def run_tests(step: Step) -> Count:
    """Run pytest with its output shown and count its tests."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [*(str(part) for part in step.command), f"--junit-xml={report}"]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if status == NOTHING_COLLECTED and step.may_be_empty:
            return Count()
        return judge(status, count(report) if report.exists() else Count())


def count(report: Path) -> Count:
    """Outcomes in a JUnit report of pytest."""
    total = Count()
    for suite in ElementTree.parse(report).iter("testsuite"):
        tests, failures, errors, skipped = (
            int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
        )
        failed = failures + errors
        total = total.plus(Count(max(0, tests - failed - skipped), failed, skipped))
    return total


def judge(status: int, found: Count) -> Count:
    """A run that ended badly without a failed test (nothing collected, crash) is one failure."""
    return found.plus(Count(failed=1)) if status and not found.failed else found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps and print the closing line."""
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the long tests instead")
    parser.add_argument("--only", choices=("lint", "unit", "integration"), help="one group")
    options = parser.parse_args(arguments)
    total = Count()
    for step in steps(options.long):
        if options.only not in (None, step.group):
            continue
        begun = time.monotonic()
        print(f"== {step.name}", flush=True)
        result = run_lint(step) if step.group == "lint" else run_tests(step)
        print(f"== {step.name}: {result} in {time.monotonic() - begun:.1f} s", flush=True)
        total = total.plus(result)
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
