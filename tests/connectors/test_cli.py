"""The command line: help, and errors that name the remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.cli import app
from connectors.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m connectors …` with these environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "connectors", *words],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--help"], "simulate"),
        (["run", "--help"], "--symbols"),
        (["topics", "--help"], "topics"),
        (["subscriptions", "--help"], "--channels"),
        (["simulate", "--help"], "--ledger"),
        (["simulate-stocks", "--help"], "--faults"),
        (["simulate-orders", "--help"], "--ledger"),
    ],
)
def test_every_command_explains_itself(words: list[str], expected: str) -> None:
    """Help goes to stdout and ends with 0."""
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout


@pytest.mark.parametrize(
    ("words", "variables", "code", "expected"),
    [
        (["--venue", "nowhere", "--symbols", "BTC-USDT"], {}, 2, ["--venue", "binance, bitflyer"]),
        (["--venue", "binance", "--symbols", ","], {}, 2, ["--symbols", "BTC-USDT"]),
        (
            ["--venue", "binance", "--symbols", "BTC-USDT", "--channels", "candy"],
            {},
            2,
            ["--channels", "candy", "trades, quotes, books, candles"],
        ),
        (
            ["--venue", "binance", "--symbols", "BTC-USDT"],
            {"SHARD": "7"},
            2,
            ["SHARD=7", "WRITERS"],
        ),
        (["--venue", "binance", "--symbols", "BTC-USDT"], {"LINGER_MS": "soon"}, 2, ["LINGER_MS"]),
        (
            ["--venue", "binance", "--symbols", "BTC-USDT"],
            {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
            3,
            ["127.0.0.1:1", "make up", "KAFKA_BOOTSTRAP_SERVERS"],
        ),
    ],
)
def test_an_error_is_one_line_that_names_the_remedy(
    words: list[str], variables: dict[str, str], code: int, expected: list[str]
) -> None:
    """No traceback for what a user can put right; the exit code tells the kind."""
    done = run("run", *words, **variables)
    assert done.returncode == code, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.stderr
    assert all(text in line for text in expected), line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["add", "SOL-USDT"], "no feed of binance (shard 0) is running"),
        (["list", "--venue", "binanse"], "did you mean binance?"),
        (["add", "SOL-USDT", "--channels", "trade"], "no trade, did you mean trades?"),
        (["drop", "SOL-USDT"], "no action 'drop'; there are list, add, remove"),
    ],
)
def test_a_change_that_cannot_be_is_told_with_the_remedy(
    words: list[str], expected: str, tmp_path: Path
) -> None:
    """No feed runs here; a wrong venue, channel or action is answered with the nearest."""
    variables = {"MARKET_STREAMS_STATE": str(tmp_path), "METRICS_PORT": "0"}
    done = CliRunner().invoke(app, ["subscriptions", *words], env=variables)
    assert isinstance(done.exception, ConfigurationError) and expected in str(done.exception)
