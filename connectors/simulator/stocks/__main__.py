"""``python -m connectors.simulator.stocks``: the local Yahoo and JPX alone."""

from connectors.simulator.stocks.cli import app

app(prog_name="python -m connectors.simulator.stocks")
