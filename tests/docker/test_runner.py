"""The runner behind `make test`: what it counts and what it calls a failure."""

import subprocess
import sys
from pathlib import Path

import pytest

from docker.local.settings import ROOT
from tests.run import Count, Step, count, judge, modules_of, run_all, run_lint, run_tests, steps

MODULE = """
import pytest
def test_good(): pass
def test_bad(): assert False
@pytest.fixture
def broken(): raise RuntimeError
def test_error(broken): pass
@pytest.mark.skip
def test_skipped(): pass
"""


def pytest_of(folder: Path) -> Step:
    """A run of pytest over one folder without our configuration."""
    plain = ["-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    return Step("unit", "x", [sys.executable, "-m", "pytest", "-q", *plain, str(folder)])


def test_outcomes_are_counted_from_the_report(tmp_path: Path) -> None:
    """Errors in fixtures are failures; skipped tests are neither passed nor failed."""
    (tmp_path / "test_sample.py").write_text(MODULE)
    assert run_tests(pytest_of(tmp_path)) == Count(passed=1, failed=2, skipped=1)


def test_run_that_collects_nothing_is_a_failure(tmp_path: Path) -> None:
    """An empty run may not look like a good one."""
    step = pytest_of(tmp_path)
    assert run_tests(step) == Count(failed=1)
    assert run_tests(step._replace(may_be_empty=True)) == Count()


def test_module_that_cannot_be_imported_is_a_failure(tmp_path: Path) -> None:
    """A fault at collection is counted even for a step that may be empty."""
    (tmp_path / "test_sample.py").write_text("import no_such_module")
    assert run_tests(pytest_of(tmp_path)._replace(may_be_empty=True)).failed == 1


def test_crash_without_failed_test_is_one_failure() -> None:
    """A bad exit status is never lost."""
    assert judge(3, Count(passed=5)) == Count(passed=5, failed=1)
    assert judge(1, Count(passed=5, failed=2)) == Count(passed=5, failed=2)
    assert judge(0, Count(passed=5)) == Count(passed=5)


def test_steps_aside_are_counted_and_shown_before_the_integration_tests(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """They run at the same time as the others; nothing they print is lost."""
    (tmp_path / "test_sample.py").write_text(MODULE)
    step = pytest_of(tmp_path)
    aside = step._replace(name="beside", aside=True)
    last = step._replace(name="last", group="integration")
    assert run_all([Step("lint", "first", ["true"]), last, aside]) == Count(3, 4, 2)
    lines = capfd.readouterr().out.splitlines()
    told = [line.partition(":")[0] for line in lines if line.startswith("== ")]
    assert told == [f"== {name}" for name in ("first", "first", "beside", "beside", "last", "last")]
    assert sum(line.startswith("FAILED") for line in lines) == 2


def test_lint_tool_counts_as_one_test() -> None:
    """Its exit status decides."""
    assert run_lint(Step("lint", "x", ["true"])) == Count(passed=1)
    assert run_lint(Step("lint", "x", ["false"])) == Count(failed=1)


def test_report_without_tests_counts_nothing(tmp_path: Path) -> None:
    """Numbers that are missing are zero."""
    report = tmp_path / "r.xml"
    report.write_text("<testsuites><testsuite/></testsuites>")
    assert count(report) == Count()


@pytest.mark.parametrize(
    ("total", "line"),
    [
        (Count(3, 0), "3 passed, 0 failed"),
        (Count(3, 1, 2), "3 passed, 1 failed, 2 skipped"),
    ],
)
def test_closing_line(total: Count, line: str) -> None:
    """One line in a form that everyone can read."""
    assert str(total) == line


@pytest.mark.parametrize("name", ["flink", "airflow"])
def test_modules_of_an_environment_are_found_by_their_mark(tmp_path: Path, name: str) -> None:
    """A mark of the whole module counts, one mentioned in a text does not."""
    mark = f"pytestmark = pytest.mark.{name}"
    (tmp_path / "test_a.py").write_text(f"import pytest\n{mark}\n")
    (tmp_path / "test_b.py").write_text(f'"""Has no {mark}."""\n')
    both = f"pytestmark = [pytest.mark.integration, pytest.mark.{name}]\n"
    (tmp_path / "test_c.py").write_text(both)
    (tmp_path / "test_d.py").write_text("pytestmark = pytest.mark.integration\n")
    assert [module.name for module in modules_of(name, tmp_path)] == ["test_a.py", "test_c.py"]


def test_every_group_is_in_the_run() -> None:
    """Lint, unit and integration tests all belong to `make test`; long ones to the other run."""
    assert {step.group for step in steps(long=False)} == {"lint", "unit", "integration"}
    assert {step.group for step in steps(long=True)} == {"long"}


def test_every_target_has_its_line_in_help() -> None:
    """`make help` lists each target of the Makefile with what it does."""
    makefile = (ROOT / "Makefile").read_text()
    phony = makefile.partition(".PHONY:")[2].partition("\n\n")[0].replace("\\\n", " ").split()
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True)
    listed = [line.split()[0] for line in shown.stdout.splitlines()]
    assert sorted(listed) == sorted(phony)
    assert all(len(line.split()) > 2 for line in shown.stdout.splitlines())
