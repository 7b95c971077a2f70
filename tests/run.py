"""Runs all checks and closes with one summed line: `python -m tests.run [--long] [--only STEP]`.

Every lint tool counts as one test. Tests are counted from pytest's reports. A pytest run that
collects nothing, or dies, counts as a failure. Exit status 1 if anything failed.

There are two cores: the tests of the other environments that need no service run beside lint and
unit tests; what they print is shown when they have ended, before the integration tests begin.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from docker.local.settings import ROOT, load
from docker.local.stack import Stack

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
    aside: bool = False
    """It needs no service and no exact time: it runs beside the others."""
    workers: int = 1
    """Processes that share the files of tests, and one stack."""


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
        pytest("unit", "unit tests with Airflow", "airflow", UNIT)._replace(aside=True),
        # Their unit tests are here too: starting PyFlink twice would cost more than it tells.
        pytest("integration", "tests with PyFlink", "flink", "not long")._replace(aside=True),
        # They wait more than they compute.
        pytest("integration", "integration tests", "dev", INTEGRATION)._replace(workers=2),
        pytest("integration", "integration tests with Airflow", "airflow", INTEGRATION),
    ]
    return found


def modules_of(environment: str, folder: Path) -> list[Path]:
    """Test modules that run in an environment other than dev (see tests/conftest.py)."""
    mark = re.compile(rf"^pytestmark = .*pytest\.mark\.{environment}\b", re.MULTILINE)
    modules = sorted(folder.rglob("test_*.py"))
    return [module for module in modules if mark.search(module.read_text(encoding="utf-8"))]


def run(step: Step, output: IO[str] | None = None) -> Count:
    """Run one step between two lines that name it; what it prints goes to ``output``."""
    begun = time.monotonic()
    print(f"== {step.name}", file=output, flush=True)
    result = run_lint(step) if step.group == "lint" else run_tests(step, output)
    seconds = time.monotonic() - begun
    print(f"== {step.name}: {result} in {seconds:.1f} s", file=output, flush=True)
    return result


def run_aside(chosen: Sequence[Step]) -> tuple[Count, str]:
    """Run steps one after the other; gives what they printed."""
    total = Count()
    with tempfile.TemporaryFile("w+") as output:
        for step in chosen:
            total = total.plus(run(step, output))
        output.seek(0)
        return total, output.read()


def run_all(chosen: Sequence[Step]) -> Count:
    """Run the steps, those aside beside the others until the integration tests begin."""
    total = Count()
    with ThreadPoolExecutor(1) as pool:
        aside: Future[tuple[Count, str]] | None
        aside = pool.submit(run_aside, [step for step in chosen if step.aside])
        for step in [step for step in chosen if not step.aside]:
            if aside and step.group == "integration":
                total, aside = total.plus(shown(aside)), None
            total = total.plus(run(step))
        return total.plus(shown(aside)) if aside else total


def shown(aside: "Future[tuple[Count, str]]") -> Count:
    """Wait for the steps aside, and print what they printed."""
    found, text = aside.result()
    print(text, end="", flush=True)
    return found


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


def run_tests(step: Step, output: IO[str] | None = None) -> Count:
    """Run pytest and count its tests; what it prints goes to ``output``, or is shown."""
    with tempfile.TemporaryDirectory() as folder, shared_stack(step) as environment:
        report = Path(folder) / "report.xml"
        command = [*(str(part) for part in step.command), f"--junit-xml={report}"]
        if step.workers > 1:
            command += [f"--numprocesses={step.workers}", "--dist=loadfile"]
        printed = subprocess.STDOUT if output else None
        status = subprocess.run(
            command, cwd=ROOT, check=False, stdout=output, stderr=printed, env=environment
        ).returncode
        if status == NOTHING_COLLECTED and step.may_be_empty:
            return Count()
        return judge(status, count(report) if report.exists() else Count())


@contextmanager
def shared_stack(step: Step) -> Iterator[dict[str, str]]:
    """Environment of a step; its workers start one stack, which is stopped here when they end."""
    if step.workers == 1:
        yield dict(os.environ)
        return
    from tests.integration.conftest import SHARED, shared_settings

    with tempfile.TemporaryDirectory(prefix="market-streams-test-") as folder:
        try:
            yield {**os.environ, SHARED: folder}
        finally:
            Stack(shared_settings(Path(folder)), ["market"]).clean()


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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped
    total = run_all([s for s in steps(options.long) if options.only in (None, s.group)])
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
