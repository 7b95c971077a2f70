"""Rules for all tests: which environment runs which test module."""

import re
from importlib.util import find_spec
from pathlib import Path

NEEDS_FLINK = re.compile(r"^pytestmark = .*pytest\.mark\.flink", re.MULTILINE)
IN_FLINK_ENVIRONMENT = find_spec("pyflink") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Collect a module only where it can be imported.

    A module that needs PyFlink says `pytestmark = pytest.mark.flink` (or a list with it). It runs
    in the flink environment and nowhere else, all others run in dev: so each test runs once and
    none is skipped for its environment.
    """
    if not collection_path.name.startswith("test_") or collection_path.suffix != ".py":
        return None
    needs_flink = NEEDS_FLINK.search(collection_path.read_text(encoding="utf-8")) is not None
    return True if needs_flink != IN_FLINK_ENVIRONMENT else None
