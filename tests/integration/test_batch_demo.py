"""`make batch` as a person calls it: to its end, and stopped by Ctrl-C and resumed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from docker.local.settings import ROOT, StackSettings
from docker.local.stack import Stack
from tests.integration.conftest import free_ports, own_settings

pytestmark = pytest.mark.long

SYMBOLS = 200
ENDS_WITHIN = 180


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[StackSettings]:
    """An empty state folder with ports of its own; whatever is left is stopped at the end."""
    settings = own_settings(tmp_path)
    yield settings
    Stack(settings).clean()


def batch(settings: StackSettings, log: Path, **variables: str) -> "subprocess.Popen[bytes]":
    """Start it; its output goes to the log."""
    environment = {
        **os.environ,
        **settings.environment(),
        "DEMO_BATCH_SYMBOLS": str(SYMBOLS),
        "DEMO_BATCH_RATE": "10",
        "DEMO_BATCH_PORT": str(free_ports(1)[0]),
        **variables,
    }
    command = [sys.executable, "-m", "docker.batch"]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)


def test_stopped_and_resumed_batch_stores_exactly_what_was_served(
    settings: StackSettings, tmp_path: Path
) -> None:
    """Ctrl-C ends it with 130 and the remedy; the next call fetches the rest, each stock once."""
    log = tmp_path / "first.log"
    with batch(settings, log) as first:
        deadline = time.monotonic() + ENDS_WITHIN
        while not re.search(r"fetch\)  [1-9]", log.read_text()):
            assert first.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        first.send_signal(signal.SIGINT)
        assert first.wait(ENDS_WITHIN) == 130, log.read_text()
    told = re.search(rf"stopped at (\d+) of {SYMBOLS} stocks", log.read_text())
    assert told is not None, log.read_text()
    assert "make batch RESUME=1" in " ".join(log.read_text().split())
    assert {row.health for row in Stack(settings).status()} == {"down"}

    log = tmp_path / "second.log"
    with batch(settings, log, DEMO_BATCH_RESUME="1") as second:
        assert second.wait(ENDS_WITHIN) == 0, log.read_text()
    line = log.read_text()
    assert f"EQUAL: {SYMBOLS} symbols served, {SYMBOLS} stored" in line
    requests = int(re.search(r"(\d+) requests in", line)[1])  # type: ignore[index]
    # The cookie and the list are asked for again, the stocks that were stored are not.
    assert requests <= SYMBOLS - int(told[1]) + 10
