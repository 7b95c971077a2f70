"""The command: a process that says where it listens and ends cleanly."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from connectors.simulator.stocks.cli import app

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("module", "number"),
    [
        (("connectors", "simulate-stocks"), signal.SIGTERM),
        (("connectors.simulator.stocks",), signal.SIGINT),
    ],
)
async def test_prints_addresses_and_ends_on_signals(
    module: tuple[str, ...], number: signal.Signals, tmp_path: Path
) -> None:
    """One JSON line when ready; a signal ends it with status 0."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"kind": "hang"}]')
    options = ("--port", "0", "--symbols", "30", "--today", "2026-11-20", "--faults", str(faults))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, *options, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert set(ready) == {"yahoo", "jpx", "jpx_english", "control"}
        state = await asyncio.to_thread(_state, ready["control"])
        assert state["ordinary"] == 30 and len(state["faults"]) == 1
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()


def _state(control: str) -> dict[str, list[object]]:
    with urlopen(f"{control}/state") as response:
        return json.load(response)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--today", "soon", "soon"),
        ("--faults", "/nonexistent.json", "nonexistent"),
        ("--symbols", "0", "symbols"),
    ],
)
def test_bad_options_are_explained(option: str, value: str, hint: str) -> None:
    """Exit status 2 and what would be right."""
    result = CliRunner().invoke(app, [option, value])
    assert result.exit_code == 2
    assert hint in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--years", "50"), "fewer years"),
        (("--calendar", "/nonexistent.json"), "nonexistent"),
    ],
)
def test_runs_that_cannot_be_are_refused(options: tuple[str, ...], hint: str) -> None:
    """Exit status 1 and one line that says why."""
    result = CliRunner().invoke(app, ["--port", "0", *options])
    assert result.exit_code == 1
    assert hint in result.output


def test_port_in_use_is_said() -> None:
    """Exit status 1 and the system's own words."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(app, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert "in use" in result.output
