"""``python -m connectors.simulator``: the local exchange alone."""

from connectors.simulator.cli import app

app(prog_name="python -m connectors.simulator")
