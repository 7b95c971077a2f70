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

from connectors.simulator.cli import app

COMMAND = (sys.executable, "-m", "connectors.simulator")
ANY_PORTS = ("--control-port", "0", "--binance-port", "0", "--coinbase-port", "0")
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_prints_addresses_and_ends_on_signals(number: signal.Signals, tmp_path: Path) -> None:
    """One JSON line when ready; a signal ends it with status 0 and the ledger's end line."""
    ledger = tmp_path / "ledger.jsonl"
    options = (*ANY_PORTS, "--ledger", str(ledger), "--rate", "500", "--symbols", "2")
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *options, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert set(ready) == {"binance", "coinbase", "control"}
        state = await asyncio.to_thread(_get, ready["control"]["http"] + "/state")
        assert state["venues"]["binance"]["connections"] == 0
        for _ in range(200):
            if ledger.stat().st_size > 20_000:  # flushed while it runs
                break
            await asyncio.sleep(0.05)
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert lines[-1]["t"] == "end" and lines[-1]["trades"] == len(lines) - 1 > 50


def _get(url: str) -> dict[str, dict[str, dict[str, int]]]:
    with urlopen(url) as response:
        return json.load(response)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--since", "yesterday", "2h"),
        ("--catch-up", "fast", "200x"),
        ("--venues", "bitmex", "binance, coinbase, kraken"),
        ("--wait-for-subscribers", "bitmex=1", "venue=number"),
        ("--faults", "/nonexistent.json", "nonexistent"),
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
        (
            ("--venues", "binance", "--wait-for-subscribers", "coinbase=1"),
            "'coinbase' does not run",
        ),
        (("--recording", "/nonexistent.zst"), "nonexistent"),
    ],
)
def test_runs_that_cannot_be_are_refused(options: tuple[str, ...], hint: str) -> None:
    """Exit status 1 and one line that says why."""
    result = CliRunner().invoke(app, [*ANY_PORTS, *options])
    assert result.exit_code == 1
    assert hint in result.output


def test_port_in_use_is_said() -> None:
    """Exit status 1 and the system's own words."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, [*ANY_PORTS, "--binance-port", port])
    assert result.exit_code == 1
    assert "in use" in result.output
